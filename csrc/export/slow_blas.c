/* SLOW: the routines of BLAS that the runtime calls, as plain loops, for where there is no BLAS. Ten to a
 * hundred times slower on large matrices. Link a real one instead: make BLAS=-lopenblas. */

#define ROUTINES(T, gemm, gemv, dot, syrk)                                                                          \
  void gemm(char *turn_a, char *turn_b, int *m, int *n, int *k, T *alpha, T *a, int *lda, T *b, int *ldb, T *beta,  \
            T *c, int *ldc)                                                                                         \
  {                                                                                                                 \
    long a_row = *turn_a == 'N' ? 1 : *lda, a_column = *turn_a == 'N' ? *lda : 1;                                   \
    long b_row = *turn_b == 'N' ? 1 : *ldb, b_column = *turn_b == 'N' ? *ldb : 1;                                   \
    for (long j = 0; j < *n; j++) {                                                                                 \
      T *out = c + j * *ldc;                                                                                        \
      for (long i = 0; i < *m; i++)                                                                                 \
        out[i] = *beta == 0 ? 0 : *beta * out[i];                                                                   \
      for (long l = 0; l < *k; l++) {                                                                               \
        T x = *alpha * b[l * b_row + j * b_column];                                                                 \
        for (long i = 0; i < *m; i++)                                                                               \
          out[i] += x * a[i * a_row + l * a_column];                                                                \
      }                                                                                                             \
    }                                                                                                               \
  }                                                                                                                 \
                                                                                                                    \
  void gemv(char *turn, int *m, int *n, T *alpha, T *a, int *lda, T *x, int *step_x, T *beta, T *y, int *step_y)    \
  {                                                                                                                 \
    long rows = *turn == 'N' ? *m : *n, columns = *turn == 'N' ? *n : *m;                                           \
    long row = *turn == 'N' ? 1 : *lda, column = *turn == 'N' ? *lda : 1;                                           \
    T *from = *step_x < 0 ? x - (columns - 1) * (long)*step_x : x;                                                  \
    T *to = *step_y < 0 ? y - (rows - 1) * (long)*step_y : y;                                                       \
    for (long i = 0; i < rows; i++) {                                                                               \
      T sum = 0;                                                                                                    \
      for (long j = 0; j < columns; j++)                                                                            \
        sum += a[i * row + j * column] * from[j * *step_x];                                                         \
      T *out = to + i * *step_y;                                                                                    \
      *out = *alpha * sum + (*beta == 0 ? 0 : *beta * *out);                                                        \
    }                                                                                                               \
  }                                                                                                                 \
                                                                                                                    \
  T dot(int *n, T *x, int *step_x, T *y, int *step_y)                                                               \
  {                                                                                                                 \
    T sum = 0, *a = *step_x < 0 ? x - (*n - 1) * (long)*step_x : x;                                                 \
    T *b = *step_y < 0 ? y - (*n - 1) * (long)*step_y : y;                                                          \
    for (long i = 0; i < *n; i++)                                                                                   \
      sum += a[i * *step_x] * b[i * *step_y];                                                                       \
    return sum;                                                                                                     \
  }                                                                                                                 \
                                                                                                                    \
  void syrk(char *half, char *turn, int *n, int *k, T *alpha, T *a, int *lda, T *beta, T *c, int *ldc)              \
  {                                                                                                                 \
    long row = *turn == 'N' ? 1 : *lda, column = *turn == 'N' ? *lda : 1;                                           \
    for (long j = 0; j < *n; j++)                                                                                   \
      for (long i = *half == 'U' ? 0 : j; i < (*half == 'U' ? j + 1 : *n); i++) {                                   \
        T sum = 0, *out = c + i + j * *ldc;                                                                         \
        for (long l = 0; l < *k; l++)                                                                               \
          sum += a[i * row + l * column] * a[j * row + l * column];                                                 \
        *out = *alpha * sum + (*beta == 0 ? 0 : *beta * *out);                                                      \
      }                                                                                                             \
  }

ROUTINES(double, dgemm_, dgemv_, ddot_, dsyrk_)
ROUTINES(float, sgemm_, sgemv_, sdot_, ssyrk_)
