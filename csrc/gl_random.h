/* What the bit generator, the distributions and the drawing of arrays share. */
#ifndef GL_RANDOM_H
#define GL_RANDOM_H

#include "gl_runtime.h"

#include <numpy/random/distributions.h>

#define GL_MOST_PARAMETERS 2

/* The state of a stream: the words of its vector are the fields of NumPy's Philox, in this order. */
typedef struct gl_philox {
  uint64_t counter[4], key[2];
  uint64_t buffer[4], buffer_pos; /* the last block, and how many of its words are used */
  uint64_t has_uint32, uinteger;  /* the other half of a word of which a uint32 was taken */
} gl_philox;

/* Where a draw takes its numbers from. */
typedef struct gl_source {
  gl_philox *state;
  bitgen_t bits;       /* NumPy's view of the state */
  binomial_t binomial; /* what random_binomial keeps from one number to the next */
  int held;            /* small integers share a uint32: how many are left in `rest` */
  uint32_t rest;
  int closed; /* integers: the upper end belongs to the range */
  int alike;  /* all numbers of the draw have the same parameters */
} gl_source;

/* Draw `n` numbers one after another into `out`; parameter k of number i is at at[k] + i * step[k]. Non-zero:
 * the parameters do not fit together, and all that was drawn comes to nothing. */
typedef int (*gl_fill)(gl_source *from, int64_t n, char *out, const char *const *at, const int64_t *step);

/* What a parameter may be, as NumPy constrains it. */
enum gl_limit {
  GL_ANY = '.',
  GL_NOT_NEGATIVE = 'n', /* the sign bit is not set: -0.0 is negative, nan is not */
  GL_POSITIVE = 'p',     /* nan is let through */
  GL_PROBABILITY = '1',  /* 0 <= p <= 1 */
  GL_CHANCE = 'c',       /* 0 < p <= 1 */
  GL_RATE = 'r',         /* 0 <= lam <= what a Poisson number can be drawn for */
  GL_COUNT = 'N'         /* an int64 >= 0 */
};

typedef struct gl_known_distribution {
  gl_fill fill;
  const char *limits; /* a gl_limit for each parameter */
} gl_known_distribution;

extern const gl_known_distribution gl_distributions[GL_DISTRIBUTIONS];

gl_source gl_open_source(gl_philox *state);
int gl_allowed(int limit, const char *address);

#endif
