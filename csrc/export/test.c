/* Runs @NAME@ on recorded arguments and compares with recorded results; exits with 0 if they agree. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "@NAME@.h"

typedef struct recorded {
  const void *data;
  int ndim;
  char kind; /* f: floating, i: signed, u: unsigned; complex numbers are pairs along one more axis */
  size_t itemsize; /* of a number */
  int parts; /* 2 for complex numbers */
  double tolerance;
  int64_t shape[GRAPHLAB_MAX_NDIM];
} recorded;

@DATA@

static long double number(const char *at, char kind, size_t itemsize)
{
#define AS(letter, type) \
  if (kind == letter && itemsize == sizeof(type)) { \
    type x; \
    memcpy(&x, at, sizeof x); \
    return (long double)x; \
  }
  AS('f', double)
  AS('f', float)
  @HALF@AS('i', int8_t)
  AS('i', int16_t)
  AS('i', int32_t)
  AS('i', int64_t)
  AS('u', uint8_t)
  AS('u', uint16_t)
  AS('u', uint32_t)
  AS('u', uint64_t)
#undef AS
  return (long double)NAN;
}

/* How many numbers of `got`, which is C-contiguous, are not those of `want`. */
static long compare(const char *what, int k, const graphlab_array *got, const recorded *want)
{
  int64_t n = want->parts;
  for (int d = 0; d < want->ndim; d++) {
    if (got->shape[d] != want->shape[d]) {
      printf("%s %d: axis %d has the extent %lld, not %lld\n", what, k, d, (long long)got->shape[d],
             (long long)want->shape[d]);
      return 1;
    }
    n *= want->shape[d];
  }
  long double scale = 0;
  for (int64_t i = 0; i < n; i++) {
    long double x = fabsl(number((const char *)want->data + (size_t)i * want->itemsize, want->kind, want->itemsize));
    scale = isfinite(x) && x > scale ? x : scale;
  }
  long wrong = 0;
  for (int64_t i = 0; i < n; i++) {
    size_t at = (size_t)i * want->itemsize;
    long double x = number((const char *)got->data + at, want->kind, want->itemsize);
    long double y = number((const char *)want->data + at, want->kind, want->itemsize);
    int same = x == y || (isnan(x) && isnan(y)) || fabsl(x - y) <= want->tolerance * scale;
    if (!same && wrong++ < 3)
      printf("%s %d: number %lld is %.17Lg, not %.17Lg\n", what, k, (long long)i, x, y);
  }
  return wrong;
}

static graphlab_array array_of(const recorded *r)
{
  return @NAME@_array(r->data, r->ndim, r->shape, r->itemsize * (size_t)r->parts);
}

int main(void)
{
  long wrong = 0;
  graphlab_array inputs[@NAME@_inputs + 1], outputs[@NAME@_outputs + 1];
  @NAME@_context *context = @NAME@_create();
  if (!context) {
    printf("@NAME@: no memory\n");
    return 1;
  }
  for (int k = 0; k < @NAME@_inputs; k++)
    inputs[k] = array_of(&arguments[k]);
  for (int call = 0; call < calls; call++) {
    if (@NAME@_run(context, inputs, outputs)) {
      printf("@NAME@: %s\n", @NAME@_error(context));
      @NAME@_destroy(context);
      return 1;
    }
    for (int k = 0; k < @NAME@_outputs; k++) {
      wrong += compare("output", k, &outputs[k], &results[call][k]);
      @NAME@_free(&outputs[k]);
    }
  }
  for (int k = 0; k < @NAME@_states; k++) {
    graphlab_array state;
    if (@NAME@_get_state(context, k, &state)) {
      printf("@NAME@: %s\n", @NAME@_error(context));
      wrong++;
      continue;
    }
    wrong += compare("state", k, &state, &last_states[k]);
    @NAME@_free(&state);
  }
  @NAME@_destroy(context);
  printf("@NAME@: %s\n", wrong ? "results differ" : "results agree");
  return wrong ? 1 : 0;
}
