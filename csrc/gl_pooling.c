/* Max pools, and their derivative where windows do not meet: each element has one window at most, so nothing is
 * folded back. Many rows of windows are computed at a time, so that inner loops are long although rows are short. */
#include "gl_pool.h"
#include "gl_runtime.h"

#include <string.h>

#define TILE 1024 /* elements of the input in so many rows as are computed at a time, unless one row has more */
#define ROWS 128
#define CHUNK (64 << 10) /* elements of the input for a chunk of rows, which a thread takes */

/* How windows lie over the last `rank` axes. Extents in elements, steps in bytes. */
typedef struct pooling {
  int64_t rank;
  const int64_t *window, *stride;
  int64_t count[GL_MAX_NDIM];                          /* of windows along each axis */
  int64_t in_step[GL_MAX_NDIM], out_step[GL_MAX_NDIM]; /* from element to element of a window */
  int64_t best_step, cotangent_step;                   /* from window to window along the last axis */
  int64_t used, pitch; /* how many elements of the input a row of windows covers; how many it has in a tile */
  int pairs;           /* windows are 2 x 2, side by side, and all arrays have neighbours along the last axis */
  int apart;           /* whether windows do not meet along the last axis: then all of a tile's lie `stride` apart */
} pooling;

/* The arrays: input, result, largest elements of the windows, cotangents of these; and where in them a row begins. */
typedef struct arrays {
  const char *in, *best, *cotangent;
  char *out;
} arrays;

typedef struct place {
  int64_t in, best, cotangent, out;
} place;

#define TARGET
#define real float
#define NAME(what) what##_single
#include "gl_pooling_rows.h"
#undef real
#undef NAME
#define real double
#define NAME(what) what##_double
#include "gl_pooling_rows.h"
#undef real
#undef NAME
#undef TARGET

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2")))
#if __has_builtin(__builtin_shufflevector)
#define PAIRS(v, which) __builtin_shufflevector(v, v, which)
#endif
#define real float
#define LANES 8
#define LOW 0, 0, 1, 1, 2, 2, 3, 3
#define HIGH 4, 4, 5, 5, 6, 6, 7, 7
#define SWAPPED 1, 0, 3, 2, 5, 4, 7, 6
#define NAME(what) what##_single_avx2
#include "gl_pooling_rows.h"
#undef real
#undef LANES
#undef LOW
#undef HIGH
#undef SWAPPED
#undef NAME
#define real double
#define LANES 4
#define LOW 0, 0, 1, 1
#define HIGH 2, 2, 3, 3
#define SWAPPED 1, 0, 3, 2
#define NAME(what) what##_double_avx2
#include "gl_pooling_rows.h"
#endif

typedef void (*pool_function)(const pooling *p, int64_t rows, const place *begin, const arrays *base, char *tile,
                              char *result);
typedef void (*share_function)(const pooling *p, int64_t rows, const place *begin, const arrays *base, char *tiles);

static pool_function pool_function_of(int32_t itemsize)
{
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2"))
    return itemsize == 4 ? pool_rows_single_avx2 : pool_rows_double_avx2;
#endif
  return itemsize == 4 ? pool_rows_single : pool_rows_double;
}

static share_function share_function_of(int32_t itemsize)
{
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2"))
    return itemsize == 4 ? share_rows_single_avx2 : share_rows_double_avx2;
#endif
  return itemsize == 4 ? share_rows_single : share_rows_double;
}

/* ---- rows, in C order -------------------------------------------------------------------------------- */

/* How many rows there are along each axis but the last, and by how much they move on. */
typedef struct walk {
  int32_t n;
  int64_t extent[GL_MAX_NDIM], at[GL_MAX_NDIM];
  place step[GL_MAX_NDIM], here;
} walk;

static void move(walk *w, int32_t axis, int64_t turns)
{
  const place *s = &w->step[axis];
  w->at[axis] += turns;
  w->here.in += turns * s->in;
  w->here.out += turns * s->out;
  w->here.best += turns * s->best;
  w->here.cotangent += turns * s->cotangent;
}

static void next_row(walk *w)
{
  for (int32_t d = w->n - 1; d >= 0; d--) {
    move(w, d, 1);
    if (w->at[d] < w->extent[d])
      return;
    move(w, d, -w->extent[d]);
  }
}

/* From the first row to row `number`. */
static void go_to(walk *w, int64_t number)
{
  for (int32_t d = w->n - 1; d >= 0; number /= w->extent[d], d--)
    move(w, d, number % w->extent[d]);
}

/* ---- what both do ---------------------------------------------------------------------------------- */

typedef struct job {
  pooling p;
  walk walk;
  arrays base;
  int32_t itemsize, threads;
  int64_t rows, chunk_rows, tile_rows; /* all, those of a chunk, those that are computed at a time */
  int64_t tile_bytes;                  /* for each thread */
  char *tiles;
  int64_t row_bytes; /* of the result */
} job;

/* The windows over `in`, whose extents are in `shape` afterwards with the windows' counts instead of the last. */
static int pooling_of(gl_frame *frame, const int64_t *params, const gl_array *in, int32_t ndim, int64_t *shape,
                      pooling *p)
{
  int32_t rank = (int32_t)params[0], lead = ndim - rank, last = rank - 1;
  *p = (pooling){.rank = rank, .window = params + 1, .stride = params + 1 + rank};
  memcpy(shape, in->shape, (size_t)ndim * sizeof *shape);
  for (int32_t d = 0; d < rank; d++) {
    shape[lead + d] = p->count[d] = gl_window_count(in->shape[lead + d], p->window[d], p->stride[d], 1);
    if (p->count[d] < 1)
      return gl_fail(frame, GL_ERROR_WINDOW, p->window[d], 1, lead + d, in->shape[lead + d]);
    p->in_step[d] = in->stride[lead + d];
  }
  p->apart = p->window[last] <= p->stride[last];
  p->used = (p->count[last] - 1) * p->stride[last] + p->window[last];
  p->pitch = p->apart ? p->count[last] * p->stride[last] : p->used;
  return 0;
}

/* Cut the rows, and get memory for so many tiles for each thread. */
static int plan(gl_frame *frame, job *j, int64_t rows, int64_t tiles)
{
  const int64_t pitch = j->p.pitch;
  int64_t wide = pitch, bytes; /* elements under a row of windows */
  for (int64_t d = 0; d + 1 < j->p.rank; d++)
    wide *= j->p.window[d];
  j->rows = rows;
  j->tile_rows = pitch < TILE ? TILE / pitch : 1;
  j->tile_rows = j->tile_rows < ROWS ? j->tile_rows : ROWS;
  j->chunk_rows = wide < CHUNK ? CHUNK / wide : 1;
  j->threads = gl_threads_for(frame, (double)rows * (double)wide * (double)tiles * 2);
  if (__builtin_mul_overflow(pitch, j->tile_rows * tiles * j->itemsize, &bytes))
    return gl_fail(frame, GL_ERROR_SIZE, 0);
  j->tile_bytes = (bytes + GL_ALIGNMENT - 1) / GL_ALIGNMENT * GL_ALIGNMENT;
  return gl_scratch(frame, j->threads * j->tile_bytes, &j->tiles);
}

/* Where the next rows begin; how many. */
static int64_t ahead(walk *w, int64_t rows, int64_t left, place *begin)
{
  int64_t n = rows < left ? rows : left;
  for (int64_t r = 0; r < n; r++) {
    begin[r] = w->here;
    next_row(w);
  }
  return n;
}

static int64_t chunks_of(const job *j) { return (j->rows + j->chunk_rows - 1) / j->chunk_rows; }

static int64_t rows_of(const job *j, int64_t chunk)
{
  const int64_t left = j->rows - chunk * j->chunk_rows;
  return left < j->chunk_rows ? left : j->chunk_rows;
}

/* ---- the largest of each window ------------------------------------------------------------------------ */

static void pool_chunk(void *context, int64_t chunk, int32_t thread)
{
  const job *j = context;
  walk w = j->walk;
  place begin[ROWS];
  char *out = j->base.out + chunk * j->chunk_rows * j->row_bytes;
  go_to(&w, chunk * j->chunk_rows);
  for (int64_t left = rows_of(j, chunk); left > 0;) {
    int64_t n = ahead(&w, j->tile_rows, left, begin);
    pool_function_of(j->itemsize)(&j->p, n, begin, &j->base, j->tiles + thread * j->tile_bytes, out);
    out += n * j->row_bytes;
    left -= n;
  }
}

int gl_max_pool(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]];
  const gl_slot *kind = &gl_call_of(frame)->slots[slots[0]];
  const int32_t ndim = kind->ndim, lead = ndim - (int32_t)params[0];
  int64_t shape[GL_MAX_NDIM];
  job j = {.itemsize = kind->itemsize};
  int failed = pooling_of(frame, params, &in, ndim, shape, &j.p);
  if (failed || (failed = gl_allocate(frame, slots[0], shape)))
    return failed;
  const int64_t elements = gl_elements(ndim, shape);
  if (elements == 0 || (failed = plan(frame, &j, elements / shape[ndim - 1], 1)))
    return failed;
  j.base = (arrays){.in = in.data, .out = frame->arrays[slots[0]].data};
  j.row_bytes = shape[ndim - 1] * j.itemsize;
  j.walk.n = ndim - 1;
  for (int32_t d = 0; d < ndim - 1; d++) {
    j.walk.extent[d] = shape[d];
    j.walk.step[d].in = in.stride[d] * (d < lead ? 1 : j.p.stride[d - lead]);
  }
  return gl_run_shared(frame, pool_chunk, &j, chunks_of(&j), j.threads);
}

/* ---- its derivative ------------------------------------------------------------------------------------ */

static void share_chunk(void *context, int64_t chunk, int32_t thread)
{
  const job *j = context;
  walk w = j->walk;
  place begin[ROWS];
  go_to(&w, chunk * j->chunk_rows);
  for (int64_t left = rows_of(j, chunk); left > 0;) {
    int64_t n = ahead(&w, j->tile_rows, left, begin);
    share_function_of(j->itemsize)(&j->p, n, begin, &j->base, j->tiles + thread * j->tile_bytes);
    left -= n;
  }
}

/* Whether the axes of `array` have the extents of the windows. */
static int agree(gl_frame *frame, int32_t operand, const gl_array *array, int32_t ndim, const int64_t *shape)
{
  for (int32_t d = 0; d < ndim; d++)
    if (array->shape[d] != shape[d])
      return gl_fail(frame, GL_ERROR_BROADCAST, 0, operand, d, array->shape[d], shape[d]);
  return 0;
}

int gl_max_pool_input(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]], best = frame->arrays[slots[2]], cotangent = frame->arrays[slots[3]];
  const gl_slot *kind = &gl_call_of(frame)->slots[slots[0]];
  const int32_t ndim = kind->ndim, lead = ndim - (int32_t)params[0];
  int64_t shape[GL_MAX_NDIM];
  job j = {.itemsize = kind->itemsize};
  pooling *p = &j.p;
  int failed = pooling_of(frame, params, &in, ndim, shape, p);
  if (failed || (failed = agree(frame, 1, &best, ndim, shape)) || (failed = agree(frame, 2, &cotangent, ndim, shape)) ||
      (failed = gl_allocate(frame, slots[0], in.shape)))
    return failed;
  const gl_array *out = &frame->arrays[slots[0]];
  const int64_t elements = gl_elements(ndim, shape);
  if (elements == 0 || (failed = plan(frame, &j, elements / shape[ndim - 1], 5)))
    return failed;
  int covered = 1;
  for (int32_t d = 0; d < p->rank; d++) {
    p->out_step[d] = out->stride[lead + d];
    covered &= p->window[d] == p->stride[d] && p->count[d] * p->window[d] == in.shape[lead + d];
  }
  if (!covered)
    memset(out->data, 0, (size_t)(gl_elements(ndim, in.shape) * j.itemsize));
  p->best_step = best.stride[ndim - 1];
  p->cotangent_step = cotangent.stride[ndim - 1];
  p->pairs = p->rank == 2 && p->window[0] == 2 && p->window[1] == 2 && p->stride[1] == 2 &&
             in.stride[ndim - 1] == j.itemsize && p->best_step == j.itemsize && p->cotangent_step == j.itemsize;
  j.walk.n = ndim - 1;
  for (int32_t d = 0; d < ndim - 1; d++) {
    const int64_t stride = d < lead ? 1 : p->stride[d - lead];
    j.walk.extent[d] = shape[d];
    j.walk.step[d] = (place){in.stride[d] * stride, best.stride[d], cotangent.stride[d], out->stride[d] * stride};
  }
  j.base = (arrays){in.data, best.data, cotangent.data, out->data};
  return gl_run_shared(frame, share_chunk, &j, chunks_of(&j), j.threads);
}
