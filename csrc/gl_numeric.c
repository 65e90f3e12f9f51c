/* The runtime's own arithmetic: sums to a shape, and matrix products by BLAS pointers. Operands are
 * float32 or float64 (told apart by their itemsize); other dtypes are computed by host calls. */
#include "gl_runtime.h"

#include <limits.h>
#include <string.h>

/* ---- sum_to ------------------------------------------------------------------------------------
 *
 * Rounding: runs of up to 128 elements are summed in eight partial sums, longer ones by halves, and runs
 * are added up in blocks of 64, all in double: the error grows like log n + n / 8192, not like n. */

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

/* ---- matmul ------------------------------------------------------------------------------------ */

gl_blas gl_blas_table;

/* An operand as BLAS can take it: rows x columns, one of the two strides (in elements) being 1. */
typedef struct matrix {
  char *data;
  int64_t rows, columns, row_stride, column_stride;
  char *packed; /* a copy of ours, to be freed */
} matrix;

/* Whether BLAS can walk `distance` bytes from line to line of `length` elements each. */
static int leads(int64_t distance, int64_t lines, int64_t length, int32_t itemsize)
{
  return lines <= 1 || (distance % itemsize == 0 && distance / itemsize >= length &&
                        distance / itemsize <= INT_MAX);
}

static int unit(int64_t distance, int64_t extent, int32_t itemsize)
{
  return extent <= 1 || distance == itemsize;
}

static int matrix_of(gl_frame *frame, matrix *m, const gl_array *array, int64_t rows, int64_t columns,
                     int64_t row_stride, int64_t column_stride, int32_t itemsize)
{
  *m = (matrix){.data = array->data, .rows = rows, .columns = columns};
  if (unit(column_stride, columns, itemsize) && leads(row_stride, rows, columns, itemsize)) {
    m->row_stride = rows > 1 ? row_stride / itemsize : columns;
    m->column_stride = 1;
    return 0;
  }
  if (unit(row_stride, rows, itemsize) && leads(column_stride, columns, rows, itemsize)) {
    m->row_stride = 1;
    m->column_stride = columns > 1 ? column_stride / itemsize : rows;
    return 0;
  }
  int64_t shape[2] = {rows, columns}, from[2] = {row_stride, column_stride}, to[2], bytes;
  int failed = gl_size(frame, 2, shape, itemsize, &bytes); /* a broadcast operand may be huge */
  if (failed)
    return failed;
  m->data = m->packed = gl_memory_new((size_t)bytes);
  if (!m->packed)
    return gl_fail(frame, GL_ERROR_MEMORY, bytes);
  gl_c_strides(2, shape, itemsize, to);
  gl_copy_elements(2, shape, itemsize, m->packed, to, array->data, from);
  m->row_stride = columns;
  m->column_stride = 1;
  return 0;
}

/* The transposition letter and leading dimension of what Fortran sees as `m` transposed. */
static char letter(const matrix *m, int *leading)
{
  int by_rows = m->column_stride == 1 && m->row_stride >= m->columns;
  int64_t step = by_rows ? m->row_stride : m->column_stride;
  *leading = (int)(step > 0 ? step : 1);
  return by_rows ? 'N' : 'T';
}

/* The four products. Fortran's order is the other way round, so what it computes is out' = b' a'. */

static void dot(const matrix *a, const matrix *b, char *out, int single)
{
  int k = (int)a->columns, step_a = (int)a->column_stride, step_b = (int)b->row_stride;
  if (single)
    *(float *)out = gl_blas_table.sdot(&k, (float *)a->data, &step_a, (float *)b->data, &step_b);
  else
    *(double *)out = gl_blas_table.ddot(&k, (double *)a->data, &step_a, (double *)b->data, &step_b);
}

/* out = m v, or m' v where `turned`; the elements of v are `step` apart. */
static void gemv(const matrix *m, int turned, char *v, int64_t step, char *out, int single)
{
  int leading, step_v = (int)step, step_out = 1;
  int by_rows = letter(m, &leading) == 'N'; /* then Fortran sees m' */
  char turn = by_rows == turned ? 'N' : 'T';
  int rows = (int)(by_rows ? m->columns : m->rows), columns = (int)(by_rows ? m->rows : m->columns);
  if (single) {
    float one = 1, zero = 0;
    gl_blas_table.sgemv(&turn, &rows, &columns, &one, (float *)m->data, &leading, (float *)v, &step_v, &zero,
                        (float *)out, &step_out);
  } else {
    double one = 1, zero = 0;
    gl_blas_table.dgemv(&turn, &rows, &columns, &one, (double *)m->data, &leading, (double *)v, &step_v,
                        &zero, (double *)out, &step_out);
  }
}

static void gemm(const matrix *a, const matrix *b, char *out, int single)
{
  int m = (int)b->columns, n = (int)a->rows, k = (int)a->columns, lda, ldb;
  char turn_b = letter(b, &ldb), turn_a = letter(a, &lda);
  if (single) {
    float one = 1, zero = 0;
    gl_blas_table.sgemm(&turn_b, &turn_a, &m, &n, &k, &one, (float *)b->data, &ldb, (float *)a->data, &lda,
                        &zero, (float *)out, &m);
  } else {
    double one = 1, zero = 0;
    gl_blas_table.dgemm(&turn_b, &turn_a, &m, &n, &k, &one, (double *)b->data, &ldb, (double *)a->data, &lda,
                        &zero, (double *)out, &m);
  }
}

#define TILE 32

/* The upper triangle of the n x n matrix `out` from its lower one, tile by tile. */
static inline __attribute__((always_inline)) void mirror(char *out, int64_t n, int itemsize)
{
  for (int64_t top = 0; top < n; top += TILE)
    for (int64_t left = 0; left <= top; left += TILE)
      for (int64_t i = top; i < n && i < top + TILE; i++)
        for (int64_t j = left; j < i && j < left + TILE; j++)
          memcpy(out + (j * n + i) * itemsize, out + (i * n + j) * itemsize, (size_t)itemsize);
}

/* out = a a', half of which is computed. */
static void syrk(const matrix *a, char *out, int single)
{
  int n = (int)a->rows, k = (int)a->columns, leading;
  char lower = 'U', turn = letter(a, &leading) == 'N' ? 'T' : 'N'; /* our lower triangle is Fortran's upper one */
  if (single) {
    float one = 1, zero = 0;
    gl_blas_table.ssyrk(&lower, &turn, &n, &k, &one, (float *)a->data, &leading, &zero, (float *)out, &n);
    mirror(out, n, 4);
  } else {
    double one = 1, zero = 0;
    gl_blas_table.dsyrk(&lower, &turn, &n, &k, &one, (double *)a->data, &leading, &zero, (double *)out, &n);
    mirror(out, n, 8);
  }
}

#define MIN_SYRK 64 /* smaller products are faster as a whole, as measured with OpenBLAS */

/* Whether `b` is `a` transposed, the same memory, and large enough that half a product takes less time. */
static int is_turned(const matrix *a, const matrix *b)
{
  return a->data == b->data && a->rows == b->columns && a->row_stride == b->column_stride &&
         a->column_stride == b->row_stride && a->rows >= MIN_SYRK;
}

static void product(const matrix *a, const matrix *b, char *out, int single)
{
  if (a->rows == 1 && b->columns == 1)
    dot(a, b, out, single);
  else if (b->columns == 1)
    gemv(a, 0, b->data, b->row_stride, out, single);
  else if (a->rows == 1)
    gemv(b, 1, a->data, a->column_stride, out, single);
  else if (is_turned(a, b))
    syrk(a, out, single);
  else
    gemm(a, b, out, single);
}

/* One operand of a batch: matrices that lie where the counters of the batch say. */
typedef struct stack {
  gl_array first; /* of which only `data` moves */
  int64_t rows, columns, row_stride, column_stride;
  int64_t step[GL_MAX_NDIM]; /* bytes to the next along each axis of the batch; 0 where it is broadcast */
  matrix m;
  const char *taken; /* of what m was made */
} stack;

/* `array` of `ndim` axes; a vector is a row (on the left) or a column. */
static stack stack_of(const gl_array *array, int64_t ndim, int on_the_left)
{
  stack s = {.first = *array, .rows = 1, .columns = 1};
  if (ndim > 1 || on_the_left) {
    s.columns = array->shape[ndim - 1];
    s.column_stride = array->stride[ndim - 1];
  }
  if (ndim > 1 || !on_the_left) {
    int64_t axis = ndim > 1 ? ndim - 2 : 0;
    s.rows = array->shape[axis];
    s.row_stride = array->stride[axis];
  }
  return s;
}

/* Broadcast the axes before the last two: their extents into shape[batch], the steps into `a` and `b`. */
static int broadcast_batch(gl_frame *frame, stack *a, int64_t a_batch, stack *b, int64_t b_batch, int64_t batch,
                           int64_t *shape)
{
  stack *operands[2] = {a, b};
  int64_t own[2] = {a_batch, b_batch};
  for (int64_t d = 0; d < batch; d++) {
    shape[d] = 1;
    for (int k = 0; k < 2; k++) {
      int64_t axis = d - (batch - own[k]);
      if (axis < 0 || operands[k]->first.shape[axis] == 1)
        continue;
      if (shape[d] != 1 && shape[d] != operands[k]->first.shape[axis])
        return gl_fail(frame, GL_ERROR_BROADCAST, 0, 1, d, shape[d], operands[k]->first.shape[axis]);
      shape[d] = operands[k]->first.shape[axis];
      operands[k]->step[d] = operands[k]->first.stride[axis];
    }
  }
  return 0;
}

/* The matrix at which the stack stands; that of the step before, if it still stands there. */
static int take(gl_frame *frame, stack *s, int32_t itemsize)
{
  if (s->taken == s->first.data)
    return 0;
  gl_memory_drop(s->m.packed);
  s->taken = s->first.data;
  return matrix_of(frame, &s->m, &s->first, s->rows, s->columns, s->row_stride, s->column_stride, itemsize);
}

/* Every product of the batch, one after the other, into the C-contiguous `out`. */
static int products(gl_frame *frame, int64_t batch, const int64_t *shape, stack *a, stack *b, char *out,
                    int32_t itemsize)
{
  int64_t at[GL_MAX_NDIM] = {0}, d;
  do {
    int failed = take(frame, a, itemsize);
    if (!failed)
      failed = take(frame, b, itemsize);
    if (failed)
      return failed;
    product(&a->m, &b->m, out, itemsize == 4);
    out += a->rows * b->columns * itemsize;
    for (d = batch - 1; d >= 0; d--) { /* step the axes of the batch like a counter */
      a->first.data += a->step[d];
      b->first.data += b->step[d];
      if (++at[d] < shape[d])
        break;
      a->first.data -= shape[d] * a->step[d];
      b->first.data -= shape[d] * b->step[d];
      at[d] = 0;
    }
  } while (d >= 0);
  return 0;
}

int gl_matmul(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  int64_t a_batch = params[0] > 2 ? params[0] - 2 : 0, b_batch = params[1] > 2 ? params[1] - 2 : 0;
  int64_t batch = a_batch > b_batch ? a_batch : b_batch, shape[GL_MAX_NDIM];
  int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize, ndim = (int32_t)batch;
  stack a = stack_of(&frame->arrays[slots[1]], params[0], 1), b = stack_of(&frame->arrays[slots[2]], params[1], 0);
  if (a.columns != b.rows)
    return gl_fail(frame, GL_ERROR_MATMUL, a.columns, b.rows);
  if (a.rows > INT_MAX || b.columns > INT_MAX || a.columns > INT_MAX)
    return gl_fail(frame, GL_ERROR_SIZE, 0);
  int failed = broadcast_batch(frame, &a, a_batch, &b, b_batch, batch, shape);
  if (failed)
    return failed;
  if (params[0] > 1)
    shape[ndim++] = a.rows;
  if (params[1] > 1)
    shape[ndim++] = b.columns;
  failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  char *out = frame->arrays[slots[0]].data;
  int64_t elements = gl_elements(ndim, shape);
  if (elements == 0 || a.columns == 0) {
    memset(out, 0, (size_t)(elements * itemsize));
    return 0;
  }
  failed = products(frame, batch, shape, &a, &b, out, itemsize);
  gl_memory_drop(a.m.packed);
  gl_memory_drop(b.m.packed);
  return failed;
}
