/* Memory for arrays, large pieces of which are kept for the next array: gl_memory.h says how many. */
#include "gl_memory.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_KEPT 128 /* pieces */
/* Bytes before a large array, which thus begins with a page. A processor takes what lies at the same place in another
 * page for the same at first, and reads from an array that begins further behind in its page wait for writes to this. */
#define LEAD 4096

/* With the address sanitizer, what is kept counts as freed. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define HIDE(memory, bytes) ASAN_POISON_MEMORY_REGION(memory, bytes)
#define SHOW(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define HIDE(memory, bytes) ((void)(memory), (void)(bytes))
#define SHOW(memory, bytes) ((void)(memory), (void)(bytes))
#endif

/* What stands GL_ALIGNMENT bytes before an array's memory. */
typedef struct piece {
  size_t size;  /* of a large piece, in whole pages; 0: a small one, from malloc */
  size_t asked; /* bytes of the array */
  struct piece *next; /* among those on their way to the system */
} piece;

typedef struct keepsake {
  piece *piece;
  size_t size;
  int64_t since; /* ms */
} keepsake;

/* What `lock` guards. No system call is made under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static keepsake kept[MAX_KEPT]; /* the oldest first */
static int n_kept;                     /* also read without the lock */
static size_t kept_bytes, live_bytes;  /* whole pieces: kept, in use */
static size_t asked_bytes, most_bytes; /* as if all in use were just as large as asked, and the most that ever was */

static int64_t now_ms(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
  const clockid_t clock = CLOCK_MONOTONIC_COARSE;
#else
  const clockid_t clock = CLOCK_MONOTONIC;
#endif
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

/* The size of a large piece for so many bytes. */
static size_t whole(size_t bytes)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (LEAD + bytes + page - 1) / page * page;
}

static void *memory_of(piece *p) { return (char *)p + GL_ALIGNMENT; }
static piece *piece_of(void *memory) { return (piece *)((char *)memory - GL_ALIGNMENT); }
/* Where the pages of a large piece begin. */
static char *pages_of(piece *p) { return (char *)memory_of(p) - LEAD; }

/* ---- the system -------------------------------------------------------------------------------- */

static piece *from_system(size_t size)
{
  char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    return NULL;
#ifdef MADV_HUGEPAGE
  madvise(pages, size, MADV_HUGEPAGE); /* as NumPy does; where there are none all is as before */
#endif
  piece *fresh = piece_of(pages + LEAD);
  fresh->size = size;
  return fresh;
}

static void to_system(piece *chain)
{
  while (chain) {
    piece *next = chain->next;
    size_t size = chain->size;
    SHOW(pages_of(chain), size); /* whoever gets these addresses next may use them */
    munmap(pages_of(chain), size);
    chain = next;
  }
}

/* ---- what is kept; all under the lock ---------------------------------------------------------- */

static void set_n_kept(int n) { __atomic_store_n(&n_kept, n, __ATOMIC_RELAXED); }

static piece *taken_out(int k)
{
  piece *out = kept[k].piece;
  kept_bytes -= kept[k].size;
  set_n_kept(n_kept - 1);
  memmove(kept + k, kept + k + 1, (size_t)(n_kept - k) * sizeof *kept);
  return out;
}

/* The tightest piece that is at most twice as large as need be, the youngest of these; NULL for none. */
static piece *fitting(size_t size)
{
  int best = -1;
  for (int k = 0; k < n_kept; k++)
    if (kept[k].size >= size && kept[k].size / 2 <= size && (best < 0 || kept[k].size <= kept[best].size))
      best = k;
  return best < 0 ? NULL : taken_out(best);
}

/* Take out the oldest pieces until at most `bytes` and `pieces` are left: the chain of them before `chain`. */
static piece *shrunk(size_t bytes, int pieces, piece *chain)
{
  while (n_kept && (kept_bytes > bytes || n_kept > pieces)) {
    piece *oldest = taken_out(0);
    oldest->next = chain;
    chain = oldest;
  }
  return chain;
}

static void shift(ptrdiff_t size, ptrdiff_t asked)
{
  live_bytes += (size_t)size;
  asked_bytes += (size_t)asked;
}

/* ---- large pieces ------------------------------------------------------------------------------ */

static piece *fresh_piece(size_t size)
{
  piece *fresh = from_system(size);
  return fresh || !gl_memory_release() ? fresh : from_system(size);
}

static piece *large_piece(size_t bytes)
{
  size_t size = whole(bytes);
  piece *surplus = NULL;
  pthread_mutex_lock(&lock);
  piece *piece = fitting(size);
  size_t most = most_bytes;
  shift((ptrdiff_t)(piece ? piece->size : size), (ptrdiff_t)size);
  if (most_bytes < asked_bytes)
    most_bytes = asked_bytes;
  if (!piece) { /* the process grows by it: by so much less may be kept */
    const size_t room = most_bytes + most_bytes / GL_KEPT_BEYOND;
    surplus = shrunk(room > live_bytes ? room - live_bytes : 0, MAX_KEPT, NULL);
  }
  pthread_mutex_unlock(&lock);
  to_system(surplus);
  if (piece || (piece = fresh_piece(size)))
    return piece;
  pthread_mutex_lock(&lock);
  shift(-(ptrdiff_t)size, -(ptrdiff_t)size);
  most_bytes = most > asked_bytes ? most : asked_bytes;
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void keep(piece *p)
{
  piece *surplus = NULL;
  HIDE(memory_of(p), p->size - LEAD);
  pthread_mutex_lock(&lock);
  shift(-(ptrdiff_t)p->size, -(ptrdiff_t)whole(p->asked));
  if (p->size > GL_KEPT_BYTES) {
    p->next = NULL;
    surplus = p;
  } else {
    surplus = shrunk(GL_KEPT_BYTES - p->size, MAX_KEPT - 1, NULL);
    kept[n_kept] = (keepsake){p, p->size, now_ms()};
    set_n_kept(n_kept + 1);
    kept_bytes += p->size;
  }
  pthread_mutex_unlock(&lock);
  to_system(surplus);
}

/* ---- small pieces -------------------------------------------------------------------------------
 *
 * malloc takes its time over aligned memory. The shortest pieces that a thread gives back lie in its tray, by size,
 * for it to take again; those that are left when it ends are freed. */

#define SHORT 65  /* lines: from here on pieces go back to malloc */
#define TRAY 2048 /* lines in a tray at most: 128 KiB */

static __thread struct {
  piece *first[SHORT];
  size_t lines;
  int clears; /* whether it is emptied when the thread ends */
} tray;

static pthread_key_t ends;
static int has_end; /* the key is there */

static void clear_tray(void *unused)
{
  (void)unused;
  for (size_t n = 0; n < SHORT; n++)
    while (tray.first[n]) {
      piece *p = tray.first[n];
      tray.first[n] = p->next;
      SHOW(p, n * GL_ALIGNMENT);
      free(p);
    }
  tray.lines = 0;
  tray.clears = 0;
}

/* Whether this thread's tray will be emptied when it ends: only then it is filled. */
static int clears_tray(void)
{
  if (!tray.clears)
    tray.clears = has_end && pthread_setspecific(ends, &tray) == 0;
  return tray.clears;
}

/* ---- all pieces -------------------------------------------------------------------------------- */

/* A small one with its header, in lines of GL_ALIGNMENT. */
static size_t lines(size_t bytes) { return (2 * GL_ALIGNMENT + bytes - 1) / GL_ALIGNMENT; }

static piece *small_piece(size_t bytes)
{
  size_t n = lines(bytes);
  piece *small;
  if (n < SHORT && tray.first[n]) {
    small = tray.first[n];
    tray.first[n] = small->next;
    tray.lines -= n;
    SHOW(small, n * GL_ALIGNMENT);
    return small;
  }
  small = aligned_alloc(GL_ALIGNMENT, n * GL_ALIGNMENT);
  if (small)
    small->size = 0;
  return small;
}

static void drop_small(piece *p)
{
  size_t n = lines(p->asked);
  if (n >= SHORT || tray.lines + n > TRAY || !clears_tray()) {
    free(p);
    return;
  }
  p->next = tray.first[n];
  tray.first[n] = p;
  tray.lines += n;
  HIDE(memory_of(p), (n - 1) * GL_ALIGNMENT);
}

void *gl_memory_new(size_t bytes)
{
  if (bytes > PTRDIFF_MAX / 2)
    return NULL;
  piece *p = bytes < GL_LARGE ? small_piece(bytes) : large_piece(bytes);
  if (!p)
    return NULL;
  p->asked = bytes;
  if (p->size) {
    HIDE(memory_of(p), p->size - LEAD);
    SHOW(memory_of(p), bytes);
  }
  return memory_of(p);
}

void gl_memory_drop(void *memory)
{
  if (!memory)
    return;
  piece *p = piece_of(memory);
  if (p->size)
    keep(p);
  else
    drop_small(p);
}

void *gl_memory_resized(void *memory, size_t bytes)
{
  if (!memory)
    return gl_memory_new(bytes);
  size_t have = piece_of(memory)->asked;
  void *moved = gl_memory_new(bytes);
  if (moved) {
    memcpy(moved, memory, bytes < have ? bytes : have);
    gl_memory_drop(memory);
  }
  return moved;
}

/* ---- giving back ------------------------------------------------------------------------------- */

void gl_memory_rest(void)
{
  static int calls; /* most calls are short: only some of them look */
  int turn = __atomic_load_n(&calls, __ATOMIC_RELAXED);
  __atomic_store_n(&calls, (turn + 1) % GL_REST_CALLS, __ATOMIC_RELAXED);
  if (turn || !__atomic_load_n(&n_kept, __ATOMIC_RELAXED))
    return;
  piece *surplus = NULL;
  pthread_mutex_lock(&lock);
  int64_t since = now_ms() - GL_KEPT_MS;
  int old = 0;
  while (old < n_kept && kept[old].since < since)
    old++;
  surplus = shrunk(SIZE_MAX, n_kept - old, NULL);
  pthread_mutex_unlock(&lock);
  to_system(surplus);
}

size_t gl_memory_release(void)
{
  pthread_mutex_lock(&lock);
  size_t bytes = kept_bytes;
  piece *all = shrunk(0, 0, NULL);
  pthread_mutex_unlock(&lock);
  to_system(all);
  return bytes;
}

gl_memory_use gl_memory_used(void)
{
  pthread_mutex_lock(&lock);
  gl_memory_use use = {.in_use = live_bytes, .kept = kept_bytes, .most = most_bytes};
  pthread_mutex_unlock(&lock);
  return use;
}

/* ---- fork -------------------------------------------------------------------------------------- */

/* The child gets the lock as its only thread left it: free. What its parent keeps it would only copy. */
static void before_fork(void) { pthread_mutex_lock(&lock); }
static void in_parent(void) { pthread_mutex_unlock(&lock); }

static void in_child(void)
{
  pthread_mutex_unlock(&lock);
  gl_memory_release();
}

int gl_memory_start(void)
{
  has_end = pthread_key_create(&ends, clear_tray) == 0;
  return pthread_atfork(before_fork, in_parent, in_child);
}
