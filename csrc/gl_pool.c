/* Threads that share the work of one region at a time: gl_pool.h says how they behave.
 *
 * All turns on one word, the ticket: how many threads the region is for, how many chunks it has and how many are taken.
 * Who moves it on by one has a chunk, and until that has ended the region can't end: only then may what belongs
 * to the region be read. A worker that comes late finds nothing to take and touches nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* affinity */
#endif
#include "gl_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#define SPIN_NS 50000   /* about what it takes to wake a thread: waiting costs at most twice as much as it must */
#define SPINS 32        /* between two looks at the clock: about 1 us */
#define STACK (4 << 20) /* bytes for each worker */
#define LINE 64         /* bytes of a cache line */

#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define PUT(word, value) __atomic_store_n(&(word), (value), __ATOMIC_SEQ_CST)
#define ADD(word, value) __atomic_add_fetch(&(word), (value), __ATOMIC_SEQ_CST)
#define GLANCE(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

typedef struct worker {
  pthread_t thread;
  int32_t number; /* from 1 on */
} worker;

static int32_t wanted = 1; /* threads, the caller's among them */
static int32_t busy;       /* somebody has the pool: what follows is theirs */
static worker workers[GL_MAX_THREADS];
static int32_t n_workers; /* also read by others */
static int32_t given;     /* threads that the system is known to give; 0: unknown */

/* The region; written before its ticket, read by who has a chunk of it. */
static struct {
  gl_chunk run;
  void *context;
  int32_t shares;
} region;

/* Chunks lie in as many shares as there are threads, which begin with their own: in the next region over the same
 * arrays each finds in its caches what it had there. */
static struct {
  _Alignas(LINE) uint32_t taken;
} share[GL_MAX_THREADS];

static _Alignas(LINE) uint64_t ticket; /* threads << 48 | chunks << 24 | chunks taken */
static _Alignas(LINE) uint32_t done;   /* chunks that have ended or will never begin */
static _Alignas(LINE) uint32_t signals; /* grows with each region, and when workers are to end */
static int32_t last_worker;             /* workers with greater numbers end */
static int64_t regions, helped;

/* For those that sleep; a thread that is about to sleep counts itself under the lock first. */
static _Alignas(LINE) pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER, work_ended = PTHREAD_COND_INITIALIZER;
static int32_t asleep, caller_asleep;

static __thread int inside; /* this thread works on a region, or is a worker */

/* Spin until `*word` is `value`, or until it is not, where it `leaves`: whether that came in time. */
static int comes(const uint32_t *word, uint32_t value, int leaves)
{
  struct timespec now;
  int64_t ns = 0, end = 0;
  do {
    for (int k = 0; k < SPINS; k++) {
      if ((LOAD(*word) != value) == leaves)
        return 1;
      PAUSE();
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
    end = end ? end : ns + SPIN_NS;
  } while (ns < end);
  return 0;
}

/* ---- chunks ------------------------------------------------------------------------------------ */

static uint32_t next_of(uint64_t seen) { return seen & 0xffffff; }
static uint32_t chunks_of(uint64_t seen) { return seen >> 24 & 0xffffff; }
static int32_t threads_of(uint64_t seen) { return (int32_t)(seen >> 48); }

/* The chunks of share `k`, from the first to before the last. */
static int64_t share_of(int64_t k, int64_t chunks) { return k * chunks / region.shares; }

/* A chunk for thread `number`, which has a ticket for one: of its own share while there are any, else of the next that
 * has. There is one, as no more are taken than there are tickets. */
static int64_t chunk_for(int32_t number, int64_t chunks)
{
  for (int32_t k = number % region.shares;; k = (k + 1) % region.shares) {
    const int64_t first = share_of(k, chunks), count = share_of(k + 1, chunks) - first;
    if (LOAD(share[k].taken) < count) {
      const int64_t next = (int64_t)ADD(share[k].taken, 1) - 1;
      if (next < count)
        return first + next;
    }
  }
}

/* The next chunk for thread `number`; -1: there is none. */
static int64_t taken(int32_t number)
{
  uint64_t seen = LOAD(ticket);
  while (next_of(seen) < chunks_of(seen) && number < threads_of(seen))
    if (__atomic_compare_exchange_n(&ticket, &seen, seen + 1, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      return chunk_for(number, chunks_of(seen));
  return -1;
}

static void ended(uint32_t chunks, uint32_t of)
{
  if (ADD(done, chunks) != of || !LOAD(caller_asleep))
    return;
  pthread_mutex_lock(&lock);
  pthread_cond_signal(&work_ended);
  pthread_mutex_unlock(&lock);
}

/* What a worker does while there are chunks. */
static void help(int32_t number)
{
  for (int64_t chunk; (chunk = taken(number)) >= 0;) {
    const uint32_t of = chunks_of(LOAD(ticket)); /* the same until this chunk has ended */
    region.run(region.context, chunk, number);
    __atomic_add_fetch(&helped, 1, __ATOMIC_RELAXED);
    ended(1, of);
  }
}

/* ---- workers ----------------------------------------------------------------------------------- */

static void wait_for_work(uint32_t seen)
{
  if (comes(&signals, seen, 1))
    return;
  pthread_mutex_lock(&lock);
  ADD(asleep, 1);
  while (LOAD(signals) == seen)
    pthread_cond_wait(&work_came, &lock);
  ADD(asleep, -1);
  pthread_mutex_unlock(&lock);
}

static void *work(void *self)
{
  const int32_t number = ((worker *)self)->number;
  inside = 1;
  for (;;) {
    const uint32_t seen = LOAD(signals);
    if (number > LOAD(last_worker))
      return NULL;
    help(number);
    wait_for_work(seen);
  }
}

static void signal_workers(void)
{
  ADD(signals, 1);
  if (!LOAD(asleep))
    return;
  pthread_mutex_lock(&lock);
  pthread_cond_broadcast(&work_came);
  pthread_mutex_unlock(&lock);
}

/* The rest is done only by who has the pool. */

static void keep_workers(int32_t count)
{
  const int32_t have = n_workers;
  PUT(last_worker, count);
  signal_workers();
  for (int32_t k = count; k < have; k++)
    pthread_join(workers[k].thread, NULL);
  __atomic_store_n(&n_workers, count, __ATOMIC_RELAXED);
}

static void add_workers(int32_t count)
{
  sigset_t all, before;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes))
    return;
  pthread_attr_setstacksize(&attributes, STACK);
  PUT(last_worker, count);
  sigfillset(&all); /* signals are for the threads that Python knows */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int32_t k = n_workers;
  for (; k < count; k++) {
    workers[k].number = k + 1;
    if (pthread_create(&workers[k].thread, &attributes, work, &workers[k]))
      break;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  __atomic_store_n(&n_workers, k, __ATOMIC_RELAXED);
}

/* ---- regions ----------------------------------------------------------------------------------- */

static void alone(gl_chunk run, gl_pool_stop stop, void *context, int64_t chunks)
{
  for (int64_t k = 0; k < chunks; k++) {
    if (k && stop && stop(context))
      return;
    run(context, k, 0);
  }
}

/* Nobody begins another chunk. */
static void withdraw(void)
{
  uint64_t seen = LOAD(ticket);
  while (!__atomic_compare_exchange_n(&ticket, &seen, seen - next_of(seen) + chunks_of(seen), 1, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST))
    ;
  ended(chunks_of(seen) - next_of(seen), chunks_of(seen));
}

static void wait_for_others(uint32_t of)
{
  if (comes(&done, of, 0))
    return;
  pthread_mutex_lock(&lock);
  PUT(caller_asleep, 1);
  while (LOAD(done) != of)
    pthread_cond_wait(&work_ended, &lock);
  PUT(caller_asleep, 0);
  pthread_mutex_unlock(&lock);
}

/* Workers keep off the processor of the caller. A system that wakes one there leaves it waiting behind the caller until it
 * looks again, for milliseconds: longer than most regions take, so that the threads together were as slow as one. */
static void keep_off_caller(void)
{
#ifdef __linux__
  static int avoided = -1;
  static int32_t told;
  cpu_set_t allowed;
  const int here = sched_getcpu();
  if (here < 0 || (here == avoided && told == n_workers))
    return;
  avoided = here;
  told = n_workers;
  if (here >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed))
    return;
  CPU_CLR(here, &allowed);
  if (CPU_COUNT(&allowed))
    for (int32_t k = 0; k < n_workers; k++)
      pthread_setaffinity_np(workers[k].thread, sizeof allowed, &allowed);
#endif
}

static void together(gl_chunk run, gl_pool_stop stop, void *context, uint32_t of, int32_t most)
{
  region.run = run;
  region.context = context;
  region.shares = n_workers + 1 < most ? n_workers + 1 : most;
  for (int32_t k = 0; k < region.shares; k++)
    PUT(share[k].taken, 0);
  keep_off_caller();
  PUT(done, 0);
  PUT(ticket, (uint64_t)most << 48 | (uint64_t)of << 24);
  signal_workers();
  __atomic_add_fetch(&regions, 1, __ATOMIC_RELAXED);
  inside = 1;
  for (int64_t chunk; (chunk = taken(0)) >= 0;) {
    run(context, chunk, 0);
    ended(1, of);
    if (stop && next_of(LOAD(ticket)) < of && stop(context))
      withdraw();
  }
  wait_for_others(of);
  inside = 0;
}

/* As many workers as there should be, or as the system gives. */
static void set_workers(int32_t threads)
{
  if (n_workers >= threads)
    keep_workers(threads - 1);
  const int32_t limit = LOAD(given);
  if (limit && limit < threads) /* it gave no more: don't ask in every region */
    threads = limit;
  if (n_workers >= threads - 1)
    return;
  add_workers(threads - 1);
  if (n_workers < threads - 1)
    PUT(given, n_workers + 1);
}

void gl_pool_run(gl_chunk run, gl_pool_stop stop, void *context, int64_t chunks, int32_t most)
{
  const int32_t threads = gl_pool_threads();
  int32_t nobody = 0;
  if (threads < 2 || most < 2 || chunks < 2 || chunks > GL_MAX_CHUNKS || inside || GLANCE(busy) ||
      !__atomic_compare_exchange_n(&busy, &nobody, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    alone(run, stop, context, chunks);
    return;
  }
  set_workers(threads);
  const int helpers = n_workers > 0;
  if (helpers)
    together(run, stop, context, (uint32_t)chunks, most);
  PUT(busy, 0);
  if (!helpers)
    alone(run, stop, context, chunks);
}

/* ---- settings ---------------------------------------------------------------------------------- */

void gl_pool_set_threads(int32_t threads)
{
  PUT(wanted, threads < 1 ? 1 : threads > GL_MAX_THREADS ? GL_MAX_THREADS : threads);
  PUT(given, 0);
}

int32_t gl_pool_threads(void) { return GLANCE(wanted); }

gl_pool_use gl_pool_used(void)
{
  return (gl_pool_use){.regions = GLANCE(regions), .helped = GLANCE(helped), .workers = GLANCE(n_workers)};
}

/* ---- fork and the end -------------------------------------------------------------------------- */

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }

/* The child has no workers, and nobody who waits for any. */
static void in_child(void)
{
  lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  work_came = work_ended = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  busy = n_workers = last_worker = given = asleep = caller_asleep = 0;
  ticket = 0;
}

int gl_pool_start(void) { return pthread_atfork(before_fork, in_parent, in_child); }

void gl_pool_end(void)
{
  int32_t nobody = 0;
  while (!__atomic_compare_exchange_n(&busy, &nobody, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    nobody = 0;
    sched_yield();
  }
  keep_workers(0);
  PUT(busy, 0);
}
