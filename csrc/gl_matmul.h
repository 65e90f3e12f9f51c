/* Products of matrices, planned for operands of given extents and strides, then run wherever these lie. */
#ifndef GL_MATMUL_H
#define GL_MATMUL_H

#include "gl_runtime.h"

/* An operand as BLAS can take it: rows x columns, one of the two strides (in elements) being 1. */
typedef struct gl_matrix {
  char *data;
  int64_t rows, columns, row_stride, column_stride;
  char *packed; /* a copy of ours, to be freed */
} gl_matrix;

/* One operand of a batch: matrices that lie where the counters of the batch say. */
typedef struct gl_matrices {
  char *data; /* of the one where the counters stand */
  int64_t rows, columns, row_stride, column_stride;
  int64_t step[GL_MAX_NDIM]; /* bytes to the next along each axis of the batch; 0 where it is broadcast */
  gl_matrix matrix;
  const char *taken; /* of what `matrix` was made */
  int moves;         /* in each run other elements lie there */
} gl_matrices;

typedef struct gl_product {
  gl_matrices a, b;
  int64_t batch, shape[GL_MAX_NDIM]; /* the axes of the batch */
  int64_t elements; /* of the result */
  int32_t itemsize;
} gl_product;

/* Plan the product of gl_api.matmul and allocate its result. */
int gl_product_plan(gl_frame *frame, const int32_t *slots, const int64_t *params, gl_product *product);
/* Compute it from operands that begin at `a` and `b` into `out`, in C order. */
int gl_product_run(gl_frame *frame, gl_product *product, char *a, char *b, char *out);
/* Give back what runs kept. */
void gl_product_end(gl_product *product);

#endif
