/* The places that index arrays name: elements there go to another array of the part's shape, or come from there. */
#ifndef GL_PLACES_H
#define GL_PLACES_H

#include "gl_runtime.h"

/* An index array: where its first number lies, of what dtype it is, and the axis that it indexes. */
typedef struct gl_index_array {
  const char *numbers;
  int32_t input, slot, ndim, axis; /* input: the position of the slot among the step's */
  int64_t dtype, extent, stride; /* the last two: of the axis */
  int64_t step[GL_MAX_NDIM];     /* from number to number, along each gathered axis */
} gl_index_array;

/* A part of an array: it starts at `offset`, in bytes, keeps some axes, and has the axes of the index arrays. */
typedef struct gl_selection {
  int64_t offset;
  int32_t kept, arrays, at, rank; /* the gathered axes: `rank` of them, standing before kept axis `at` */
  int64_t extent[GL_MAX_NDIM], stride[GL_MAX_NDIM]; /* of the kept axes */
  int64_t gathered[GL_MAX_NDIM];                    /* the extents of the gathered axes */
  gl_index_array *array;
} gl_selection;

typedef enum gl_action { GL_TAKE, GL_SET, GL_ADD } gl_action;

/* Take the part of `array`, set it or add to it, where its elements have so many bytes and that dtype, which only GL_ADD
 * looks at. `other` has the shape of the part, and moves by `stride` along each of its axes. An error if an index array
 * leads outside, or the user wants to stop. */
int gl_over_places(gl_frame *frame, gl_selection *part, gl_action what, int32_t itemsize, int64_t dtype, char *array,
                   char *other, const int64_t *stride) GL_TELLS;
/* Fail if an index array leads outside; else nothing is done. */
int gl_check_indices(gl_frame *frame, const gl_selection *part) GL_TELLS;

#endif
