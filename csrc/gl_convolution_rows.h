/* Products of rows that lie anywhere, in registers: included by gl_convolution.c once for each type and each set of
 * instructions. `real` is the type, real_bits an integer of its size, LANES how many are computed at a time, NAME gives
 * the functions their names, TARGET says for which processors they are; MULTIPLY_ADD(a, x, sum) is a x + sum for a
 * number and two vectors, MULTIPLY_ADD_VECTORS that for three vectors.
 *
 * An element's value is the same wherever it lies: what is left over of a line is computed in a whole vector that
 * ends with it. */

typedef real NAME(vector) __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef real_bits NAME(mask) __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

#define VECTOR NAME(vector)
#define SIZE ((int64_t)sizeof(real))
#define BLOCK TARGET static inline __attribute__((always_inline)) void

/* ---- out[f][p] = the sum over taps of w[f][tap] x[tap][p] ---------------------------------------- */

BLOCK NAME(multiply_block)(const int count, const int wide, const tile *t, const char *from, const factor *w,
                           char *out, int64_t out_step)
{
  const real *weight = (const real *)w->data;
  VECTOR sum[4][3];
  for (int f = 0; f < count; f++)
    for (int v = 0; v < wide; v++)
      sum[f][v] = w->adds ? ((const VECTOR *)(out + f * out_step))[v] : (VECTOR){0};
  for (int64_t k = 0; k < t->taps; k++) {
    const VECTOR *x = (const VECTOR *)(from + t->tap[k]);
    for (int f = 0; f < count; f++)
      for (int v = 0; v < wide; v++)
        sum[f][v] = MULTIPLY_ADD(weight[f * w->step + k], x[v], sum[f][v]);
  }
  for (int f = 0; f < count; f++)
    for (int v = 0; v < wide; v++)
      ((VECTOR *)(out + f * out_step))[v] = sum[f][v];
}

/* All lines of a tile times `count` filters. Each has a vector at least; whole vectors, where something is added to. */
BLOCK NAME(multiply_lines)(const int count, const tile *t, const factor *w, char *out, int64_t out_step)
{
  for (int64_t l = 0; l < t->n_lines; l++) {
    const char *from = t->base + t->lines[l].at;
    const int64_t n = t->lines[l].n;
    int64_t p = 0;
    for (; p + 3 * LANES <= n; p += 3 * LANES)
      NAME(multiply_block)(count, 3, t, from + p * SIZE, w, out + p * SIZE, out_step);
    for (; p + 2 * LANES <= n; p += 2 * LANES)
      NAME(multiply_block)(count, 2, t, from + p * SIZE, w, out + p * SIZE, out_step);
    for (; p + LANES <= n; p += LANES)
      NAME(multiply_block)(count, 1, t, from + p * SIZE, w, out + p * SIZE, out_step);
    if (p < n)
      NAME(multiply_block)(count, 1, t, from + (n - LANES) * SIZE, w, out + (n - LANES) * SIZE, out_step);
    out += n * SIZE;
  }
}

/* Filters times the lines of a tile, which follow one another in `out`; rows of `out` are `out_step` bytes apart. */
TARGET static void NAME(multiply)(const tile *t, int64_t filters, const factor *given, char *out, int64_t out_step)
{
  factor w = *given;
  for (; filters >= 4; filters -= 4, w.data += 4 * w.step * SIZE, out += 4 * out_step)
    NAME(multiply_lines)(4, t, &w, out, out_step);
  for (; filters > 0; filters--, w.data += w.step * SIZE, out += out_step)
    NAME(multiply_lines)(1, t, &w, out, out_step);
}

/* ---- out[f][tap] += the sum over p of g[f][p] x[tap][p] ------------------------------------------- */

BLOCK NAME(correlate_vectors)(const int count, const int wide, VECTOR (*sum)[3], const char *const *x, const char *g,
                              int64_t g_step, const NAME(mask) *keep)
{
  VECTOR row[3];
  for (int v = 0; v < wide; v++) {
    row[v] = *(const VECTOR *)x[v];
    if (keep)
      row[v] = (VECTOR)((NAME(mask))row[v] & *keep);
  }
  for (int f = 0; f < count; f++) {
    VECTOR other = *(const VECTOR *)(g + f * g_step);
    if (keep)
      other = (VECTOR)((NAME(mask))other & *keep);
    for (int v = 0; v < wide; v++)
      sum[f][v] = MULTIPLY_ADD_VECTORS(other, row[v], sum[f][v]);
  }
}

BLOCK NAME(correlate_block)(const int count, const int wide, const tile *t, int64_t k, const char *g, int64_t g_step,
                            real *out, int64_t out_step)
{
  VECTOR sum[4][3];
  for (int f = 0; f < count; f++)
    for (int v = 0; v < wide; v++)
      sum[f][v] = (VECTOR){0};
  for (int64_t l = 0; l < t->n_lines; l++) {
    const char *from = t->base + t->lines[l].at, *x[3];
    const int64_t n = t->lines[l].n;
    for (int v = 0; v < wide; v++)
      x[v] = from + t->tap[k + v];
    int64_t p = 0;
    for (; p + LANES <= n; p += LANES) {
      NAME(correlate_vectors)(count, wide, sum, x, g + p * SIZE, g_step, NULL);
      for (int v = 0; v < wide; v++)
        x[v] += LANES * SIZE;
    }
    if (p < n) { /* the last vector of the line, without what it has in common with the one before */
      NAME(mask) keep;
      for (int i = 0; i < LANES; i++)
        keep[i] = i < LANES - (n - p) ? 0 : -1;
      for (int v = 0; v < wide; v++)
        x[v] -= (LANES - (n - p)) * SIZE;
      NAME(correlate_vectors)(count, wide, sum, x, g + (n - LANES) * SIZE, g_step, &keep);
    }
    g += n * SIZE;
  }
  for (int f = 0; f < count; f++)
    for (int v = 0; v < wide; v++) {
      real part[LANES];
      memcpy(part, &sum[f][v], sizeof part);
      for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
          part[i] += part[i + half];
      out[f * out_step + k + v] += part[0];
    }
}

BLOCK NAME(correlate_count)(const int count, const tile *t, const char *g, int64_t g_step, real *out, int64_t out_step)
{
  int64_t k = 0;
  for (; k + 3 <= t->taps; k += 3)
    NAME(correlate_block)(count, 3, t, k, g, g_step, out, out_step);
  for (; k < t->taps; k++)
    NAME(correlate_block)(count, 1, t, k, g, g_step, out, out_step);
}

/* Rows `g`, `g_step` bytes apart, times those of a tile, each line of which has a vector at least; rows of `out` are
 * `out_step` elements apart. */
TARGET static void NAME(correlate)(const tile *t, int64_t filters, const char *g, int64_t g_step, char *result,
                                   int64_t out_step)
{
  real *out = (real *)result;
  for (; filters >= 4; filters -= 4, g += 4 * g_step, out += 4 * out_step)
    NAME(correlate_count)(4, t, g, g_step, out, out_step);
  for (; filters > 0; filters--, g += g_step, out += out_step)
    NAME(correlate_count)(1, t, g, g_step, out, out_step);
}

static const arithmetic NAME(arithmetic) = {LANES, NAME(multiply), NAME(correlate)};

#undef VECTOR
#undef SIZE
#undef BLOCK
