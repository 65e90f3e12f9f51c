/* Indexing by NumPy's rules: a part as a view, a part gathered by index arrays, and an array with a part
 * set or increased. */
#include "gl_runtime.h"

#include <string.h>

/* ---- what a key selects ------------------------------------------------------------------------ */

/* An index array: where its first number lies, of what dtype it is, and the axis that it indexes. */
typedef struct index_array {
  const char *numbers;
  int32_t input, slot, ndim, axis; /* input: the position of the slot among the step's */
  int64_t dtype, extent, stride; /* the last two: of the axis */
  int64_t step[GL_MAX_NDIM];     /* from number to number, along each gathered axis */
} index_array;

/* A part of an array: it starts at `offset`, in bytes, keeps some axes, and has the axes of the index arrays. */
typedef struct selection {
  int64_t offset;
  int32_t kept, arrays, at, rank; /* the gathered axes: `rank` of them, standing before kept axis `at` */
  int64_t extent[GL_MAX_NDIM], stride[GL_MAX_NDIM]; /* of the kept axes */
  int64_t gathered[GL_MAX_NDIM];                    /* the extents of the gathered axes */
  index_array *array;
} selection;

/* Where the entries of a key are being read. */
typedef struct reader {
  gl_frame *frame;
  const int64_t *words;
  const int32_t *slots; /* of the index inputs */
  int32_t input;        /* the position of the next among the step's slots */
} reader;

/* The next number: whether it is there, and its value. */
static int next_number(reader *at, int64_t *value)
{
  int64_t mode = *at->words++;
  *value = *at->words++;
  if (mode == GL_NUMBER_SCALAR)
    *value = *(const int64_t *)at->frame->arrays[at->slots[at->input++]].data;
  return mode != GL_NUMBER_ABSENT;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
  return value < low ? low : value > high ? high : value;
}

/* Python's slice.indices(extent), and how many elements it takes. */
static int64_t slice_count(int64_t extent, int64_t *start, int has_start, int64_t stop, int has_stop,
                           int64_t step)
{
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  if (!has_start)
    *start = step > 0 ? low : high;
  else
    *start = clamp(*start < 0 ? *start + extent : *start, low, high);
  if (!has_stop)
    stop = step > 0 ? high : low;
  else
    stop = clamp(stop < 0 ? stop + extent : stop, low, high);
  int64_t span = step > 0 ? stop - *start : *start - stop;
  uint64_t pace = step > 0 ? (uint64_t)step : 0 - (uint64_t)step; /* unsigned: -INT64_MIN fits */
  return span > 0 ? (int64_t)((uint64_t)(span - 1) / pace) + 1 : 0;
}

static int select_element(reader *at, int32_t axis, int64_t extent, int64_t stride, selection *part)
{
  int64_t position;
  next_number(at, &position);
  if (position < -extent || position >= extent)
    return gl_fail(at->frame, GL_ERROR_INDEX, axis, position, extent);
  part->offset += (position < 0 ? position + extent : position) * stride;
  return 0;
}

static int select_slice(reader *at, int32_t axis, int64_t extent, int64_t stride, selection *part)
{
  int64_t start, stop, step;
  int has_start = next_number(at, &start), has_stop = next_number(at, &stop);
  if (!next_number(at, &step))
    step = 1;
  if (step == 0)
    return gl_fail(at->frame, GL_ERROR_STEP, axis);
  int64_t count = slice_count(extent, &start, has_start, stop, has_stop, step);
  part->offset += count > 0 ? start * stride : 0;
  part->extent[part->kept] = count; /* the stride of one element is never used: no overflow by a huge step */
  part->stride[part->kept++] = count > 1 ? step * stride : stride;
  return 0;
}

static void select_array(reader *at, int32_t axis, int64_t extent, int64_t stride, selection *part)
{
  int32_t slot = at->slots[at->input];
  part->array[part->arrays++] = (index_array){
      .numbers = at->frame->arrays[slot].data, .input = at->input++, .slot = slot, .ndim = gl_call_of(at->frame)->slots[slot].ndim,
      .axis = axis, .dtype = *at->words++, .extent = extent, .stride = stride};
}

/* The shape that the index arrays broadcast to, and how each moves along it. */
static int gather_axes(const reader *at, selection *part)
{
  int32_t widest[GL_MAX_NDIM] = {0}; /* the input that set the extent */
  for (int32_t d = 0; d < part->rank; d++)
    part->gathered[d] = 1;
  for (int32_t k = 0; k < part->arrays; k++) {
    index_array *index = &part->array[k];
    const gl_array *array = &at->frame->arrays[at->slots[index->input]];
    for (int32_t d = 0; d < index->ndim; d++) {
      int32_t axis = part->rank - index->ndim + d;
      int64_t extent = array->shape[d], *common = &part->gathered[axis];
      if (extent == 1)
        continue;
      if (*common != 1 && *common != extent)
        return gl_fail(at->frame, GL_ERROR_BROADCAST, widest[axis], index->input, axis, *common, extent);
      *common = extent;
      widest[axis] = index->input;
      index->step[axis] = array->stride[d];
    }
  }
  return 0;
}

/* What the key at params selects of an array, a key as gl_api.index has it; `slots`: the step's, `first`: the
 * position of the first index input among them. The caller has set `at`, `rank` and `array`. */
static int select_part(gl_frame *frame, const gl_array *in, const int32_t *slots, int32_t first,
                       const int64_t *params, selection *part)
{
  reader at = {frame, params + 3, slots, first};
  int32_t axis = 0;
  part->offset = 0;
  part->kept = part->arrays = 0;
  for (int64_t k = 0; k < params[2]; k++) {
    int64_t entry = *at.words++, extent = in->shape[axis], stride = in->stride[axis];
    int failed = 0;
    switch (entry) {
    case GL_ENTRY_NEW_AXIS:
      part->extent[part->kept] = 1;
      part->stride[part->kept++] = 0;
      continue;
    case GL_ENTRY_ELEMENT:
      failed = select_element(&at, axis, extent, stride, part);
      break;
    case GL_ENTRY_SLICE:
      failed = select_slice(&at, axis, extent, stride, part);
      break;
    default:
      select_array(&at, axis, extent, stride, part);
    }
    if (failed)
      return failed;
    axis++;
  }
  for (; axis < params[0]; axis++) {
    part->extent[part->kept] = in->shape[axis];
    part->stride[part->kept++] = in->stride[axis];
  }
  return gather_axes(&at, part);
}

/* Its extents: the gathered axes stand before kept axis `at`. */
static int32_t part_shape(const selection *part, int64_t *shape)
{
  int32_t after = part->kept - part->at;
  memcpy(shape, part->extent, (size_t)part->at * sizeof *shape);
  memcpy(shape + part->at, part->gathered, (size_t)part->rank * sizeof *shape);
  memcpy(shape + part->at + part->rank, part->extent + part->at, (size_t)after * sizeof *shape);
  return part->kept + part->rank;
}

int gl_index(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]];
  selection part;
  part.at = part.rank = 0;
  int failed = select_part(frame, &in, slots, 2, params, &part);
  if (failed)
    return failed;
  gl_array *view = gl_view(frame, slots[0], slots[1]);
  view->data += part.offset;
  memcpy(view->shape, part.extent, (size_t)part.kept * sizeof *part.extent);
  memcpy(view->stride, part.stride, (size_t)part.kept * sizeof *part.stride);
  return 0;
}

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

/* ---- over the whole part ----------------------------------------------------------------------- */

#define CHUNK 128 /* offsets that are found at a time */
#define AHEAD 8 /* rows lie anywhere in memory: they are asked for so many rows before they are wanted, */
#define MOST_AHEAD 512 /* their first bytes, which the processor goes on from */
#define CACHE_LINE 64

typedef enum action { TAKE, SET, ADD } action;

/* The axes of the part and of another array of its shape, both groups with neighbours merged. */
typedef struct transfer {
  action what;
  int32_t itemsize;
  scattered at;
  in_rows row;
  int32_t kept;
  int64_t extent[GL_MAX_NDIM], inside[GL_MAX_NDIM], outside[GL_MAX_NDIM]; /* kept: strides in array and other */
  int32_t rank;
  int64_t gathered[GL_MAX_NDIM], other_step[GL_MAX_NDIM];
} transfer;

/* Kept axes: extents of 1 are dropped, and neighbours that step alike become one. */
static void lay_out_kept(transfer *t, const selection *part, const int64_t *stride)
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
static void lay_out_gathered(transfer *t, selection *part, const int64_t *stride)
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
static int add_offsets(gl_frame *frame, const index_array *index, const char *numbers, int64_t step, int64_t n,
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
  if (t->what == ADD)
    do
      t->row(t->extent[last], array, t->inside[last], other, t->outside[last]);
    while (advance(last, t->extent, at, t->inside, &array, t->outside, &other));
  else if (dense)
    memcpy(t->what == TAKE ? other : array, t->what == TAKE ? array : other, (size_t)(t->extent[0] * t->itemsize));
  else if (t->what == TAKE)
    gl_copy_elements(t->kept, t->extent, t->itemsize, other, t->outside, array, t->inside);
  else
    gl_copy_elements(t->kept, t->extent, t->itemsize, array, t->inside, other, t->outside);
}

/* `n` gathered places: place by place if their elements lie in rows, else all places at each kept position. */
static void places(const transfer *t, int64_t n, char *array, const int64_t *offset, char *other, int64_t step)
{
  int32_t last = t->kept - 1;
  int64_t at[GL_MAX_NDIM] = {0};
  if (t->kept > 0 && (n == 1 || (t->inside[last] == t->itemsize && t->extent[last] >= 4))) {
    int64_t bytes = t->extent[last] * t->itemsize;
    for (int64_t i = 0; i < n; i++) {
      if (i + AHEAD < n)
        for (int64_t line = 0; line < bytes && line < MOST_AHEAD; line += CACHE_LINE)
          __builtin_prefetch(array + offset[i + AHEAD] + line);
      whole_place(t, array + offset[i], other + i * step);
    }
  } else
    do
      t->at(n, array, offset, other, step);
    while (advance(t->kept, t->extent, at, t->inside, &array, t->outside, &other));
}

/* Do it: `other` has the shape of the part, and moves by `stride` along each of its axes. */
static int over_part(gl_frame *frame, transfer *t, selection *part, char *array, char *other, const int64_t *stride)
{
  lay_out_kept(t, part, stride);
  lay_out_gathered(t, part, stride);
  int32_t last = t->rank - 1;
  int64_t at[GL_MAX_NDIM] = {0}, offset[CHUNK] = {0}, done = 0;
  const int64_t each = gl_elements(t->kept, t->extent);
  int empty = each == 0;
  if (gl_elements(t->rank, t->gathered) == 0)
    return 0;
  for (int64_t outer = gl_elements(last, t->gathered); outer > 0; outer--) {
    for (int64_t first = 0; first < t->gathered[last]; first += CHUNK) {
      int64_t rest = t->gathered[last] - first, n = rest < CHUNK ? rest : CHUNK;
      for (int32_t k = 0; k < part->arrays; k++) {
        const index_array *index = &part->array[k];
        int64_t step = index->step[last], start = first * step;
        for (int32_t d = 0; d < last; d++)
          start += at[d] * index->step[d];
        int failed = add_offsets(frame, index, index->numbers + start, step, n, k == 0, offset);
        if (failed)
          return failed;
      }
      int64_t start = first * t->other_step[last];
      for (int32_t d = 0; d < last; d++)
        start += at[d] * t->other_step[d];
      if (!empty)
        places(t, n, array + part->offset, offset, other + start, t->other_step[last]);
      done += n * (1 + each);
      if (done >= GL_ASK_BYTES / 8) {
        int failed = gl_stopped(frame);
        if (failed)
          return failed;
        done = 0;
      }
    }
    for (int32_t d = last - 1; d >= 0 && ++at[d] == t->gathered[d]; d--)
      at[d] = 0;
  }
  return 0;
}

int gl_gather(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]];
  int32_t itemsize = gl_call_of(frame)->slots[slots[1]].itemsize;
  index_array arrays[GL_MAX_NDIM];
  selection part;
  part.at = (int32_t)params[0];
  part.rank = (int32_t)params[1];
  part.array = arrays;
  transfer t = {.what = TAKE, .itemsize = itemsize, .at = moving(itemsize, 1)};
  int64_t shape[GL_MAX_NDIM];
  int failed = select_part(frame, &in, slots, 2, params + 2, &part);
  if (failed)
    return failed;
  part_shape(&part, shape);
  failed = gl_allocate(frame, slots[0], shape);
  const gl_array *out = &frame->arrays[slots[0]];
  return failed ? failed : over_part(frame, &t, &part, in.data, out->data, out->stride);
}

/* How `values` moves along the axes of a part of `shape`, to which it broadcasts. */
static int values_strides(gl_frame *frame, const int32_t *slots, int32_t ndim, const int64_t *shape, int64_t *stride)
{
  const gl_array *values = &frame->arrays[slots[2]];
  int32_t added = ndim - gl_call_of(frame)->slots[slots[2]].ndim;
  for (int32_t d = 0; d < ndim; d++) {
    int64_t extent = d < added ? 1 : values->shape[d - added];
    if (extent != 1 && extent != shape[d])
      return gl_fail(frame, GL_ERROR_BROADCAST, 0, 1, d, shape[d], extent);
    stride[d] = extent == 1 ? 0 : values->stride[d - added];
  }
  return 0;
}

/* Fail if an index array leads outside; else nothing is done. */
static int check_indices(gl_frame *frame, const selection *part)
{
  int64_t offset[CHUNK];
  for (int32_t k = 0; k < part->arrays; k++) {
    const index_array *index = &part->array[k];
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

/* `in`, copied or in its own memory, with a part changed. */
static int scatter(gl_frame *frame, const int32_t *slots, const int64_t *params, int in_dies)
{
  const gl_phase phase = gl_call_of(frame)->phase;
  int32_t itemsize = gl_call_of(frame)->slots[slots[1]].itemsize;
  index_array arrays[GL_MAX_NDIM];
  selection part;
  part.at = (int32_t)params[2];
  part.rank = (int32_t)params[3];
  part.array = arrays;
  transfer t = {.what = params[0] ? ADD : SET, .itemsize = itemsize, .row = adding[params[1]].row};
  t.at = params[0] ? adding[params[1]].at : moving(itemsize, 0);
  int64_t shape[GL_MAX_NDIM], stride[GL_MAX_NDIM];
  int failed = phase == GL_FINISHING ? 0 : in_dies ? gl_copy_into(frame, slots[0], slots[1]) : gl_copy(frame, slots, params);
  if (failed)
    return failed;
  const gl_array out = frame->arrays[slots[0]];
  failed = select_part(frame, &out, slots, 3, params + 4, &part);
  if (!failed)
    failed = values_strides(frame, slots, part_shape(&part, shape), shape, stride);
  if (!failed && phase == GL_PLANNING) {
    failed = check_indices(frame, &part);
    return failed ? failed : GL_PLANNED;
  }
  return failed ? failed : over_part(frame, &t, &part, out.data, frame->arrays[slots[2]].data, stride);
}

int gl_scatter(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  return scatter(frame, slots, params, 0);
}

int gl_scatter_into(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  return scatter(frame, slots, params, 1);
}
