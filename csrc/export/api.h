/* @NAME@: written by graphlab, for C programs. docs/performance.md of graphlab tells how it was made.
 *
@SIGNATURE@ *
 * A run checks nothing but extents: dtypes and ranks are for you to get right. Contexts are independent of
 * each other; one context is for one thread at a time. */
#ifndef @GUARD@
#define @GUARD@

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef GRAPHLAB_ARRAY
#define GRAPHLAB_ARRAY
#define GRAPHLAB_MAX_NDIM @MAX_NDIM@
#define GRAPHLAB_API __attribute__((visibility("default")))

/* An array: `strides` in bytes. `owner` is what keeps results alive; leave it NULL for memory of your own. */
typedef struct graphlab_array {
  void *data;
  int64_t shape[GRAPHLAB_MAX_NDIM];
  int64_t strides[GRAPHLAB_MAX_NDIM];
  void *owner;
} graphlab_array;
#endif

enum { @NAME@_inputs = @INPUTS@, @NAME@_outputs = @OUTPUTS@, @NAME@_states = @STATES@ };

typedef struct @NAME@_context @NAME@_context;

/* What runs need beside their inputs: the states, at first as they were when this was written, and the text of the
 * last error. NULL: there is no memory. */
GRAPHLAB_API @NAME@_context *@NAME@_create(void);
GRAPHLAB_API void @NAME@_destroy(@NAME@_context *context);

/* Compute the outputs, fresh C-contiguous arrays, each to be given back by @NAME@_free; states move on together.
 * 0, or non-zero: @NAME@_error says why, there are no outputs, and states are as before. */
GRAPHLAB_API int @NAME@_run(@NAME@_context *context, const graphlab_array *inputs, graphlab_array *outputs);
GRAPHLAB_API const char *@NAME@_error(const @NAME@_context *context);
GRAPHLAB_API void @NAME@_free(graphlab_array *array);

/* A copy of state number `k`, to be given back by @NAME@_free; a copy of `value` becomes the state. As @NAME@_run. */
GRAPHLAB_API int @NAME@_get_state(@NAME@_context *context, int k, graphlab_array *value);
GRAPHLAB_API int @NAME@_set_state(@NAME@_context *context, int k, const graphlab_array *value);

/* Your own C-contiguous memory as an array. */
static inline graphlab_array @NAME@_array(const void *data, int ndim, const int64_t *shape, size_t itemsize)
{
  graphlab_array array = {(void *)data, {0}, {0}, NULL};
  int64_t step = (int64_t)itemsize;
  for (int d = ndim - 1; d >= 0; d--) {
    array.shape[d] = shape[d];
    array.strides[d] = step;
    step *= shape[d] > 0 ? shape[d] : 1;
  }
  return array;
}

#ifdef __cplusplus
}
#endif
#endif
