/* Loops over single elements, each of which is one kernel: what it reads and collects is checked and allocated
 * here, and the kernel is told which turns to run. */
#include "gl_runtime.h"

#include <string.h>

#define AT_ONCE 65536 /* turns, then the user is asked whether to go on */

typedef struct element {
  _Alignas(16) char bytes[16]; /* of any type */
} element;

typedef struct ending {
  int64_t turns;
  uint8_t ended;
} ending;

static int32_t itemsize(gl_frame *frame, int32_t slot) { return gl_call_of(frame)->slots[slot].itemsize; }

static int check(gl_frame *frame, const gl_turns *loop, int64_t turns)
{
  if (turns < 0)
    return gl_fail(frame, GL_ERROR_NEGATIVE, 0, turns);
  for (int32_t k = 0; k < loop->n_sequences; k++) {
    const int64_t extent = frame->arrays[loop->sequences[k]].shape[0];
    if (extent != turns)
      return gl_fail(frame, GL_ERROR_TURNS, k, extent, turns);
  }
  for (int32_t k = 0; k < loop->n_carried; k++) {
    const int32_t start = loop->carried[3 * k], depth = loop->carried[3 * k + 1];
    if (depth > 1 && frame->arrays[start].shape[0] != depth)
      return gl_fail(frame, GL_ERROR_STARTS, k, frame->arrays[start].shape[0], depth);
  }
  return 0;
}

/* How many rows stack k has if the loop makes `turns` turns. */
static int64_t kept(const gl_turns *loop, int32_t k, int64_t turns)
{
  const int32_t most = loop->stacks[k].keep;
  return most >= 0 && most < turns ? most : turns;
}

static int allocate(gl_frame *frame, const gl_turns *loop, int64_t turns)
{
  int failed = 0;
  for (int32_t k = 0; !failed && k < loop->n_stacks; k++) {
    const int64_t rows = kept(loop, k, turns);
    failed = gl_allocate(frame, loop->stacks[k].stack, &rows);
  }
  for (int32_t k = 0; !failed && k < loop->n_carried; k++) {
    const int64_t depth = loop->carried[3 * k + 1];
    if (loop->carried[3 * k + 2] >= 0)
      failed = gl_allocate(frame, loop->carried[3 * k + 2], &depth);
  }
  return failed || loop->made < 0 ? failed : gl_allocate(frame, loop->made, NULL);
}

/* The values from which the loop starts, the youngest of each first. */
static void begin_past(gl_frame *frame, const gl_turns *loop, element *past)
{
  for (int32_t k = 0; k < loop->n_carried; k++) {
    const int32_t depth = loop->carried[3 * k + 1];
    const gl_array *start = &frame->arrays[loop->carried[3 * k]];
    for (int32_t lag = 0; lag < depth; lag++, past++) {
      const char *from = depth > 1 ? start->data + (depth - 1 - lag) * start->stride[0] : start->data;
      memcpy(past->bytes, from, (size_t)itemsize(frame, loop->carried[3 * k]));
    }
  }
}

/* The values that one more turn would start from, where they are wanted. */
static void end_past(gl_frame *frame, const gl_turns *loop, const element *past)
{
  for (int32_t k = 0; k < loop->n_carried; past += loop->carried[3 * k++ + 1]) {
    const int32_t depth = loop->carried[3 * k + 1], final = loop->carried[3 * k + 2];
    const size_t size = (size_t)itemsize(frame, loop->carried[3 * k]);
    for (int32_t lag = 0; final >= 0 && lag < depth; lag++)
      memcpy(frame->arrays[final].data + (size_t)(depth - 1 - lag) * size, past[lag].bytes, size);
  }
}

/* Where the stacks and the sequences stand at turn t, from which at most *count are to be run. Before the turns of
 * which a stack keeps the values, all go into its first row. */
static void stand(gl_frame *frame, const gl_turns *loop, int64_t turns, int64_t t, int64_t *count, char **data,
                  int64_t *stride, char **sequences)
{
  for (int32_t k = 0; k < loop->n_stacks; k++) {
    const gl_array *stack = &frame->arrays[loop->stacks[k].stack];
    const int64_t rows = kept(loop, k, turns), backwards = loop->stacks[k].backwards;
    const int64_t step = backwards ? -stack->stride[0] : stack->stride[0];
    const int64_t before = turns - rows - t; /* turns whose values are not kept */
    data[k] = stack->data + (backwards ? (rows - 1) * stack->stride[0] : 0) + (before < 0 ? -before * step : 0);
    stride[k] = before > 0 ? 0 : step;
    if (before > 0 && before < *count)
      *count = before;
  }
  for (int32_t k = 0; k < loop->n_sequences; k++) {
    const gl_array *sequence = &frame->arrays[loop->sequences[k]];
    sequences[k] = sequence->data + t * sequence->stride[0];
  }
}

int gl_run_turns(gl_frame *frame, const gl_turns *loop, gl_kernel kernel)
{
  const int64_t turns = *(const int64_t *)frame->arrays[loop->turns].data;
  int failed = check(frame, loop, turns);
  if (!failed)
    failed = allocate(frame, loop, turns);
  if (failed)
    return failed;
  int32_t values = 0;
  for (int32_t k = 0; k < loop->n_carried; k++)
    values += loop->carried[3 * k + 1];
  const int32_t others = loop->n_stacks + values + (loop->until ? 2 : 0); /* the operands before the sequences */
  const int32_t operands = others + loop->n_sequences + loop->n_constants;
  ending end = {.turns = 0};
  element past[values + 1];
  int64_t stride[operands + 1], t = 0;
  char *data[operands + 1];
  begin_past(frame, loop, past);
  memset(stride, 0, sizeof stride);
  for (int32_t k = 0; k < values; k++)
    data[loop->n_stacks + k] = past[k].bytes;
  if (loop->until) {
    data[others - 2] = (char *)&end.ended;
    data[others - 1] = (char *)&end.turns;
  }
  for (int32_t k = 0; k < loop->n_sequences; k++)
    stride[others + k] = frame->arrays[loop->sequences[k]].stride[0];
  for (int32_t k = 0; k < loop->n_constants; k++)
    data[others + loop->n_sequences + k] = frame->arrays[loop->constants[k]].data;
  while (!failed && t < turns && !end.ended) {
    int64_t count = turns - t < AT_ONCE ? turns - t : AT_ONCE;
    stand(frame, loop, turns, t, &count, data, stride, data + others);
    failed = gl_stopped(frame);
    if (!failed)
      failed = kernel(&count, stride, data);
    t += loop->until ? end.turns : count;
  }
  end_past(frame, loop, past);
  for (int32_t k = 0; k < loop->n_stacks; k++)
    frame->arrays[loop->stacks[k].stack].shape[0] = kept(loop, k, t);
  if (loop->made >= 0)
    *(int64_t *)frame->arrays[loop->made].data = t;
  return failed;
}
