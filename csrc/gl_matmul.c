/* Products of matrices by BLAS pointers. Operands are float32 or float64 (told apart by their itemsize); other
 * dtypes are computed by host calls. */
#include "gl_matmul.h"
#include "gl_pool.h"

#include <limits.h>
#include <string.h>

gl_blas gl_blas_table;

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

static int matrix_of(gl_frame *frame, gl_matrix *m, char *data, int64_t rows, int64_t columns,
                     int64_t row_stride, int64_t column_stride, int32_t itemsize)
{
  *m = (gl_matrix){.data = data, .rows = rows, .columns = columns};
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
  failed = gl_copy_asking(frame, 2, shape, itemsize, m->packed, to, data, from);
  m->row_stride = columns;
  m->column_stride = 1;
  return failed;
}

/* The transposition letter and leading dimension of what Fortran sees as `m` transposed. */
static char letter(const gl_matrix *m, int *leading)
{
  int by_rows = m->column_stride == 1 && m->row_stride >= m->columns;
  int64_t step = by_rows ? m->row_stride : m->column_stride;
  *leading = (int)(step > 0 ? step : 1);
  return by_rows ? 'N' : 'T';
}

/* The four products. Fortran's order is the other way round, so what it computes is out' = b' a'. */

static void dot(const gl_matrix *a, const gl_matrix *b, char *out, int single)
{
  int k = (int)a->columns, step_a = (int)a->column_stride, step_b = (int)b->row_stride;
  if (single)
    *(float *)out = gl_blas_table.sdot(&k, (float *)a->data, &step_a, (float *)b->data, &step_b);
  else
    *(double *)out = gl_blas_table.ddot(&k, (double *)a->data, &step_a, (double *)b->data, &step_b);
}

/* out = m v, or m' v where `turned`; the elements of v are `step` apart. */
static void gemv(const gl_matrix *m, int turned, char *v, int64_t step, char *out, int single)
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

/* A product as BLAS is told of it; parts of it are computed by themselves. */
typedef struct gemm_job {
  const gl_matrix *a, *b;
  char *out;
  int single, lda, ldb;
  char turn_a, turn_b;
  int by_columns;       /* what a piece is: `step` columns of the result, or rows */
  int64_t step, k_step; /* and so much of the sums is added at a time */
} gemm_job;

/* `rows` x `columns` of the result, from `row` and `column` on: the part of its sums from `k` on, added if k is not 0. */
static void part_of_gemm(const gemm_job *job, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t k,
                         int64_t length)
{
  const gl_matrix *a = job->a, *b = job->b;
  const int itemsize = job->single ? 4 : 8;
  char *from_a = a->data + (row * a->row_stride + k * a->column_stride) * itemsize;
  char *from_b = b->data + (k * b->row_stride + column * b->column_stride) * itemsize;
  char *to = job->out + (row * b->columns + column) * itemsize, turn_a = job->turn_a, turn_b = job->turn_b;
  int m = (int)columns, n = (int)rows, l = (int)length, lda = job->lda, ldb = job->ldb, ldc = (int)b->columns;
  if (job->single) {
    float one = 1, rest = k > 0;
    gl_blas_table.sgemm(&turn_b, &turn_a, &m, &n, &l, &one, (float *)from_b, &ldb, (float *)from_a, &lda, &rest,
                        (float *)to, &ldc);
  } else {
    double one = 1, rest = k > 0;
    gl_blas_table.dgemm(&turn_b, &turn_a, &m, &n, &l, &one, (double *)from_b, &ldb, (double *)from_a, &lda, &rest,
                        (double *)to, &ldc);
  }
}

static void piece_of_gemm(void *context, int64_t piece, int32_t thread)
{
  const gemm_job *job = context;
  const int64_t all = job->by_columns ? job->b->columns : job->a->rows, first = piece * job->step;
  const int64_t count = all - first < job->step ? all - first : job->step, sum = job->a->columns;
  (void)thread;
  for (int64_t k = 0; k < sum; k += job->k_step) {
    const int64_t length = sum - k < job->k_step ? sum - k : job->k_step;
    if (job->by_columns)
      part_of_gemm(job, 0, job->a->rows, first, count, k, length);
    else
      part_of_gemm(job, first, count, 0, job->b->columns, k, length);
  }
}

#define SMALL 500000 /* multiplications: OpenBLAS copies no operand of up to 1e6 of them, and uses one thread */
#define THIN 16384   /* of the product of the two shorter extents */
#define STRIP 32

/* Products of which only one extent is long - tall matrices of data with small ones of weights, and gradients of these -
 * are cut into small ones: packing operands takes BLAS as long there as a third of the arithmetic. How they are cut
 * depends on the extents alone, so any number of threads gives the same bits. */
static int is_thin(gemm_job *job)
{
  const int64_t rows = job->a->rows, columns = job->b->columns, sum = job->a->columns;
  const int64_t wide = rows > columns ? rows : columns, longest = wide > sum ? wide : sum;
  const double all = (double)rows * (double)columns * (double)sum;
  if (all <= 2.0 * SMALL || all / (double)longest > THIN || job->turn_b == 'T') /* which small ones are slow with */
    return 0;
  job->by_columns = columns > rows;
  job->step = sum == longest ? STRIP : SMALL / (rows * columns * sum / longest) / 16 * 16;
  job->k_step = sum == longest ? SMALL / (STRIP * (rows < columns ? rows : columns)) / 8 * 8 : sum;
  return 1;
}

#define LONG 4e9        /* multiplications: from here on BLAS is called for pieces, between which the user may stop it */
#define LONG_PIECE 1e9  /* so many are in a piece, and packing its operands takes less than a hundredth of its time */
#define LONG_SUM 4096   /* and so long are its sums; BLAS itself adds up less at a time */

/* Into how many pieces of at most `most` to cut `extent`, all alike, and how large they are. */
static int64_t even(int64_t extent, int64_t most)
{
  const int64_t pieces = (extent + most - 1) / most, each = (extent + pieces - 1) / pieces;
  return (each + STRIP - 1) / STRIP * STRIP;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* The extents of a piece of a long product depend on those of the product alone. */
static void long_piece(const gemm_job *job, int64_t *rows, int64_t *columns, int64_t *sum)
{
  const int64_t all_rows = job->a->rows, all_columns = job->b->columns;
  *sum = even(job->a->columns, LONG_SUM);
  const double area = LONG_PIECE / (double)*sum;
  const int64_t side = (int64_t)__builtin_sqrt(area);
  *rows = all_columns < side ? (int64_t)(area / (double)all_columns) : side;
  *rows = even(all_rows, *rows < all_rows ? *rows : all_rows);
  *columns = (int64_t)(area / (double)least(*rows, all_rows));
  *columns = even(all_columns, *columns < all_columns ? *columns : all_columns);
}

/* `rows` rows from `row` on of a long product, and of its columns those before `end`. */
static int long_rows(gl_frame *frame, const gemm_job *job, int64_t row, int64_t rows, int64_t end, int64_t columns,
                     int64_t sum)
{
  int stopped = 0;
  for (int64_t column = 0; !stopped && column < end; column += columns)
    for (int64_t k = 0; !stopped && k < job->a->columns; k += sum) {
      part_of_gemm(job, row, rows, column, least(columns, end - column), k, least(sum, job->a->columns - k));
      stopped = gl_stopped(frame);
    }
  return stopped;
}

static int gemm(gl_frame *frame, const gl_matrix *a, const gl_matrix *b, char *out, int single)
{
  gemm_job job = {.a = a, .b = b, .out = out, .single = single};
  job.turn_b = letter(b, &job.ldb);
  job.turn_a = letter(a, &job.lda);
  if (is_thin(&job)) {
    const int64_t all = job.by_columns ? b->columns : a->rows;
    return gl_run_shared(frame, piece_of_gemm, &job, (all + job.step - 1) / job.step, gl_pool_threads());
  }
  if ((double)a->rows * (double)a->columns * (double)b->columns < LONG) {
    part_of_gemm(&job, 0, a->rows, 0, b->columns, 0, a->columns);
    return 0;
  }
  int64_t rows, columns, sum;
  int stopped = 0;
  long_piece(&job, &rows, &columns, &sum);
  for (int64_t row = 0; !stopped && row < a->rows; row += rows)
    stopped = long_rows(frame, &job, row, least(rows, a->rows - row), b->columns, columns, sum);
  return stopped;
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

/* The lower triangle of `rows` rows of a a', from `row` on, less the columns before them; its sums `length` at a time. */
static int triangle(gl_frame *frame, const gl_matrix *a, int64_t row, int64_t rows, char *out, int single, int64_t length)
{
  const int64_t itemsize = single ? 4 : 8;
  int n = (int)rows, leading, ldc = (int)a->rows, stopped = 0;
  char lower = 'U', turn = letter(a, &leading) == 'N' ? 'T' : 'N'; /* our lower triangle is Fortran's upper one */
  out += (row * a->rows + row) * itemsize;
  for (int64_t first = 0; !stopped && first < a->columns; first += length) {
    char *from = a->data + (row * a->row_stride + first * a->column_stride) * itemsize;
    int k = (int)least(length, a->columns - first);
    if (single) {
      float one = 1, rest = first > 0;
      gl_blas_table.ssyrk(&lower, &turn, &n, &k, &one, (float *)from, &leading, &rest, (float *)out, &ldc);
    } else {
      double one = 1, rest = first > 0;
      gl_blas_table.dsyrk(&lower, &turn, &n, &k, &one, (double *)from, &leading, &rest, (double *)out, &ldc);
    }
    stopped = length < a->columns ? gl_stopped(frame) : 0;
  }
  return stopped;
}

/* out = a a', where `b` is a': half of it is computed. */
static int syrk(gl_frame *frame, const gl_matrix *a, const gl_matrix *b, char *out, int single)
{
  int stopped = 0;
  if ((double)a->rows * (double)a->rows * (double)a->columns < 2 * LONG) {
    stopped = triangle(frame, a, 0, a->rows, out, single, a->columns);
  } else {
    gemm_job job = {.a = a, .b = b, .out = out, .single = single};
    int64_t rows, columns, sum;
    job.turn_b = letter(b, &job.ldb);
    job.turn_a = letter(a, &job.lda);
    long_piece(&job, &rows, &columns, &sum);
    for (int64_t row = 0; !stopped && row < a->rows; row += rows) {
      const int64_t some = least(rows, a->rows - row);
      stopped = long_rows(frame, &job, row, some, row, columns, sum);
      if (!stopped)
        stopped = triangle(frame, a, row, some, out, single, sum);
    }
  }
  if (!stopped)
    mirror(out, a->rows, single ? 4 : 8);
  return stopped;
}

#define MIN_SYRK 64 /* smaller products are faster as a whole, as measured with OpenBLAS */

/* Whether `b` is `a` transposed, the same memory, and large enough that half a product takes less time. */
static int is_turned(const gl_matrix *a, const gl_matrix *b)
{
  return a->data == b->data && a->rows == b->columns && a->row_stride == b->column_stride &&
         a->column_stride == b->row_stride && a->rows >= MIN_SYRK;
}

static int one_product(gl_frame *frame, const gl_matrix *a, const gl_matrix *b, char *out, int single)
{
  if (a->rows > 1 && b->columns > 1)
    return is_turned(a, b) ? syrk(frame, a, b, out, single) : gemm(frame, a, b, out, single);
  if (a->rows == 1 && b->columns == 1)
    dot(a, b, out, single);
  else if (b->columns == 1)
    gemv(a, 0, b->data, b->row_stride, out, single);
  else
    gemv(b, 1, a->data, a->column_stride, out, single);
  return 0;
}

/* `array` of `ndim` axes; a vector is a row (on the left) or a column. */
static gl_matrices matrices_of(const gl_array *array, int64_t ndim, int on_the_left)
{
  gl_matrices s = {.data = array->data, .rows = 1, .columns = 1};
  if (ndim > 1 || on_the_left) {
    s.columns = array->shape[ndim - 1];
    s.column_stride = array->stride[ndim - 1];
  }
  if (ndim > 1 || !on_the_left) {
    const int64_t axis = ndim > 1 ? ndim - 2 : 0;
    s.rows = array->shape[axis];
    s.row_stride = array->stride[axis];
  }
  return s;
}

/* Broadcast the axes before the last two: their extents into the product's shape, the steps into its operands. */
static int broadcast_batch(gl_frame *frame, gl_product *p, const int32_t *slots, const int64_t *own)
{
  gl_matrices *operands[2] = {&p->a, &p->b};
  for (int64_t d = 0; d < p->batch; d++) {
    p->shape[d] = 1;
    for (int k = 0; k < 2; k++) {
      const gl_array *array = &frame->arrays[slots[1 + k]];
      const int64_t axis = d - (p->batch - own[k]);
      if (axis < 0 || array->shape[axis] == 1)
        continue;
      if (p->shape[d] != 1 && p->shape[d] != array->shape[axis])
        return gl_fail(frame, GL_ERROR_BROADCAST, 0, 1, d, p->shape[d], array->shape[axis]);
      p->shape[d] = array->shape[axis];
      operands[k]->step[d] = array->stride[axis];
    }
  }
  return 0;
}

/* Axes of the batch along which all is multiplied by one matrix are rows of one product, if they lie like rows. */
static void batch_to_rows(gl_product *p)
{
  gl_matrices *a = &p->a;
  for (; p->batch > 0; p->batch--) {
    const int64_t d = p->batch - 1, extent = p->shape[d];
    if (extent == 1)
      continue;
    if (p->b.step[d] || a->rows * extent > INT_MAX || (a->rows > 1 && a->step[d] != a->rows * a->row_stride))
      return;
    if (a->rows == 1)
      a->row_stride = a->step[d];
    a->rows *= extent;
  }
}

/* The matrix at which the operand stands; that of the step before, if it still stands there. */
static int take(gl_frame *frame, gl_matrices *s, int32_t itemsize)
{
  if (s->taken == s->data)
    return 0;
  gl_memory_drop(s->matrix.packed);
  s->taken = s->data;
  return matrix_of(frame, &s->matrix, s->data, s->rows, s->columns, s->row_stride, s->column_stride, itemsize);
}

int gl_product_plan(gl_frame *frame, const int32_t *slots, const int64_t *params, gl_product *product)
{
  const int64_t own[2] = {params[0] > 2 ? params[0] - 2 : 0, params[1] > 2 ? params[1] - 2 : 0};
  int64_t shape[GL_MAX_NDIM];
  *product = (gl_product){
      .a = matrices_of(&frame->arrays[slots[1]], params[0], 1), .b = matrices_of(&frame->arrays[slots[2]], params[1], 0),
      .batch = own[0] > own[1] ? own[0] : own[1], .itemsize = gl_call_of(frame)->slots[slots[0]].itemsize};
  const gl_matrices *a = &product->a, *b = &product->b;
  if (a->columns != b->rows)
    return gl_fail(frame, GL_ERROR_MATMUL, a->columns, b->rows);
  if (a->rows > INT_MAX || b->columns > INT_MAX || a->columns > INT_MAX)
    return gl_fail(frame, GL_ERROR_SIZE, 0);
  int failed = broadcast_batch(frame, product, slots, own);
  if (failed)
    return failed;
  int32_t ndim = (int32_t)product->batch;
  memcpy(shape, product->shape, sizeof shape);
  if (params[0] > 1)
    shape[ndim++] = a->rows;
  if (params[1] > 1)
    shape[ndim++] = b->columns;
  failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  product->elements = gl_elements(ndim, shape);
  batch_to_rows(product);
  return 0;
}

int gl_product_run(gl_frame *frame, gl_product *product, char *first_a, char *first_b, char *out)
{
  gl_matrices *a = &product->a, *b = &product->b;
  const int32_t itemsize = product->itemsize;
  int64_t at[GL_MAX_NDIM] = {0}, d, done = 0;
  const int64_t work = a->rows * a->columns + b->columns * a->columns; /* at least */
  if (product->elements == 0 || a->columns == 0) {
    memset(out, 0, (size_t)(product->elements * itemsize));
    return 0;
  }
  a->data = first_a;
  b->data = first_b;
  a->taken = a->moves ? NULL : a->taken;
  b->taken = b->moves ? NULL : b->taken;
  do {
    int failed = take(frame, a, itemsize);
    if (!failed)
      failed = take(frame, b, itemsize);
    if (!failed)
      failed = one_product(frame, &a->matrix, &b->matrix, out, itemsize == 4);
    if (!failed && (done += work) >= GL_ASK_BYTES) { /* many small ones, or one with a vector */
      done = 0;
      failed = gl_stopped(frame);
    }
    if (failed)
      return failed;
    out += a->rows * b->columns * itemsize;
    for (d = product->batch - 1; d >= 0; d--) { /* step the axes of the batch like a counter */
      a->data += a->step[d];
      b->data += b->step[d];
      if (++at[d] < product->shape[d])
        break;
      a->data -= product->shape[d] * a->step[d];
      b->data -= product->shape[d] * b->step[d];
      at[d] = 0;
    }
  } while (d >= 0);
  return 0;
}

void gl_product_end(gl_product *product)
{
  gl_memory_drop(product->a.matrix.packed);
  gl_memory_drop(product->b.matrix.packed);
  product->a.matrix.packed = product->b.matrix.packed = NULL;
}

int gl_matmul(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  gl_product product;
  int failed = gl_product_plan(frame, slots, params, &product);
  if (failed)
    return failed;
  failed = gl_product_run(frame, &product, product.a.data, product.b.data, frame->arrays[slots[0]].data);
  gl_product_end(&product);
  return failed;
}
