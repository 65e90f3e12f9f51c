/* @NAME@: the interface of @NAME@.h over a program and the runtime that it needs. */
#include "@NAME@.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/gl_runtime.h"

/* ---- what was compiled ------------------------------------------------------------------------- */

/* An array of the interface: `declared` extents, -1 where a call decides. */
typedef struct kind {
  int32_t ndim, itemsize;
  int64_t declared[GL_MAX_NDIM];
} kind;

/* A value that is there before the first call. */
typedef struct value {
  const void *data;
  int64_t shape[GL_MAX_NDIM];
} value;

typedef struct program {
  int (*run)(gl_frame *);
  int32_t n_slots, n_constants, n_shared;
  const gl_slot *slots;
  const int32_t *inputs, *outputs; /* slots; outputs: the visible ones, then the new values of `updated` states */
  const int32_t *constant_slots, *shared_slots, *shared_states;
  const value *constants;
  const char *const *steps; /* what each computes */
} program;

@TABLES@

/* ---- the runtime's needs ----------------------------------------------------------------------- */

/* No slot is marked as an output, so that all memory is the runtime's own; there are no objects in it. */
static int no_output(gl_call *call, int32_t slot, const int64_t *shape)
{
  (void)call, (void)slot, (void)shape;
  return -1;
}

static void no_drop(gl_call *call, void *object) { (void)call, (void)object; }

static int never(gl_call *call)
{
  (void)call;
  return 0;
}

static const gl_hooks hooks = {@HOOKS@};

@BLAS@
static int started;
static void start(void)
{
  started = !gl_memory_start();
@START@}

/* ---- contexts ---------------------------------------------------------------------------------- */

struct @NAME@_context {
  gl_array *arrays; /* as many as the larger program has slots */
  graphlab_array states[@NAME@_states + 1];
  char error[400];
};

/* Fresh memory with a header, as the runtime's own; `array` gets it, C-contiguous. */
static int fresh(@NAME@_context *context, const kind *kind, const int64_t *shape, graphlab_array *array)
{
  int64_t bytes = kind->itemsize * gl_elements(kind->ndim, shape);
  gl_block *block = gl_memory_new(GL_ALIGNMENT + (size_t)bytes);
  if (!block) {
    snprintf(context->error, sizeof context->error, "no memory for %lld bytes", (long long)bytes);
    return -1;
  }
  *block = (gl_block){.count = 1, .home = -1};
  *array = @NAME@_array((char *)block + GL_ALIGNMENT, kind->ndim, shape, (size_t)kind->itemsize);
  array->owner = block;
  return 0;
}

static int copied(@NAME@_context *context, const kind *kind, const char *data, const int64_t *shape,
                  const int64_t *strides, graphlab_array *array)
{
  if (fresh(context, kind, shape, array))
    return -1;
  gl_copy_elements(kind->ndim, shape, kind->itemsize, array->data, array->strides, data, strides);
  return 0;
}

void @NAME@_free(graphlab_array *array)
{
  gl_memory_drop(array->owner);
  array->owner = array->data = NULL;
}

@NAME@_context *@NAME@_create(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start);
  @NAME@_context *context = started ? calloc(1, sizeof *context) : NULL;
  if (!context)
    return NULL;
  context->arrays = calloc(most_slots + 1, sizeof *context->arrays);
  int failed = !context->arrays;
  for (int k = 0; k < @NAME@_states && !failed; k++) {
    int64_t strides[GL_MAX_NDIM];
    gl_c_strides(states[k].ndim, first_states[k].shape, states[k].itemsize, strides);
    failed = copied(context, &states[k], first_states[k].data, first_states[k].shape, strides, &context->states[k]);
  }
  if (!failed)
    return context;
  @NAME@_destroy(context);
  return NULL;
}

void @NAME@_destroy(@NAME@_context *context)
{
  if (!context)
    return;
  for (int k = 0; k < @NAME@_states; k++)
    @NAME@_free(&context->states[k]);
  free(context->arrays);
  free(context);
}

const char *@NAME@_error(const @NAME@_context *context) { return context->error; }

/* ---- checks and errors ------------------------------------------------------------------------- */

static int fits(@NAME@_context *context, const char *what, int k, const kind *kind, const graphlab_array *array)
{
  int64_t elements = 1;
  for (int32_t d = 0; d < kind->ndim; d++) {
    long long extent = array->shape[d], declared = kind->declared[d];
    if (extent < 0 || (declared >= 0 && extent != declared)) {
      if (declared >= 0)
        snprintf(context->error, sizeof context->error, "%s %d: axis %d has the extent %lld, where %lld is declared",
                 what, k, (int)d, extent, declared);
      else
        snprintf(context->error, sizeof context->error, "%s %d: axis %d has the extent %lld", what, k, (int)d, extent);
      return 0;
    }
    elements *= extent;
  }
  if (!array->data && elements) {
    snprintf(context->error, sizeof context->error, "%s %d has no data", what, k);
    return 0;
  }
  return 1;
}

static void explain(@NAME@_context *context, const program *p, const gl_error *error)
{
  char reason[200];
  const int64_t *d = error->details;
  (void)d;
  switch (error->kind) {
@REASONS@  default:
    snprintf(reason, sizeof reason, "error %d", (int)error->kind);
  }
  snprintf(context->error, sizeof context->error, "step %d (%s): %s", (int)error->step, p->steps[error->step], reason);
}

/* ---- runs -------------------------------------------------------------------------------------- */

static void show(gl_call *call, int32_t slot, const void *data, const int64_t *shape, const int64_t *strides)
{
  gl_array *array = &call->frame.arrays[slot];
  array->data = (char *)data;
  for (int32_t d = 0; d < call->slots[slot].ndim; d++) {
    array->shape[d] = shape[d];
    array->stride[d] = strides[d];
  }
}

static void show_operands(const @NAME@_context *context, const program *p, gl_call *call, const graphlab_array *inputs)
{
  for (int k = 0; k < @NAME@_inputs; k++)
    show(call, p->inputs[k], inputs[k].data, inputs[k].shape, inputs[k].strides);
  for (int32_t k = 0; k < p->n_shared; k++) {
    const graphlab_array *state = &context->states[p->shared_states[k]];
    show(call, p->shared_slots[k], state->data, state->shape, state->strides);
  }
  for (int32_t k = 0; k < p->n_constants; k++) {
    int64_t strides[GL_MAX_NDIM];
    const gl_slot *slot = &p->slots[p->constant_slots[k]];
    gl_c_strides(slot->ndim, p->constants[k].shape, slot->itemsize, strides);
    show(call, p->constant_slots[k], p->constants[k].data, p->constants[k].shape, strides);
  }
}

/* What `slot` holds as an array that nobody else has: its own memory if it fills it, else a copy. */
static int taken(@NAME@_context *context, gl_call *call, int32_t slot, graphlab_array *result)
{
  gl_array *array = &call->frame.arrays[slot];
  const gl_slot *s = &call->slots[slot];
  const kind kind = {.ndim = s->ndim, .itemsize = s->itemsize};
  gl_block *block = array->owner;
  *result = @NAME@_array(array->data, s->ndim, array->shape, (size_t)s->itemsize);
  int whole = block && !block->object && block->count == 1 && array->data == (char *)block + GL_ALIGNMENT;
  for (int32_t d = 0; d < s->ndim; d++)
    whole = whole && (array->shape[d] < 2 || array->stride[d] == result->strides[d]);
  if (!whole)
    return copied(context, &kind, array->data, array->shape, array->stride, result);
  result->owner = block;
  array->owner = NULL;
  return 0;
}

/* 0, -1 with an error, or GL_ERROR_ASSUMPTION: another program is to run. */
static int attempt(@NAME@_context *context, const program *p, const graphlab_array *inputs, graphlab_array *outputs)
{
  gl_call call = {.frame = {.arrays = context->arrays, .api = &api},
                  .n_slots = p->n_slots,
                  .slots = p->slots,
                  .hooks = &hooks};
  graphlab_array next[n_updated + 1];
  int32_t have = 0, moved = 0;
  memset(context->arrays, 0, (size_t)p->n_slots * sizeof *context->arrays);
  show_operands(context, p, &call, inputs);
  int failed = p->run(&call.frame);
  if (failed) {
    gl_record(&call.frame, failed, 0, call.error.details);
    failed = call.error.kind == GL_ERROR_ASSUMPTION ? GL_ERROR_ASSUMPTION : -1;
    explain(context, p, &call.error);
  }
  while (!failed && have < @NAME@_outputs && !(failed = taken(context, &call, p->outputs[have], &outputs[have])))
    have++;
  while (!failed && moved < n_updated &&
         !(failed = taken(context, &call, p->outputs[@NAME@_outputs + moved], &next[moved])))
    moved++;
  for (int32_t k = 0; k < moved; k++) {
    graphlab_array *state = &context->states[updated[k]];
    @NAME@_free(failed ? &next[k] : state);
    if (!failed)
      *state = next[k];
  }
  while (failed && have > 0)
    @NAME@_free(&outputs[--have]);
  for (int32_t k = 0; k < p->n_slots; k++)
    if (context->arrays[k].owner)
      gl_clear(&call.frame, k);
  @DROP_SCRATCH@(call.scratch);
  gl_memory_rest();
  return failed;
}

int @NAME@_run(@NAME@_context *context, const graphlab_array *inputs, graphlab_array *outputs)
{
  int failed = GL_ERROR_ASSUMPTION;
  context->error[0] = 0;
  for (int k = 0; k < @NAME@_inputs; k++)
    if (!fits(context, "input", k, &input_kinds[k], &inputs[k]))
      return -1;
  for (int k = 0; k < n_programs && failed == GL_ERROR_ASSUMPTION; k++)
    failed = attempt(context, &programs[k], inputs, outputs);
  if (!failed)
    context->error[0] = 0;
  return failed;
}

/* ---- states ------------------------------------------------------------------------------------ */

static int is_state(@NAME@_context *context, int k)
{
  context->error[0] = 0;
  if (k >= 0 && k < @NAME@_states)
    return 1;
  snprintf(context->error, sizeof context->error, "there is no state %d: there are %d", k, (int)@NAME@_states);
  return 0;
}

int @NAME@_get_state(@NAME@_context *context, int k, graphlab_array *value)
{
  if (!is_state(context, k))
    return -1;
  const graphlab_array *state = &context->states[k];
  return copied(context, &states[k], state->data, state->shape, state->strides, value);
}

int @NAME@_set_state(@NAME@_context *context, int k, const graphlab_array *value)
{
  graphlab_array next;
  if (!is_state(context, k) || !fits(context, "state", k, &states[k], value) ||
      copied(context, &states[k], value->data, value->shape, value->strides, &next))
    return -1;
  @NAME@_free(&context->states[k]);
  context->states[k] = next;
  return 0;
}
