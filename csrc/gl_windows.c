/* Windows that slide over the last axes of an array, and their transpose: windows added back in place. */
#include "gl_runtime.h"

#include <string.h>

/* The last `rank` axes of an array of `ndim`, over which windows slide: from the params (rank, strides,
 * dilations), both in elements. */
typedef struct sliding {
  int32_t rank, lead; /* axes slid over, and those before them */
  const int64_t *stride, *dilation;
} sliding;

static sliding sliding_of(const int64_t *params, int32_t ndim)
{
  int32_t rank = (int32_t)params[0];
  return (sliding){rank, ndim - rank, params + 1, params + 1 + rank};
}

int64_t gl_window_count(int64_t extent, int64_t window, int64_t stride, int64_t dilation)
{
  int64_t span;
  if (window < 1 || __builtin_mul_overflow(window - 1, dilation, &span) || span >= extent)
    return 0;
  return (extent - span - 1) / stride + 1;
}

/* The same along spatial axis `d`. */
static int64_t window_count(const sliding *s, int32_t d, int64_t extent, int64_t window)
{
  return gl_window_count(extent, window, s->stride[d], s->dilation[d]);
}

static int64_t element(const gl_array *vector, int64_t i)
{
  return *(const int64_t *)(vector->data + i * vector->stride[0]);
}

int gl_windows(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]], *vector = &frame->arrays[slots[2]];
  sliding s = sliding_of(params, gl_call_of(frame)->slots[slots[1]].ndim);
  int64_t count[GL_MAX_NDIM], window[GL_MAX_NDIM];
  for (int32_t d = 0; d < s.rank; d++) {
    window[d] = element(vector, d);
    count[d] = window_count(&s, d, in.shape[s.lead + d], window[d]);
    if (count[d] < 1)
      return gl_fail(frame, GL_ERROR_WINDOW, window[d], s.dilation[d], s.lead + d, in.shape[s.lead + d]);
  }
  gl_array *view = gl_view(frame, slots[0], slots[1]);
  for (int32_t d = 0; d < s.lead; d++) {
    view->shape[d] = in.shape[d];
    view->stride[d] = in.stride[d];
  }
  for (int32_t d = 0; d < s.rank; d++) {
    int64_t step = in.stride[s.lead + d];
    view->shape[s.lead + d] = count[d];
    view->stride[s.lead + d] = count[d] > 1 ? step * s.stride[d] : step;
    view->shape[s.lead + s.rank + d] = window[d];
    view->stride[s.lead + s.rank + d] = window[d] > 1 ? step * s.dilation[d] : step;
  }
  return 0;
}

/* ---- the transpose ------------------------------------------------------------------------------- */

/* Step the counters `at` over `extent` (last fastest), moving both pointers; 0 when it has come around. */
static int advance(int32_t n, const int64_t *extent, int64_t *at, const int64_t *out_stride, char **out,
                   const int64_t *in_stride, const char **in)
{
  for (int32_t d = n - 1; d >= 0; d--) {
    *out += out_stride[d];
    *in += in_stride[d];
    if (++at[d] < extent[d])
      return 1;
    *out -= extent[d] * out_stride[d];
    *in -= extent[d] * in_stride[d];
    at[d] = 0;
  }
  return 0;
}

#define ADD_RUN(name, type)                                                                        \
  static void name(int64_t n, char *out, int64_t out_stride, const char *in, int64_t in_stride)    \
  {                                                                                                \
    if (out_stride == sizeof(type) && in_stride == sizeof(type)) { /* a loop that vectorises */    \
      type *restrict to = (type *)out;                                                             \
      const type *restrict from = (const type *)in;                                                \
      for (int64_t i = 0; i < n; i++)                                                              \
        to[i] += from[i];                                                                          \
      return;                                                                                      \
    }                                                                                              \
    for (int64_t i = 0; i < n; i++)                                                                \
      *(type *)(out + i * out_stride) += *(const type *)(in + i * in_stride);                      \
  }

ADD_RUN(add_run_single, float)
ADD_RUN(add_run_double, double)

void gl_add_run(int32_t itemsize, int64_t n, char *out, int64_t out_stride, const char *in, int64_t in_stride)
{
  (itemsize == 4 ? add_run_single : add_run_double)(n, out, out_stride, in, in_stride);
}

/* One array of the last axes: for each position in the window all windows, so that the order in which an
 * element gets its terms is that of the positions. Strides in bytes. */
typedef struct folding {
  int32_t rank, single;
  int64_t window[GL_MAX_NDIM], count[GL_MAX_NDIM];
  int64_t out_inside[GL_MAX_NDIM], out_between[GL_MAX_NDIM]; /* one on in a window; to the next window */
  int64_t in_inside[GL_MAX_NDIM], in_between[GL_MAX_NDIM];
} folding;

static void fold(const folding *f, char *out, const char *in)
{
  int64_t inside[GL_MAX_NDIM] = {0}, between[GL_MAX_NDIM] = {0};
  int32_t last = f->rank - 1;
  do {
    char *to = out;
    const char *from = in;
    do {
      (f->single ? add_run_single : add_run_double)(f->count[last], to, f->out_between[last], from,
                                                    f->in_between[last]);
    } while (advance(last, f->count, between, f->out_between, &to, f->in_between, &from));
  } while (advance(f->rank, f->window, inside, f->out_inside, &out, f->in_inside, &in));
}

/* How the windows `in` lie over `out`; an error if they are not those of its extents. */
static int folding_of(gl_frame *frame, const sliding *s, const gl_array *in, const gl_array *out, int32_t itemsize,
                      folding *f)
{
  *f = (folding){.rank = s->rank, .single = itemsize == 4};
  for (int32_t d = 0; d < s->rank; d++) {
    int32_t axis = s->lead + d;
    f->count[d] = in->shape[axis];
    f->window[d] = in->shape[axis + s->rank];
    f->out_inside[d] = out->stride[axis] * s->dilation[d];
    f->out_between[d] = out->stride[axis] * s->stride[d];
    f->in_inside[d] = in->stride[axis + s->rank];
    f->in_between[d] = in->stride[axis];
    int64_t fitting = window_count(s, d, out->shape[axis], f->window[d]);
    if (fitting < 1 || fitting != f->count[d])
      return gl_fail(frame, GL_ERROR_WINDOW, f->window[d], s->dilation[d], axis, out->shape[axis]);
  }
  return 0;
}

int gl_fold_windows(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]], *vector = &frame->arrays[slots[2]];
  sliding s = sliding_of(params, gl_call_of(frame)->slots[slots[0]].ndim);
  int64_t shape[GL_MAX_NDIM], at[GL_MAX_NDIM] = {0};
  for (int32_t d = 0; d < s.lead; d++)
    shape[d] = in.shape[d];
  for (int32_t d = 0; d < s.rank; d++)
    shape[s.lead + d] = element(vector, d);
  int failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  const gl_array *array = &frame->arrays[slots[0]];
  int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize;
  folding f;
  failed = folding_of(frame, &s, &in, array, itemsize, &f);
  if (failed)
    return failed;
  int64_t elements = gl_elements(s.lead + s.rank, shape);
  memset(array->data, 0, (size_t)(elements * itemsize));
  char *out = array->data;
  const char *from = in.data;
  if (elements > 0)
    do
      fold(&f, out, from);
    while (advance(s.lead, shape, at, array->stride, &out, in.stride, &from));
  return 0;
}
