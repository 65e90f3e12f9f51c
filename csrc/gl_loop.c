/* Loops of steps: elements of sequences, values that are carried on, and stacks that collect. A carried
 * value moves from slot to slot without being copied; only what is collected is. */
#include "gl_runtime.h"

#include <string.h>
#include <time.h>

#define POLL_MS 50

static const _Alignas(16) char zeros[16]; /* an element of any type */

int gl_share(gl_frame *frame, int32_t out, int32_t in)
{
  if (out == in)
    return 0;
  const gl_array *source = &frame->arrays[in];
  gl_array *view = gl_view(frame, out, in);
  memcpy(view->shape, source->shape, sizeof view->shape);
  memcpy(view->stride, source->stride, sizeof view->stride);
  return 0;
}

/* `out` becomes row `at` of `in`; zeros of its extents where `at` is below 0. */
static void row(gl_frame *frame, int32_t out, int32_t in, int64_t at)
{
  const gl_array *source = &frame->arrays[in];
  const int32_t ndim = gl_call_of(frame)->slots[out].ndim;
  gl_array *view = gl_view(frame, out, in);
  if (at < 0)
    view->data = (char *)zeros;
  else
    view->data += at * source->stride[0];
  for (int32_t d = 0; d < ndim; d++) {
    view->shape[d] = source->shape[d + 1];
    view->stride[d] = at < 0 ? 0 : source->stride[d + 1];
  }
}

static int begin_carried(gl_frame *frame, const gl_loop *loop, int32_t k, const int32_t *past)
{
  const int32_t start = loop->carried[4 * k], depth = loop->depths[k];
  if (depth == 1)
    return gl_share(frame, past[0], start);
  if (frame->arrays[start].shape[0] != depth)
    return gl_fail(frame, GL_ERROR_STARTS, k, frame->arrays[start].shape[0], depth);
  for (int32_t lag = 0; lag < depth; lag++)
    row(frame, past[lag], start, depth - 1 - lag);
  return 0;
}

int gl_loop_begin(gl_frame *frame, const gl_loop *loop, int64_t *turns)
{
  *turns = *(const int64_t *)frame->arrays[loop->turns].data;
  if (*turns < 0)
    return gl_fail(frame, GL_ERROR_NEGATIVE, 0, *turns);
  for (int32_t k = 0; k < loop->n_elements; k++) {
    const int64_t extent = frame->arrays[loop->elements[2 * k]].shape[0];
    if (extent != *turns)
      return gl_fail(frame, GL_ERROR_TURNS, k, extent, *turns);
  }
  const int32_t *past = loop->past;
  int failed = 0;
  for (int32_t k = 0; !failed && k < loop->n_carried; past += loop->depths[k++])
    failed = begin_carried(frame, loop, k, past);
  return failed ? failed : *turns == 0 ? gl_loop_turn(frame, loop, -1) : 0;
}

/* Much takes long, and some loops never end: from time to time the user is asked. */
int gl_stopped(gl_frame *frame)
{
  gl_call *call = gl_call_of(frame);
  struct timespec now;
  if (call->phase == GL_FINISHING)
    return 0;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const int64_t ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
  if (ms - call->asked < POLL_MS)
    return 0;
  const int first = call->asked == 0;
  call->asked = ms;
  return !first && call->hooks->interrupted(call) ? gl_fail(frame, GL_ERROR_HOST, -1) : 0;
}

int gl_loop_turn(gl_frame *frame, const gl_loop *loop, int64_t t)
{
  int failed = gl_stopped(frame);
  if (failed)
    return failed;
  for (int32_t k = 0; k < loop->n_elements; k++)
    row(frame, loop->elements[2 * k + 1], loop->elements[2 * k], t);
  return 0;
}

/* A stack of `rows` values like the one in `value`, without them yet. */
static int new_stack(gl_frame *frame, int32_t stack, int32_t value, int64_t rows)
{
  int64_t shape[GL_MAX_NDIM + 1];
  shape[0] = rows;
  memcpy(shape + 1, frame->arrays[value].shape, sizeof(int64_t[GL_MAX_NDIM]));
  return gl_allocate(frame, stack, shape);
}

/* Row `at` of `stack` becomes a copy of what is in `value`. */
static void put(gl_frame *frame, int32_t stack, int32_t value, int64_t at)
{
  const gl_slot *kind = &gl_call_of(frame)->slots[value];
  const gl_array *from = &frame->arrays[value], *to = &frame->arrays[stack];
  gl_copy_elements(kind->ndim, from->shape, kind->itemsize, to->data + at * to->stride[0], to->stride + 1,
                   from->data, from->stride);
}

/* The first axis along which the extents of `value` are not `expected`; -1 if all are. */
static int32_t differs(const gl_frame *frame, int32_t ndim, int32_t value, const int64_t *expected)
{
  for (int32_t d = 0; d < ndim; d++)
    if (frame->arrays[value].shape[d] != expected[d])
      return d;
  return -1;
}

/* How many of the values of `turns` turns stack k holds: all, or the last ones. */
static int64_t kept(const gl_loop *loop, int32_t k, int64_t turns)
{
  const int32_t most = loop->stacks[k].keep;
  return most >= 0 && most < turns ? most : turns;
}

int32_t gl_loop_double(gl_frame *frame, const gl_loop *loop, int32_t k)
{
  const gl_collected *all = loop->stacks, *own = &all[k];
  for (int32_t j = 0; j < k && !gl_call_of(frame)->slots[own->stack].is_output; j++)
    if (all[j].value == own->value && all[j].keep == own->keep && all[j].backwards == own->backwards)
      return j;
  return -1;
}

static int collect(gl_frame *frame, const gl_loop *loop, int32_t k, int64_t turns, int64_t t)
{
  const int32_t stack = loop->stacks[k].stack, value = loop->stacks[k].value;
  const int64_t rows = kept(loop, k, turns), at = t - (turns - rows);
  const int32_t ndim = gl_call_of(frame)->slots[value].ndim;
  if (t == 0) {
    int failed = new_stack(frame, stack, value, rows);
    if (failed)
      return failed;
  }
  const int64_t *shape = frame->arrays[stack].shape + 1;
  const int32_t d = differs(frame, ndim, value, shape);
  if (d >= 0)
    return gl_fail(frame, GL_ERROR_STACKED, k, d, frame->arrays[value].shape[d], shape[d]);
  if (at >= 0)
    put(frame, stack, value, loop->stacks[k].backwards ? rows - 1 - at : at);
  return 0;
}

int gl_loop_keep(gl_frame *frame, const gl_loop *loop, int64_t turns, int64_t t)
{
  int failed = 0;
  for (int32_t k = 0; !failed && k < loop->n_stacks; k++)
    if (gl_loop_double(frame, loop, k) < 0)
      failed = collect(frame, loop, k, turns, t);
  /* All new values wait in their `next` slots first: one may be the past value of another. */
  const int32_t *past = loop->past;
  for (int32_t k = 0; !failed && k < loop->n_carried; past += loop->depths[k++]) {
    const int32_t made = loop->carried[4 * k + 1];
    const int64_t *shape = frame->arrays[past[0]].shape;
    const int32_t d = differs(frame, gl_call_of(frame)->slots[made].ndim, made, shape);
    if (d >= 0)
      failed = gl_fail(frame, GL_ERROR_CARRIED, k, d, frame->arrays[made].shape[d], shape[d]);
    else
      failed = gl_share(frame, loop->carried[4 * k + 2], made);
  }
  past = loop->past;
  for (int32_t k = 0; !failed && k < loop->n_carried; past += loop->depths[k++]) {
    for (int32_t lag = loop->depths[k] - 1; lag > 0; lag--)
      gl_share(frame, past[lag], past[lag - 1]);
    gl_share(frame, past[0], loop->carried[4 * k + 2]);
    gl_clear(frame, loop->carried[4 * k + 2]);
  }
  return failed;
}

static int end_carried(gl_frame *frame, const gl_loop *loop, int32_t k, const int32_t *past)
{
  const int32_t final = loop->carried[4 * k + 3], depth = loop->depths[k];
  if (final < 0)
    return 0;
  if (depth == 1)
    return gl_share(frame, final, past[0]);
  int failed = new_stack(frame, final, past[0], depth);
  for (int32_t lag = 0; !failed && lag < depth; lag++)
    put(frame, final, past[lag], depth - 1 - lag);
  return failed;
}

/* A stack of which no turn knew the extents: those of the body's value, or of the value it starts from. */
static int empty_stack(gl_frame *frame, const gl_loop *loop, int32_t k)
{
  int32_t value = loop->stacks[k].value;
  const int32_t *past = loop->past;
  for (int32_t c = 0; c < loop->n_carried; past += loop->depths[c++])
    if (loop->carried[4 * c + 1] == value && !frame->arrays[value].data)
      value = past[0];
  return new_stack(frame, loop->stacks[k].stack, value, 0);
}

int gl_loop_end(gl_frame *frame, const gl_loop *loop, int64_t made)
{
  int failed = 0;
  for (int32_t k = 0; !failed && k < loop->n_stacks; k++) {
    const int32_t other = gl_loop_double(frame, loop, k);
    if (made == 0)
      failed = empty_stack(frame, loop, k);
    else if (other >= 0)
      failed = gl_share(frame, loop->stacks[k].stack, loop->stacks[other].stack);
    else
      frame->arrays[loop->stacks[k].stack].shape[0] = kept(loop, k, made);
  }
  const int32_t *past = loop->past;
  for (int32_t k = 0; !failed && k < loop->n_carried; past += loop->depths[k++])
    failed = end_carried(frame, loop, k, past);
  if (!failed && loop->made >= 0) {
    failed = gl_allocate(frame, loop->made, NULL);
    if (!failed)
      *(int64_t *)frame->arrays[loop->made].data = made;
  }
  return failed;
}
