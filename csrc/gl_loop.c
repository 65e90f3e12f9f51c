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

/* A loop may take long, or never end: from time to time the user is asked. */
int gl_stopped(gl_frame *frame)
{
  gl_call *call = gl_call_of(frame);
  struct timespec now;
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
  const int32_t most = loop->stacks[3 * k + 2];
  return most >= 0 && most < turns ? most : turns;
}

static int collect(gl_frame *frame, const gl_loop *loop, int32_t k, int64_t turns, int64_t t)
{
  const int32_t stack = loop->stacks[3 * k], value = loop->stacks[3 * k + 1];
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
    put(frame, stack, value, at);
  return 0;
}

int gl_loop_keep(gl_frame *frame, const gl_loop *loop, int64_t turns, int64_t t)
{
  int failed = 0;
  for (int32_t k = 0; !failed && k < loop->n_stacks; k++)
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
  int32_t value = loop->stacks[3 * k + 1];
  const int32_t *past = loop->past;
  for (int32_t c = 0; c < loop->n_carried; past += loop->depths[c++])
    if (loop->carried[4 * c + 1] == value && !frame->arrays[value].data)
      value = past[0];
  return new_stack(frame, loop->stacks[3 * k], value, 0);
}

int gl_loop_end(gl_frame *frame, const gl_loop *loop, int64_t made)
{
  int failed = 0;
  for (int32_t k = 0; !failed && k < loop->n_stacks; k++)
    if (made == 0)
      failed = empty_stack(frame, loop, k);
    else
      frame->arrays[loop->stacks[3 * k]].shape[0] = kept(loop, k, made);
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

/* ---- turns that are kernels alone --------------------------------------------------------------
 *
 * After the first turns nothing changes any more but where the operands lie: the nests are planned once, values that are
 * collected are written where they are to stay, the others into a few cells. */

#define AT_ONCE 65536 /* elements, then the user is asked whether to go on */

/* Where an operand lies in each turn: `step` bytes further than in the turn before, around if there are `cells`. */
typedef struct place {
  char *base;
  int64_t step, cells; /* cells 0: as many as turns */
} place;

/* An operand that moves from turn to turn. */
typedef struct cursor {
  place place;
  int64_t cell;
  char **data;
} cursor;

typedef struct plan {
  const gl_nest *nest;
  gl_kernel kernel;
  int64_t *extent, *stride;
  char **data;
  place *outputs;
} plan;

/* What all functions below are about. */
typedef struct steady {
  gl_frame *frame;
  const gl_loop *loop;
  plan *plans;
  int32_t n_plans;
  char *cells; /* to be freed */
} steady;

static char *at(const place *p, int64_t turn) { return p->base + (p->cells ? turn % p->cells : turn) * p->step; }

static cursor standing(const place *p, int64_t turn, char **data)
{
  *data = at(p, turn);
  return (cursor){*p, p->cells ? turn % p->cells : turn, data};
}

static void advance(cursor *c)
{
  if (++c->cell == c->place.cells) {
    c->cell = 0;
    *c->data = c->place.base;
  } else {
    *c->data += c->place.step;
  }
}

static int64_t bytes_of(gl_frame *frame, int32_t slot)
{
  const gl_slot *kind = &gl_call_of(frame)->slots[slot];
  return gl_elements(kind->ndim, frame->arrays[slot].shape) * kind->itemsize;
}

/* Where `slot` is among every `step`th of `slots`; -1 if it is not. */
static int32_t position(const int32_t *slots, int32_t n, int32_t step, int32_t slot)
{
  for (int32_t k = 0; k < n; k++)
    if (slots[step * k] == slot)
      return k;
  return -1;
}

/* Where the value that a kernel makes in `slot` lies; NULL if none makes it. */
static const place *home_of(const steady *s, int32_t slot)
{
  for (int32_t k = 0; k < s->n_plans; k++) {
    const gl_nest *nest = s->plans[k].nest;
    const int32_t output = position(nest->slots, nest->n_outputs, 1, slot);
    if (output >= 0)
      return &s->plans[k].outputs[output];
  }
  return NULL;
}

/* The stack that collects all values of `slot`; -1 if there is none. */
static int32_t stack_of(const gl_loop *loop, int32_t slot)
{
  for (int32_t k = 0; k < loop->n_stacks; k++)
    if (loop->stacks[3 * k + 1] == slot && loop->stacks[3 * k + 2] < 0)
      return loop->stacks[3 * k];
  return -1;
}

/* Plan every kernel for the operands as they are now, and decide where what it makes lies in each turn. */
static int settle(steady *s)
{
  int64_t longest = 1, needed = 1;
  for (int32_t k = 0; k < s->loop->n_carried; k++)
    longest = s->loop->depths[k] > longest ? s->loop->depths[k] : longest;
  for (plan *p = s->plans; p < s->plans + s->n_plans; p++) {
    int failed = gl_nest_plan(s->frame, p->nest, p->extent, p->stride, p->data);
    if (failed)
      return failed;
    for (int32_t k = 0; k < p->nest->n_outputs; k++) {
      const int32_t slot = p->nest->slots[k], stack = stack_of(s->loop, slot);
      const gl_array *rows = stack < 0 ? NULL : &s->frame->arrays[stack];
      const int64_t cell = (bytes_of(s->frame, slot) / GL_ALIGNMENT + 1) * GL_ALIGNMENT;
      p->outputs[k] = rows ? (place){rows->data, rows->stride[0], 0} : (place){NULL, cell, longest + 1};
      needed += rows ? 0 : cell * (longest + 1);
    }
  }
  char *next = s->cells = gl_memory_new((size_t)needed);
  if (!next)
    return gl_fail(s->frame, GL_ERROR_MEMORY, needed);
  for (plan *p = s->plans; p < s->plans + s->n_plans; p++)
    for (int32_t k = 0; k < p->nest->n_outputs; k++) {
      gl_clear(s->frame, p->nest->slots[k]); /* its shape stays */
      if (p->outputs[k].cells) {
        p->outputs[k].base = next;
        next += p->outputs[k].step * p->outputs[k].cells;
      }
    }
  return 0;
}

/* Copy what is carried on at turn t from its slots to where it is to lie. */
static void begin_past(const steady *s, int64_t t)
{
  const int32_t *past = s->loop->past;
  for (int32_t k = 0; k < s->loop->n_carried; past += s->loop->depths[k++]) {
    const int32_t made = s->loop->carried[4 * k + 1];
    const place *home = home_of(s, made);
    for (int32_t lag = 0; home->cells && lag < s->loop->depths[k]; lag++)
      memcpy(at(home, t - 1 - lag), s->frame->arrays[past[lag]].data, (size_t)bytes_of(s->frame, made));
  }
}

/* Copy it back into its slots. */
static int end_past(const steady *s, int64_t t)
{
  int failed = 0;
  const int32_t *past = s->loop->past;
  for (int32_t k = 0; k < s->loop->n_carried; past += s->loop->depths[k++]) {
    const int32_t made = s->loop->carried[4 * k + 1];
    const place *home = home_of(s, made);
    for (int32_t lag = 0; !failed && lag < s->loop->depths[k]; lag++) {
      failed = gl_allocate(s->frame, past[lag], s->frame->arrays[made].shape);
      if (!failed)
        memcpy(s->frame->arrays[past[lag]].data, at(home, t - 1 - lag), (size_t)bytes_of(s->frame, made));
    }
  }
  return failed;
}

/* A cursor at turn t for the operand in `slot`, if it moves: whether it does. */
static int stand(const steady *s, int32_t slot, int64_t t, char **data, cursor *c)
{
  const gl_loop *loop = s->loop;
  const place *home = home_of(s, slot);
  if (home) {
    *c = standing(home, t, data);
    return 1;
  }
  const int32_t element = position(loop->elements + 1, loop->n_elements, 2, slot);
  if (element >= 0) {
    const gl_array *sequence = &s->frame->arrays[loop->elements[2 * element]];
    *c = standing(&(place){sequence->data, sequence->stride[0], 0}, t, data);
    return 1;
  }
  const int32_t *past = loop->past;
  for (int32_t k = 0; k < loop->n_carried; past += loop->depths[k++]) {
    const int32_t lag = position(past, loop->depths[k], 1, slot);
    if (lag >= 0) {
      *c = standing(home_of(s, loop->carried[4 * k + 1]), t - 1 - lag, data);
      return 1;
    }
  }
  return 0;
}

/* Copy the values of turn t into the stacks that keep only the last ones. */
static void keep_last(const steady *s, int64_t turns, int64_t t)
{
  for (int32_t k = 0; k < s->loop->n_stacks; k++) {
    const int32_t value = s->loop->stacks[3 * k + 1], most = s->loop->stacks[3 * k + 2];
    const gl_array *stack = &s->frame->arrays[s->loop->stacks[3 * k]];
    const int64_t row = t - (turns - stack->shape[0]);
    if (most >= 0 && row >= 0)
      memcpy(stack->data + row * stack->stride[0], at(home_of(s, value), t), (size_t)bytes_of(s->frame, value));
  }
}

/* The turns from *t on. */
static int go_on(const steady *s, int64_t turns, int64_t *t, cursor *cursors)
{
  int64_t elements = 1, asked = *t;
  int32_t moving = 0;
  int failed = 0, last_ones = 0;
  for (const plan *p = s->plans; p < s->plans + s->n_plans; p++) {
    int64_t own = 1;
    for (int32_t d = 0; d < p->nest->ndim; d++)
      own *= p->extent[d] > 0 ? p->extent[d] : 1;
    elements += own;
    for (int32_t k = 0; k < p->nest->n_outputs + p->nest->n_inputs; k++)
      moving += stand(s, p->nest->slots[k], *t, &p->data[k], &cursors[moving]);
  }
  for (int32_t k = 0; k < s->loop->n_stacks; k++)
    last_ones |= s->loop->stacks[3 * k + 2] >= 0;
  for (; !failed && *t < turns; ++*t) {
    if ((*t - asked) * elements >= AT_ONCE) {
      asked = *t;
      failed = gl_stopped(s->frame);
    }
    for (const plan *p = s->plans; !failed && p < s->plans + s->n_plans; p++)
      failed = gl_run_planned(s->frame, p->nest, p->kernel, p->extent, p->stride, p->data);
    if (last_ones)
      keep_last(s, turns, *t);
    for (int32_t k = 0; k < moving; k++)
      advance(&cursors[k]);
  }
  return failed;
}

int gl_loop_steady(gl_frame *frame, const gl_loop *loop, const gl_nested *kernels, int32_t n_kernels, int64_t turns,
                   int64_t *t)
{
  int32_t operands = 1, extents = 1, strides = 1;
  for (int32_t k = 0; k < n_kernels; k++) {
    const gl_nest *nest = kernels[k].nest;
    operands += nest->n_outputs + nest->n_inputs + 1;
    extents += nest->ndim + 1;
    strides += (nest->n_outputs + nest->n_inputs) * nest->ndim;
  }
  int64_t extent[extents], stride[strides];
  char *data[operands];
  place outputs[operands];
  cursor cursors[operands];
  plan plans[n_kernels];
  operands = extents = strides = 0;
  for (int32_t k = 0; k < n_kernels; k++) {
    const gl_nest *nest = kernels[k].nest;
    plans[k] = (plan){nest, kernels[k].kernel, extent + extents, stride + strides, data + operands, outputs + operands};
    operands += nest->n_outputs + nest->n_inputs + 1;
    extents += nest->ndim + 1;
    strides += (nest->n_outputs + nest->n_inputs) * nest->ndim;
  }
  steady s = {frame, loop, plans, n_kernels, NULL};
  int failed = gl_loop_turn(frame, loop, *t);
  if (!failed)
    failed = settle(&s);
  if (!failed) {
    begin_past(&s, *t);
    failed = go_on(&s, turns, t, cursors);
  }
  if (!failed)
    failed = end_past(&s, *t);
  gl_memory_drop(s.cells);
  return failed;
}
