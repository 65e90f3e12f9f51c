/* Loops of gl_statistics.c over a block of up to GL_BLOCK neighbours; included once for each type and instruction set:
 * REAL, INTEGER (as wide), LANES, LARGEST, NAME(word), TARGET. Lanes are the same for every instruction set. */

/* All elements, taken to be finite: if one is not, neither is one of the sums, and they are to be looked at again. */
TARGET static int NAME(all_finite)(gl_statistics *s, const REAL *x, int64_t n)
{
  const REAL center = x[0];
  REAL low[LANES], high[LANES], sum[LANES], squares[LANES];
  INTEGER zero[LANES];
  for (int k = 0; k < LANES; k++) {
    low[k] = high[k] = center;
    sum[k] = squares[k] = 0;
    zero[k] = 0;
  }
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) {
      const REAL v = x[i + k], d = v - center;
      sum[k] += d;
      squares[k] += d * d;
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      zero[k] += v == 0;
    }
  for (int k = 0; i < n; i++, k++) {
    const REAL v = x[i], d = v - center;
    sum[k] += d;
    squares[k] += d * d;
    low[k] = v < low[k] ? v : low[k];
    high[k] = v > high[k] ? v : high[k];
    zero[k] += v == 0;
  }
  double total = 0, squared = 0;
  *s = (gl_statistics){.count = n, .min = low[0], .max = high[0]};
  for (int k = 0; k < LANES; k++) {
    total += sum[k];
    squared += squares[k];
    s->zero += zero[k];
    s->min = low[k] < s->min ? low[k] : s->min;
    s->max = high[k] > s->max ? high[k] : s->max;
  }
  s->mean = center + total / (double)n;
  squared -= total * total / (double)n;
  s->squares = squared > 0 ? squared : 0;
  return isfinite(total) && isfinite(squared);
}

/* The same where not all are finite, or sums overflow. */
TARGET static void NAME(some_finite)(gl_statistics *s, const REAL *x, int64_t n)
{
  *s = (gl_statistics){.count = n};
  double total = 0, low = 0, high = 0, squares = 0;
  int64_t finite = 0;
  for (int64_t i = 0; i < n; i++) {
    const double v = (double)x[i];
    s->nan += v != v;
    s->inf += fabs(v) > LARGEST;
    s->zero += v == 0;
    if (!(fabs(v) <= LARGEST))
      continue;
    total += v / GL_BLOCK; /* so that the sum of what is near the largest is finite */
    low = !finite || v < low ? v : low;
    high = !finite || v > high ? v : high;
    finite++;
  }
  if (!finite)
    return;
  s->min = low;
  s->max = high;
  s->mean = total / (double)finite * GL_BLOCK;
  for (int64_t i = 0; i < n; i++) {
    const double d = (double)x[i] - s->mean;
    squares += fabs((double)x[i]) <= LARGEST ? d * d : 0;
  }
  s->squares = squares;
}

TARGET static void NAME(block)(gl_statistics *s, const void *x, int64_t n)
{
  gl_statistics here;
  if (!NAME(all_finite)(&here, x, n))
    NAME(some_finite)(&here, x, n);
  gl_statistics_merge(s, &here);
}

TARGET static int NAME(has_nan)(const void *elements, int64_t n)
{
  const REAL *x = elements;
  INTEGER found[LANES] = {0}, any = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      found[k] |= x[i + k] != x[i + k];
  for (; i < n; i++)
    any |= x[i] != x[i];
  for (int k = 0; k < LANES; k++)
    any |= found[k];
  return any != 0;
}

#undef REAL
#undef INTEGER
#undef LANES
#undef LARGEST
#undef NAME
#undef TARGET
