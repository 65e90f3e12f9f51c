/* What generated C and the runtime share. This file is pasted, whole, at the top of every generated
 * program, so it includes nothing. Slots, steps and errors are described in docs/architecture.md. */
#ifndef GL_ABI_H
#define GL_ABI_H

#define GL_ABI_VERSION 1
#define GL_MAX_NDIM 16

typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ uint8_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;

/* One array: strides in bytes. `owner` is what keeps `data` alive (the runtime's business). */
typedef struct gl_array {
  char *data;
  void *owner;
  int64_t shape[GL_MAX_NDIM];
  int64_t stride[GL_MAX_NDIM];
} gl_array;

typedef struct gl_frame gl_frame;

/* Why a step failed. The runtime records the kind, the step and details in the frame; a step that
 * returns non-zero with nothing recorded failed with what it returned: `return GL_ERROR_EMPTY;`. */
enum gl_error_kind {
  GL_ERROR_MEMORY = 1,  /* bytes: malloc gave nothing */
  GL_ERROR_SIZE,        /* the number of bytes does not fit in 63 bits */
  GL_ERROR_BROADCAST,   /* operand, other operand, axis of the result, extent, other extent */
  GL_ERROR_RESHAPE,     /* elements of the input, elements of the shape (without its -1) */
  GL_ERROR_NEGATIVE,    /* axis, extent: an extent below 0 */
  GL_ERROR_INDEX,       /* axis, index, extent */
  GL_ERROR_STEP,        /* axis: a slice with step 0 */
  GL_ERROR_EMPTY,       /* a reduction without a first value over no elements */
  GL_ERROR_SQUEEZE,     /* axis, extent: dropping an axis whose extent is not 1 */
  GL_ERROR_CONCATENATE, /* operand, axis, extent, extent of operand 0 */
  GL_ERROR_MATMUL,      /* the two extents that should be equal */
  GL_ERROR_HOST,        /* Python raised; the exception itself is what the caller sees */
  GL_ERROR_ASSUMPTION,  /* what the program takes for granted does not hold: run the general one */
  GL_ERROR_KINDS
};

/* The words of gl_api.index. */
enum gl_entry { GL_ENTRY_NEW_AXIS = 0, GL_ENTRY_ELEMENT = 1, GL_ENTRY_SLICE = 2 };
enum gl_number {
  GL_NUMBER_ABSENT = 0, /* as None in a slice */
  GL_NUMBER_STATIC = 1, /* the value itself */
  GL_NUMBER_SCALAR = 2  /* the next of the integer scalars; the value is not used */
};

/* A loop nest over the broadcast of its inputs: see loops/ir.py, Nest. Operands: outputs, then inputs. */
typedef struct gl_nest {
  int32_t ndim, n_outputs, n_inputs;
  const int32_t *slots;     /* n_outputs + n_inputs slots */
  const uint8_t *reduce;    /* ndim flags: this axis is reduced */
  const uint8_t *reduced;   /* n_outputs flags: this output lacks the reduced axes */
  const uint8_t *keepdims;  /* n_outputs flags: ... or has them with extent 1 */
} gl_nest;

/* Every function of the runtime that a step may call has this form; 0 is success. */
typedef int (*gl_function)(gl_frame *frame, const int32_t *slots, const int64_t *params);

/* The runtime's table; the order is part of the ABI. Beside each function: its slots; its params. */
typedef struct gl_api {
  /* Broadcast, allocate outputs, fill extent[ndim], stride[operand * ndim + axis], data[operand]. */
  int (*nest)(gl_frame *frame, const gl_nest *nest, int64_t *extent, int64_t *stride, char **data);
  int (*host)(gl_frame *frame, int32_t index, int32_t n_inputs, const int32_t *inputs,
              int32_t n_outputs, const int32_t *outputs);
  void (*release)(gl_frame *frame, int32_t slot);
  /* out, in: a fresh C-contiguous copy */
  gl_function copy;
  /* out, in: a view; ndim of out, then for each of its axes the axis of in, or -1 for a new one */
  gl_function transpose;
  /* out, in, shape vector (int64): a view if there is one, else a copy; ndim of out, ndim of in */
  gl_function reshape;
  /* out, in, shape vector (int64): a view with stride 0; ndim of out, ndim of in */
  gl_function broadcast_to;
  /* out, in, integer scalars (int64)...: a view; ndim of in, ndim of out, how many entries, then for each
   * entry 0: a new axis; 1 and a number: that element; or 2 and the numbers start, stop, step. A number is
   * a mode (GL_NUMBER_*) and a value. Axes without an entry stay whole. */
  gl_function index;
  /* out (int64 vector), in; ndim of in */
  gl_function shape_of;
  /* out (int64 vector), scalars (int64)...; how many */
  gl_function stack_scalars;
  /* out, arrays...; axis, how many, ndim */
  gl_function concatenate;
  /* out, a, b: by BLAS (gemm, gemv, dot); ndim of a, ndim of b (each 1 or 2) */
  gl_function matmul;
  /* out, in, like: in summed to the shape of like, a view if nothing is summed; ndim of in, ndim of like */
  gl_function sum_to;
} gl_api;

/* What one call knows. Programs read `arrays` and `api`; the rest is the runtime's. */
struct gl_frame {
  gl_array *arrays;
  const gl_api *api;
  int32_t step; /* the step that runs: set by the program, read when an error is reported */
};

#endif
