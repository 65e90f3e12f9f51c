/* Memory, views, copies and loop nests: the part of the runtime that moves no numbers but whole elements. */
#include "gl_runtime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------------------------ */

int gl_record(gl_frame *frame, int32_t kind, int32_t n_details, const int64_t *details)
{
  gl_error *error = &gl_call_of(frame)->error;
  if (!error->kind) {
    error->kind = kind;
    error->step = frame->step;
    error->n_details = n_details;
    memcpy(error->details, details, (size_t)n_details * sizeof *details);
  }
  return kind;
}

/* ---- blocks ------------------------------------------------------------------------------------ */

static gl_block *block_of_bytes(int64_t bytes)
{
  gl_block *block = gl_memory_new(GL_ALIGNMENT + (size_t)bytes); /* gl_size left room for the header */
  if (block)
    *block = (gl_block){.count = 1, .home = -1};
  return block;
}

gl_block *gl_block_of_object(gl_call *call, void *object, int32_t home)
{
  int pooled = call->n_pooled < GL_POOL;
  gl_block *block = pooled ? &call->pool[call->n_pooled++] : gl_memory_new(sizeof *block);
  if (block)
    *block = (gl_block){.count = 1, .object = object, .home = home, .pooled = pooled};
  return block;
}

void gl_block_drop(gl_call *call, gl_block *block)
{
  if (__atomic_sub_fetch(&block->count, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  if (block->object)
    call->hooks->drop(call, block->object);
  if (!block->pooled)
    gl_memory_drop(block);
}

void gl_clear(gl_frame *frame, int32_t slot)
{
  gl_array *array = &frame->arrays[slot];
  gl_block *block = array->owner;
  array->data = NULL;
  array->owner = NULL;
  if (block)
    gl_block_drop(gl_call_of(frame), block);
}

void gl_release(gl_frame *frame, int32_t slot)
{
  if (!gl_call_of(frame)->keep)
    gl_clear(frame, slot);
}

/* ---- arrays ------------------------------------------------------------------------------------ */

int64_t gl_elements(int32_t ndim, const int64_t *shape)
{
  int64_t count = 1;
  for (int32_t d = 0; d < ndim; d++)
    count *= shape[d];
  return count;
}

void gl_c_strides(int32_t ndim, const int64_t *shape, int32_t itemsize, int64_t *stride)
{
  int64_t step = itemsize;
  for (int32_t d = ndim - 1; d >= 0; d--) {
    stride[d] = step;
    step *= shape[d] > 0 ? shape[d] : 1;
  }
}

int gl_size(gl_frame *frame, int32_t ndim, const int64_t *shape, int32_t itemsize, int64_t *bytes)
{
  int64_t product = itemsize, with_header;
  int empty = 0;
  for (int32_t d = 0; d < ndim; d++) {
    if (shape[d] < 0)
      return gl_fail(frame, GL_ERROR_NEGATIVE, d, shape[d]);
    if (shape[d] == 0) /* the others must still be such that strides can be computed, as in NumPy */
      empty = 1;
    else if (__builtin_mul_overflow(product, shape[d], &product))
      return gl_fail(frame, GL_ERROR_SIZE, 0);
  }
  if (__builtin_add_overflow(product, 2 * GL_ALIGNMENT, &with_header))
    return gl_fail(frame, GL_ERROR_SIZE, 0);
  *bytes = empty ? 0 : product;
  return 0;
}

int gl_allocate(gl_frame *frame, int32_t slot, const int64_t *shape)
{
  gl_call *call = gl_call_of(frame);
  const gl_slot *kind = &call->slots[slot];
  gl_array *array = &frame->arrays[slot];
  int64_t bytes;
  gl_clear(frame, slot);
  int failed = gl_size(frame, kind->ndim, shape, kind->itemsize, &bytes);
  if (failed)
    return failed;
  for (int32_t d = 0; d < kind->ndim; d++)
    array->shape[d] = shape[d];
  gl_c_strides(kind->ndim, shape, kind->itemsize, array->stride);
  if (kind->is_output)
    return call->hooks->new_output(call, slot, shape) ? gl_fail(frame, GL_ERROR_MEMORY, bytes) : 0;
  gl_block *block = block_of_bytes(bytes);
  if (!block)
    return gl_fail(frame, GL_ERROR_MEMORY, bytes);
  array->owner = block;
  array->data = (char *)block + GL_ALIGNMENT;
  return 0;
}

/* Let `slot` have the memory of `dying` as an array of that shape; 0 if somebody else has it too, or it does not fit.
 * What is read of `dying` in this step is where it was. */
static int take(gl_frame *frame, int32_t slot, const int64_t *shape, int32_t dying)
{
  gl_call *call = gl_call_of(frame);
  const gl_slot *kind = &call->slots[slot], *other = &call->slots[dying];
  gl_array *array = &frame->arrays[slot], *from = &frame->arrays[dying];
  gl_block *block = from->owner;
  int64_t stride[GL_MAX_NDIM];
  if (call->keep || !block || __atomic_load_n(&block->count, __ATOMIC_ACQUIRE) != 1 ||
      (kind->is_output ? block->home != slot : block->object != NULL) || kind->ndim != other->ndim ||
      kind->itemsize != other->itemsize)
    return 0;
  gl_c_strides(kind->ndim, shape, kind->itemsize, stride);
  for (int32_t d = 0; d < kind->ndim; d++)
    if (from->shape[d] != shape[d] || (shape[d] != 1 && from->stride[d] != stride[d]))
      return 0;
  gl_clear(frame, slot);
  array->data = from->data;
  array->owner = block;
  from->owner = NULL;
  memcpy(array->shape, shape, (size_t)kind->ndim * sizeof *shape);
  memcpy(array->stride, stride, (size_t)kind->ndim * sizeof *stride);
  call->taken++;
  return 1;
}

int gl_allocate_in(gl_frame *frame, int32_t slot, const int64_t *shape, int32_t dying)
{
  return take(frame, slot, shape, dying) ? 0 : gl_allocate(frame, slot, shape);
}

gl_array *gl_view(gl_frame *frame, int32_t slot, int32_t source)
{
  gl_array *view = &frame->arrays[slot];
  const gl_array *base = &frame->arrays[source];
  gl_block *block = base->owner;
  if (block)
    __atomic_add_fetch(&block->count, 1, __ATOMIC_RELAXED);
  gl_clear(frame, slot);
  view->data = base->data;
  view->owner = block;
  return view;
}

/* ---- copying ----------------------------------------------------------------------------------- */

#define PAGE 4096
#define PIECE 1024 /* bytes: so few are moved without a string instruction */

/* memcpy. A string instruction, which it uses for many bytes, takes ten times as long on some processors (Zen 3 and
 * 4) where `out` lies up to 15 bytes behind `in` within a page: as it does when an element is put before large arrays. */
static void copy_bytes(char *out, const char *in, size_t bytes)
{
  const uintptr_t behind = ((uintptr_t)out - (uintptr_t)in) % PAGE;
  if (behind > 0 && behind < 16)
    for (; bytes > PIECE; bytes -= PIECE, out += PIECE, in += PIECE)
      memcpy(out, in, PIECE);
  memcpy(out, in, bytes);
}

static void copy_run(int64_t n, int32_t itemsize, char *out, int64_t out_stride, const char *in,
                     int64_t in_stride)
{
  if (out_stride == itemsize && in_stride == itemsize) {
    copy_bytes(out, in, (size_t)(n * itemsize));
    return;
  }
#define COPY_RUN(size)                                                   \
  case size:                                                             \
    if (in_stride == 0 && out_stride == size) { /* the same all along */ \
      char value[size];                                                  \
      memcpy(value, in, size);                                           \
      for (int64_t i = 0; i < n; i++)                                    \
        memcpy(out + i * size, value, size);                             \
      break;                                                             \
    }                                                                    \
    if (in_stride == -size && out_stride == size) { /* turned around */   \
      for (int64_t i = 0; i < n; i++)                                    \
        memcpy(out + i * size, in - i * size, size);                     \
      break;                                                             \
    }                                                                    \
    for (int64_t i = 0; i < n; i++)                                      \
      memcpy(out + i * out_stride, in + i * in_stride, size);            \
    break;
  switch (itemsize) { /* constant sizes become single moves */
    COPY_RUN(1)
    COPY_RUN(2)
    COPY_RUN(4)
    COPY_RUN(8)
    COPY_RUN(16)
  }
#undef COPY_RUN
}

void gl_copy_elements(int32_t ndim, const int64_t *shape, int32_t itemsize, char *out,
                      const int64_t *out_stride, const char *in, const int64_t *in_stride)
{
  /* Drop axes of extent 1 and merge neighbours that step alike in both, outermost first. */
  int64_t extent[GL_MAX_NDIM + 1], to[GL_MAX_NDIM + 1], from[GL_MAX_NDIM + 1], at[GL_MAX_NDIM + 1];
  int32_t n = 0;
  for (int32_t d = 0; d < ndim; d++) {
    if (shape[d] == 0)
      return;
    if (shape[d] == 1)
      continue;
    int merges = n && to[n - 1] == out_stride[d] * shape[d] && from[n - 1] == in_stride[d] * shape[d];
    if (!merges)
      extent[n++] = 1;
    extent[n - 1] *= shape[d];
    to[n - 1] = out_stride[d];
    from[n - 1] = in_stride[d];
  }
  if (n == 0) {
    extent[0] = 1;
    to[0] = from[0] = itemsize;
    n = 1;
  }
  memset(at, 0, sizeof at);
  for (;;) {
    copy_run(extent[n - 1], itemsize, out, to[n - 1], in, from[n - 1]);
    int32_t d = n - 2;
    for (; d >= 0; d--) { /* step the outer axes like a counter */
      out += to[d];
      in += from[d];
      if (++at[d] < extent[d])
        break;
      out -= extent[d] * to[d];
      in -= extent[d] * from[d];
      at[d] = 0;
    }
    if (d < 0)
      return;
  }
}

int gl_copy_until(int32_t ndim, const int64_t *shape, int32_t itemsize, char *out, const int64_t *out_stride,
                  const char *in, const int64_t *in_stride, int (*stop)(void *context), void *context)
{
  const int64_t bytes = gl_elements(ndim, shape) * itemsize;
  int64_t part[GL_MAX_NDIM];
  int32_t d = 0;
  if (bytes <= GL_ASK_BYTES) {
    gl_copy_elements(ndim, shape, itemsize, out, out_stride, in, in_stride);
    return bytes < GL_ASK_BYTES / 16 ? 0 : stop(context);
  }
  while (shape[d] == 1)
    d++;
  const int64_t each = bytes / shape[d], most = each < GL_ASK_BYTES ? GL_ASK_BYTES / each : 1;
  int stopped = 0;
  memcpy(part, shape, (size_t)ndim * sizeof *part);
  for (int64_t first = 0; !stopped && first < shape[d]; first += most) {
    part[d] = shape[d] - first < most ? shape[d] - first : most;
    stopped = gl_copy_until(ndim, part, itemsize, out + first * out_stride[d], out_stride, in + first * in_stride[d],
                            in_stride, stop, context); /* one that is long is cut along the axes behind it */
  }
  return stopped;
}

static int stop_frame(void *frame) { return gl_stopped(frame); }

#define SHARED_BYTES (128 << 10) /* as much a thread copies at a time */

typedef struct copying {
  int32_t ndim, axis, itemsize;
  const int64_t *shape, *out_stride, *in_stride;
  int64_t each; /* so much of the axis at a time */
  char *out;
  const char *in;
} copying;

static void copy_chunk(void *context, int64_t chunk, int32_t thread)
{
  const copying *c = context;
  const int64_t first = chunk * c->each, left = c->shape[c->axis] - first;
  int64_t part[GL_MAX_NDIM];
  (void)thread;
  memcpy(part, c->shape, (size_t)c->ndim * sizeof *part);
  part[c->axis] = left < c->each ? left : c->each;
  gl_copy_elements(c->ndim, part, c->itemsize, c->out + first * c->out_stride[c->axis], c->out_stride,
                   c->in + first * c->in_stride[c->axis], c->in_stride);
}

/* Threads share the outermost axis longer than 1; where one place on it is much, one thread copies, and asks on its way. */
int gl_copy_asking(gl_frame *frame, int32_t ndim, const int64_t *shape, int32_t itemsize, char *out,
                   const int64_t *out_stride, const char *in, const int64_t *in_stride)
{
  const int64_t bytes = gl_elements(ndim, shape) * itemsize;
  const int32_t threads = gl_threads_for(frame, (double)bytes / 4);
  if (threads > 1) {
    copying c = {.ndim = ndim, .itemsize = itemsize, .shape = shape, .out_stride = out_stride, .in_stride = in_stride,
                 .out = out, .in = in};
    while (shape[c.axis] == 1)
      c.axis++;
    const int64_t row = bytes / shape[c.axis];
    c.each = row < SHARED_BYTES ? SHARED_BYTES / row : 1;
    if (row <= GL_ASK_BYTES && c.each < shape[c.axis])
      return gl_run_shared(frame, copy_chunk, &c, (shape[c.axis] + c.each - 1) / c.each, threads);
  }
  return gl_copy_until(ndim, shape, itemsize, out, out_stride, in, in_stride, stop_frame, frame);
}

static GL_TELLS int copy_into(gl_frame *frame, int32_t out, int32_t in)
{
  const gl_array *source = &frame->arrays[in], *target = &frame->arrays[out];
  const gl_slot *kind = &gl_call_of(frame)->slots[in];
  int64_t stride[GL_MAX_NDIM];
  gl_c_strides(kind->ndim, source->shape, kind->itemsize, stride);
  return gl_copy_asking(frame, kind->ndim, source->shape, kind->itemsize, target->data, stride, source->data,
                        source->stride);
}

int gl_copy(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  (void)params;
  int failed = gl_allocate(frame, slots[0], frame->arrays[slots[1]].shape);
  return failed ? failed : copy_into(frame, slots[0], slots[1]);
}

int gl_copy_into(gl_frame *frame, int32_t out, int32_t in)
{
  int failed = gl_allocate_in(frame, out, frame->arrays[in].shape, in);
  if (!failed && frame->arrays[out].data != frame->arrays[in].data)
    failed = copy_into(frame, out, in);
  return failed;
}

int gl_concatenate(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int64_t axis = params[0], count = params[1], ndim = params[2];
  const gl_array *first = &frame->arrays[slots[1]];
  int64_t shape[GL_MAX_NDIM];
  for (int64_t d = 0; d < ndim; d++)
    shape[d] = first->shape[d];
  for (int64_t k = 1; k < count; k++) {
    const gl_array *array = &frame->arrays[slots[1 + k]];
    for (int64_t d = 0; d < ndim; d++)
      if (d != axis && array->shape[d] != shape[d])
        return gl_fail(frame, GL_ERROR_CONCATENATE, k, d, array->shape[d], shape[d]);
    if (__builtin_add_overflow(shape[axis], array->shape[axis], &shape[axis]))
      return gl_fail(frame, GL_ERROR_SIZE, 0);
  }
  int failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  const gl_array *out = &frame->arrays[slots[0]];
  int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize;
  char *end = out->data;
  for (int64_t k = 0; !failed && k < count; k++) {
    const gl_array *array = &frame->arrays[slots[1 + k]];
    failed = gl_copy_asking(frame, (int32_t)ndim, array->shape, itemsize, end, out->stride, array->data, array->stride);
    end += array->shape[axis] * out->stride[axis];
  }
  return failed;
}

/* ---- views ------------------------------------------------------------------------------------- */

int gl_transpose(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array source = frame->arrays[slots[1]];
  int32_t in_ndim = gl_call_of(frame)->slots[slots[1]].ndim;
  uint32_t used = 0;
  for (int64_t d = 0; d < params[0]; d++)
    if (params[1 + d] >= 0)
      used |= 1u << params[1 + d];
  for (int32_t d = 0; d < in_ndim; d++)
    if (!(used >> d & 1) && source.shape[d] != 1)
      return gl_fail(frame, GL_ERROR_SQUEEZE, d, source.shape[d]);
  gl_array *view = gl_view(frame, slots[0], slots[1]);
  for (int64_t d = 0; d < params[0]; d++) {
    int64_t axis = params[1 + d];
    view->shape[d] = axis < 0 ? 1 : source.shape[axis];
    view->stride[d] = axis < 0 ? 0 : source.stride[axis];
  }
  return 0;
}

static int64_t element(const gl_array *vector, int64_t i)
{
  return *(const int64_t *)(vector->data + i * vector->stride[0]);
}

/* The new shape with its -1 filled in. */
static int wanted_shape(gl_frame *frame, const gl_array *in, int32_t in_ndim, const gl_array *vector,
                        int32_t ndim, int64_t *shape)
{
  int64_t have = gl_elements(in_ndim, in->shape), known = 1;
  int32_t unknown = -1;
  for (int32_t d = 0; d < ndim; d++) {
    shape[d] = element(vector, d);
    if (shape[d] == -1 && unknown < 0)
      unknown = d;
    else if (shape[d] < 0)
      return gl_fail(frame, GL_ERROR_NEGATIVE, d, shape[d]);
    else if (__builtin_mul_overflow(known, shape[d], &known))
      return gl_fail(frame, GL_ERROR_SIZE, 0);
  }
  int fits = unknown < 0 ? known == have : known > 0 && have % known == 0;
  if (!fits)
    return gl_fail(frame, GL_ERROR_RESHAPE, have, known);
  if (unknown >= 0)
    shape[unknown] = have / known;
  return 0;
}

/* Strides that show the elements of `in` in C order as `shape`; 0 if there are none without copying.
 * The axes of both sides are cut into the smallest groups with equally many elements; a group works
 * if its old axes can be merged. */
static int reshaped_strides(const gl_array *in, int32_t in_ndim, int32_t ndim, const int64_t *shape,
                            int64_t *stride)
{
  int64_t extent[GL_MAX_NDIM], step[GL_MAX_NDIM];
  int32_t n = 0;
  for (int32_t d = 0; d < in_ndim; d++)
    if (in->shape[d] != 1) {
      extent[n] = in->shape[d];
      step[n++] = in->stride[d];
    }
  int32_t old = 0, new = 0;
  while (old < n && new < ndim) {
    int32_t old_end = old + 1, new_end = new + 1;
    int64_t old_count = extent[old], new_count = shape[new];
    while (old_count != new_count)
      if (old_count < new_count)
        old_count *= extent[old_end++];
      else
        new_count *= shape[new_end++];
    for (int32_t d = old; d + 1 < old_end; d++)
      if (step[d] != step[d + 1] * extent[d + 1])
        return 0;
    int64_t inner = step[old_end - 1];
    for (int32_t d = new_end - 1; d >= new; d--) {
      stride[d] = inner;
      inner *= shape[d];
    }
    old = old_end;
    new = new_end;
  }
  for (; new < ndim; new++) /* only extents of 1 are left */
    stride[new] = 0;
  return 1;
}

int gl_reshape(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int32_t ndim = (int32_t)params[0], in_ndim = (int32_t)params[1];
  const gl_array in = frame->arrays[slots[1]];
  int64_t shape[GL_MAX_NDIM], stride[GL_MAX_NDIM];
  int failed = wanted_shape(frame, &in, in_ndim, &frame->arrays[slots[2]], ndim, shape);
  if (failed)
    return failed;
  if (gl_elements(ndim, shape) == 0)
    return gl_allocate(frame, slots[0], shape);
  if (!reshaped_strides(&in, in_ndim, ndim, shape, stride)) {
    failed = gl_allocate(frame, slots[0], shape);
    return failed ? failed : copy_into(frame, slots[0], slots[1]);
  }
  gl_array *view = gl_view(frame, slots[0], slots[1]);
  for (int32_t d = 0; d < ndim; d++) {
    view->shape[d] = shape[d];
    view->stride[d] = stride[d];
  }
  return 0;
}

int gl_broadcast_to(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int32_t ndim = (int32_t)params[0], in_ndim = (int32_t)params[1], added = ndim - in_ndim;
  const gl_array in = frame->arrays[slots[1]];
  const gl_array *vector = &frame->arrays[slots[2]];
  int64_t shape[GL_MAX_NDIM] = {0}, bytes;
  for (int32_t d = 0; d < ndim; d++) {
    shape[d] = element(vector, d);
    if (shape[d] >= 0 && d >= added && in.shape[d - added] != 1 && in.shape[d - added] != shape[d])
      return gl_fail(frame, GL_ERROR_BROADCAST, 0, 1, d, in.shape[d - added], shape[d]);
  }
  int failed = gl_size(frame, ndim, shape, gl_call_of(frame)->slots[slots[1]].itemsize, &bytes);
  if (failed)
    return failed;
  gl_array *view = gl_view(frame, slots[0], slots[1]);
  for (int32_t d = 0; d < ndim; d++) {
    int stretched = d < added || in.shape[d - added] != shape[d];
    view->shape[d] = shape[d];
    view->stride[d] = stretched ? 0 : in.stride[d - added];
  }
  return 0;
}

int gl_shape_of(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int failed = gl_allocate(frame, slots[0], params);
  if (!failed)
    memcpy(frame->arrays[slots[0]].data, frame->arrays[slots[1]].shape, (size_t)params[0] * sizeof(int64_t));
  return failed;
}

int gl_stack_scalars(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int failed = gl_allocate(frame, slots[0], params);
  if (failed)
    return failed;
  int64_t *out = (int64_t *)frame->arrays[slots[0]].data;
  for (int64_t k = 0; k < params[0]; k++)
    out[k] = *(const int64_t *)frame->arrays[slots[1 + k]].data;
  return 0;
}

/* ---- memory for kernels ------------------------------------------------------------------------ */

int gl_scratch(gl_frame *frame, int64_t bytes, char **memory)
{
  gl_call *call = gl_call_of(frame);
  if (bytes > call->scratch_bytes) {
    gl_memory_drop(call->scratch);
    call->scratch = gl_memory_new((size_t)bytes);
    call->scratch_bytes = call->scratch ? bytes : 0;
    if (!call->scratch)
      return gl_fail(frame, GL_ERROR_MEMORY, bytes);
  }
  *memory = call->scratch;
  return 0;
}

/* ---- loop nests -------------------------------------------------------------------------------- */

/* The shape that the inputs broadcast to. */
static int nest_space(gl_frame *frame, const gl_nest *nest, const int8_t *axes, int64_t *space)
{
  const int32_t *inputs = nest->slots + nest->n_outputs;
  int32_t widest[GL_MAX_NDIM] = {0}; /* the input that set the extent */
  for (int32_t d = 0; d < nest->ndim; d++)
    space[d] = 1;
  for (int32_t k = 0; k < nest->n_inputs; k++) {
    const gl_array *input = &frame->arrays[inputs[k]];
    int32_t ndim = gl_call_of(frame)->slots[inputs[k]].ndim;
    for (int32_t d = 0; d < ndim; d++) {
      int32_t axis = *axes++;
      if (input->shape[d] == 1 || axis < 0 || input->shape[d] == space[axis])
        continue;
      if (space[axis] != 1)
        return gl_fail(frame, GL_ERROR_BROADCAST, widest[axis], k, axis, space[axis], input->shape[d]);
      space[axis] = input->shape[d];
      widest[axis] = k;
    }
  }
  return 0;
}

/* Allocate output k, whose axes lie along `axes`. */
static int nest_output(gl_frame *frame, const gl_nest *nest, int32_t k, const int8_t *axes, const int64_t *space)
{
  int64_t shape[GL_MAX_NDIM];
  int32_t ndim = gl_call_of(frame)->slots[nest->slots[k]].ndim;
  for (int32_t d = 0; d < ndim; d++)
    shape[d] = axes[d] < 0 ? 1 : space[axes[d]];
  if (nest->takes && nest->takes[k] >= 0)
    return gl_allocate_in(frame, nest->slots[k], shape, nest->slots[nest->n_outputs + nest->takes[k]]);
  return gl_allocate(frame, nest->slots[k], shape);
}

/* The byte stride of an operand along each axis of the space. */
static void nest_strides(const gl_array *operand, int32_t ndim, const int8_t *axes, int32_t nest_ndim,
                         const int64_t *space, int64_t *stride)
{
  for (int32_t d = 0; d < nest_ndim; d++)
    stride[d] = 0;
  for (int32_t d = 0; d < ndim; d++)
    if (axes[d] >= 0 && operand->shape[d] == space[axes[d]])
      stride[axes[d]] = operand->stride[d];
}

/* Place the axes of one group (those with reduce[d] == `group`) at positions first .. first + size - 1:
 * neighbours that every operand steps through evenly become one, runs are packed to the end, and
 * extents of 1 fill the front. `raw` and `stride` hold ndim strides for each operand. */
static void nest_merge(const gl_nest *nest, int group, int32_t first, int32_t size, const int64_t *space,
                       const int64_t *raw, int64_t *extent, int64_t *stride)
{
  int32_t operands = nest->n_outputs + nest->n_inputs, ndim = nest->ndim;
  int32_t position = first + size; /* of the current run; at the end: there is none yet */
  for (int32_t d = ndim - 1; d >= 0; d--) {
    if ((nest->reduce[d] != 0) != group || space[d] == 1)
      continue;
    int64_t product; /* of two broadcast extents it may be too big to count to */
    int merges = position < first + size && !__builtin_mul_overflow(extent[position], space[d], &product);
    for (int32_t k = 0; merges && k < operands; k++)
      merges = raw[k * ndim + d] == stride[k * ndim + position] * extent[position];
    if (merges) {
      extent[position] = product;
      continue;
    }
    extent[--position] = space[d];
    for (int32_t k = 0; k < operands; k++)
      stride[k * ndim + position] = raw[k * ndim + d];
  }
  while (--position >= first) {
    extent[position] = 1;
    for (int32_t k = 0; k < operands; k++)
      stride[k * ndim + position] = 0;
  }
}

/* Whether elements lie closer along axis a than along b, as the first operand has it that tells. */
static int nest_closer(const int64_t *raw, int32_t operands, int32_t ndim, int32_t a, int32_t b)
{
  for (int32_t k = 0; k < operands; k++) {
    int64_t along_a = raw[k * ndim + a], along_b = raw[k * ndim + b];
    if (along_a != 0 && along_b != 0 && llabs(along_a) != llabs(along_b))
      return llabs(along_a) < llabs(along_b);
  }
  return 0;
}

static void nest_swap(int64_t *extent, int64_t *stride, int32_t operands, int32_t ndim, int32_t a, int32_t b)
{
  int64_t kept = extent[a];
  extent[a] = extent[b];
  extent[b] = kept;
  for (int32_t k = 0; k < operands; k++) {
    kept = stride[k * ndim + a];
    stride[k * ndim + a] = stride[k * ndim + b];
    stride[k * ndim + b] = kept;
  }
}

/* Sort the reduced axes of the space by stride, each among the places that they have. */
static void nest_sort(const gl_nest *nest, int64_t *space, int64_t *raw)
{
  int32_t ndim = nest->ndim, operands = nest->n_outputs + nest->n_inputs;
  for (int32_t end = ndim; end > 0; end--) {
    int32_t before = -1;
    for (int32_t d = 0; d < end; d++) {
      if (!nest->reduce[d])
        continue;
      if (before >= 0 && nest_closer(raw, operands, ndim, before, d))
        nest_swap(space, raw, operands, ndim, before, d);
      before = d;
    }
  }
}

/* Rows of a few elements are computed side by side, in strips of WIDTH (lower/strips.py). Where the last of the kept axes
 * has few, the longest goes there, unless whole turns of the last fill a strip, and vectors: then what moves along it
 * alone is brought together once for all strips, and results lie as they should. */
static void nest_side_by_side(const gl_nest *nest, int32_t itemsize, int32_t kept, int64_t *extent, int64_t *stride)
{
  enum { WIDTH = 64, ENOUGH = 32, VECTOR = 64 };
  int32_t ndim = nest->ndim, last = kept - 1, longest = last;
  int64_t elements = 1;
  for (int32_t d = kept; d < ndim; d++)
    elements *= extent[d] < 2 || d == ndim - 1 ? extent[d] : nest->few + 1;
  if (kept == 0 || elements < 1 || elements > nest->few || extent[last] >= ENOUGH)
    return;
  if (extent[last] > 0 && WIDTH % extent[last] == 0 && extent[last] * itemsize % VECTOR == 0)
    return;
  for (int32_t d = 0; d < kept; d++)
    if (extent[d] > extent[longest])
      longest = d;
  nest_swap(extent, stride, nest->n_outputs + nest->n_inputs, ndim, longest, last);
}

int gl_nest_plan(gl_frame *frame, const gl_nest *nest, int64_t *extent, int64_t *stride, char **data)
{
  const gl_call *call = gl_call_of(frame);
  int32_t ndim = nest->ndim, operands = nest->n_outputs + nest->n_inputs, kept = 0;
  int64_t space[GL_MAX_NDIM], apart[operands * ndim + 1];
  int64_t *raw = ndim > 1 ? apart : stride; /* of one axis there is nothing to merge */
  const int8_t *axes = nest->axes;
  for (int32_t k = 0; k < nest->n_outputs; k++)
    axes += call->slots[nest->slots[k]].ndim;
  int failed = nest_space(frame, nest, axes, space);
  axes = nest->axes;
  for (int32_t k = 0; k < operands && !failed; k++) {
    int32_t slot = nest->slots[k], own = call->slots[slot].ndim;
    if (k < nest->n_outputs && call->phase != GL_FINISHING)
      failed = nest_output(frame, nest, k, axes, space);
    nest_strides(&frame->arrays[slot], own, axes, ndim, space, raw + k * ndim);
    data[k] = frame->arrays[slot].data;
    axes += own;
  }
  if (failed)
    return failed;
  if (call->phase == GL_PLANNING)
    return GL_PLANNED;
  if (ndim <= 1) {
    extent[0] = ndim ? space[0] : 1;
    return 0;
  }
  for (int32_t d = 0; d < ndim; d++)
    kept += !nest->reduce[d];
  if (nest->sorts)
    nest_sort(nest, space, raw);
  nest_merge(nest, 0, 0, kept, space, raw, extent, stride);
  nest_merge(nest, 1, kept, ndim - kept, space, raw, extent, stride);
  if (nest->few)
    nest_side_by_side(nest, call->slots[nest->slots[0]].itemsize, kept, extent, stride);
  return 0;
}
