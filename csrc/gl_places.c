/* Elements at places that index arrays name. Where there are many, threads share the work. What is taken is shared as it
 * comes. Of rows that are set or increased each thread has places of its own, chosen by where they are, and goes through
 * all index arrays for them: what happens to a place happens in its order, and the bits are those of one thread. */
#include "gl_places.h"

#include <string.h>

/* ---- what is done to the elements -------------------------------------------------------------- */

/* To `n` elements at `array + offset[i]` and `other + i * step`: the former is read (take), or written. */
typedef void (*scattered)(int64_t n, char *array, const int64_t *offset, char *other, int64_t step);
/* To `n` elements in two rows. */
typedef void (*in_rows)(int64_t n, char *array, int64_t array_step, const char *other, int64_t step);

#define MOVES(size)                                                                                         \
  static void take_##size(int64_t n, char *array, const int64_t *offset, char *other, int64_t step)         \
  {                                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                                         \
      memcpy(other + i * step, array + offset[i], size);                                                    \
  }                                                                                                         \
  static void put_##size(int64_t n, char *array, const int64_t *offset, char *other, int64_t step)          \
  {                                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                                         \
      memcpy(array + offset[i], other + i * step, size);                                                    \
  }

MOVES(1) MOVES(2) MOVES(4) MOVES(8) MOVES(16)

#define ADDS(name, type, adds)                                                                              \
  static void add_at_##name(int64_t n, char *array, const int64_t *offset, char *other, int64_t step)       \
  {                                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                                         \
      *(type *)(array + offset[i]) adds *(const type *)(other + i * step);                                  \
  }                                                                                                         \
  static void add_row_##name(int64_t n, char *array, int64_t array_step, const char *other, int64_t step)   \
  {                                                                                                         \
    if (array_step == sizeof(type) && step == sizeof(type)) { /* a loop that vectorises */                  \
      type *restrict to = (type *)array;                                                                    \
      const type *restrict from = (const type *)other;                                                      \
      for (int64_t i = 0; i < n; i++)                                                                       \
        to[i] adds from[i];                                                                                 \
      return;                                                                                               \
    }                                                                                                       \
    for (int64_t i = 0; i < n; i++)                                                                         \
      *(type *)(array + i * array_step) adds *(const type *)(other + i * step);                             \
  }

ADDS(bool, uint8_t, |=)
ADDS(8, uint8_t, +=) /* unsigned, so that they wrap around; signed integers have the same sums */
ADDS(16, uint16_t, +=)
ADDS(32, uint32_t, +=)
ADDS(64, uint64_t, +=)
ADDS(float, float, +=)
ADDS(double, double, +=)
ADDS(complex64, float _Complex, +=)
ADDS(complex128, double _Complex, +=)

#define ADDING(name) {add_at_##name, add_row_##name}
static const struct { scattered at; in_rows row; } adding[GL_DTYPES] = {
    [GL_DTYPE_BOOL] = ADDING(bool),     [GL_DTYPE_INT8] = ADDING(8),       [GL_DTYPE_INT16] = ADDING(16),
    [GL_DTYPE_INT32] = ADDING(32),      [GL_DTYPE_INT64] = ADDING(64),     [GL_DTYPE_UINT8] = ADDING(8),
    [GL_DTYPE_UINT16] = ADDING(16),     [GL_DTYPE_UINT32] = ADDING(32),    [GL_DTYPE_UINT64] = ADDING(64),
    [GL_DTYPE_FLOAT32] = ADDING(float), [GL_DTYPE_FLOAT64] = ADDING(double),
    [GL_DTYPE_COMPLEX64] = ADDING(complex64), [GL_DTYPE_COMPLEX128] = ADDING(complex128)};

static scattered moving(int32_t itemsize, int takes)
{
  switch (itemsize) {
  case 1:
    return takes ? take_1 : put_1;
  case 2:
    return takes ? take_2 : put_2;
  case 4:
    return takes ? take_4 : put_4;
  case 8:
    return takes ? take_8 : put_8;
  default:
    return takes ? take_16 : put_16;
  }
}

/* ---- the axes ---------------------------------------------------------------------------------- */

#define CHUNK 128 /* offsets that are found at a time */
#define AHEAD 8 /* rows lie anywhere in memory: they are asked for so many rows before they are wanted, */
#define MOST_AHEAD 512 /* their first bytes, which the processor goes on from */
#define CACHE_LINE 64

/* The axes of the part and of another array of its shape, both groups with neighbours merged. */
typedef struct transfer {
  gl_action what;
  int32_t itemsize;
  scattered at;
  in_rows row;
  int32_t kept;
  int64_t extent[GL_MAX_NDIM], inside[GL_MAX_NDIM], outside[GL_MAX_NDIM]; /* kept: strides in array and other */
  int32_t rank;
  int64_t gathered[GL_MAX_NDIM], other_step[GL_MAX_NDIM];
} transfer;

/* Kept axes: extents of 1 are dropped, and neighbours that step alike become one. */
static void lay_out_kept(transfer *t, const gl_selection *part, const int64_t *stride)
{
  for (int32_t d = 0; d < part->kept; d++) {
    int64_t extent = part->extent[d], inside = part->stride[d];
    int64_t outside = stride[d < part->at ? d : d + part->rank];
    if (extent == 1)
      continue;
    int32_t last = t->kept - 1;
    int merges = last >= 0 && t->inside[last] == inside * extent && t->outside[last] == outside * extent;
    if (!merges)
      t->extent[t->kept++] = 1;
    last = t->kept - 1;
    t->extent[last] *= extent;
    t->inside[last] = inside;
    t->outside[last] = outside;
  }
}

/* Gathered axes, in the same way; one of extent 1 if there are none. */
static void lay_out_gathered(transfer *t, gl_selection *part, const int64_t *stride)
{
  for (int32_t d = 0; d < part->rank; d++) {
    int64_t extent = part->gathered[d], step = stride[part->at + d];
    if (extent == 1)
      continue;
    int32_t last = t->rank - 1;
    int merges = last >= 0 && t->other_step[last] == step * extent;
    for (int32_t k = 0; merges && k < part->arrays; k++)
      merges = part->array[k].step[last] == part->array[k].step[d] * extent;
    if (!merges)
      t->gathered[t->rank++] = 1;
    last = t->rank - 1;
    t->gathered[last] *= extent;
    t->other_step[last] = step;
    for (int32_t k = 0; k < part->arrays; k++)
      part->array[k].step[last] = part->array[k].step[d];
  }
  if (t->rank == 0) {
    t->gathered[0] = 1;
    t->other_step[0] = 0;
    t->rank = 1;
  }
}

#define ADD_OFFSETS(type)                                                          \
  for (int64_t i = 0; i < n; i++) {                                                \
    int64_t position = (int64_t)*(const type *)(numbers + i * step);               \
    position += position < 0 ? extent : 0;                                         \
    outside |= (uint64_t)position | ((uint64_t)extent - 1 - (uint64_t)position);   \
    offset[i] = (first ? 0 : offset[i]) + (int64_t)((uint64_t)position * stride);  \
  }                                                                                \
  break;
#define FIND_OUTSIDE(type)                                                         \
  for (int64_t i = 0; i < n; i++) {                                                \
    int64_t position = (int64_t)*(const type *)(numbers + i * step);               \
    if (position < -extent || position >= extent)                                  \
      return gl_fail(frame, GL_ERROR_INDEX, index->axis, position, extent);        \
  }                                                                                \
  break;
#define EACH_INTEGER(dtype, DO)  \
  switch (dtype) {               \
  case GL_DTYPE_INT8:            \
    DO(int8_t)                   \
  case GL_DTYPE_INT16:           \
    DO(int16_t)                  \
  case GL_DTYPE_INT32:           \
    DO(int32_t)                  \
  case GL_DTYPE_UINT8:           \
    DO(uint8_t)                  \
  case GL_DTYPE_UINT16:          \
    DO(uint16_t)                 \
  case GL_DTYPE_UINT32:          \
    DO(uint32_t)                 \
  default:                       \
    DO(int64_t)                  \
  }

/* Add to each of `n` offsets, which start from 0 if it is the `first`, where the numbers of an index array lead. */
static int add_offsets(gl_frame *frame, const gl_index_array *index, const char *numbers, int64_t step, int64_t n,
                       int first, int64_t *offset)
{
  int64_t extent = index->extent;
  uint64_t stride = (uint64_t)index->stride; /* unsigned: a number out of range may overflow */
  uint64_t outside = 0;                      /* its sign bit tells; which number it is, is looked for only then */
  EACH_INTEGER(index->dtype, ADD_OFFSETS)
  if (outside >> 63)
    EACH_INTEGER(index->dtype, FIND_OUTSIDE)
  return 0;
}

/* Step the counters `at` over `extent` (last fastest), moving both pointers; 0 when it has come around. */
static int advance(int32_t n, const int64_t *extent, int64_t *at, const int64_t *inside, char **array,
                   const int64_t *outside, char **other)
{
  for (int32_t d = n - 1; d >= 0; d--) {
    *array += inside[d];
    *other += outside[d];
    if (++at[d] < extent[d])
      return 1;
    *array -= extent[d] * inside[d];
    *other -= extent[d] * outside[d];
    at[d] = 0;
  }
  return 0;
}

/* The kept axes of one gathered place. */
static void whole_place(const transfer *t, char *array, char *other)
{
  int32_t last = t->kept - 1;
  int64_t at[GL_MAX_NDIM] = {0};
  int dense = last == 0 && t->inside[0] == t->itemsize && t->outside[0] == t->itemsize;
  if (t->what == GL_ADD)
    do
      t->row(t->extent[last], array, t->inside[last], other, t->outside[last]);
    while (advance(last, t->extent, at, t->inside, &array, t->outside, &other));
  else if (dense)
    memcpy(t->what == GL_TAKE ? other : array, t->what == GL_TAKE ? array : other, (size_t)(t->extent[0] * t->itemsize));
  else if (t->what == GL_TAKE)
    gl_copy_elements(t->kept, t->extent, t->itemsize, other, t->outside, array, t->inside);
  else
    gl_copy_elements(t->kept, t->extent, t->itemsize, array, t->inside, other, t->outside);
}

/* Do the places have rows of neighbours? */
static int has_rows(const transfer *t)
{
  return t->kept > 0 && t->inside[t->kept - 1] == t->itemsize && t->extent[t->kept - 1] >= 4;
}

/* `n` gathered places, all at each kept position. */
static void all_places(const transfer *t, int64_t n, char *array, const int64_t *offset, char *other, int64_t step)
{
  int64_t at[GL_MAX_NDIM] = {0};
  do
    t->at(n, array, offset, other, step);
  while (advance(t->kept, t->extent, at, t->inside, &array, t->outside, &other));
}

/* `n` gathered places one after the other; number `which[i]` of the other array's. */
static void rows(const transfer *t, int64_t n, char *array, const int64_t *offset, char *other, const int32_t *which,
                 int64_t step)
{
  const int64_t bytes = t->extent[t->kept - 1] * t->itemsize;
  for (int64_t i = 0; i < n; i++) {
    if (i + AHEAD < n)
      for (int64_t line = 0; line < bytes && line < MOST_AHEAD; line += CACHE_LINE)
        __builtin_prefetch(array + offset[i + AHEAD] + line);
    whole_place(t, array + offset[i], other + which[i] * step);
  }
}

/* ---- chunks of places -------------------------------------------------------------------------- */

#define COST 4       /* of an element, as gl_kernel.c counts it */
#define LEAST_ROW 64 /* bytes: a thread looks at the other threads' places too, which takes longer than less */
#define BLOCK 14     /* 2^14 bytes */
#define ASK_ELEMENTS (GL_ASK_BYTES / 8)

typedef struct walk {
  gl_frame *frame;
  const transfer *t;
  const gl_selection *part;
  char *array, *other;
  int64_t in_row;   /* chunks along the last of the gathered axes */
  int64_t from, to; /* which chunks to go through: each share so many, */
  int64_t each;
  int64_t owners;   /* or, if not 0, each of so many shares all, for the places of its own */
  int failed;
} walk;

/* Which of `owners` has the place at `offset`. Neighbours have the same, since a processor that writes a row asks for the
 * next ones too; blocks of them are shared by a hash, since some parts of a table may be wanted more than others. */
static int64_t owner_of(int64_t offset, int64_t owners)
{
  const uint64_t block = (uint64_t)offset >> BLOCK;
  return (int64_t)((block * 0x9e3779b97f4a7c15u >> 32) * (uint64_t)owners >> 32);
}

/* One chunk, or what `owner` has of it. */
static int do_chunk(const walk *w, int64_t chunk, int64_t owner)
{
  const transfer *t = w->t;
  const int32_t last = t->rank - 1;
  const int64_t first = chunk % w->in_row * CHUNK, rest = t->gathered[last] - first, n = rest < CHUNK ? rest : CHUNK;
  int64_t offset[CHUNK], at[GL_MAX_NDIM], start = first * t->other_step[last], own = 0;
  int32_t which[CHUNK];
  offset[0] = 0; /* without index arrays there is this place */
  for (int64_t d = last - 1, row = chunk / w->in_row; d >= 0; row /= t->gathered[d--]) {
    at[d] = row % t->gathered[d];
    start += at[d] * t->other_step[d];
  }
  for (int32_t k = 0; k < w->part->arrays; k++) {
    const gl_index_array *index = &w->part->array[k];
    const char *numbers = index->numbers + first * index->step[last];
    for (int32_t d = 0; d < last; d++)
      numbers += at[d] * index->step[d];
    int failed = add_offsets(w->frame, index, numbers, index->step[last], n, k == 0, offset);
    if (failed)
      return failed;
  }
  char *const array = w->array + w->part->offset, *const other = w->other + start;
  if (!t->kept || (n > 1 && !has_rows(t))) {
    all_places(t, n, array, offset, other, t->other_step[last]);
    return 0;
  }
  for (int64_t i = 0; i < n; i++)
    if (!w->owners || owner_of(offset[i], w->owners) == owner) {
      offset[own] = offset[i];
      which[own++] = (int32_t)i;
    }
  rows(t, own, array, offset, other, which, t->other_step[last]);
  return 0;
}

static void run_share(void *context, int64_t share, int32_t thread)
{
  walk *w = context;
  const int64_t from = w->owners ? w->from : w->from + share * w->each;
  const int64_t end = w->owners ? w->to : from + w->each, to = end < w->to ? end : w->to;
  (void)thread;
  for (int64_t chunk = from; chunk < to; chunk++) {
    int failed = do_chunk(w, chunk, share);
    if (failed)
      __atomic_store_n(&w->failed, failed, __ATOMIC_RELAXED);
  }
}

/* All chunks, by several threads. Numbers that lead outside are looked for before, as one thread is to tell of them. */
static int by_threads(walk *w, int64_t chunks, int64_t elements, int32_t threads)
{
  const int64_t shared = w->t->what == GL_TAKE ? 4 * threads : 1, some = ASK_ELEMENTS / elements + 1;
  int failed = gl_check_indices(w->frame, w->part);
  w->each = (chunks + shared - 1) / shared < some ? (chunks + shared - 1) / shared : some;
  if (w->t->what == GL_TAKE && !failed)
    failed = gl_run_shared(w->frame, run_share, w, (chunks + w->each - 1) / w->each, threads);
  else
    for (w->owners = threads, w->to = 0; !failed && w->to < chunks; w->from = w->to) {
      w->to = w->from + threads * w->each < chunks ? w->from + threads * w->each : chunks;
      failed = gl_run_shared(w->frame, run_share, w, threads, threads);
      if (!failed) /* which asks only while shares are left that no thread has begun */
        failed = gl_stopped(w->frame);
    }
  return failed ? failed : w->failed;
}

int gl_over_places(gl_frame *frame, gl_selection *part, gl_action what, int32_t itemsize, int64_t dtype, char *array,
                   char *other, const int64_t *stride)
{
  transfer t = {.what = what, .itemsize = itemsize};
  t.row = what == GL_ADD ? adding[dtype].row : NULL;
  t.at = what == GL_ADD ? adding[dtype].at : moving(itemsize, what == GL_TAKE);
  lay_out_kept(&t, part, stride);
  lay_out_gathered(&t, part, stride);
  const int32_t last = t.rank - 1;
  const int64_t each = gl_elements(t.kept, t.extent), along = t.gathered[last];
  walk w = {.frame = frame, .t = &t, .part = part, .array = array, .other = other};
  w.in_row = (along + CHUNK - 1) / CHUNK;
  w.to = gl_elements(last, t.gathered) * w.in_row;
  if (each == 0)
    return w.to ? gl_check_indices(frame, part) : 0;
  const int64_t elements = (along < CHUNK ? along : CHUNK) * (1 + each);
  const int shares = part->arrays && (what == GL_TAKE || (has_rows(&t) && each * itemsize >= LEAST_ROW));
  const int32_t threads = shares ? gl_threads_for(frame, (double)COST * (double)elements * (double)w.to) : 1;
  if (threads > 1)
    return by_threads(&w, w.to, elements, threads);
  int64_t done = 0;
  for (int64_t chunk = 0; chunk < w.to; chunk++) {
    int failed = do_chunk(&w, chunk, 0);
    done += elements;
    if (!failed && done >= ASK_ELEMENTS) {
      failed = gl_stopped(frame);
      done = 0;
    }
    if (failed)
      return failed;
  }
  return 0;
}

int gl_check_indices(gl_frame *frame, const gl_selection *part)
{
  int64_t offset[CHUNK];
  for (int32_t k = 0; k < part->arrays; k++) {
    const gl_index_array *index = &part->array[k];
    const gl_array *array = &frame->arrays[index->slot];
    int32_t last = index->ndim - 1;
    int64_t at[GL_MAX_NDIM] = {0}, rest = last < 0 ? 1 : array->shape[last], step = last < 0 ? 0 : array->stride[last];
    const char *numbers = index->numbers;
    if (gl_elements(index->ndim, array->shape) == 0)
      continue;
    do
      for (int64_t first = 0; first < rest; first += CHUNK) {
        int64_t n = rest - first < CHUNK ? rest - first : CHUNK;
        int failed = add_offsets(frame, index, numbers + first * step, step, n, 1, offset);
        if (failed)
          return failed;
      }
    while (gl_advance(last, array->shape, array->stride, at, &numbers));
  }
  return 0;
}
