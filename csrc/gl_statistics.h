/* What an array looks like in a few numbers, found in one pass by several threads; and the same for the arrays of a
 * run, while they are still in the cache. The numbers do not depend on how many threads there are. */
#ifndef GL_STATISTICS_H
#define GL_STATISTICS_H

#include "gl_runtime.h"

/* Of `count` elements; the last four are of those that are finite: smallest, largest (0 if there are none), mean, and
 * the sum of the squares of the distances to it. Of a complex number it is the modulus that counts. */
typedef struct gl_statistics {
  int64_t count, nan, inf, zero;
  double min, max, mean, squares;
} gl_statistics;

/* An array as gl_array, but of any rank and with its GL_DTYPE. */
gl_statistics gl_statistics_of(int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *stride,
                               const char *data);
/* Whether there is a NaN in it. */
int gl_has_nan(int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *stride, const char *data);
/* Those of the elements of both together. */
void gl_statistics_merge(gl_statistics *into, const gl_statistics *other);

/* What is to be found out about the arrays of a run: for each slot its GL_DTYPE, -1 if it is nothing to us, and the
 * numbers; a count of -1 says that they are not known yet. */
struct gl_watch {
  const int8_t *dtypes;
  gl_statistics *found;
};
/* The numbers of a slot, as far as they are to be found out and the slot is filled. */
void gl_watch_slot(const gl_call *call, int32_t slot);

/* How many bytes of results a piece of a watched kernel makes: they should still be in the cache when we look. */
#define GL_WATCHED_PIECE (128 << 10)

#endif
