/* Rows of windows, of the type `real`: included by gl_pooling.c once for each type and set of instructions; NAME gives
 * the functions their names. Inner loops go along neighbouring elements wherever the arrays do. */

TARGET static void NAME(largest_of_rows)(int64_t n, real *restrict best, const char *in, int64_t stride)
{
  if (stride == sizeof(real)) {
    const real *restrict row = (const real *)in;
    for (int64_t i = 0; i < n; i++)
      best[i] = best[i] > row[i] || best[i] != best[i] ? best[i] : row[i]; /* NaN is stronger than any number */
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    real x = *(const real *)(in + i * stride);
    best[i] = best[i] > x || best[i] != best[i] ? best[i] : x;
  }
}

TARGET static void NAME(gather)(int64_t n, real *restrict out, const char *in, int64_t stride)
{
  if (stride == sizeof(real)) {
    memcpy(out, in, (size_t)n * sizeof(real));
    return;
  }
  for (int64_t i = 0; i < n; i++)
    out[i] = *(const real *)(in + i * stride);
}

/* Inlined with a constant `stride`, for which the loops are vectorised. */
TARGET static inline __attribute__((always_inline)) void NAME(largest_within)(int64_t n, int64_t window, int64_t stride,
                                                                       real *restrict out, const real *restrict in)
{
  for (int64_t j = 0; j < n; j++)
    out[j] = in[j * stride];
  for (int64_t v = 1; v < window; v++)
    for (int64_t j = 0; j < n; j++) {
      real x = in[j * stride + v];
      out[j] = out[j] > x || out[j] != out[j] ? out[j] : x;
    }
}

/* `rows` rows of windows: the maxima over all axes but the last go to `tile`, those along the last to `out`. */
TARGET static void NAME(pool_rows)(const pooling *p, int64_t rows, const place *begin, const arrays *base, char *tile,
                            char *result)
{
  int64_t last = p->rank - 1, n = p->count[last], window = p->window[last], stride = p->stride[last];
  int64_t step = p->in_step[last], at[GL_MAX_NDIM] = {0};
  real *best = (real *)tile, *out = (real *)result;
  for (int64_t r = 0; r < rows; r++, best += p->pitch) {
    const char *row = base->in + begin[r].in;
    NAME(gather)(p->used, best, row, step);
    while (gl_advance((int32_t)last, p->window, p->in_step, at, &row))
      NAME(largest_of_rows)(p->used, best, row, step);
  }
  best = (real *)tile;
  if (p->apart) { /* windows of all rows lie `stride` apart */
    n *= rows;
    rows = 1;
  }
  for (int64_t r = 0; r < rows; r++, best += p->pitch, out += n)
    if (stride == 1)
      NAME(largest_within)(n, window, 1, out, best);
    else if (stride == 2)
      NAME(largest_within)(n, window, 2, out, best);
    else
      NAME(largest_within)(n, window, stride, out, best);
}

TARGET static inline __attribute__((always_inline)) void NAME(spread)(int64_t n, int64_t window, int64_t stride,
                                                               real *restrict out, const real *restrict in)
{
  if (window == 2 && stride == 2)
    for (int64_t j = 0; j < n; j++)
      out[2 * j] = out[2 * j + 1] = in[j];
  else
    for (int64_t v = 0; v < window; v++)
      for (int64_t j = 0; j < n; j++)
        out[j * stride + v] = in[j];
}

TARGET static inline __attribute__((always_inline)) void NAME(sum_within)(int64_t n, int64_t window, int64_t stride,
                                                                   real *restrict out, const real *restrict in)
{
  for (int64_t j = 0; j < n; j++)
    out[j] = in[j * stride];
  for (int64_t v = 1; v < window; v++)
    for (int64_t j = 0; j < n; j++)
      out[j] += in[j * stride + v];
}

TARGET static void NAME(count_hits)(int64_t n, real *restrict hits, const real *restrict best, const char *in,
                                    int64_t stride)
{
  if (stride == sizeof(real)) {
    const real *restrict row = (const real *)in;
    for (int64_t i = 0; i < n; i++)
      hits[i] += row[i] == best[i] ? 1 : 0;
    return;
  }
  for (int64_t i = 0; i < n; i++)
    hits[i] += *(const real *)(in + i * stride) == best[i] ? 1 : 0;
}

TARGET static void NAME(share)(int64_t n, char *out, int64_t out_stride, const real *restrict best,
                               const real *restrict hit, const real *restrict missed, const char *in, int64_t stride)
{
  if (stride == sizeof(real) && out_stride == sizeof(real)) {
    const real *restrict row = (const real *)in;
    real *restrict to = (real *)out;
    for (int64_t i = 0; i < n; i++)
      to[i] = row[i] == best[i] ? hit[i] : missed[i];
    return;
  }
  for (int64_t i = 0; i < n; i++)
    *(real *)(out + i * out_stride) = *(const real *)(in + i * stride) == best[i] ? hit[i] : missed[i];
}

#ifdef PAIRS
typedef real NAME(vector) __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

/* The derivative for windows of 2 x 2 side by side: `n` of them, LANES at least, over two rows, each without gaps. What
 * each window has stands twice, beside each other, as its elements do. The last vector may overlap the one before. */
TARGET static void NAME(share_pairs)(int64_t n, const char *const *in, char *const *out, const char *best,
                                     const char *cotangent)
{
  const NAME(vector) zero = {0}, one = zero + 1;
  for (int64_t j = 0; j < n; j += LANES) {
    const int64_t at = j + LANES <= n ? j : n - LANES, bytes = at * (int64_t)sizeof(real);
    const NAME(vector) m = *(const NAME(vector) *)(best + bytes), g = *(const NAME(vector) *)(cotangent + bytes);
    const NAME(vector) largest[2] = {PAIRS(m, LOW), PAIRS(m, HIGH)}, given[2] = {PAIRS(g, LOW), PAIRS(g, HIGH)};
    for (int k = 0; k < 2; k++) {
      const int64_t place = 2 * bytes + k * LANES * (int64_t)sizeof(real);
      const NAME(vector) above = *(const NAME(vector) *)(in[0] + place), below = *(const NAME(vector) *)(in[1] + place);
      const __typeof__(above == below) is_hit = above == largest[k], is_low = below == largest[k];
      const NAME(vector) hit = (NAME(vector))((__typeof__(is_hit))one & is_hit);
      const NAME(vector) low = (NAME(vector))((__typeof__(is_low))one & is_low);
      const NAME(vector) both = hit + low, count = both + PAIRS(both, SWAPPED);
      *(NAME(vector) *)(out[0] + place) = given[k] * (hit / count) + zero;
      *(NAME(vector) *)(out[1] + place) = given[k] * (low / count) + zero;
    }
  }
}
#endif

/* The derivative, for `rows` rows of windows of which no two meet. The five tiles are as wide as the input, but for the
 * third, which has one element for each window. What lies between windows is 0. */
TARGET static void NAME(share_rows)(const pooling *p, int64_t rows, const place *begin, const arrays *base,
                                    char *tiles)
{
  int64_t last = p->rank - 1, n = p->count[last], window = p->window[last], stride = p->stride[last];
#ifdef PAIRS
  if (p->pairs && n >= LANES) {
    for (int64_t r = 0; r < rows; r++) {
      const char *in = base->in + begin[r].in;
      char *out = base->out + begin[r].out;
      NAME(share_pairs)(n, (const char *[]){in, in + p->in_step[0]}, (char *[]){out, out + p->out_step[0]},
                        base->best + begin[r].best, base->cotangent + begin[r].cotangent);
    }
    return;
  }
#endif
  int64_t size = rows * p->pitch, all = rows * n, at[GL_MAX_NDIM] = {0};
  real *best = (real *)tiles, *hits = best + size, *counts = hits + size, *hit = counts + all, *missed = hit + size;
  if (window < stride)
    memset(tiles, 0, (size_t)(4 * size + all) * sizeof(real));
  for (int64_t r = 0; r < rows; r++)
    NAME(gather)(n, counts + r * n, base->best + begin[r].best, p->best_step);
  NAME(spread)(all, window, stride, best, counts);
  memset(hits, 0, (size_t)size * sizeof(real));
  for (int64_t r = 0; r < rows; r++) {
    const char *row = base->in + begin[r].in;
    do
      NAME(count_hits)(p->used, hits + r * p->pitch, best + r * p->pitch, row, p->in_step[last]);
    while (gl_advance((int32_t)last, p->window, p->in_step, at, &row));
  }
  if (stride == 2)
    NAME(sum_within)(all, window, 2, counts, hits);
  else
    NAME(sum_within)(all, window, stride, counts, hits);
  /* g (1 / count) for those that are the largest, g (0 / count) for the others: NaN where NaN was the largest. */
  real *cotangents = hits;
  for (int64_t r = 0; r < rows; r++)
    NAME(gather)(n, cotangents + r * n, base->cotangent + begin[r].cotangent, p->cotangent_step);
  real *dense = missed; /* of each window, spread below */
  for (int64_t j = 0; j < all; j++) {
    real g = cotangents[j], zero = 0 / counts[j];
    dense[j] = g * (1 / counts[j]) + 0;
    cotangents[j] = g * zero + 0;
  }
  NAME(spread)(all, window, stride, hit, dense);
  if (window < stride)
    memset(missed, 0, (size_t)all * sizeof(real));
  NAME(spread)(all, window, stride, missed, cotangents);
  for (int64_t r = 0; r < rows; r++) {
    const char *row = base->in + begin[r].in;
    int64_t o = r * p->pitch;
    do {
      char *out = base->out + begin[r].out;
      for (int64_t d = 0; d < last; d++)
        out += at[d] * p->out_step[d];
      NAME(share)(p->used, out, p->out_step[last], best + o, hit + o, missed + o, row, p->in_step[last]);
    } while (gl_advance((int32_t)last, p->window, p->in_step, at, &row));
  }
}
