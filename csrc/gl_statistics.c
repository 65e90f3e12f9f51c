/* Statistics of arrays: gl_statistics.h says which. Elements are taken block by block, whatever their strides; of a
 * block in one piece the loops are vector code, and others are copied together first. Blocks make up spans, whose
 * numbers are merged in their order, whoever found them. */
#include "gl_statistics.h"

#include "gl_pool.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define GL_BLOCK 1024         /* elements; sums in single precision stay short */
#define SPAN (32 * GL_BLOCK)  /* elements that one thread takes at a time */
#define SPANS 64              /* whose numbers are kept before they are merged */

void gl_statistics_merge(gl_statistics *into, const gl_statistics *other)
{
  const double a = (double)(into->count - into->nan - into->inf), b = (double)(other->count - other->nan - other->inf);
  into->count += other->count;
  into->nan += other->nan;
  into->inf += other->inf;
  into->zero += other->zero;
  if (b == 0)
    return;
  if (a == 0) {
    into->min = other->min, into->max = other->max, into->mean = other->mean, into->squares = other->squares;
    return;
  }
  /* T. F. Chan, G. H. Golub, R. J. LeVeque: "Updating formulae and a pairwise algorithm for computing sample
   * variances", 1979; the means are weighted so that their difference can't overflow. */
  const double d = other->mean - into->mean;
  into->min = other->min < into->min ? other->min : into->min;
  into->max = other->max > into->max ? other->max : into->max;
  into->mean = into->mean * (a / (a + b)) + other->mean * (b / (a + b));
  into->squares += other->squares + d * d * (a * b / (a + b));
}

/* ---- blocks ------------------------------------------------------------------------------------ */

#define DOUBLES 32
#define FLOATS 64
#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#define REAL double
#define INTEGER int64_t
#define LANES DOUBLES
#define LARGEST DBL_MAX
#define NAME(word) PASTE(word, double)
#define TARGET
#include "gl_statistics_block.h"

#define REAL float
#define INTEGER int32_t
#define LANES FLOATS
#define LARGEST ((double)FLT_MAX)
#define NAME(word) PASTE(word, float)
#define TARGET
#include "gl_statistics_block.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,prefer-vector-width=512")))

#define REAL double
#define INTEGER int64_t
#define LANES DOUBLES
#define LARGEST DBL_MAX
#define NAME(word) PASTE(word, double_avx2)
#define TARGET AVX2
#include "gl_statistics_block.h"

#define REAL float
#define INTEGER int32_t
#define LANES FLOATS
#define LARGEST ((double)FLT_MAX)
#define NAME(word) PASTE(word, float_avx2)
#define TARGET AVX2
#include "gl_statistics_block.h"

#define REAL double
#define INTEGER int64_t
#define LANES DOUBLES
#define LARGEST DBL_MAX
#define NAME(word) PASTE(word, double_avx512)
#define TARGET AVX512
#include "gl_statistics_block.h"

#define REAL float
#define INTEGER int32_t
#define LANES FLOATS
#define LARGEST ((double)FLT_MAX)
#define NAME(word) PASTE(word, float_avx512)
#define TARGET AVX512
#include "gl_statistics_block.h"
#endif

/* The loops for this processor. */
typedef struct loops {
  void (*block)(gl_statistics *s, const void *x, int64_t n);
  int (*has_nan)(const void *x, int64_t n);
} loops;

#define LOOPS(name) (loops){PASTE(block, name), PASTE(has_nan, name)}

static loops loops_for(int single)
{
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return single ? LOOPS(float_avx512) : LOOPS(double_avx512);
  if (__builtin_cpu_supports("avx2"))
    return single ? LOOPS(float_avx2) : LOOPS(double_avx2);
#endif
  return single ? LOOPS(float) : LOOPS(double);
}

/* ---- elements that are not doubles or floats in one piece ---------------------------------------- */

static double half(uint16_t bits)
{
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double magnitude = exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                           : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                          : ldexp(fraction, -24);
  return bits >> 15 ? -magnitude : magnitude;
}

static double element(int32_t dtype, const char *at)
{
  switch (dtype) {
  case GL_DTYPE_BOOL: return *(const uint8_t *)at != 0;
  case GL_DTYPE_INT8: return *(const int8_t *)at;
  case GL_DTYPE_INT16: return *(const int16_t *)at;
  case GL_DTYPE_INT32: return *(const int32_t *)at;
  case GL_DTYPE_INT64: return (double)*(const int64_t *)at;
  case GL_DTYPE_UINT8: return *(const uint8_t *)at;
  case GL_DTYPE_UINT16: return *(const uint16_t *)at;
  case GL_DTYPE_UINT32: return *(const uint32_t *)at;
  case GL_DTYPE_UINT64: return (double)*(const uint64_t *)at;
  case GL_DTYPE_FLOAT16: return half(*(const uint16_t *)at);
  case GL_DTYPE_FLOAT32: return *(const float *)at;
  case GL_DTYPE_FLOAT64: return *(const double *)at;
  case GL_DTYPE_COMPLEX64: {
    const float *z = (const float *)at;
    return z[0] != z[0] || z[1] != z[1] ? (double)NAN : hypot(z[0], z[1]); /* hypot(inf, nan) is inf */
  }
  case GL_DTYPE_COMPLEX128: {
    const double *z = (const double *)at;
    return z[0] != z[0] || z[1] != z[1] ? (double)NAN : hypot(z[0], z[1]);
  }
  default: return 0;
  }
}

/* ---- arrays ------------------------------------------------------------------------------------ */

/* An array with its longest strides first and neighbouring axes made one: as few axes as there can be, at least one. */
typedef struct layout {
  int32_t dtype, ndim;
  int64_t shape[GL_MAX_NDIM], stride[GL_MAX_NDIM];
  const char *data;
  int64_t count;
  int dense; /* doubles or floats, in one piece */
} layout;

static layout laid_out(int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *stride, const char *data)
{
  layout l = {.dtype = dtype, .data = data, .count = gl_elements(ndim, shape)};
  for (int32_t d = 0; l.count && d < ndim; d++) {
    if (shape[d] == 1)
      continue;
    int32_t k = l.ndim++;
    for (; k > 0 && llabs(l.stride[k - 1]) < llabs(stride[d]); k--)
      l.shape[k] = l.shape[k - 1], l.stride[k] = l.stride[k - 1];
    l.shape[k] = shape[d], l.stride[k] = stride[d];
  }
  int32_t kept = 0;
  for (int32_t d = 1; d < l.ndim; d++) {
    if (l.stride[kept] == l.shape[d] * l.stride[d])
      l.shape[kept] *= l.shape[d], l.stride[kept] = l.stride[d];
    else
      kept++, l.shape[kept] = l.shape[d], l.stride[kept] = l.stride[d];
  }
  l.ndim = kept + 1;
  if (l.count <= 1)
    l.shape[0] = l.count, l.stride[0] = 0;
  const int64_t size = dtype == GL_DTYPE_FLOAT64 ? 8 : dtype == GL_DTYPE_FLOAT32 ? 4 : 0;
  l.dense = l.ndim == 1 && size && (l.count <= 1 || l.stride[0] == size);
  return l;
}

/* One look at an array: `number` is where the numbers of each span from number `from` on go, or NULL to look for NaN
 * alone. */
typedef struct look {
  layout array;
  loops loops;
  gl_statistics *number;
  int64_t from;
  int found;
} look;

static void look_at_block(look *look, gl_statistics *s, const void *x, int64_t n)
{
  if (look->number)
    look->loops.block(s, x, n);
  else if (look->loops.has_nan(x, n))
    __atomic_store_n(&look->found, 1, __ATOMIC_RELAXED);
}

/* Elements first..last-1 of an array in one piece. */
static void look_at_piece(look *look, gl_statistics *s, int64_t first, int64_t last)
{
  const int64_t size = look->array.dtype == GL_DTYPE_FLOAT64 ? 8 : 4;
  for (int64_t i = first; i < last; i += GL_BLOCK)
    look_at_block(look, s, look->array.data + i * size, last - i < GL_BLOCK ? last - i : GL_BLOCK);
}

/* The same of any other, in the order of its axes: they are copied together, as doubles. */
static void look_at_scattered(look *look, gl_statistics *s, int64_t first, int64_t last)
{
  const layout *l = &look->array;
  int64_t at[GL_MAX_NDIM], rest = first;
  const char *place = l->data;
  double block[GL_BLOCK];
  for (int32_t d = l->ndim - 1; d >= 0; d--) {
    at[d] = rest % l->shape[d];
    rest /= l->shape[d];
    place += at[d] * l->stride[d];
  }
  for (int64_t i = first; i < last;) {
    int32_t n = 0;
    for (; n < GL_BLOCK && i < last; n++, i++) {
      block[n] = element(l->dtype, place);
      gl_advance(l->ndim, l->shape, l->stride, at, &place);
    }
    look_at_block(look, s, block, n);
  }
}

static void look_at_span(void *context, int64_t chunk, int32_t thread)
{
  look *look = context;
  const int64_t first = (look->from + chunk) * SPAN, count = look->array.count;
  const int64_t last = first + SPAN < count ? first + SPAN : count;
  gl_statistics here = {0};
  (void)thread;
  if (!look->number && __atomic_load_n(&look->found, __ATOMIC_RELAXED))
    return;
  (look->array.dense ? look_at_piece : look_at_scattered)(look, &here, first, last);
  if (look->number)
    look->number[chunk] = here;
}

static int64_t spans_of(const layout *array) { return (array->count + SPAN - 1) / SPAN; }

gl_statistics gl_statistics_of(int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *stride,
                               const char *data)
{
  gl_statistics all = {0}, some[SPANS];
  look look = {.array = laid_out(dtype, ndim, shape, stride, data), .number = some};
  const int64_t spans = spans_of(&look.array);
  look.loops = loops_for(look.array.dense && dtype == GL_DTYPE_FLOAT32);
  for (; look.from < spans; look.from += SPANS) {
    const int64_t n = spans - look.from < SPANS ? spans - look.from : SPANS;
    gl_pool_run(look_at_span, NULL, &look, n, (int32_t)n);
    for (int64_t k = 0; k < n; k++)
      gl_statistics_merge(&all, &some[k]);
  }
  return all;
}

int gl_has_nan(int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *stride, const char *data)
{
  look look = {.array = laid_out(dtype, ndim, shape, stride, data)};
  look.loops = loops_for(look.array.dense && dtype == GL_DTYPE_FLOAT32);
  if (dtype >= GL_DTYPE_FLOAT16)
    gl_pool_run(look_at_span, NULL, &look, spans_of(&look.array), GL_MAX_THREADS);
  return look.found;
}

/* ---- the arrays of a run ------------------------------------------------------------------------- */

void gl_watch_slot(const gl_call *call, int32_t slot)
{
  const gl_watch *watch = call->watch;
  const gl_array *array = &call->frame.arrays[slot];
  if (watch->dtypes[slot] >= 0 && watch->found[slot].count < 0 && array->data)
    watch->found[slot] =
        gl_statistics_of(watch->dtypes[slot], call->slots[slot].ndim, array->shape, array->stride, array->data);
}
