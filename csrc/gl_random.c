/* Random numbers: NumPy's bit generator Philox over a state vector of ours, and NumPy's own distributions,
 * which it ships as the static library npyrandom. So a draw has the bits that numpy.random.Generator gives. */
#include "gl_random.h"

#include <math.h>

/* ---- Philox4x64-10 -----------------------------------------------------------------------------
 *
 * Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011). */

#define ROUNDS 10

static inline uint64_t multiply(uint64_t a, uint64_t b, uint64_t *high)
{
  unsigned __int128 product = (unsigned __int128)a * b;
  *high = (uint64_t)(product >> 64);
  return (uint64_t)product;
}

/* The next block of four words. */
static void refill(gl_philox *state)
{
  for (int k = 0; k < 4 && ++state->counter[k] == 0; k++)
    ;
  uint64_t x0 = state->counter[0], x1 = state->counter[1], x2 = state->counter[2], x3 = state->counter[3];
  uint64_t key0 = state->key[0], key1 = state->key[1];
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t high0, high2;
    uint64_t low0 = multiply(0xD2E7470EE14C6C93u, x0, &high0), low2 = multiply(0xCA5A826395121157u, x2, &high2);
    x0 = high2 ^ x1 ^ key0;
    x1 = low2;
    x2 = high0 ^ x3 ^ key1;
    x3 = low0;
    key0 += 0x9E3779B97F4A7C15u;
    key1 += 0xBB67AE8584CAA73Bu;
  }
  state->buffer[0] = x0;
  state->buffer[1] = x1;
  state->buffer[2] = x2;
  state->buffer[3] = x3;
  state->buffer_pos = 0;
}

static inline uint64_t word(gl_philox *state)
{
  if (state->buffer_pos >= 4)
    refill(state);
  return state->buffer[state->buffer_pos++];
}

static inline double unit(gl_philox *state) { return (double)(word(state) >> 11) * 0x1p-53; }

static uint64_t philox_uint64(void *state) { return word(state); }

/* Half a word; the other half is kept for the next. */
static inline uint32_t half_word(gl_philox *state)
{
  if (state->has_uint32) {
    state->has_uint32 = 0;
    return (uint32_t)state->uinteger;
  }
  uint64_t both = word(state);
  state->has_uint32 = 1;
  state->uinteger = both >> 32;
  return (uint32_t)both;
}

static uint32_t philox_uint32(void *state) { return half_word(state); }

static double philox_double(void *state) { return unit(state); }

gl_source gl_open_source(gl_philox *state)
{
  bitgen_t bits = {state, philox_uint64, philox_uint32, philox_double, philox_uint64};
  return (gl_source){.state = state, .bits = bits};
}

/* ---- distributions ----------------------------------------------------------------------------- */

#define REAL(k) (*(const double *)(at[k] + i * step[k]))
#define SINGLE(k) ((float)REAL(k))
#define WHOLE(k) (*(const int64_t *)(at[k] + i * step[k]))

#define FILL(name, type, number)                                                                              \
  static int fill_##name(gl_source *from, int64_t n, char *out, const char *const *at, const int64_t *step)      \
  {                                                                                                           \
    bitgen_t *bits = &from->bits;                                                                             \
    (void)bits, (void)at, (void)step;                                                                         \
    for (int64_t i = 0; i < n; i++)                                                                           \
      ((type *)out)[i] = (number);                                                                            \
    return 0;                                                                                                 \
  }

FILL(random, double, unit(from->state))
FILL(random_f, float, (float)(half_word(from->state) >> 8) * 0x1p-24f)
FILL(bernoulli, uint8_t, unit(from->state) < REAL(0))
FILL(standard_normal, double, random_standard_normal(bits))
FILL(standard_normal_f, float, random_standard_normal_f(bits))
FILL(standard_exponential, double, random_standard_exponential(bits))
FILL(standard_exponential_f, float, random_standard_exponential_f(bits))
FILL(standard_gamma, double, random_standard_gamma(bits, REAL(0)))
FILL(standard_gamma_f, float, random_standard_gamma_f(bits, SINGLE(0)))
FILL(normal, double, random_normal(bits, REAL(0), REAL(1)))
FILL(normal_f, float, SINGLE(0) + SINGLE(1) * random_standard_normal_f(bits))
FILL(exponential, double, random_exponential(bits, REAL(0)))
FILL(exponential_f, float, SINGLE(0) * random_standard_exponential_f(bits))
FILL(gamma, double, random_gamma(bits, REAL(0), REAL(1)))
FILL(gamma_f, float, SINGLE(1) * random_standard_gamma_f(bits, SINGLE(0)))
FILL(beta, double, random_beta(bits, REAL(0), REAL(1)))
FILL(chisquare, double, random_chisquare(bits, REAL(0)))
FILL(f, double, random_f(bits, REAL(0), REAL(1)))
FILL(gumbel, double, random_gumbel(bits, REAL(0), REAL(1)))
FILL(laplace, double, random_laplace(bits, REAL(0), REAL(1)))
FILL(logistic, double, random_logistic(bits, REAL(0), REAL(1)))
FILL(lognormal, double, random_lognormal(bits, REAL(0), REAL(1)))
FILL(pareto, double, random_pareto(bits, REAL(0)))
FILL(power, double, random_power(bits, REAL(0)))
FILL(rayleigh, double, random_rayleigh(bits, REAL(0)))
FILL(standard_cauchy, double, random_standard_cauchy(bits))
FILL(standard_t, double, random_standard_t(bits, REAL(0)))
FILL(vonmises, double, random_vonmises(bits, REAL(0), REAL(1)))
FILL(wald, double, random_wald(bits, REAL(0), REAL(1)))
FILL(weibull, double, random_weibull(bits, REAL(0)))
FILL(binomial, int64_t, random_binomial(bits, REAL(1), WHOLE(0), &from->binomial))
FILL(geometric, int64_t, random_geometric(bits, REAL(0)))
FILL(poisson, int64_t, random_poisson(bits, REAL(0)))

/* A range that NumPy would not take: its sign bit is set, or it is infinite or no number. */
static inline int bad_range(double range) { return signbit(range) || !isfinite(range); }

static int fill_uniform(gl_source *from, int64_t n, char *out, const char *const *at, const int64_t *step)
{
  for (int64_t i = 0; i < n; i++) {
    double low = REAL(0), range = REAL(1) - low;
    if (bad_range(range))
      return -1;
    ((double *)out)[i] = random_uniform(&from->bits, low, range);
  }
  return 0;
}

static int fill_uniform_f(gl_source *from, int64_t n, char *out, const char *const *at, const int64_t *step)
{
  for (int64_t i = 0; i < n; i++) {
    float low = SINGLE(0), range = SINGLE(1) - low;
    if (bad_range(range))
      return -1;
    ((float *)out)[i] = low + range * random_standard_uniform_f(&from->bits);
  }
  return 0;
}

/* Integers of `type`, whose ends are `least` and `most`: `one` draws one in off .. off + range, `all` many alike. */
#define FILL_INTEGERS(type, least, most, unsigned_type, one, all)                                             \
  static int fill_##type(gl_source *from, int64_t n, char *out, const char *const *at, const int64_t *step)   \
  {                                                                                                           \
    for (int64_t i = 0; i < n; i++) {                                                                         \
      int64_t low = WHOLE(0), high;                                                                           \
      if (__builtin_sub_overflow(WHOLE(1), !from->closed, &high) || low > high || low < least || high > most) \
        return -1;                                                                                            \
      unsigned_type off = (unsigned_type)low, range = (unsigned_type)((uint64_t)high - (uint64_t)low);        \
      if (from->alike) {                                                                                      \
        all(&from->bits, off, range, n, false, (unsigned_type *)out);                                         \
        break;                                                                                                \
      }                                                                                                       \
      ((type *)out)[i] = (type)(one);                                                                         \
    }                                                                                                         \
    return 0;                                                                                                 \
  }

#define FILL_SMALL(sign, width, least, most)                                                                       \
  FILL_INTEGERS(sign##int##width##_t, least, most, uint##width##_t,                                                \
                random_buffered_bounded_uint##width(&from->bits, off, range, 0, false, &from->held, &from->rest), \
                random_bounded_uint##width##_fill)

FILL_INTEGERS(int64_t, INT64_MIN, INT64_MAX, uint64_t, random_bounded_uint64(&from->bits, off, range, 0, false),
              random_bounded_uint64_fill)
FILL_SMALL(, 8, INT8_MIN, INT8_MAX)
FILL_SMALL(, 16, INT16_MIN, INT16_MAX)
FILL_SMALL(, 32, INT32_MIN, INT32_MAX)
FILL_SMALL(u, 8, 0, UINT8_MAX)
FILL_SMALL(u, 16, 0, UINT16_MAX)
FILL_SMALL(u, 32, 0, UINT32_MAX)

#define MOST_RATE (9223372036854775807.0 - 3037000499.97605 * 10)

int gl_allowed(int limit, const char *address)
{
  double x = limit == GL_COUNT ? 0 : *(const double *)address;
  switch (limit) {
  case GL_NOT_NEGATIVE: return isnan(x) || !signbit(x);
  case GL_POSITIVE: return !(x <= 0);
  case GL_PROBABILITY: return x >= 0 && x <= 1;
  case GL_CHANCE: return x > 0 && x <= 1;
  case GL_RATE: return x >= 0 && x <= MOST_RATE;
  case GL_COUNT: return *(const int64_t *)address >= 0;
  default: return 1;
  }
}

const gl_known_distribution gl_distributions[GL_DISTRIBUTIONS] = {
    [GL_RANDOM] = {fill_random, ""},
    [GL_RANDOM_F] = {fill_random_f, ""},
    [GL_BERNOULLI] = {fill_bernoulli, "1"},
    [GL_UNIFORM] = {fill_uniform, ".."},
    [GL_UNIFORM_F] = {fill_uniform_f, ".."},
    [GL_STANDARD_NORMAL] = {fill_standard_normal, ""},
    [GL_STANDARD_NORMAL_F] = {fill_standard_normal_f, ""},
    [GL_NORMAL] = {fill_normal, ".n"},
    [GL_NORMAL_F] = {fill_normal_f, ".n"},
    [GL_STANDARD_EXPONENTIAL] = {fill_standard_exponential, ""},
    [GL_STANDARD_EXPONENTIAL_F] = {fill_standard_exponential_f, ""},
    [GL_EXPONENTIAL] = {fill_exponential, "n"},
    [GL_EXPONENTIAL_F] = {fill_exponential_f, "n"},
    [GL_STANDARD_GAMMA] = {fill_standard_gamma, "n"},
    [GL_STANDARD_GAMMA_F] = {fill_standard_gamma_f, "n"},
    [GL_GAMMA] = {fill_gamma, "nn"},
    [GL_GAMMA_F] = {fill_gamma_f, "nn"},
    [GL_BETA] = {fill_beta, "pp"},
    [GL_CHISQUARE] = {fill_chisquare, "p"},
    [GL_F] = {fill_f, "pp"},
    [GL_GUMBEL] = {fill_gumbel, ".n"},
    [GL_LAPLACE] = {fill_laplace, ".n"},
    [GL_LOGISTIC] = {fill_logistic, ".n"},
    [GL_LOGNORMAL] = {fill_lognormal, ".n"},
    [GL_PARETO] = {fill_pareto, "p"},
    [GL_POWER] = {fill_power, "p"},
    [GL_RAYLEIGH] = {fill_rayleigh, "n"},
    [GL_STANDARD_CAUCHY] = {fill_standard_cauchy, ""},
    [GL_STANDARD_T] = {fill_standard_t, "p"},
    [GL_VONMISES] = {fill_vonmises, ".n"},
    [GL_WALD] = {fill_wald, "pp"},
    [GL_WEIBULL] = {fill_weibull, "n"},
    [GL_BINOMIAL] = {fill_binomial, "N1"},
    [GL_GEOMETRIC] = {fill_geometric, "c"},
    [GL_POISSON] = {fill_poisson, "r"},
    [GL_INT8] = {fill_int8_t, ".."},
    [GL_INT16] = {fill_int16_t, ".."},
    [GL_INT32] = {fill_int32_t, ".."},
    [GL_INT64] = {fill_int64_t, ".."},
    [GL_UINT8] = {fill_uint8_t, ".."},
    [GL_UINT16] = {fill_uint16_t, ".."},
    [GL_UINT32] = {fill_uint32_t, ".."},
};
