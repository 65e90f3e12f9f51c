/* Strips: some elements that lie any number of bytes apart, side by side in a buffer, and back; columns likewise.
 *
 * Kernels compute on strips where neighbours in the loop are no neighbours in memory; those that are need no
 * buffer, and do not come here. The form of this file is that of gl_math.h. */
#ifndef GL_STRIP_H
#define GL_STRIP_H

#include "gl_abi.h"

#define GL_CALLED static __attribute__((noinline, unused))
#define GL_ANY(FAMILY) \
  FAMILY(uint8_t, bool) \
  FAMILY(int8_t, int8) FAMILY(int16_t, int16) FAMILY(int32_t, int32) FAMILY(int64_t, int64) \
  FAMILY(uint8_t, uint8) FAMILY(uint16_t, uint16) FAMILY(uint32_t, uint32) FAMILY(uint64_t, uint64) \
  FAMILY(_Float16, float16) FAMILY(float, float32) FAMILY(double, float64) \
  FAMILY(float _Complex, complex64) FAMILY(double _Complex, complex128)

/* rows of count elements, side by side in buffer: in a row they lie stride bytes apart, the rows step */
#define GL_GATHER(T, D) \
  GL_CALLED const T *gl_gather_##D(const char *from, int64_t step, int64_t rows, int64_t stride, int64_t count, \
                                   T *buffer) { \
    for (int64_t i = 0; i < rows; ++i, from += step, buffer += count) { \
      if (stride == 0) { \
        const T x = *(const T *)from; \
        _Pragma("omp simd") \
        for (int64_t k = 0; k < count; ++k) buffer[k] = x; \
      } else { \
        _Pragma("omp simd") \
        for (int64_t k = 0; k < count; ++k) buffer[k] = *(const T *)(from + k * stride); \
      } \
    } \
    return buffer - rows * count; \
  }
GL_ANY(GL_GATHER)

/* several strips, along bytes apart, each from width elements on in buffer; unless they are there, as held tells: see
 * Stretch in loops/ir.py */
#define GL_STRETCH(T, D) \
  GL_CALLED const char *gl_stretch_##D(const char *from, int64_t step, int64_t rows, int64_t stride, int64_t count, \
                                       int64_t along, int64_t several, int64_t holds, T *buffer, int64_t width, \
                                       int64_t *held) { \
    if (*held != (int64_t)from) \
      for (int64_t i = 0; i < several; ++i) \
        gl_gather_##D(from + i * along, step, rows, stride, count, buffer + i * width); \
    *held = holds ? (int64_t)from : 0; \
    return (const char *)buffer; \
  }
GL_ANY(GL_STRETCH)

/* count elements for each index along some axes; from where they lie, unless that is side by side: see Columns in
 * loops/ir.py */
#define GL_COLUMNS(T, D) \
  GL_CALLED const char *gl_columns_##D(const char *from, int64_t axes, const int64_t *extent, int64_t *step, \
                                       int64_t stride, int64_t count, T *buffer, int64_t length) { \
    int64_t columns = 1, there[axes]; \
    if (stride == (int64_t)sizeof(T)) return from; \
    for (int64_t d = axes - 1; d >= 0; --d) { \
      there[d] = step[d] ? columns * length * (int64_t)sizeof(T) : 0; \
      columns *= step[d] ? extent[d] : 1; \
    } \
    for (int64_t i = 0; i < count; i += 64) /* neighbours in memory while they are in the cache */ \
      for (int64_t c = 0; c < columns; ++c) { \
        const char *column = from + i * stride; \
        for (int64_t d = axes - 1, rest = c; d >= 0; --d) \
          if (step[d]) column += rest % extent[d] * step[d], rest /= extent[d]; \
        gl_gather_##D(column, 0, 1, stride, count - i < 64 ? count - i : 64, buffer + c * length + i); \
      } \
    for (int64_t d = 0; d < axes; ++d) step[d] = there[d]; \
    return (const char *)buffer; \
  }
GL_ANY(GL_COLUMNS)

/* a strip's elements, put from buffer to where they belong */
#define GL_SCATTER(T, D) \
  GL_CALLED void gl_scatter_##D(const T *buffer, char *to, int64_t step, int64_t rows, int64_t stride, int64_t count) { \
    for (int64_t i = 0; i < rows; ++i, to += step, buffer += count) \
      for (int64_t k = 0; k < count; ++k) *(T *)(to + k * stride) = buffer[k]; \
  }
GL_ANY(GL_SCATTER)

#endif
