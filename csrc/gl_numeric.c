/* Sums to a shape. Operands are float32 or float64 (told apart by their itemsize); other dtypes are computed by host
 * calls.
 *
 * Rounding: runs of up to 128 elements are summed in eight partial sums, longer ones by halves, and runs
 * are added up in blocks of 64, all in double: the error grows like log n + n / 8192, not like n. */
#include "gl_runtime.h"

#include <string.h>

#define BLOCK 64   /* partial sums are gathered in blocks of so many */
#define CHUNK 256  /* columns that are summed at a time */

static inline double load(const char *address, int single)
{
  return single ? (double)*(const float *)address : *(const double *)address;
}

static inline void store(char *address, double value, int single)
{
  if (single)
    *(float *)address = (float)value;
  else
    *(double *)address = value;
}

/* Always inlined with a constant `single`, so that the branch in load is gone from the loops. */
static inline __attribute__((always_inline)) double sum_short(const char *in, int64_t n, int64_t stride,
                                                              int single)
{
  double part[8] = {0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; k++)
      part[k] += load(in + (i + k) * stride, single);
  for (int k = 0; i < n; i++, k++)
    part[k] += load(in + i * stride, single);
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

static double sum_run(const char *in, int64_t n, int64_t stride, int single)
{
  if (n <= 128)
    return single ? sum_short(in, n, stride, 1) : sum_short(in, n, stride, 0);
  int64_t half = n / 2 / 8 * 8;
  return sum_run(in, half, stride, single) + sum_run(in + half * stride, n - half, stride, single);
}

static inline __attribute__((always_inline)) void add_columns(double *sums, const char *in, int64_t n,
                                                              int64_t stride, int single)
{
  if (stride == (single ? 4 : 8)) /* a constant stride can be vectorised */
    for (int64_t i = 0; i < n; i++)
      sums[i] += load(in + i * (single ? 4 : 8), single);
  else
    for (int64_t i = 0; i < n; i++)
      sums[i] += load(in + i * stride, single);
}

/* The axes of a sum in two groups: those kept, and those summed; none has extent 0. */
typedef struct axes {
  int32_t n;
  int64_t extent[GL_MAX_NDIM], stride[GL_MAX_NDIM];
} axes;

/* One result: the sum over all of `summed`. */
static double sum_all(const axes *summed, const char *in, int single)
{
  int64_t at[GL_MAX_NDIM] = {0};
  int32_t outer = summed->n - 1, runs = 0;
  double total = 0, block = 0;
  do {
    block += sum_run(in, summed->extent[outer], summed->stride[outer], single);
    if (++runs == BLOCK) {
      total += block;
      block = 0;
      runs = 0;
    }
  } while (gl_advance(outer, summed->extent, summed->stride, at, &in));
  return total + block;
}

/* `n` neighbouring results at once, `stride` apart in `in`: for sums along a slow axis. */
static void sum_columns(const axes *summed, const char *in, int64_t n, int64_t stride, char *out, int single)
{
  int64_t at[GL_MAX_NDIM] = {0};
  double total[CHUNK] = {0}, block[CHUNK] = {0};
  int32_t rows = 0;
  int more;
  do {
    if (single)
      add_columns(block, in, n, stride, 1);
    else
      add_columns(block, in, n, stride, 0);
    more = gl_advance(summed->n, summed->extent, summed->stride, at, &in);
    if (++rows == BLOCK || !more) {
      for (int64_t i = 0; i < n; i++) {
        total[i] += block[i];
        block[i] = 0;
      }
      rows = 0;
    }
  } while (more);
  for (int64_t i = 0; i < n; i++)
    store(out + i * (single ? 4 : 8), total[i], single);
}

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/* Fill the C-contiguous `out`, whose axes are those of `kept`. */
static void sum_into(char *out, const axes *kept, const axes *summed, const char *in, int single)
{
  int64_t at[GL_MAX_NDIM] = {0}, itemsize = single ? 4 : 8;
  int32_t last = kept->n - 1;
  int by_columns = kept->n > 0 && kept->extent[last] > 1 &&
                   magnitude(kept->stride[last]) < magnitude(summed->stride[summed->n - 1]);
  if (!by_columns) {
    do {
      store(out, sum_all(summed, in, single), single);
      out += itemsize;
    } while (gl_advance(kept->n, kept->extent, kept->stride, at, &in));
    return;
  }
  int64_t width = kept->extent[last], stride = kept->stride[last];
  do {
    for (int64_t i = 0; i < width; i += CHUNK) {
      int64_t n = width - i < CHUNK ? width - i : CHUNK;
      sum_columns(summed, in + i * stride, n, stride, out, single);
      out += n * itemsize;
    }
  } while (gl_advance(last, kept->extent, kept->stride, at, &in));
}

int gl_sum_to(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int32_t in_ndim = (int32_t)params[0], ndim = (int32_t)params[1], dropped = in_ndim - ndim;
  const gl_array in = frame->arrays[slots[1]];
  const gl_array *like = &frame->arrays[slots[2]];
  int64_t shape[GL_MAX_NDIM];
  axes kept = {0}, summed = {0};
  for (int32_t d = 0; d < in_ndim; d++) {
    int64_t extent = in.shape[d], wanted = d < dropped ? 1 : like->shape[d - dropped];
    if (wanted != 1 && wanted != extent)
      return gl_fail(frame, GL_ERROR_BROADCAST, 0, 1, d, extent, wanted);
    axes *group = wanted == extent ? &kept : &summed;
    if (d >= dropped)
      shape[d - dropped] = wanted;
    if (extent != 1) {
      group->extent[group->n] = extent;
      group->stride[group->n++] = in.stride[d];
    }
  }
  if (summed.n == 0) {
    gl_array *view = gl_view(frame, slots[0], slots[1]);
    for (int32_t d = 0; d < ndim; d++) {
      view->shape[d] = shape[d];
      view->stride[d] = in.stride[d + dropped];
    }
    return 0;
  }
  int failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize;
  char *out = frame->arrays[slots[0]].data;
  if (gl_elements(in_ndim, in.shape) == 0)
    memset(out, 0, (size_t)(gl_elements(ndim, shape) * itemsize));
  else
    sum_into(out, &kept, &summed, in.data, itemsize == 4);
  return 0;
}
