/* The pool of threads by itself: many regions, inside one another, from several threads at once, with other numbers
 * of threads in between, and over forks, for the sanitizers to watch. */
#include "gl_pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLERS 4
#define REGIONS 20000
#define MOST_CHUNKS 64

typedef struct job {
  int64_t chunks, stop_after;
  int32_t most;
  int64_t count[MOST_CHUNKS]; /* plain memory: what a chunk writes is the caller's when the region has ended */
  int64_t inner;
  int64_t asked;
  pthread_t caller;
} job;

static void one(void *context, int64_t chunk, int32_t thread)
{
  job *mine = context;
  assert(thread >= 0 && thread < mine->most);
  assert((thread == 0) == pthread_equal(pthread_self(), mine->caller));
  mine->count[chunk]++;
}

static void with_one_inside(void *context, int64_t chunk, int32_t thread)
{
  job *mine = context, inside = {.chunks = 3, .most = 8, .caller = pthread_self()};
  one(mine, chunk, thread);
  gl_pool_run(one, NULL, &inside, 3, 8);
  for (int k = 0; k < 3; k++)
    assert(inside.count[k] == 1);
  __atomic_add_fetch(&mine->inner, 1, __ATOMIC_RELAXED);
}

static int stop(void *context)
{
  job *mine = context;
  assert(pthread_equal(pthread_self(), mine->caller));
  return ++mine->asked > mine->stop_after;
}

static void *call_often(void *number)
{
  unsigned seed = 1 + (unsigned)(uintptr_t)number;
  for (int t = 0; t < REGIONS; t++) {
    job mine = {.chunks = rand_r(&seed) % MOST_CHUNKS, .most = 1 + rand_r(&seed) % 9, .caller = pthread_self()};
    int nested = t % 7 == 0, stopped = t % 5 == 0;
    mine.stop_after = rand_r(&seed) % 4;
    if (t % 50 == 0)
      gl_pool_set_threads(1 + rand_r(&seed) % 6);
    gl_pool_run(nested ? with_one_inside : one, stopped ? stop : NULL, &mine, mine.chunks, mine.most);
    int64_t begun = 0;
    for (int k = 0; k < MOST_CHUNKS; k++) {
      assert(mine.count[k] == (k < mine.chunks && (!stopped || mine.count[k])));
      begun += mine.count[k];
    }
    assert(stopped || begun == mine.chunks);
    assert(!nested || mine.inner == begun);
  }
  return NULL;
}

/* The first chunk of each thread, which waits there for the other's. */
static void begins(void *context, int64_t chunk, int32_t thread)
{
  static int arrived;
  int64_t *first = context;
  if (first[thread] >= 0)
    return;
  first[thread] = chunk;
  __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2)
    sched_yield();
}

static void begin_with_own_shares(void)
{
  int64_t first[2] = {-1, -1};
  gl_pool_set_threads(2);
  gl_pool_run(begins, NULL, first, 9, 2);
  assert(first[0] == 0 && first[1] == 4);
}

static void work_in_child(int with_threads)
{
  assert(gl_pool_used().workers == 0);
  job mine = {.chunks = 8, .most = 4, .caller = pthread_self()};
  gl_pool_set_threads(with_threads ? 3 : 1);
  for (int t = 0; t < 20; t++)
    gl_pool_run(one, NULL, &mine, 8, 4);
  for (int k = 0; k < 8; k++)
    assert(mine.count[k] == 20);
  assert(gl_pool_used().workers == (with_threads ? 2 : 0));
  _exit(0);
}

static void fork_often(int with_threads)
{
  for (int k = 0; k < 20; k++) {
    pid_t child = fork();
    if (child == 0)
      work_in_child(with_threads);
    int status;
    waitpid(child, &status, 0);
    assert(status == 0);
  }
}

static void nothing(void *context, int64_t chunk, int32_t thread) { (void)context, (void)chunk, (void)thread; }

static void measure(void)
{
  struct timespec from, to;
  double least = 1e9;
  gl_pool_set_threads(2);
  for (int t = 0; t < 20000; t++) {
    clock_gettime(CLOCK_MONOTONIC, &from);
    gl_pool_run(nothing, NULL, NULL, 2, 2);
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ns = 1e9 * (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec);
    least = ns < least ? ns : least;
  }
  printf("an empty region: %.0f ns\n", least);
}

/* Where the system gives no threads the caller does it all. */
static void refused(void)
{
  struct rlimit none = {0, 0};
  gl_pool_set_threads(4);
  assert(!setrlimit(RLIMIT_AS, &none));
  job mine = {.chunks = 5, .most = 4, .caller = pthread_self()};
  gl_pool_run(one, NULL, &mine, 5, 4);
  for (int k = 0; k < 5; k++)
    assert(mine.count[k] == 1);
  assert(gl_pool_used().regions == 0 && gl_pool_used().workers == 0);
}

int main(int argc, char **argv)
{
  pthread_t callers[CALLERS];
  gl_pool_start();
  if (argc > 1 && !strcmp(argv[1], "measure")) {
    measure();
    return 0;
  }
  if (argc > 1 && !strcmp(argv[1], "refused")) {
    refused();
    return 0;
  }
  int fork_with_threads = argc < 2; /* a sanitizer of threads knows none that are made after a fork */
  begin_with_own_shares();
  gl_pool_set_threads(4);
  call_often(NULL);
  for (uintptr_t k = 0; k < CALLERS; k++)
    pthread_create(&callers[k], NULL, call_often, (void *)k);
  fork_often(fork_with_threads);
  for (int k = 0; k < CALLERS; k++)
    pthread_join(callers[k], NULL);
  assert(gl_pool_used().regions > REGIONS / 2 && gl_pool_used().helped > 0);
  fork_often(fork_with_threads);
  gl_pool_end();
  assert(gl_pool_used().workers == 0);
  return 0;
}
