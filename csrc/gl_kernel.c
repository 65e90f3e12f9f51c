/* Running kernels: in one go where there is little to do, else in pieces that several threads share, and between
 * which the user may stop the run. Pieces are cut such that every number of threads gives the same bits:
 *
 * - along an axis that is kept, as each row, column or element is computed by itself;
 * - where all elements are folded, or those of a few long rows, between whole subtrees of blocks (gl_parts): a piece
 *   makes the values of nodes of the very tree that one thread would build, and the caller builds the rest of it.
 *
 * Work is elements times the kernel's cost for each, about 0.1 ns for a unit. */
#include "gl_pool.h"
#include "gl_statistics.h"

#include <stdlib.h>
#include <string.h>

#define SHORT_WORK (128 << 10)   /* less than this is not worth the threads: 32 thousand sums, 10 thousand exponentials */
#define LEAST_PIECE (64 << 10)
#define LONG_WORK (1 << 20)      /* 100 us: other threads of Python's should run meanwhile */
#define LARGEST_PIECE (64 << 20) /* 7 to 20 ms: so long the user waits at most */
#define PIECES 4                 /* for each thread: they don't all run equally fast, */
#define FAIR_PIECE (256 << 10)   /* but one where these were less: much of what they cost is to go from cache to cache */
#define FINER 8                  /* parts to fold are so much smaller: what is left over has one thread alone */
#define MOST_ROWS 32             /* lower/tall.py has the same */
#define LONG_ROW 1024            /* elements: worth it to take a few rows together, block by block */
#define GATHERED_ROWS 8          /* also those that lie as columns; more of them fill vectors as they lie */
#define GRAIN 64                 /* elements: whole vectors, whole cache lines, and columns that are folded together */

typedef struct job {
  const gl_nest *nest;
  gl_kernel kernel;
  gl_call *call;
  const int64_t *extent, *stride;
  char *const *data;
  int32_t axis;
  int64_t step;         /* elements of a piece along the axis; fewer in the last */
  char *memory;         /* rows or parts, `memory_bytes` for each thread or piece; else a gl_parts without any */
  int64_t memory_bytes;
  int64_t level, nodes; /* of the parts, and how many a piece makes of them; level -1: this job makes none */
  gl_statistics *seen;  /* of the results of each piece, one after the other, where they are watched */
  int64_t rows;         /* that are folded in parts */
  int failed, stopped;
} job;

static int32_t operands_of(const gl_nest *nest) { return nest->n_outputs + nest->n_inputs; }

static int32_t kept_of(const gl_nest *nest)
{
  int32_t kept = 0;
  for (int32_t d = 0; d < nest->ndim; d++)
    kept += !nest->reduce[d];
  return kept;
}

static int run_kernel(gl_frame *frame, const gl_nest *nest, gl_kernel kernel, const int64_t *extent,
                      const int64_t *stride, char *const *data)
{
  return nest->beside ? gl_run_beside(frame, nest, kernel, extent, stride, data) : kernel(extent, stride, data);
}

/* ---- pieces ------------------------------------------------------------------------------------ */

/* The kernel on `count` elements along the job's axis from number `first` on; `extra` goes behind the operands. */
static int run_part_of(const job *job, int64_t first, int64_t count, void *extra)
{
  const int32_t ndim = job->nest->ndim, operands = operands_of(job->nest);
  int64_t extent[GL_MAX_NDIM + 1];
  char *data[operands + 1];
  memcpy(extent, job->extent, (size_t)(ndim + 1) * sizeof *extent);
  extent[job->axis] = count;
  for (int32_t k = 0; k < operands; k++)
    data[k] = job->data[k] + first * job->stride[k * ndim + job->axis];
  data[operands] = extra;
  return run_kernel(&job->call->frame, job->nest, job->kernel, extent, job->stride, data);
}

/* The extents of output number `k` in so much of the nest: along folded axes it has a stride only if it has elements
 * there, as results of whole rows have. */
static void extents_of(const job *job, int32_t k, int64_t *extent)
{
  const int32_t ndim = job->nest->ndim, kept = kept_of(job->nest);
  for (int32_t d = 0; d < ndim; d++)
    extent[d] = d < kept || job->stride[k * ndim + d] ? job->extent[d] : 1;
}

/* Look at the results of a piece, which has `count` elements along the job's axis from number `first` on. */
static void see_piece(const job *job, int64_t piece, int64_t first, int64_t count)
{
  const gl_nest *nest = job->nest;
  const gl_watch *watch = job->call->watch;
  for (int32_t k = 0; k < nest->n_outputs; k++) {
    const int64_t *stride = job->stride + k * nest->ndim;
    const int32_t dtype = watch->dtypes[nest->slots[k]];
    int64_t extent[GL_MAX_NDIM];
    if (dtype < 0)
      continue;
    extents_of(job, k, extent);
    extent[job->axis] = count;
    job->seen[piece * nest->n_outputs + k] = gl_statistics_of(dtype, nest->ndim, extent, stride,
                                                              job->data[k] + first * stride[job->axis]);
  }
}

static void run_piece(void *context, int64_t piece, int32_t thread)
{
  job *job = context;
  const int64_t first = piece * job->step, left = job->extent[job->axis] - first;
  const int64_t count = left < job->step ? left : job->step;
  int failed;
  if (__atomic_load_n(&job->failed, __ATOMIC_RELAXED))
    return;
  if (job->level < 0) {
    failed = run_part_of(job, first, count, job->memory + thread * job->memory_bytes);
    if (job->seen && !failed)
      see_piece(job, piece, first, count);
  } else {
    char *const memory = job->memory + piece * job->memory_bytes;
    gl_parts part = {.rows = job->rows, .count = -1, .level = job->level, .memory = memory};
    failed = run_part_of(job, first, count, &part);
  }
  if (failed)
    __atomic_store_n(&job->failed, failed, __ATOMIC_RELAXED);
}

static int stop(void *context)
{
  job *job = context;
  job->stopped = gl_stopped(&job->call->frame);
  return job->stopped;
}

static int run_pieces(job *job, int64_t pieces, int32_t threads)
{
  const int goes_on = job->call->phase == GL_FINISHING; /* what finishes a run can't be stopped */
  gl_pool_run(run_piece, goes_on ? NULL : stop, job, pieces, threads);
  return job->stopped ? job->stopped : job->failed;
}

/* ---- where all are folded, or all of a few rows ------------------------------------------------ */

/* The elements that must be put side by side for one of each row, by input: as many as its rows differ in. */
static int64_t moved(const gl_nest *nest, gl_frame *frame, const int64_t *extent, const int64_t *stride, int32_t kept)
{
  int64_t all = 0;
  for (int32_t k = nest->n_outputs; k < operands_of(nest); k++) {
    const int64_t *own = stride + k * nest->ndim, along = own[nest->ndim - 1];
    int64_t some = along && along != gl_call_of(frame)->slots[nest->slots[k]].itemsize;
    for (int32_t d = 0; d < kept; d++)
      some *= own[d] ? extent[d] : 1;
    all += some;
  }
  return all;
}

/* The rows that a kernel folds block by block, and in parts; 0: it had better fold them in another way. That depends
 * on the whole nest alone, so that the bits do. */
static int64_t rows_in_parts(const gl_nest *nest, gl_frame *frame, const int64_t *extent, const int64_t *stride)
{
  const int32_t kept = kept_of(nest);
  int64_t rows = 1;
  if (!kept)
    return nest->block > 0;
  if (!nest->block || extent[nest->ndim - 1] < LONG_ROW)
    return 0;
  for (int32_t d = 0; d < kept; d++)
    rows *= extent[d];
  if (rows > MOST_ROWS)
    return 0;
  return rows <= GATHERED_ROWS || 2 * moved(nest, frame, extent, stride, kept) <= rows ? rows : 0;
}

/* Find the axis to be cut and how many of its elements make whole blocks; the level of the largest nodes of the tree
 * that these blocks make, wherever in a row of them they begin, and how many such nodes there are. */
static int64_t whole_blocks(job *job)
{
  const gl_nest *nest = job->nest;
  const int32_t last = nest->ndim - 1;
  int64_t blocks = 1, d = kept_of(nest);
  while (d < last && job->extent[d] == 1)
    d++;
  job->axis = (int32_t)d;
  job->level = 0;
  job->nodes = 1;
  if (d == last)
    return nest->block;
  for (int64_t k = d + 1; k < last; k++)
    blocks *= job->extent[k];
  blocks *= (job->extent[last] + nest->block - 1) / nest->block;
  job->level = __builtin_ctzll((uint64_t)blocks);
  job->nodes = blocks >> job->level;
  return 1;
}

static int fold_in_parts(job *job, int64_t pieces, int32_t threads)
{
  const gl_nest *nest = job->nest;
  const int64_t unit = whole_blocks(job), extent = job->extent[job->axis], units = (extent + unit - 1) / unit;
  int64_t each = 1, elements = 1;
  pieces *= threads > 1 ? FINER : 1;
  while (each < units && each * pieces < units) {
    each *= 2;
    job->level++;
  }
  const int64_t count = units / each;
  gl_parts parts = {.rows = job->rows, .level = job->level};
  if (count < 2)
    return run_part_of(job, 0, extent, &parts);
  for (int32_t d = kept_of(nest); d < nest->ndim; d++)
    elements *= job->extent[d];
  job->step = each * unit;
  job->memory_bytes = (int64_t)GL_PART * nest->folds * job->rows * job->nodes;
  int failed = gl_scratch(&job->call->frame, count * job->memory_bytes, &job->memory);
  if (!failed)
    failed = run_pieces(job, count, threads);
  if (failed)
    return failed;
  const int64_t done = count * job->step < extent ? count * job->step : extent;
  parts.count = count * job->nodes;
  parts.elements = elements / extent * done;
  parts.memory = job->memory;
  return run_part_of(job, done, extent - done, &parts);
}

/* ---- where some axes are kept ------------------------------------------------------------------ */

/* Whether the results of neighbours along `axis` are folded side by side. */
static int by_columns(const job *job, int32_t axis, int32_t kept)
{
  const int32_t ndim = job->nest->ndim;
  for (int32_t k = job->nest->n_outputs; kept < ndim && k < operands_of(job->nest); k++) {
    const int64_t *stride = job->stride + k * ndim;
    if (stride[axis] && llabs(stride[axis]) < llabs(stride[ndim - 1]))
      return 1;
  }
  return 0;
}

/* Choose the axis and the step: the outermost that has enough for so many pieces, else the one with most. How many
 * pieces there will be. */
static int64_t cut(job *job, int64_t pieces, int32_t kept)
{
  int64_t most = 0, grain_there = 1;
  for (int32_t d = 0; d < kept && most < pieces; d++) {
    const int smooth = d == kept - 1 && (kept == job->nest->ndim || by_columns(job, d, kept));
    const int64_t grain = smooth ? GRAIN : 1, grains = job->extent[d] / grain;
    if (grains <= most)
      continue;
    most = grains;
    grain_there = grain;
    job->axis = d;
  }
  if (most < 2)
    return 1;
  const int64_t extent = job->extent[job->axis], step = (extent + pieces - 1) / pieces;
  const int64_t grain = step >= GRAIN ? GRAIN : grain_there;
  job->step = (step + grain - 1) / grain * grain;
  return (extent + job->step - 1) / job->step;
}

/* Memory for a row, for each thread that may want it. */
static int rows_memory(job *job, int32_t threads, int32_t kept)
{
  int64_t bytes = job->nest->scratch;
  if (!bytes)
    return 0;
  for (int32_t d = kept; d < job->nest->ndim; d++)
    bytes *= job->extent[d];
  job->memory_bytes = (bytes + GL_ALIGNMENT - 1) / GL_ALIGNMENT * GL_ALIGNMENT;
  return gl_scratch(&job->call->frame, threads * job->memory_bytes, &job->memory);
}

/* How many bytes of watched results the nest makes. */
static double watched_bytes(const job *job)
{
  const gl_call *call = job->call;
  double all = 0;
  for (int32_t k = 0; call->watch && k < job->nest->n_outputs; k++) {
    int64_t extent[GL_MAX_NDIM];
    double bytes = call->slots[job->nest->slots[k]].itemsize;
    extents_of(job, k, extent);
    for (int32_t d = 0; d < job->nest->ndim; d++)
      bytes *= (double)extent[d];
    all += call->watch->dtypes[job->nest->slots[k]] >= 0 ? bytes : 0;
  }
  return all;
}

/* Run pieces whose results are looked at while they are in the cache. */
static int run_and_see(job *job, int64_t pieces, int32_t threads)
{
  const gl_nest *nest = job->nest;
  job->seen = gl_memory_new((size_t)(pieces * nest->n_outputs) * sizeof *job->seen);
  int failed = run_pieces(job, pieces, threads); /* without memory somebody else looks, later */
  for (int32_t k = 0; job->seen && !failed && k < nest->n_outputs; k++) {
    const gl_watch *watch = job->call->watch;
    gl_statistics all = {0};
    for (int64_t piece = 0; piece < pieces; piece++)
      gl_statistics_merge(&all, &job->seen[piece * nest->n_outputs + k]);
    if (watch->dtypes[nest->slots[k]] >= 0)
      watch->found[nest->slots[k]] = all;
  }
  gl_memory_drop(job->seen);
  return failed;
}

static int run_rows(job *job, int64_t pieces, int32_t threads)
{
  const int32_t kept = kept_of(job->nest);
  const double watched = watched_bytes(job) / GL_WATCHED_PIECE;
  if (pieces < watched)
    pieces = watched < GL_MAX_CHUNKS ? (int64_t)watched : GL_MAX_CHUNKS;
  pieces = pieces > 1 ? cut(job, pieces, kept) : 1;
  if (threads > pieces)
    threads = (int32_t)pieces;
  int failed = rows_memory(job, threads, kept);
  if (failed)
    return failed;
  if (pieces > 1)
    return watched > 0 ? run_and_see(job, pieces, threads) : run_pieces(job, pieces, threads);
  char **data = (char **)job->data;
  data[operands_of(job->nest)] = job->memory;
  return run_kernel(&job->call->frame, job->nest, job->kernel, job->extent, job->stride, data);
}

/* ---- all --------------------------------------------------------------------------------------- */

/* Into how many pieces to cut so much work, and how many threads are to share them. */
static int64_t pieces_of(job *job, double work, int32_t *threads)
{
  *threads = gl_pool_threads();
  if (work < SHORT_WORK)
    *threads = 1;
  const int free = work >= LONG_WORK && job->call->hooks->let_go(job->call);
  if (job->nest->asks && !free) /* who waits for others must not hold the lock that they may want */
    *threads = 1;
  const double most = *threads > 1 ? PIECES * *threads : 1, polled = work / LARGEST_PIECE + 1;
  double pieces = work / FAIR_PIECE < *threads ? *threads : work / FAIR_PIECE;
  pieces = pieces > most ? most : pieces > work / LEAST_PIECE ? work / LEAST_PIECE : pieces;
  pieces = pieces < polled ? polled : pieces;
  return pieces < GL_MAX_CHUNKS ? (int64_t)pieces : GL_MAX_CHUNKS;
}

/* Whether the array in `slot` has no elements. */
static int is_empty(gl_frame *frame, int32_t slot)
{
  const gl_array *array = &frame->arrays[slot];
  for (int32_t d = 0; d < gl_call_of(frame)->slots[slot].ndim; d++)
    if (array->shape[d] == 0)
      return 1;
  return 0;
}

/* Run a nest without elements: where something is folded there may be results all the same, or a refusal. A kernel
 * reads what is constant in a loop before it; from arrays that are empty it then reads zeros, which come into no
 * result. */
static int run_nothing(gl_frame *frame, const gl_nest *nest, gl_kernel kernel, const int64_t *extent,
                       const int64_t *stride, char **data)
{
  static const _Alignas(64) char zeros[64];
  const int32_t ndim = nest->ndim;
  int64_t own[operands_of(nest) * ndim + 1];
  memcpy(own, stride, (size_t)(operands_of(nest) * ndim) * sizeof *own);
  for (int32_t k = nest->n_outputs; k < operands_of(nest); k++)
    if (is_empty(frame, nest->slots[k])) {
      data[k] = (char *)zeros;
      memset(own + k * ndim, 0, (size_t)ndim * sizeof *own);
    }
  return run_kernel(frame, nest, kernel, extent, own, data);
}

int gl_run_planned(gl_frame *frame, const gl_nest *nest, gl_kernel kernel, int64_t *extent, const int64_t *stride,
                   char **data)
{
  const int32_t ndim = nest->ndim;
  gl_parts whole = {.rows = rows_in_parts(nest, frame, extent, stride)};
  if (nest->few) { /* only such kernels ask */
    const int32_t kept = kept_of(nest);
    extent[ndim] = extent[kept - 1] * (kept > 1 ? extent[kept - 2] : 1);
  }
  double work = nest->cost;
  for (int32_t d = 0; d < ndim; d++)
    work *= (double)extent[d];
  data[operands_of(nest)] = (char *)&whole;
  if (work == 0)
    return run_nothing(frame, nest, kernel, extent, stride, data);
  if (work < SHORT_WORK && !nest->scratch)
    return run_kernel(frame, nest, kernel, extent, stride, data);
  job job = {.nest = nest, .kernel = kernel, .call = gl_call_of(frame), .extent = extent, .stride = stride,
             .data = data, .memory = (char *)&whole, .level = -1, .rows = whole.rows};
  int32_t threads;
  int64_t pieces = pieces_of(&job, work, &threads);
  return whole.rows ? fold_in_parts(&job, pieces, threads) : run_rows(&job, pieces, threads);
}

int gl_run_kernel(gl_frame *frame, const gl_nest *nest, gl_kernel kernel)
{
  const int32_t ndim = nest->ndim, operands = operands_of(nest);
  int64_t extent[ndim + 1], stride[operands * ndim + 1];
  char *data[operands + 1];
  int failed = gl_nest_plan(frame, nest, extent, stride, data);
  return failed ? failed : gl_run_planned(frame, nest, kernel, extent, stride, data);
}

/* ---- other steps ------------------------------------------------------------------------------- */

typedef struct shared {
  gl_frame *frame;
  gl_chunk run;
  void *context;
  int stopped;
} shared;

static void run_chunk(void *context, int64_t chunk, int32_t thread)
{
  const shared *shared = context;
  shared->run(shared->context, chunk, thread);
}

static int stop_shared(void *context)
{
  shared *shared = context;
  shared->stopped = gl_stopped(shared->frame);
  return shared->stopped;
}

int32_t gl_threads_for(gl_frame *frame, double work)
{
  if (work >= LONG_WORK)
    gl_call_of(frame)->hooks->let_go(gl_call_of(frame));
  return work < SHORT_WORK ? 1 : gl_pool_threads();
}

int gl_run_shared(gl_frame *frame, gl_chunk run, void *context, int64_t chunks, int32_t threads)
{
  shared shared = {.frame = frame, .run = run, .context = context};
  gl_pool_run(run_chunk, stop_shared, &shared, chunks, threads);
  return shared.stopped;
}
