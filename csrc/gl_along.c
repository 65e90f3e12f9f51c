/* Along an axis, element after element: where the largest is, running sums and products, ranges of numbers. */
#include "gl_runtime.h"

#include <math.h>

/* ---- the position of an extreme ------------------------------------------------------------------
 *
 * An element takes the place of the best one so far unless that is at least as good, so the first of equals
 * stays; comparisons with NaN are false, so a NaN takes the place too, and then nothing can follow it. */

#define COLUMNS 64 /* positions searched side by side */

/* The position among `n` elements, `step` bytes apart. */
typedef int64_t (*search)(const char *in, int64_t n, int64_t step);
/* Those of `m` neighbours, `across` bytes apart, at most COLUMNS. */
typedef void (*search_columns)(const char *in, int64_t n, int64_t step, int64_t m, int64_t across, int64_t *out);

/* How many of `n` elements, in whole blocks of 64 bytes from the first on, are surely no better than `best`: most of
 * them, as a rule. `flags`: an integer as wide as an element. */
#define PASSES(name, type, flags, as_good)                                                                  \
  static int64_t name##_passed(const char *in, int64_t n, type best)                                        \
  {                                                                                                         \
    typedef type vector __attribute__((vector_size(16), aligned(sizeof(type)), may_alias));                 \
    typedef flags all __attribute__((vector_size(16)));                                                     \
    const int64_t lanes = 16 / sizeof(type);                                                                \
    int64_t i = 0;                                                                                          \
    for (; i + 4 * lanes <= n; i += 4 * lanes) {                                                            \
      const vector *block = (const vector *)(in + i * sizeof(type));                                        \
      all good = (best as_good block[0]) & (best as_good block[1]) & (best as_good block[2]) &              \
                 (best as_good block[3]);                                                                   \
      flags every = good[0];                                                                                \
      for (int64_t k = 1; k < lanes; k++)                                                                   \
        every &= good[k];                                                                                   \
      if (!every)                                                                                           \
        break;                                                                                              \
    }                                                                                                       \
    return i;                                                                                               \
  }

#define SEARCHES(name, type, AS_GOOD, IS_NAN)                                                               \
  static int64_t name(const char *in, int64_t n, int64_t step)                                              \
  {                                                                                                         \
    type best = *(const type *)in;                                                                          \
    int64_t found = 0, i = 1, block = 64 / sizeof(type);                                                    \
    while (i < n && !IS_NAN(best)) {                                                                        \
      if (step == sizeof(type))                                                                             \
        i += name##_passed(in + i * step, n - i, best);                                                     \
      for (int64_t end = n - i < block ? n : i + block; i < end && !IS_NAN(best); i++) {                    \
        type x = *(const type *)(in + i * step);                                                            \
        if (!AS_GOOD(best, x)) {                                                                            \
          best = x;                                                                                         \
          found = i;                                                                                        \
        }                                                                                                   \
      }                                                                                                     \
    }                                                                                                       \
    return found;                                                                                           \
  }                                                                                                         \
  static void name##_columns(const char *in, int64_t n, int64_t step, int64_t m, int64_t across,            \
                             int64_t *out)                                                                  \
  {                                                                                                         \
    type best[COLUMNS];                                                                                     \
    for (int64_t j = 0; j < m; j++) {                                                                       \
      best[j] = *(const type *)(in + j * across);                                                           \
      out[j] = 0;                                                                                           \
    }                                                                                                       \
    for (int64_t i = 1; i < n; i++)                                                                         \
      for (int64_t j = 0; j < m; j++) {                                                                     \
        type x = *(const type *)(in + i * step + j * across);                                               \
        if (!AS_GOOD(best[j], x) && !IS_NAN(best[j])) {                                                     \
          best[j] = x;                                                                                      \
          out[j] = i;                                                                                       \
        }                                                                                                   \
      }                                                                                                     \
  }

#define AT_LEAST(a, b) ((a) >= (b))
#define AT_MOST(a, b) ((a) <= (b))
#define NEVER(x) 0
#define DIFFERS(x) ((x) != (x))

#define SEARCH_BOTH(name, type, flags, IS_NAN)       \
  PASSES(largest_##name, type, flags, >=)            \
  SEARCHES(largest_##name, type, AT_LEAST, IS_NAN)   \
  PASSES(smallest_##name, type, flags, <=)           \
  SEARCHES(smallest_##name, type, AT_MOST, IS_NAN)

SEARCH_BOTH(int8, int8_t, int8_t, NEVER)
SEARCH_BOTH(int16, int16_t, int16_t, NEVER)
SEARCH_BOTH(int32, int32_t, int32_t, NEVER)
SEARCH_BOTH(int64, int64_t, int64_t, NEVER)
SEARCH_BOTH(uint8, uint8_t, int8_t, NEVER)
SEARCH_BOTH(uint16, uint16_t, int16_t, NEVER)
SEARCH_BOTH(uint32, uint32_t, int32_t, NEVER)
SEARCH_BOTH(uint64, uint64_t, int64_t, NEVER)
SEARCH_BOTH(float32, float, int32_t, DIFFERS)
SEARCH_BOTH(float64, double, int64_t, DIFFERS)

/* Complex numbers compare by their real parts, then by their imaginary ones; one with a NaN is as bad as NaN. */
#define COMPLEX_AS_GOOD(a, b, better)                                                                        \
  ((__real__(a) better __real__(b) || (__real__(a) == __real__(b) && __imag__(a) better##= __imag__(b))) && \
   __imag__(b) == __imag__(b))
#define COMPLEX_AT_LEAST(a, b) COMPLEX_AS_GOOD(a, b, >)
#define COMPLEX_AT_MOST(a, b) COMPLEX_AS_GOOD(a, b, <)
#define PASSES_NONE(name, type)                                               \
  static int64_t name##_passed(const char *in, int64_t n, type best)          \
  {                                                                           \
    (void)in, (void)n, (void)best;                                            \
    return 0;                                                                 \
  }
#define SEARCH_COMPLEX(name, type)                            \
  PASSES_NONE(largest_##name, type)                           \
  SEARCHES(largest_##name, type, COMPLEX_AT_LEAST, DIFFERS)   \
  PASSES_NONE(smallest_##name, type)                          \
  SEARCHES(smallest_##name, type, COMPLEX_AT_MOST, DIFFERS)

SEARCH_COMPLEX(complex64, float _Complex)
SEARCH_COMPLEX(complex128, double _Complex)

typedef struct searches {
  search row;
  search_columns columns;
} searches;

#define FOUND_BY(name) {{smallest_##name, smallest_##name##_columns}, {largest_##name, largest_##name##_columns}}
static const searches searching[GL_DTYPES][2] = {
    [GL_DTYPE_BOOL] = FOUND_BY(uint8),       [GL_DTYPE_INT8] = FOUND_BY(int8),
    [GL_DTYPE_INT16] = FOUND_BY(int16),      [GL_DTYPE_INT32] = FOUND_BY(int32),
    [GL_DTYPE_INT64] = FOUND_BY(int64),      [GL_DTYPE_UINT8] = FOUND_BY(uint8),
    [GL_DTYPE_UINT16] = FOUND_BY(uint16),    [GL_DTYPE_UINT32] = FOUND_BY(uint32),
    [GL_DTYPE_UINT64] = FOUND_BY(uint64),    [GL_DTYPE_FLOAT32] = FOUND_BY(float32),
    [GL_DTYPE_FLOAT64] = FOUND_BY(float64),  [GL_DTYPE_COMPLEX64] = FOUND_BY(complex64),
    [GL_DTYPE_COMPLEX128] = FOUND_BY(complex128)};

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/* Whether the user wants to stop, asked each time that so many more elements are done. */
static int stopped_after(gl_frame *frame, int64_t elements, int64_t *done)
{
  *done += elements;
  if (*done < GL_ASK_BYTES / 8)
    return 0;
  *done = 0;
  return gl_stopped(frame);
}

/* For each place of the other axes, `extent` and `stride`, in C order: the position along `n` elements. */
static int search_all(gl_frame *frame, const searches *by, const char *in, int64_t n, int64_t step, int32_t ndim,
                      const int64_t *extent, const int64_t *stride, int64_t *out)
{
  int64_t at[GL_MAX_NDIM] = {0}, last = ndim > 0 ? extent[ndim - 1] : 1, across = ndim > 0 ? stride[ndim - 1] : 0;
  int aside = last > 1 && magnitude(across) < magnitude(step); /* neighbours are nearer than the next element */
  int64_t done = 0;
  int failed = 0;
  if (gl_elements(ndim, extent) == 0)
    return 0;
  do {
    for (int64_t j = 0; !failed && j < last; j += aside ? COLUMNS : 1) {
      if (aside)
        by->columns(in + j * across, n, step, last - j < COLUMNS ? last - j : COLUMNS, across, out + j);
      else
        out[j] = by->row(in + j * across, n, step);
      failed = stopped_after(frame, aside ? n * COLUMNS : n, &done);
    }
    out += last;
  } while (!failed && gl_advance(ndim - 1, extent, stride, at, &in));
  return failed;
}

int gl_arg_extreme(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array in = frame->arrays[slots[1]];
  int32_t ndim = gl_call_of(frame)->slots[slots[1]].ndim, axis = (int32_t)params[2], others = 0, kept = 0;
  int64_t extent[GL_MAX_NDIM], stride[GL_MAX_NDIM], shape[GL_MAX_NDIM];
  for (int32_t d = 0; d < ndim; d++)
    if (d != axis) {
      shape[kept++] = extent[others] = in.shape[d];
      stride[others++] = in.stride[d];
    } else if (params[3])
      shape[kept++] = 1;
  if (in.shape[axis] == 0)
    return gl_fail(frame, GL_ERROR_EMPTY, 0);
  int failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  return search_all(frame, &searching[params[0]][params[1]], in.data, in.shape[axis], in.stride[axis], others, extent,
                    stride, (int64_t *)frame->arrays[slots[0]].data);
}

/* ---- running sums and products ------------------------------------------------------------------- */

/* In place, on `n` rows of `m` elements: each row takes in the one before. */
typedef void (*running)(char *data, int64_t n, int64_t m);

#define RUNNING(name, type, op)                                \
  static void name(char *data, int64_t n, int64_t m)           \
  {                                                            \
    type *at = (type *)data;                                   \
    if (m == 1) { /* the total so far stays in a register */   \
      for (int64_t i = 1; i < n; i++)                          \
        at[i] = at[i - 1] op at[i];                            \
      return;                                                  \
    }                                                          \
    for (int64_t i = 1; i < n; i++) {                          \
      const type *restrict before = at + (i - 1) * m;          \
      type *restrict row = at + i * m;                         \
      for (int64_t j = 0; j < m; j++)                          \
        row[j] = before[j] op row[j];                          \
    }                                                          \
  }

/* The product as NumPy computes it: C's would repair infinities. */
#define RUNNING_PRODUCT(name, type, part)                                                     \
  static void name(char *data, int64_t n, int64_t m)                                          \
  {                                                                                           \
    part *at = (part *)data;                                                                  \
    for (int64_t i = m; i < n * m; i++) {                                                     \
      part a = at[2 * (i - m)], b = at[2 * (i - m) + 1], c = at[2 * i], d = at[2 * i + 1];    \
      at[2 * i] = a * c - b * d;                                                              \
      at[2 * i + 1] = a * d + b * c;                                                          \
    }                                                                                         \
  }

RUNNING(sums_integer, uint64_t, +) /* unsigned, so that they wrap around */
RUNNING(products_integer, uint64_t, *)
RUNNING(sums_float32, float, +)
RUNNING(products_float32, float, *)
RUNNING(sums_float64, double, +)
RUNNING(products_float64, double, *)
RUNNING(sums_complex64, float _Complex, +)
RUNNING(sums_complex128, double _Complex, +)
RUNNING_PRODUCT(products_complex64, float _Complex, float)
RUNNING_PRODUCT(products_complex128, double _Complex, double)

static const running accumulating[GL_DTYPES][2] = {
    [GL_DTYPE_INT64] = {sums_integer, products_integer},
    [GL_DTYPE_UINT64] = {sums_integer, products_integer},
    [GL_DTYPE_FLOAT32] = {sums_float32, products_float32},
    [GL_DTYPE_FLOAT64] = {sums_float64, products_float64},
    [GL_DTYPE_COMPLEX64] = {sums_complex64, products_complex64},
    [GL_DTYPE_COMPLEX128] = {sums_complex128, products_complex128}};

int gl_accumulate(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int failed = gl_copy(frame, slots, params);
  if (failed)
    return failed;
  const gl_array *out = &frame->arrays[slots[0]];
  const gl_slot *kind = &gl_call_of(frame)->slots[slots[0]];
  int32_t axis = (int32_t)params[2];
  int64_t outer = gl_elements(axis, out->shape), n = out->shape[axis];
  int64_t inner = gl_elements(kind->ndim - axis - 1, out->shape + axis + 1);
  int64_t done = 0, most = inner > 0 ? GL_ASK_BYTES / (inner * kind->itemsize) + 1 : n; /* rows at a time */
  for (int64_t i = 0; !failed && inner > 0 && i < outer; i++)
    for (int64_t before = 0; !failed && before + 1 < n; before += most) {
      const int64_t rows = n - 1 - before < most ? n - 1 - before : most;
      accumulating[params[0]][params[1]](out->data + (i * n + before) * inner * kind->itemsize, rows + 1, inner);
      failed = stopped_after(frame, rows * inner, &done);
    }
  return failed;
}

/* ---- ranges of numbers --------------------------------------------------------------------------- */

/* How many integers there are from start before stop; -1 for too many. */
static int64_t integer_count(int64_t start, int64_t stop, int64_t step)
{
  if (step > 0 ? start >= stop : start <= stop)
    return 0;
  uint64_t span = step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
  uint64_t pace = step > 0 ? (uint64_t)step : 0 - (uint64_t)step, count = (span - 1) / pace + 1;
  return count >> 63 ? -1 : (int64_t)count;
}

/* The same of floating numbers, as NumPy counts them. */
static int64_t real_count(double start, double stop, double step)
{
  double count = ceil((stop - start) / step);
  if (count <= 0)
    return 0;
  return count < 0x1p62 ? (int64_t)count : -1; /* NaN too */
}

/* Numbers `first` to before `end` of a range. As NumPy, the first two are exact, and their difference is what the others
 * are apart. */
#define FILL(type)                                                       \
  {                                                                      \
    type *to = (type *)out, begin = (type)start, apart = (type)second;   \
    for (int64_t i = first; i < end; i++)                                \
      to[i] = i == 1 ? apart : begin + (type)i * (apart - begin);        \
    if (first == 0 && end > 0)                                           \
      to[0] = begin;                                                     \
  }

static void fill_reals(char *out, int64_t first, int64_t end, double start, double second, int single)
{
  if (single)
    FILL(float)
  else
    FILL(double)
}

static void fill_integers(int64_t *out, int64_t first, int64_t end, int64_t start, int64_t step)
{
  for (int64_t i = first; i < end; i++)
    out[i] = (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)step); /* as far as it is filled, it fits */
}

int gl_arange(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const char *start = frame->arrays[slots[1]].data, *stop = frame->arrays[slots[2]].data;
  const char *step = frame->arrays[slots[3]].data;
  int64_t from = *(const int64_t *)start, by = *(const int64_t *)step, count;
  double from_real = *(const double *)start, by_real = *(const double *)step;
  int is_real = params[1] != 0;
  if (is_real ? by_real == 0 : by == 0)
    return gl_fail(frame, GL_ERROR_STEP, 0);
  count = is_real ? real_count(from_real, *(const double *)stop, by_real)
                  : integer_count(from, *(const int64_t *)stop, by);
  if (count < 0)
    return gl_fail(frame, GL_ERROR_SIZE, 0);
  int failed = gl_allocate(frame, slots[0], &count);
  if (failed)
    return failed;
  char *out = frame->arrays[slots[0]].data;
  const double start_real = is_real ? from_real : (double)from;
  const double second = is_real ? from_real + by_real : (double)from + (double)by;
  for (int64_t first = 0; !failed && first < count; first += GL_ASK_BYTES / 8) {
    const int64_t end = count - first < GL_ASK_BYTES / 8 ? count : first + GL_ASK_BYTES / 8;
    if (params[0] == GL_DTYPE_INT64)
      fill_integers((int64_t *)out, first, end, from, by);
    else
      fill_reals(out, first, end, start_real, second, params[0] == GL_DTYPE_FLOAT32);
    failed = gl_stopped(frame);
  }
  return failed;
}
