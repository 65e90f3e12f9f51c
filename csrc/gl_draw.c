/* An array of random numbers: its shape, its parameters broadcast to it, the stream's state before and after. */
#include "gl_random.h"

#include <string.h>

/* ---- the parameters of a draw ------------------------------------------------------------------ */

/* The places of the result in C order, and how each parameter moves along them. */
typedef struct places {
  int32_t ndim, count; /* count: of parameters */
  int64_t extent[GL_MAX_NDIM + 1], stride[GL_MOST_PARAMETERS][GL_MAX_NDIM + 1];
  const char *at[GL_MOST_PARAMETERS];
} places;

/* Step the counters over all axes but the last; 0 when they have come around. */
static int advance(places *p, int64_t *counter)
{
  for (int32_t d = p->ndim - 2; d >= 0; d--) {
    int around = ++counter[d] == p->extent[d];
    for (int32_t k = 0; k < p->count; k++)
      p->at[k] += p->stride[k][d] * (around ? 1 - p->extent[d] : 1);
    if (!around)
      return 1;
    counter[d] = 0;
  }
  return 0;
}

/* Whether all elements of a parameter, whatever the result's shape, are within its limit. */
static int within(int limit, const gl_array *array, int32_t ndim)
{
  places all = {.ndim = ndim, .count = 1, .at = {array->data}};
  int64_t counter[GL_MAX_NDIM + 1] = {0};
  if (limit == GL_ANY || gl_elements(ndim, array->shape) == 0)
    return 1;
  if (ndim == 0)
    return gl_allowed(limit, array->data);
  memcpy(all.extent, array->shape, (size_t)ndim * sizeof *array->shape);
  memcpy(all.stride[0], array->stride, (size_t)ndim * sizeof *array->stride);
  do
    for (int64_t i = 0; i < all.extent[ndim - 1]; i++)
      if (!gl_allowed(limit, all.at[0] + i * all.stride[0][ndim - 1]))
        return 0;
  while (advance(&all, counter));
  return 1;
}

/* The shape of the result: what the vector `size` says, else what the parameters broadcast to. */
static int result_shape(gl_frame *frame, const gl_array *size, int32_t ndim, const int32_t *slots, int32_t count,
                        int64_t *shape)
{
  for (int32_t d = 0; d < ndim; d++)
    shape[d] = size ? *(const int64_t *)(size->data + d * size->stride[0]) : 1;
  for (int32_t d = 0; d < ndim; d++)
    if (shape[d] < 0)
      return gl_fail(frame, GL_ERROR_NEGATIVE, d, shape[d]);
  for (int32_t k = 0; k < count; k++) {
    int32_t own = gl_call_of(frame)->slots[slots[k]].ndim;
    for (int32_t d = 0; d < own; d++) {
      int64_t extent = frame->arrays[slots[k]].shape[d], *wanted = &shape[ndim - own + d];
      if (!size && *wanted == 1)
        *wanted = extent;
      else if (extent != 1 && extent != *wanted)
        return gl_fail(frame, GL_ERROR_BROADCAST, 0, k, ndim - own + d, *wanted, extent);
    }
  }
  return 0;
}

/* Neighbouring axes along which every parameter moves evenly become one; extents of 1 are dropped. */
static void lay_out(gl_frame *frame, places *p, const int32_t *slots, int32_t ndim, const int64_t *shape)
{
  int32_t n = 0;
  for (int32_t d = 0; d < ndim; d++) {
    if (shape[d] == 1)
      continue;
    int64_t step[GL_MOST_PARAMETERS];
    int merges = n > 0;
    for (int32_t k = 0; k < p->count; k++) {
      const gl_array *array = &frame->arrays[slots[k]];
      int32_t axis = d - (ndim - gl_call_of(frame)->slots[slots[k]].ndim);
      step[k] = axis < 0 || array->shape[axis] == 1 ? 0 : array->stride[axis];
      merges = merges && p->stride[k][n - 1] == step[k] * shape[d];
    }
    if (!merges)
      p->extent[n++] = 1;
    p->extent[n - 1] *= shape[d];
    for (int32_t k = 0; k < p->count; k++)
      p->stride[k][n - 1] = step[k];
  }
  if (n == 0)
    p->extent[n++] = 1;
  p->ndim = n;
  for (int32_t k = 0; k < p->count; k++)
    p->at[k] = frame->arrays[slots[k]].data;
}

#define MOST_DRAWN (1 << 20) /* numbers at a time: a few hundredths of a second */

/* `n` numbers into `*out`, which moves on behind them; the user may stop it. */
static int fill_run(gl_frame *frame, gl_fill fill, gl_source *from, int64_t n, int32_t itemsize, char **out, places *p,
                    const int64_t *step)
{
  const char *at[GL_MOST_PARAMETERS] = {p->at[0], p->at[1]};
  const int shares = from->alike && itemsize < 4; /* small numbers share a draw of bits: what is left would be lost */
  const int64_t most = shares ? n : MOST_DRAWN;
  int failed = 0;
  for (int64_t first = 0; !failed && first < n; first += most) {
    const int64_t count = n - first < most ? n - first : most;
    if (fill(from, count, *out, at, step))
      return gl_fail(frame, GL_ERROR_PARAMETER, 0);
    *out += count * itemsize;
    for (int32_t k = 0; k < p->count; k++)
      at[k] += count * step[k];
    failed = count < MOST_DRAWN / 16 ? 0 : gl_stopped(frame);
  }
  return failed;
}

/* ---- the entry of gl_api ----------------------------------------------------------------------- */

int gl_draw(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int64_t kind = params[0], has_size = params[1], ndim = params[2], words = sizeof(gl_philox) / sizeof(uint64_t);
  places p = {.count = (int32_t)params[3]};
  int64_t shape[GL_MAX_NDIM], step[GL_MOST_PARAMETERS], counter[GL_MAX_NDIM + 1] = {0};
  const int32_t *parameters = slots + 3 + has_size;
  const gl_array *given = &frame->arrays[slots[2]], *size = has_size ? &frame->arrays[slots[3]] : NULL;
  int failed = result_shape(frame, size, (int32_t)ndim, parameters, p.count, shape);
  for (int32_t k = 0; k < p.count && !failed; k++)
    if (!within(gl_distributions[kind].limits[k], &frame->arrays[parameters[k]],
                gl_call_of(frame)->slots[parameters[k]].ndim))
      failed = gl_fail(frame, GL_ERROR_PARAMETER, k);
  if (!failed)
    failed = gl_allocate(frame, slots[0], &words) || gl_allocate(frame, slots[1], shape);
  if (failed)
    return failed;
  gl_philox state;
  for (int64_t k = 0; k < words; k++)
    ((uint64_t *)&state)[k] = *(const uint64_t *)(given->data + k * given->stride[0]);
  gl_source from = gl_open_source(&state);
  from.closed = params[4] != 0;
  char *out = frame->arrays[slots[1]].data;
  if (gl_elements((int32_t)ndim, shape) > 0) {
    lay_out(frame, &p, parameters, (int32_t)ndim, shape);
    int64_t run = p.extent[p.ndim - 1];
    for (int32_t k = 0; k < p.count; k++)
      step[k] = p.stride[k][p.ndim - 1];
    from.alike = p.ndim == 1;
    for (int32_t k = 0; k < p.count; k++)
      from.alike = from.alike && step[k] == 0;
    do
      failed = fill_run(frame, gl_distributions[kind].fill, &from, run, gl_call_of(frame)->slots[slots[1]].itemsize,
                        &out, &p, step);
    while (!failed && advance(&p, counter));
    if (failed)
      return failed;
  }
  memcpy(frame->arrays[slots[0]].data, &state, sizeof state);
  return 0;
}
