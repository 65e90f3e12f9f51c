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
  GL_ERROR_WINDOW,      /* window, dilation, axis, extent: such windows do not lie along the axis */
  GL_ERROR_PARAMETER,   /* parameter: a distribution is not defined for a value of it */
  GL_ERROR_TURNS,       /* sequence, its extent, the number of turns */
  GL_ERROR_STARTS,      /* carried value, how many are stacked in its start, how many it needs */
  GL_ERROR_CARRIED,     /* carried value, axis, extent, its extent the turn before */
  GL_ERROR_STACKED,     /* collected value, axis, extent, its extent in the first turn */
  GL_ERROR_NAN,         /* output: it has a NaN, which this program is not to give */
  GL_ERROR_KINDS
};

/* The words of gl_api.index. */
enum gl_entry { GL_ENTRY_NEW_AXIS = 0, GL_ENTRY_ELEMENT = 1, GL_ENTRY_SLICE = 2, GL_ENTRY_ARRAY = 3 };
enum gl_number {
  GL_NUMBER_ABSENT = 0, /* as None in a slice */
  GL_NUMBER_STATIC = 1, /* the value itself */
  GL_NUMBER_SCALAR = 2  /* the next of the integer scalars; the value is not used */
};

/* Element types as params name them: the order is that of dtypes.ALL. */
enum gl_dtype {
  GL_DTYPE_BOOL = 0, GL_DTYPE_INT8, GL_DTYPE_INT16, GL_DTYPE_INT32, GL_DTYPE_INT64, GL_DTYPE_UINT8,
  GL_DTYPE_UINT16, GL_DTYPE_UINT32, GL_DTYPE_UINT64, GL_DTYPE_FLOAT16, GL_DTYPE_FLOAT32, GL_DTYPE_FLOAT64,
  GL_DTYPE_COMPLEX64, GL_DTYPE_COMPLEX128, GL_DTYPES
};

/* The words of gl_api.draw: distributions of double or int64; _F: of float; GL_INT8 ...: integers of a range. */
enum gl_distribution {
  GL_RANDOM = 0, GL_RANDOM_F, GL_BERNOULLI, GL_UNIFORM, GL_UNIFORM_F, GL_STANDARD_NORMAL, GL_STANDARD_NORMAL_F,
  GL_NORMAL, GL_NORMAL_F, GL_STANDARD_EXPONENTIAL, GL_STANDARD_EXPONENTIAL_F, GL_EXPONENTIAL, GL_EXPONENTIAL_F,
  GL_STANDARD_GAMMA, GL_STANDARD_GAMMA_F, GL_GAMMA, GL_GAMMA_F, GL_BETA, GL_CHISQUARE, GL_F, GL_GUMBEL,
  GL_LAPLACE, GL_LOGISTIC, GL_LOGNORMAL, GL_PARETO, GL_POWER, GL_RAYLEIGH, GL_STANDARD_CAUCHY, GL_STANDARD_T,
  GL_VONMISES, GL_WALD, GL_WEIBULL, GL_BINOMIAL, GL_GEOMETRIC, GL_POISSON, GL_INT8, GL_INT16, GL_INT32,
  GL_INT64, GL_UINT8, GL_UINT16, GL_UINT32, GL_DISTRIBUTIONS
};

/* A loop nest over the broadcast of its inputs: see loops/ir.py, Nest. Operands: outputs, then inputs. The rest is
 * about its kernel: see loops/ir.py, Kernel. */
typedef struct gl_nest {
  int32_t ndim, n_outputs, n_inputs;
  const int32_t *slots;     /* n_outputs + n_inputs slots */
  const uint8_t *reduce;    /* ndim flags: this axis is reduced */
  const int8_t *axes;       /* for each operand, for each of its axes: the axis of the nest, or -1: its extent is 1 */
  int32_t sorts, few;       /* see Nest: in which order axes may come */
  const int64_t *takes;     /* for each output the input, from 0, whose memory it may have, or -1; NULL: none may */
  int32_t cost;             /* of an element */
  int32_t scratch;          /* bytes for each element of a row */
  int32_t folds, block;     /* a kernel that can fold in parts: its folds, and how many elements a block has; else 0 */
  int32_t asks;             /* it calls functions that may ask for Python's lock */
  int32_t beside;           /* see Nest: operands are side by side */
} gl_nest;

/* A generated kernel, on the extents of its nest, the byte strides of its operands along it, and where they begin. Any
 * part of a nest is one too: fewer along an axis, from another place on. Behind the extents is how many rows the whole
 * nest has along the last two of the kept axes; behind the operands in `data` the memory for a row, or the gl_parts of
 * a kernel that can fold in parts. A kernel of operands side by side gets one extent, and looks at no stride. */
typedef int (*gl_kernel)(const int64_t *extent, const int64_t *stride, char *const *data);

/* For a kernel that folds all elements, or those of each of `rows`: what was folded before, or is to be folded for later.
 * The blocks' values are the leaves of a tree; a part is the value of a node of it, of a whole subtree with 2^level
 * blocks, for each row. */
typedef struct gl_parts {
  int64_t rows;     /* 0, where there is a row at all: they are folded in another way, and not in parts */
  int64_t count;    /* so many parts come before these elements; -1: these elements are parts, side by side */
  int64_t level;
  int64_t elements; /* how many are in the parts before */
  char *memory;     /* part after part, GL_PART bytes for each fold of each row */
} gl_parts;

#define GL_PART 16

/* At the end of a kernel: the upper parts of the vector registers are free. Where they are not, older instructions behind
 * it, and the next kernel, wait on some processors: 0.3 us of a call of 1 us. GCC sees to that itself only where it
 * optimises more than is asked of it here. */
#ifdef __AVX__
#define GL_DONE_WITH_VECTORS() __builtin_ia32_vzeroupper()
#else
#define GL_DONE_WITH_VECTORS() ((void)0)
#endif

/* Values that a loop collects: see loops/ir.py, Stack. */
typedef struct gl_collected {
  int32_t stack, value, keep, backwards; /* value -1: it is in no slot; keep -1: all */
} gl_collected;

/* A loop of steps: see loops/ir.py, Loop. All numbers but the counts are slots; -1: there is none. */
typedef struct gl_loop {
  int32_t n_elements, n_carried, n_stacks;
  int32_t turns, made;
  const int32_t *elements; /* n_elements pairs: sequence, its element of this turn */
  const int32_t *carried;  /* n_carried times: start, new, next, final */
  const int32_t *depths;   /* n_carried: how many past values each keeps */
  const int32_t *past;     /* those, one carried value after the other, the youngest first */
  const gl_collected *stacks;
} gl_loop;

/* A loop over single elements that is one kernel: see loops/ir.py, Turns. Slots; -1: there is none. */
typedef struct gl_turns {
  int32_t n_stacks, n_carried, n_sequences, n_constants;
  int32_t until; /* whether a turn may end the loop */
  int32_t turns, made;
  const gl_collected *stacks;
  const int32_t *carried; /* n_carried times: start, how many past values, final */
  const int32_t *sequences, *constants;
} gl_turns;

/* Every function of the runtime that a step may call has this form; 0 is success. */
typedef int (*gl_function)(gl_frame *frame, const int32_t *slots, const int64_t *params);

/* A step of a loop whose turns are planned once: see loops/steady.py. */
enum gl_steady_kind { GL_STEADY_KERNEL = 0, GL_STEADY_PRODUCT, GL_STEADY_VIEW, GL_STEADY_FIXED };
typedef struct gl_steady_step {
  int32_t kind;
  const gl_nest *nest; /* of a kernel, and NULL for a call */
  gl_kernel kernel;
  gl_function function;
  const int32_t *slots;
  const int64_t *params;
} gl_steady_step;

/* The runtime's table; the order is part of the ABI. Beside each function: its slots; its params. */
typedef struct gl_api {
  /* Broadcast, allocate outputs, fill extent[ndim], stride[operand * ndim + axis], data[operand]. */
  int (*nest)(gl_frame *frame, const gl_nest *nest, int64_t *extent, int64_t *stride, char **data);
  /* That, and then the kernel, in pieces and by several threads where there is much to do. */
  int (*run)(gl_frame *frame, const gl_nest *nest, gl_kernel kernel);
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
  /* out, a, b: by BLAS (gemm, gemv, dot) for each place of the broadcast leading axes; ndim of a, ndim of b */
  gl_function matmul;
  /* out, in, like: in summed to the shape of like, a view if nothing is summed; ndim of in, ndim of like */
  gl_function sum_to;
  /* out, in, window vector (int64): a view, in which each window over the last axes is an array of its own,
   * on new axes at the end; how many axes, between windows how many elements along each, inside them too */
  gl_function windows;
  /* out, windows, vector (int64) of the extents over which they lie: its transpose, what meets is added; as windows */
  gl_function fold_windows;
  /* out, images, filters: a convolution without padding; groups, how many axes, strides, dilations */
  gl_function convolve;
  /* out, images, cotangents of the convolution, vector (int64) of the filters' extents: of the filters; as convolve */
  gl_function convolve_filters;
  /* out, cotangents of the convolution, filters, vector (int64) of the images' extents: of the images; as convolve */
  gl_function convolve_images;
  /* out, in: the largest element of each window over the last axes; how many axes, extents of a window, how many
   * elements from window to window along each */
  gl_function max_pool;
  /* out, in, the largest elements of its windows, of which no two meet, and their cotangents: of in; as max_pool */
  gl_function max_pool_input;
  /* state afterwards, out, state (uint64 vector), size vector (int64) if there is one, parameters (double or
   * int64)...: numbers from a random stream; GL_... distribution, whether there is a size, ndim of out, how
   * many parameters, whether a range of integers has its upper end */
  gl_function draw;
  /* out becomes another name for in */
  int (*share)(gl_frame *frame, int32_t out, int32_t in);
  /* Check the sequences, set the past values, find the number of turns. */
  int (*loop_begin)(gl_frame *frame, const gl_loop *loop, int64_t *turns);
  /* Set the elements of turn t; zeros if t is below 0. */
  int (*loop_turn)(gl_frame *frame, const gl_loop *loop, int64_t t);
  /* Collect the values of turn t and carry the new ones on. */
  int (*loop_keep)(gl_frame *frame, const gl_loop *loop, int64_t turns, int64_t t);
  /* The turns from *t on of a loop whose body is such steps; *t is then the first that is still to be run. */
  int (*loop_steady)(gl_frame *frame, const gl_loop *loop, const gl_steady_step *steps, int32_t n_steps, int64_t turns,
                     int64_t *t);
  /* What remains after `made` turns. */
  int (*loop_end)(gl_frame *frame, const gl_loop *loop, int64_t made);
  /* All turns of such a loop, its operands being stacks, past values, (what an `until` says), sequences, constants. */
  int (*turns)(gl_frame *frame, const gl_turns *loop, gl_kernel kernel);
  /* out, in, index inputs...: a copy of the part that a key with index arrays selects; the axis of out before
   * which the axes of the arrays stand, how many these are, then as for index, where an entry may also be 3
   * and a dtype: the next input, an array of integers */
  gl_function gather;
  /* out, in, values, index inputs...: in with the part replaced by the values, or increased by them, in C order
   * of the index arrays; whether it is increased, the dtype, then as for gather */
  gl_function scatter;
  /* as scatter, where nobody needs `in` afterwards: out may have its memory */
  gl_function scatter_into;
  /* out (int64), in: where the first largest or smallest element along an axis is, or the first NaN; the dtype,
   * whether the largest, the axis, whether that axis stays */
  gl_function arg_extreme;
  /* out, in: running sums or products along an axis; the dtype, whether products, the axis */
  gl_function accumulate;
  /* out, start, stop, step (int64, or all double): the numbers from start before stop; the dtype of out (int64,
   * float or double), whether they are given as doubles */
  gl_function arange;
} gl_api;

/* What one call knows. Programs read `arrays` and `api`; the rest is the runtime's. */
struct gl_frame {
  gl_array *arrays;
  const gl_api *api;
  int32_t step; /* the step that runs: set by the program, read when an error is reported */
};

#endif
