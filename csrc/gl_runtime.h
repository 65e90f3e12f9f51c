/* The frame of a call and the memory it owns. There is no Python in here: what needs Python (arrays
 * that the caller will keep, host functions) goes through gl_hooks. */
#ifndef GL_RUNTIME_H
#define GL_RUNTIME_H

#include "gl_abi.h"
#include "gl_memory.h"

#define GL_TELLS __attribute__((warn_unused_result)) /* a caller that does not listen would lose an interrupt */
#define GL_DETAILS 5
#define GL_POOL 4

/* What is known of a slot before any call. */
typedef struct gl_slot {
  int32_t ndim, itemsize, is_output;
} gl_slot;

/* A piece of memory that slots point into. A view shares the block of what it views, so the block
 * lives until the last of them is released. `object` is the Python array whose memory it is; without
 * one the memory follows the header at distance GL_ALIGNMENT. */
typedef struct gl_block {
  int64_t count; /* slots and Python arrays that need it; changed atomically */
  void *object;
  int32_t home;   /* the slot whose value the object is, whole, or may become; -1 for none */
  int32_t pooled; /* the header lies in the call's pool */
} gl_block;

typedef struct gl_call gl_call;
typedef struct gl_watch gl_watch; /* gl_statistics.h */

/* What the runtime asks of Python. */
typedef struct gl_hooks {
  /* Make a fresh C-contiguous array of `shape` for the slot and set its data and owner. */
  int (*new_output)(gl_call *call, int32_t slot, const int64_t *shape);
  /* Give up one reference to a block's object. */
  void (*drop)(gl_call *call, void *object);
  /* Whether the run is to stop, since the user pressed Ctrl-C or a signal's handler raised. */
  int (*interrupted)(gl_call *call);
  /* What follows takes long: let other threads of Python's run meanwhile. Whether they can. */
  int (*let_go)(gl_call *call);
} gl_hooks;

typedef struct gl_error {
  int32_t kind, step, n_details; /* kind 0: no error */
  int64_t details[GL_DETAILS];
} gl_error;

/* Steps that finish a run do so in two parts: PLANNING may fail, and writes nothing; FINISHING can't fail. */
typedef enum gl_phase { GL_RUNNING = 0, GL_PLANNING, GL_FINISHING } gl_phase;
#define GL_PLANNED (-1) /* what a step returns that was only planned */

/* A frame with its private tail. */
struct gl_call {
  gl_frame frame; /* first: a gl_frame * that a step passes is a gl_call * */
  int32_t n_slots;
  const gl_slot *slots;
  const gl_hooks *hooks;
  gl_phase phase;
  int32_t taken; /* how many arrays were put where others died */
  gl_error error;
  int64_t asked; /* when `interrupted` was asked last, in ms */
  char *scratch; /* what kernels keep a row in: `scratch_bytes`, freed with the call */
  int64_t scratch_bytes;
  int32_t keep;  /* a debugger's frame: release does nothing */
  const gl_watch *watch; /* what is to be found out about the arrays of the run, or NULL */
  int32_t n_pooled;
  gl_block pool[GL_POOL]; /* headers for the first objects, to spare a malloc */
};

static inline gl_call *gl_call_of(gl_frame *frame) { return (gl_call *)frame; }

/* Record why the running step failed; the first reason stays. Returns the kind. */
int gl_record(gl_frame *frame, int32_t kind, int32_t n_details, const int64_t *details);
#define gl_fail(frame, kind, ...)                                              \
  gl_record((frame), (kind), sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
            (const int64_t[]){__VA_ARGS__})

/* Memory for a kernel, until the next call or the end of the run. */
int gl_scratch(gl_frame *frame, int64_t bytes, char **memory);
/* Put a fresh C-contiguous array of `shape` in the slot. */
int gl_allocate(gl_frame *frame, int32_t slot, const int64_t *shape);
/* Whether the user wants the run to stop, asked from time to time: then the error is recorded. What finishes a run is
 * never stopped. */
int gl_stopped(gl_frame *frame) GL_TELLS;
/* As gl_allocate; the memory may be that of `dying`, which nobody needs after this step, if nobody else has it. */
int gl_allocate_in(gl_frame *frame, int32_t slot, const int64_t *shape, int32_t dying);
/* Make the slot share the block of `source`, with the same data; the caller sets shape and strides. */
gl_array *gl_view(gl_frame *frame, int32_t slot, int32_t source);
/* A block for a Python object, one reference to which passes to the block; NULL if there is no memory. */
gl_block *gl_block_of_object(gl_call *call, void *object, int32_t home);
/* Give up one use of the block; without a call there can be no object in it. */
void gl_block_drop(gl_call *call, gl_block *block);
/* Empty the slot, whatever `keep` says. */
void gl_clear(gl_frame *frame, int32_t slot);

/* Bytes of a C-contiguous array, in *bytes; GL_ERROR_NEGATIVE or GL_ERROR_SIZE. */
int gl_size(gl_frame *frame, int32_t ndim, const int64_t *shape, int32_t itemsize, int64_t *bytes);
void gl_c_strides(int32_t ndim, const int64_t *shape, int32_t itemsize, int64_t *stride);
int64_t gl_elements(int32_t ndim, const int64_t *shape);
/* Step the counters `at` over `extent` (last fastest), moving `in`; 0 when it has come around. */
static inline int gl_advance(int32_t n, const int64_t *extent, const int64_t *stride, int64_t *at, const char **in)
{
  for (int32_t d = n - 1; d >= 0; d--) {
    *in += stride[d];
    if (++at[d] < extent[d])
      return 1;
    *in -= extent[d] * stride[d];
    at[d] = 0;
  }
  return 0;
}
/* `out` becomes a C-contiguous copy of `in`, or has its memory, as gl_allocate_in says. */
int gl_copy_into(gl_frame *frame, int32_t out, int32_t in);
/* Copy elements between two layouts of one shape that do not overlap. */
void gl_copy_elements(int32_t ndim, const int64_t *shape, int32_t itemsize, char *out,
                      const int64_t *out_stride, const char *in, const int64_t *in_stride);
/* As much is copied, filled or looked at before the user is asked again: a few hundredths of a second. */
#define GL_ASK_BYTES (8 << 20)
/* The same, with `stop` asked now and then: what it said, if that is not 0. */
int gl_copy_until(int32_t ndim, const int64_t *shape, int32_t itemsize, char *out, const int64_t *out_stride,
                  const char *in, const int64_t *in_stride, int (*stop)(void *context), void *context) GL_TELLS;
/* The same with gl_stopped; what is long is shared by threads. */
int gl_copy_asking(gl_frame *frame, int32_t ndim, const int64_t *shape, int32_t itemsize, char *out,
                   const int64_t *out_stride, const char *in, const int64_t *in_stride) GL_TELLS;

/* How many windows of `window` elements lie along `extent`; less than 1 for none. */
int64_t gl_window_count(int64_t extent, int64_t window, int64_t stride, int64_t dilation);
/* out += in, for `n` numbers that do not overlap; strides in bytes. */
void gl_add_run(int32_t itemsize, int64_t n, char *out, int64_t out_stride, const char *in, int64_t in_stride);
/* How many threads are to share so much work, counted as in gl_kernel.c; if it takes long, others of Python's run. */
int32_t gl_threads_for(gl_frame *frame, double work);
/* Call `run`, a gl_chunk, for so many chunks; an error if the user wants to stop. */
int gl_run_shared(gl_frame *frame, void (*run)(void *context, int64_t chunk, int32_t thread), void *context,
                  int64_t chunks, int32_t threads);

/* The entries of gl_api, as gl_abi.h describes them. */
int gl_nest_plan(gl_frame *frame, const gl_nest *nest, int64_t *extent, int64_t *stride, char **data);
int gl_run_kernel(gl_frame *frame, const gl_nest *nest, gl_kernel kernel);
/* The kernel over a nest that is planned; there is room for one more behind the extents and behind the data. */
int gl_run_planned(gl_frame *frame, const gl_nest *nest, gl_kernel kernel, int64_t *extent, const int64_t *stride,
                   char **data);
/* A kernel that has its operands side by side (gl_nest), on what is planned, or on a part of it. */
int gl_run_beside(gl_frame *frame, const gl_nest *nest, gl_kernel kernel, const int64_t *extent, const int64_t *stride,
                  char *const *data);
void gl_release(gl_frame *frame, int32_t slot);
int gl_copy(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_transpose(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_reshape(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_broadcast_to(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_index(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_shape_of(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_stack_scalars(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_concatenate(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_matmul(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_sum_to(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_share(gl_frame *frame, int32_t out, int32_t in);
int gl_loop_begin(gl_frame *frame, const gl_loop *loop, int64_t *turns);
int gl_loop_turn(gl_frame *frame, const gl_loop *loop, int64_t t);
int gl_loop_keep(gl_frame *frame, const gl_loop *loop, int64_t turns, int64_t t);
int gl_loop_steady(gl_frame *frame, const gl_loop *loop, const gl_steady_step *steps, int32_t n_steps, int64_t turns,
                   int64_t *t);
int gl_loop_end(gl_frame *frame, const gl_loop *loop, int64_t made);
/* The stack before stack k that collects the same, and which it may share; -1 if there is none. */
int32_t gl_loop_double(gl_frame *frame, const gl_loop *loop, int32_t k);
int gl_run_turns(gl_frame *frame, const gl_turns *loop, gl_kernel kernel);
int gl_windows(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_fold_windows(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_convolve(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_convolve_filters(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_convolve_images(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_max_pool(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_max_pool_input(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_draw(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_gather(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_scatter(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_scatter_into(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_arg_extreme(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_accumulate(gl_frame *frame, const int32_t *slots, const int64_t *params);
int gl_arange(gl_frame *frame, const int32_t *slots, const int64_t *params);

/* The BLAS routines that gl_matmul calls, by their Fortran interface; set once, before the first call. */
typedef struct gl_blas {
  void (*dgemm)(char *, char *, int *, int *, int *, double *, double *, int *, double *, int *, double *,
                double *, int *);
  void (*sgemm)(char *, char *, int *, int *, int *, float *, float *, int *, float *, int *, float *,
                float *, int *);
  void (*dgemv)(char *, int *, int *, double *, double *, int *, double *, int *, double *, double *, int *);
  void (*sgemv)(char *, int *, int *, float *, float *, int *, float *, int *, float *, float *, int *);
  double (*ddot)(int *, double *, int *, double *, int *);
  float (*sdot)(int *, float *, int *, float *, int *);
  void (*dsyrk)(char *, char *, int *, int *, double *, double *, int *, double *, double *, int *);
  void (*ssyrk)(char *, char *, int *, int *, float *, float *, int *, float *, float *, int *);
} gl_blas;

extern gl_blas gl_blas_table;

#endif
