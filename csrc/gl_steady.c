/* Turns that are planned once. When the first turns of a loop are over, nothing changes any more but where operands lie:
 * nests and products are planned for all further turns, values that are collected are written where they are to stay,
 * the others into a few cells, and from turn to turn pointers move. No memory is asked for, and nothing is copied. */
#include "gl_matmul.h"

#include <string.h>

#define AT_ONCE 65536  /* elements, then the user is asked whether to go on */
#define PER_ELEMENT 16 /* multiplications take as long */
#define UNSTEADY (-2)  /* turns must run step by step after all */

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

/* A value that each turn makes. */
typedef struct value {
  int32_t slot;
  const gl_collected *stack; /* in which it is written; NULL: in cells */
  place place;
} value;

/* `slot` is a part of what is in `source`, from that byte on. */
typedef struct view {
  int32_t slot, source;
  int64_t offset;
} view;

typedef struct plan {
  const gl_steady_step *step;
  int64_t *extent, *stride; /* of a kernel's nest */
  gl_product *product;
  char **data; /* its operands, outputs first */
} plan;

/* What all functions below are about. */
typedef struct steady {
  gl_frame *frame;
  const gl_loop *loop;
  const gl_steady_step *steps;
  plan *plans;
  value *values;
  view *views;
  int32_t n_steps, n_plans, n_values, n_views;
  char *cells; /* to be freed */
} steady;

static char *at(const place *p, int64_t turn) { return p->base + (p->cells ? turn % p->cells : turn) * p->step; }

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

static const int32_t *slots_of(const gl_steady_step *step) { return step->nest ? step->nest->slots : step->slots; }

static int32_t outputs_of(const gl_steady_step *step) { return step->nest ? step->nest->n_outputs : 1; }

static int32_t operands_of(const gl_steady_step *step)
{
  return step->nest ? step->nest->n_outputs + step->nest->n_inputs : 3; /* of a product */
}

/* Where the value lies that turns make in `slot`; NULL if none do. */
static const value *value_of(const steady *s, int32_t slot)
{
  for (int32_t k = 0; k < s->n_values; k++)
    if (s->values[k].slot == slot)
      return &s->values[k];
  return NULL;
}

/* How many past values of `slot` turns need. */
static int64_t depth_of(const gl_loop *loop, int32_t slot)
{
  int64_t depth = 0;
  for (int32_t k = 0; k < loop->n_carried; k++)
    if (loop->carried[4 * k + 1] == slot && loop->depths[k] > depth)
      depth = loop->depths[k];
  return depth;
}

/* What collects all values of `slot`; NULL if nothing does. */
static const gl_collected *stack_of(const gl_loop *loop, int32_t slot)
{
  for (int32_t k = 0; k < loop->n_stacks; k++)
    if (loop->stacks[k].value == slot && loop->stacks[k].keep < 0)
      return &loop->stacks[k];
  return NULL;
}

/* Where the row of a stack is in which it keeps the value of turn t, which is not before those that it keeps. */
static char *row(const steady *s, const gl_collected *c, int64_t turns, int64_t t)
{
  const gl_array *rows = &s->frame->arrays[c->stack];
  const int64_t at = t - (turns - rows->shape[0]);
  return rows->data + (c->backwards ? rows->shape[0] - 1 - at : at) * rows->stride[0];
}

/* ---- planning ---------------------------------------------------------------------------------- */

/* Run a step for the operands as they are now, and note how it is to be run from now on. */
static int plan_step(steady *s, const gl_steady_step *step)
{
  gl_frame *frame = s->frame;
  const gl_array *arrays = frame->arrays;
  const int32_t *slots = slots_of(step);
  plan *p = &s->plans[s->n_plans];
  int failed;
  if (step->kind == GL_STEADY_FIXED)
    return step->nest ? gl_run_kernel(frame, step->nest, step->kernel) : step->function(frame, slots, step->params);
  if (step->kind == GL_STEADY_VIEW) {
    failed = step->function(frame, slots, step->params);
    if (!failed && arrays[slots[0]].owner != arrays[slots[1]].owner) /* this once it is a copy */
      return UNSTEADY;
    s->views[s->n_views++] = (view){slots[0], slots[1], arrays[slots[0]].data - arrays[slots[1]].data};
    return failed;
  }
  p->step = step;
  s->n_plans++;
  for (int32_t k = 0; k < outputs_of(step); k++)
    s->values[s->n_values++] = (value){slots[k], stack_of(s->loop, slots[k]), {0}};
  if (step->kind == GL_STEADY_PRODUCT) {
    failed = gl_product_plan(frame, slots, step->params, p->product);
    for (int32_t k = 0; k < 3; k++)
      p->data[k] = arrays[slots[k]].data;
    return failed ? failed : gl_product_run(frame, p->product, p->data[1], p->data[2], p->data[0]);
  }
  failed = gl_nest_plan(frame, step->nest, p->extent, p->stride, p->data);
  return failed ? failed : gl_run_planned(frame, step->nest, step->kernel, p->extent, p->stride, p->data);
}

/* Decide where what turns make lies in each of them, and put there what turn t has made and read from before. */
static int settle(steady *s, int64_t turns, int64_t t)
{
  gl_frame *frame = s->frame;
  int64_t needed = 1;
  for (value *v = s->values; v < s->values + s->n_values; v++) {
    const int64_t cell = (bytes_of(frame, v->slot) / GL_ALIGNMENT + 1) * GL_ALIGNMENT;
    if (v->stack) {
      const int64_t step = frame->arrays[v->stack->stack].stride[0];
      v->place = (place){row(s, v->stack, turns, 0), v->stack->backwards ? -step : step, 0};
    } else {
      v->place = (place){NULL, cell, depth_of(s->loop, v->slot) + 1};
      needed += v->place.cells * cell;
    }
  }
  char *next = s->cells = gl_memory_new((size_t)needed);
  if (!next)
    return gl_fail(frame, GL_ERROR_MEMORY, needed);
  for (value *v = s->values; v < s->values + s->n_values; v++) {
    if (v->place.cells) {
      v->place.base = next;
      next += v->place.step * v->place.cells;
    }
    memcpy(at(&v->place, t), frame->arrays[v->slot].data, (size_t)bytes_of(frame, v->slot));
  }
  const int32_t *past = s->loop->past;
  for (int32_t k = 0; k < s->loop->n_carried; past += s->loop->depths[k++]) {
    const value *v = value_of(s, s->loop->carried[4 * k + 1]);
    for (int32_t lag = 0; v->place.cells && lag < s->loop->depths[k]; lag++)
      memcpy(at(&v->place, t - 1 - lag), frame->arrays[past[lag]].data, (size_t)bytes_of(frame, v->slot));
  }
  return 0;
}

/* Empty the slots of what was made to plan by it. */
static void clear(const steady *s)
{
  for (int32_t k = 0; k < s->n_steps; k++)
    for (int32_t i = 0; i < outputs_of(&s->steps[k]); i++)
      gl_release(s->frame, slots_of(&s->steps[k])[i]);
  for (int32_t k = 0; k < s->n_plans; k++)
    if (s->plans[k].product)
      gl_product_end(s->plans[k].product);
}

/* A debugger's frame shows what the last turn, before turn t, has read and made. */
static int show(const steady *s, int64_t t)
{
  if (!gl_call_of(s->frame)->keep)
    return 0;
  for (const value *v = s->values; v < s->values + s->n_values; v++)
    memcpy(s->frame->arrays[v->slot].data, at(&v->place, t - 1), (size_t)bytes_of(s->frame, v->slot));
  return gl_loop_turn(s->frame, s->loop, t - 1);
}

/* What is carried on goes back into its slots. */
static int end_past(const steady *s, int64_t t)
{
  int failed = 0;
  const int32_t *past = s->loop->past;
  for (int32_t k = 0; k < s->loop->n_carried; past += s->loop->depths[k++]) {
    const value *v = value_of(s, s->loop->carried[4 * k + 1]);
    for (int32_t lag = 0; !failed && lag < s->loop->depths[k]; lag++) {
      failed = gl_allocate(s->frame, past[lag], s->frame->arrays[v->slot].shape);
      if (!failed)
        memcpy(s->frame->arrays[past[lag]].data, at(&v->place, t - 1 - lag), (size_t)bytes_of(s->frame, v->slot));
    }
  }
  return failed;
}

/* ---- turns ------------------------------------------------------------------------------------- */

/* A cursor at turn t for the operand in `slot`, if it moves: whether it does. */
static int stand(const steady *s, int32_t slot, int64_t t, char **data, cursor *c)
{
  const gl_loop *loop = s->loop;
  int64_t offset = 0;
  for (int32_t k = s->n_views - 1; k >= 0; k--) /* views of views come later */
    if (s->views[k].slot == slot) {
      slot = s->views[k].source;
      offset += s->views[k].offset;
    }
  const int32_t element = position(loop->elements + 1, loop->n_elements, 2, slot);
  const int32_t *past = loop->past;
  const value *v = value_of(s, slot);
  int found = v != NULL;
  if (found) {
    c->place = v->place;
  } else if (element >= 0) {
    const gl_array *sequence = &s->frame->arrays[loop->elements[2 * element]];
    c->place = (place){sequence->data, sequence->stride[0], 0};
    found = 1;
  }
  for (int32_t k = 0; !found && k < loop->n_carried; past += loop->depths[k++]) {
    const int32_t lag = position(past, loop->depths[k], 1, slot);
    if (lag < 0)
      continue;
    c->place = value_of(s, loop->carried[4 * k + 1])->place;
    t -= 1 + lag;
    found = 1;
  }
  if (!found)
    return 0;
  c->place.base += offset;
  c->cell = c->place.cells ? t % c->place.cells : t;
  c->data = data;
  *data = at(&c->place, t);
  return 1;
}

/* Copy the values of turn t into the stacks that keep only the last ones, or those of another stack too. */
static void keep(const steady *s, int64_t turns, int64_t t)
{
  for (int32_t k = 0; k < s->loop->n_stacks; k++) {
    const gl_collected *c = &s->loop->stacks[k];
    const value *v = value_of(s, c->value);
    if (v->stack != c && gl_loop_double(s->frame, s->loop, k) < 0 && t >= turns - s->frame->arrays[c->stack].shape[0])
      memcpy(row(s, c, turns, t), at(&v->place, t), (size_t)bytes_of(s->frame, v->slot));
  }
}

static int keeps(const steady *s)
{
  for (int32_t k = 0; k < s->loop->n_stacks; k++)
    if (value_of(s, s->loop->stacks[k].value)->stack != &s->loop->stacks[k] && gl_loop_double(s->frame, s->loop, k) < 0)
      return 1;
  return 0;
}

static int64_t work_of(const plan *p)
{
  int64_t work = 1;
  if (p->product)
    return p->product->elements * (p->product->a.columns / PER_ELEMENT + 1);
  for (int32_t d = 0; d < p->step->nest->ndim; d++)
    work *= p->extent[d] > 0 ? p->extent[d] : 1;
  return work;
}

/* The turns from *t on. */
static int go_on(const steady *s, int64_t turns, int64_t *t, cursor *cursors)
{
  const int copies = keeps(s);
  int64_t work = 1, asked = *t;
  int32_t moving = 0;
  int failed = 0;
  for (const plan *p = s->plans; p < s->plans + s->n_plans; p++) {
    work += work_of(p);
    for (int32_t k = 0; k < operands_of(p->step); k++) {
      const int moves = stand(s, slots_of(p->step)[k], *t, &p->data[k], &cursors[moving]);
      moving += moves;
      if (p->product && k > 0)
        (k == 1 ? &p->product->a : &p->product->b)->moves = moves;
    }
  }
  for (; !failed && *t < turns; ++*t) {
    if ((*t - asked) * work >= AT_ONCE) {
      asked = *t;
      failed = gl_stopped(s->frame);
    }
    for (const plan *p = s->plans; !failed && p < s->plans + s->n_plans; p++)
      failed = p->product ? gl_product_run(s->frame, p->product, p->data[1], p->data[2], p->data[0])
                          : gl_run_planned(s->frame, p->step->nest, p->step->kernel, p->extent, p->stride, p->data);
    if (copies)
      keep(s, turns, *t);
    for (int32_t k = 0; k < moving; k++)
      advance(&cursors[k]);
  }
  return failed;
}

static int run(steady *s, int64_t turns, int64_t *t, cursor *cursors)
{
  int failed = gl_loop_turn(s->frame, s->loop, *t);
  for (int32_t k = 0; !failed && k < s->n_steps; k++)
    failed = plan_step(s, &s->steps[k]);
  if (!failed)
    failed = settle(s, turns, *t);
  if (failed)
    return failed;
  keep(s, turns, (*t)++);
  failed = go_on(s, turns, t, cursors);
  if (!failed)
    failed = show(s, *t);
  return failed ? failed : end_past(s, *t);
}

int gl_loop_steady(gl_frame *frame, const gl_loop *loop, const gl_steady_step *steps, int32_t n_steps, int64_t turns,
                   int64_t *t)
{
  int32_t operands = 1, extents = 1, strides = 1, products = 0;
  for (int32_t k = 0; k < n_steps; k++) {
    const gl_nest *nest = steps[k].nest;
    operands += operands_of(&steps[k]) + 1;
    extents += nest ? nest->ndim + 1 : 0;
    strides += nest ? operands_of(&steps[k]) * nest->ndim : 0;
    products += steps[k].kind == GL_STEADY_PRODUCT;
  }
  int64_t extent[extents], stride[strides];
  char *data[operands];
  cursor cursors[operands];
  value values[operands];
  plan plans[n_steps];
  view views[n_steps];
  gl_product product[products + 1];
  operands = extents = strides = products = 0;
  for (int32_t k = 0, n = 0; k < n_steps; k++) {
    const gl_nest *nest = steps[k].nest;
    if (steps[k].kind != GL_STEADY_KERNEL && steps[k].kind != GL_STEADY_PRODUCT)
      continue;
    plans[n] = (plan){.extent = extent + extents, .stride = stride + strides, .data = data + operands};
    if (!nest) {
      product[products] = (gl_product){.elements = 0};
      plans[n].product = &product[products++];
    }
    operands += operands_of(&steps[k]) + 1;
    extents += nest ? nest->ndim + 1 : 0;
    strides += nest ? operands_of(&steps[k]) * nest->ndim : 0;
    n++;
  }
  steady s = {.frame = frame, .loop = loop, .steps = steps, .plans = plans, .values = values, .views = views,
              .n_steps = n_steps};
  int failed = run(&s, turns, t, cursors);
  clear(&s);
  gl_memory_drop(s.cells);
  return failed == UNSTEADY ? 0 : failed;
}
