/* Indexing by NumPy's rules: a part as a view, a part gathered by index arrays, and an array with a part
 * set or increased. */
#include "gl_places.h"

#include <string.h>

/* ---- what a key selects ------------------------------------------------------------------------ */

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

static int select_element(reader *at, int32_t axis, int64_t extent, int64_t stride, gl_selection *part)
{
  int64_t position;
  next_number(at, &position);
  if (position < -extent || position >= extent)
    return gl_fail(at->frame, GL_ERROR_INDEX, axis, position, extent);
  part->offset += (position < 0 ? position + extent : position) * stride;
  return 0;
}

static int select_slice(reader *at, int32_t axis, int64_t extent, int64_t stride, gl_selection *part)
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

static void select_array(reader *at, int32_t axis, int64_t extent, int64_t stride, gl_selection *part)
{
  int32_t slot = at->slots[at->input];
  part->array[part->arrays++] = (gl_index_array){
      .numbers = at->frame->arrays[slot].data, .input = at->input++, .slot = slot, .ndim = gl_call_of(at->frame)->slots[slot].ndim,
      .axis = axis, .dtype = *at->words++, .extent = extent, .stride = stride};
}

/* The shape that the index arrays broadcast to, and how each moves along it. */
static int gather_axes(const reader *at, gl_selection *part)
{
  int32_t widest[GL_MAX_NDIM] = {0}; /* the input that set the extent */
  for (int32_t d = 0; d < part->rank; d++)
    part->gathered[d] = 1;
  for (int32_t k = 0; k < part->arrays; k++) {
    gl_index_array *index = &part->array[k];
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
                       const int64_t *params, gl_selection *part)
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
static int32_t part_shape(const gl_selection *part, int64_t *shape)
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
  gl_selection part;
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

/* ---- gathering and scattering -------------------------------------------------------------------- */

int gl_gather(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]];
  int32_t itemsize = gl_call_of(frame)->slots[slots[1]].itemsize;
  gl_index_array arrays[GL_MAX_NDIM];
  gl_selection part;
  part.at = (int32_t)params[0];
  part.rank = (int32_t)params[1];
  part.array = arrays;
  int64_t shape[GL_MAX_NDIM];
  int failed = select_part(frame, &in, slots, 2, params + 2, &part);
  if (failed)
    return failed;
  part_shape(&part, shape);
  failed = gl_allocate(frame, slots[0], shape);
  const gl_array *out = &frame->arrays[slots[0]];
  return failed ? failed : gl_over_places(frame, &part, GL_TAKE, itemsize, 0, in.data, out->data, out->stride);
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

/* `in`, copied or in its own memory, with a part changed. */
static int scatter(gl_frame *frame, const int32_t *slots, const int64_t *params, int in_dies)
{
  const gl_phase phase = gl_call_of(frame)->phase;
  int32_t itemsize = gl_call_of(frame)->slots[slots[1]].itemsize;
  gl_index_array arrays[GL_MAX_NDIM];
  gl_selection part;
  part.at = (int32_t)params[2];
  part.rank = (int32_t)params[3];
  part.array = arrays;
  int64_t shape[GL_MAX_NDIM], stride[GL_MAX_NDIM];
  int failed = phase == GL_FINISHING ? 0 : in_dies ? gl_copy_into(frame, slots[0], slots[1]) : gl_copy(frame, slots, params);
  if (failed)
    return failed;
  const gl_array out = frame->arrays[slots[0]];
  failed = select_part(frame, &out, slots, 3, params + 4, &part);
  if (!failed)
    failed = values_strides(frame, slots, part_shape(&part, shape), shape, stride);
  if (!failed && phase == GL_PLANNING) {
    failed = gl_check_indices(frame, &part);
    return failed ? failed : GL_PLANNED;
  }
  const gl_action what = params[0] ? GL_ADD : GL_SET;
  char *const values = frame->arrays[slots[2]].data;
  return failed ? failed : gl_over_places(frame, &part, what, itemsize, params[1], out.data, values, stride);
}

int gl_scatter(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  return scatter(frame, slots, params, 0);
}

int gl_scatter_into(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  return scatter(frame, slots, params, 1);
}
