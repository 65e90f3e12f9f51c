/* Convolutions and their derivatives, without padding: filters are multiplied with the windows of images, as matrices
 * are. Where windows that are neighbours along the last axis are neighbours in memory, and there are enough of them for
 * a vector, the images are read where they lie: row k of that matrix is the images, k's distance further on. Elsewhere
 * the windows of a few rows of the result are copied side by side first, few enough to stay in the cache; where results
 * are small, those of several images.
 *
 * Threads share pieces that do not depend on how many threads there are; the derivative by the filters is the sum of
 * parts, each of some images, in their order. */
#include "gl_pool.h"
#include "gl_runtime.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS (256 << 10)  /* bytes of windows that are copied at a time */
#define TILE 512             /* elements of the result that are computed at a time, at most */
#define PAGE 4096
#define LEAST 72             /* so many at least */
#define ROWS 64              /* taps that derivatives have at a time, where maps are read in place */
#define MANY 32              /* filters: copies of windows take no time any more */
#define MORE 512             /* where they are copied; taps that the convolution copies at a time */
#define PARTS 16             /* of the derivative by the filters, each the sum of a part of the images' */
#define PARTS_BYTES (8 << 20)

/* Windows along the last axis: where the first begins, in bytes from the image's beginning, and how many. */
typedef struct line {
  int64_t at, n;
} line;

/* Lines of windows, and how far their elements, the taps, lie from the first, in bytes. */
typedef struct tile {
  const char *base;
  const line *lines;
  int64_t n_lines, taps;
  const int64_t *tap;
} tile;

/* Elements of filters, one filter `step` elements behind the other; whether products are added to what is there. */
typedef struct factor {
  const char *data;
  int64_t step;
  int adds;
} factor;

/* What gl_convolution_rows.h has for a type and a set of instructions. */
typedef struct arithmetic {
  int64_t lanes;
  void (*multiply)(const tile *t, int64_t filters, const factor *w, char *out, int64_t out_step);
  void (*correlate)(const tile *t, int64_t filters, const char *g, int64_t g_step, char *out, int64_t out_step);
} arithmetic;

#define MULTIPLY_ADD(a, x, sum) ((a) * (x) + (sum))
#define MULTIPLY_ADD_VECTORS(a, x, sum) ((a) * (x) + (sum))
#define TARGET
#define real float
#define real_bits int32_t
#define LANES 4
#define NAME(what) what##_single
#include "gl_convolution_rows.h"
#undef real
#undef real_bits
#undef LANES
#undef NAME
#define real double
#define real_bits int64_t
#define LANES 2
#define NAME(what) what##_double
#include "gl_convolution_rows.h"
#undef real
#undef real_bits
#undef LANES
#undef NAME
#undef TARGET
#undef MULTIPLY_ADD
#undef MULTIPLY_ADD_VECTORS

#ifdef __x86_64__
#include <immintrin.h>
#define TARGET __attribute__((target("avx2,fma")))
#define MULTIPLY_ADD(a, x, sum) _mm256_fmadd_ps(_mm256_set1_ps(a), x, sum)
#define MULTIPLY_ADD_VECTORS(a, x, sum) _mm256_fmadd_ps(a, x, sum)
#define real float
#define real_bits int32_t
#define LANES 8
#define NAME(what) what##_single_avx2
#include "gl_convolution_rows.h"
#undef MULTIPLY_ADD
#undef MULTIPLY_ADD_VECTORS
#undef real
#undef real_bits
#undef LANES
#undef NAME
#define MULTIPLY_ADD(a, x, sum) _mm256_fmadd_pd(_mm256_set1_pd(a), x, sum)
#define MULTIPLY_ADD_VECTORS(a, x, sum) _mm256_fmadd_pd(a, x, sum)
#define real double
#define real_bits int64_t
#define LANES 4
#define NAME(what) what##_double_avx2
#include "gl_convolution_rows.h"
#endif

static const arithmetic *arithmetic_of(int32_t itemsize)
{
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return itemsize == 4 ? &arithmetic_single_avx2 : &arithmetic_double_avx2;
#endif
  return itemsize == 4 ? &arithmetic_single : &arithmetic_double;
}

/* ---- what all three know --------------------------------------------------------------------------- */

typedef struct convolution {
  gl_frame *frame;
  const arithmetic *with;
  int32_t rank, itemsize;
  int64_t groups, batch, channels, filters; /* the last two of each group */
  const int64_t *stride, *dilation;
  int64_t kernel[GL_MAX_NDIM], count[GL_MAX_NDIM]; /* extents of a filter, of the result */
  int64_t taps, places;                            /* elements of a filter, of the result of one filter */
  gl_array images;
  const char *filter, *maps; /* the filters and (batch, filters, ...), in C order; what is computed is not here */
  char *packed[2];           /* copies, to be freed */
  int direct;                /* images are read where they lie */
  int copied;                /* maps have few elements: those of several images are put together */
  int64_t n_lines;           /* of an image; all lines are numbered, image after image */
  int64_t span;              /* so many images are cut into tiles together */
  int64_t tiles;             /* of such a span */
  int64_t pitch;             /* elements of a row of copied windows */
  char *memory;              /* what follows, freed at the end */
  line *lines;
  int64_t *tap, *column_tap; /* in an image; among copied windows */
  char *columns;             /* for each thread, `columns_bytes` */
  int64_t columns_bytes;
  int32_t threads;
  char *out;
} convolution;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

/* An operand in C order: itself, or a copy that *packed is then. */
static int in_order(gl_frame *frame, int32_t ndim, int32_t itemsize, const gl_array *array, const char **data,
                    char **packed)
{
  int64_t stride[GL_MAX_NDIM], bytes;
  int same = 1;
  gl_c_strides(ndim, array->shape, itemsize, stride);
  for (int32_t d = 0; d < ndim; d++)
    same &= array->shape[d] <= 1 || array->stride[d] == stride[d];
  *data = array->data;
  if (same)
    return 0;
  int failed = gl_size(frame, ndim, array->shape, itemsize, &bytes);
  if (failed)
    return failed;
  *packed = gl_memory_new((size_t)bytes + 1);
  if (!*packed)
    return gl_fail(frame, GL_ERROR_MEMORY, bytes);
  gl_copy_elements(ndim, array->shape, itemsize, *packed, stride, array->data, array->stride);
  *data = *packed;
  return 0;
}

/* From the params (groups, how many axes, strides, dilations), the images and the shape of the filters. */
static int convolution_of(gl_frame *frame, const int64_t *params, int32_t itemsize, const gl_array *images,
                          const int64_t *filters, convolution *c)
{
  *c = (convolution){.frame = frame, .with = arithmetic_of(itemsize), .groups = params[0],
                     .rank = (int32_t)params[1], .itemsize = itemsize, .images = *images};
  c->stride = params + 2;
  c->dilation = c->stride + c->rank;
  c->batch = images->shape[0];
  c->channels = filters[1];
  c->filters = filters[0] / c->groups;
  if (images->shape[1] != c->channels * c->groups || filters[0] % c->groups)
    return gl_fail(frame, GL_ERROR_MATMUL, images->shape[1], c->channels * c->groups);
  c->taps = c->channels;
  c->places = 1;
  for (int32_t d = 0; d < c->rank; d++) {
    c->kernel[d] = filters[2 + d];
    c->count[d] = gl_window_count(images->shape[2 + d], c->kernel[d], c->stride[d], c->dilation[d]);
    if (c->count[d] < 1)
      return gl_fail(frame, GL_ERROR_WINDOW, c->kernel[d], c->dilation[d], 2 + d, images->shape[2 + d]);
    c->taps *= c->kernel[d];
    c->places *= c->count[d];
  }
  return 0;
}

/* Whether `maps` are results of the convolution. */
static int agree(const convolution *c, const gl_array *maps)
{
  int64_t shape[GL_MAX_NDIM] = {c->batch, c->filters * c->groups};
  memcpy(shape + 2, c->count, (size_t)c->rank * sizeof *shape);
  for (int32_t d = 0; d < c->rank + 2; d++)
    if (maps->shape[d] != shape[d])
      return gl_fail(c->frame, GL_ERROR_BROADCAST, 0, 1, d, maps->shape[d], shape[d]);
  return 0;
}

/* Where lines and taps are: `widest` elements of a line at most. */
static void lay_out(convolution *c, int64_t pieces)
{
  const int32_t last = c->rank - 1;
  const int64_t *step = c->images.stride + 2, row = c->count[last], n_rows = c->places / row;
  int64_t at[GL_MAX_NDIM] = {0}, between[GL_MAX_NDIM], inside[GL_MAX_NDIM], extent[GL_MAX_NDIM];
  for (int32_t d = 0; d <= last; d++) {
    between[d] = step[d] * c->stride[d];
    inside[d + 1] = step[d] * c->dilation[d];
    extent[d + 1] = c->kernel[d];
  }
  inside[0] = c->images.stride[1];
  extent[0] = c->channels;
  const char *place = NULL; /* offsets, counted as pointers are */
  line *l = c->lines;
  for (int64_t r = 0; r < n_rows; r++) {
    for (int64_t k = 0; k < pieces; k++, l++) {
      int64_t first = row * k / pieces;
      *l = (line){(int64_t)(intptr_t)place + first * between[last], row * (k + 1) / pieces - first};
    }
    gl_advance(last, c->count, between, at, &place);
  }
  memset(at, 0, sizeof at);
  place = NULL;
  for (int64_t k = 0; k < c->taps; k++) {
    c->tap[k] = (int64_t)(intptr_t)place;
    c->column_tap[k] = k * c->pitch * c->itemsize;
    gl_advance(c->rank + 1, extent, inside, at, &place);
  }
}

/* Cut lines and tiles, and get memory: for each thread so many rows, of as many elements as the longest tile has. */
static int plan(convolution *c, int64_t rows)
{
  const int64_t lanes = c->with->lanes, row = c->count[c->rank - 1], itemsize = c->itemsize;
  const int64_t room = COLUMNS / (larger(rows, 1) * itemsize), target = larger(smaller(room, TILE), LEAST);
  const int64_t pieces = (row + target - 1) / target, wide = (row + pieces - 1) / pieces;
  c->n_lines = c->places / row * pieces;
  const int64_t all = c->n_lines * c->span;
  c->tiles = (all * wide + target - 1) / target; /* all equally large, and so larger than a vector */
  c->pitch = up((all + c->tiles - 1) / c->tiles * wide, lanes);
  c->pitch += c->pitch * itemsize % PAGE == 0 ? lanes : 0; /* rows of a page each would meet in the cache */
  const double work = (double)c->batch * (double)c->places * (double)c->taps * (double)(c->filters * c->groups);
  c->threads = gl_threads_for(c->frame, work * (double)itemsize / 20);
  c->columns_bytes = c->direct ? 0 : up(c->pitch * rows * itemsize, GL_ALIGNMENT);
  const int64_t tables = up(c->n_lines * (int64_t)sizeof(line) + 2 * c->taps * (int64_t)sizeof(int64_t), GL_ALIGNMENT);
  const int64_t bytes = tables + c->threads * c->columns_bytes;
  c->memory = gl_memory_new((size_t)bytes);
  if (!c->memory)
    return gl_fail(c->frame, GL_ERROR_MEMORY, bytes);
  c->lines = (line *)c->memory;
  c->tap = (int64_t *)(c->lines + c->n_lines);
  c->column_tap = c->tap + c->taps;
  c->columns = c->memory + tables;
  lay_out(c, pieces);
  return 0;
}

/* How many images are put together, where each has few places. */
static int64_t span_of(const convolution *c)
{
  const int64_t wanted = (2 * LEAST + c->places - 1) / c->places, spans = (c->batch + wanted - 1) / wanted;
  return (c->batch + spans - 1) / spans;
}

/* Taps that derivatives have at a time. */
static int64_t taps_of(const convolution *c) { return c->copied ? MORE : ROWS; }

/* For those that read images: in place, if neighbouring windows are neighbours there and fill vectors, or if there are
 * too few filters to make up for a copy. `rows`: of the memory that copies need; 0: of those for the
 * derivative by the filters. */
static int plan_windows(convolution *c, int64_t rows)
{
  const int32_t last = c->rank - 1;
  const int64_t row = c->count[last], lanes = c->with->lanes;
  c->direct = c->stride[last] == 1 && c->images.stride[2 + last] == c->itemsize && row >= lanes &&
              (row >= 3 * lanes || c->filters < MANY);
  c->span = c->direct ? 1 : span_of(c);
  c->copied = !c->direct && (c->span > 1 || c->places < lanes);
  if (!rows) /* of the derivative by the filters */
    rows = smaller(taps_of(c), c->taps) + (c->copied ? c->filters : 0);
  return plan(c, c->direct ? 0 : rows);
}

static void finish(convolution *c)
{
  gl_memory_drop(c->memory);
  gl_memory_drop(c->packed[0]);
  gl_memory_drop(c->packed[1]);
}

/* ---- tiles ------------------------------------------------------------------------------------------ */

/* Lines from number `first` on. */
typedef struct part {
  int64_t first, n_lines;
} part;

static int64_t spans_of(const convolution *c) { return (c->batch + c->span - 1) / c->span; }

/* Tile `number` of all spans; the last span may have fewer lines, even none for it. */
static part part_of(const convolution *c, int64_t number)
{
  const int64_t span = number / c->tiles, begin = span * c->span * c->n_lines;
  const int64_t end = smaller((span + 1) * c->span, c->batch) * c->n_lines;
  const int64_t all = c->span * c->n_lines, k = number % c->tiles;
  const int64_t first = begin + all * k / c->tiles, next = begin + all * (k + 1) / c->tiles;
  return (part){first, larger(smaller(next, end) - first, 0)};
}

/* How many elements a map has before a line. */
static int64_t place_of(const convolution *c, int64_t number)
{
  const int64_t row = c->count[c->rank - 1], pieces = c->n_lines / (c->places / row);
  return number / pieces * row + row * (number % pieces) / pieces;
}

/* Where line `number` of all images is in maps, for the first filter of a group. */
static int64_t in_maps(const convolution *c, int64_t number, int64_t group)
{
  const int64_t image = number / c->n_lines, map = (image * c->groups + group) * c->filters;
  return (map * c->places + place_of(c, number % c->n_lines)) * c->itemsize;
}

/* Copy a row of elements that lie apart. */
static void gather(int64_t n, int32_t itemsize, char *out, const char *in, int64_t step)
{
  if (step == itemsize && n > 4)
    memcpy(out, in, (size_t)(n * itemsize));
  else if (itemsize == 4)
    for (int64_t i = 0; i < n; i++)
      memcpy(out + 4 * i, in + i * step, 4);
  else
    for (int64_t i = 0; i < n; i++)
      memcpy(out + 8 * i, in + i * step, 8);
}

/* The windows of some lines side by side: a row for each of some taps, zeros behind the last. How many there are. */
static int64_t gather_windows(const convolution *c, const part *p, int64_t group, int64_t tap, int64_t taps,
                              char *columns)
{
  const int64_t step = c->images.stride[1 + c->rank] * c->stride[c->rank - 1], row = c->pitch * c->itemsize;
  int64_t n = 0;
  for (int64_t l = p->first; l < p->first + p->n_lines; l++) {
    const line *here = &c->lines[l % c->n_lines];
    const char *in = c->images.data + l / c->n_lines * c->images.stride[0] +
                     group * c->channels * c->images.stride[1] + here->at;
    for (int64_t k = 0; k < taps; k++)
      gather(here->n, c->itemsize, columns + k * row + n * c->itemsize, in + c->tap[tap + k], step);
    n += here->n;
  }
  for (int64_t k = 0; k < taps; k++)
    memset(columns + k * row + n * c->itemsize, 0, (size_t)((c->pitch - n) * c->itemsize));
  return n;
}

/* The maps' elements for some lines side by side, in the same way. */
static void gather_maps(const convolution *c, const part *p, int64_t group, char *maps)
{
  const int64_t row = c->pitch * c->itemsize;
  int64_t at = 0;
  for (int64_t l = p->first; l < p->first + p->n_lines; l++) {
    const int64_t bytes = c->lines[l % c->n_lines].n * c->itemsize;
    const char *in = c->maps + in_maps(c, l, group);
    for (int64_t f = 0; f < c->filters; f++)
      memcpy(maps + f * row + at, in + f * c->places * c->itemsize, (size_t)bytes);
    at += bytes;
  }
  for (int64_t f = 0; f < c->filters; f++)
    memset(maps + f * row + at, 0, (size_t)(row - at));
}

static tile direct_tile(const convolution *c, const part *p, int64_t group)
{
  const int64_t image = p->first / c->n_lines;
  const char *base = c->images.data + image * c->images.stride[0] + group * c->channels * c->images.stride[1];
  return (tile){base, c->lines + p->first % c->n_lines, p->n_lines, c->taps, c->tap};
}

/* ---- the convolution -------------------------------------------------------------------------------- */

static void convolve_tile(void *context, int64_t chunk, int32_t thread)
{
  const convolution *c = context;
  const int64_t group = chunk % c->groups, map = c->places * c->itemsize, row = c->pitch * c->itemsize;
  const part p = part_of(c, chunk / c->groups);
  factor w = {c->filter + group * c->filters * c->taps * c->itemsize, c->taps, 0};
  if (!p.n_lines)
    return;
  if (c->direct) {
    const tile t = direct_tile(c, &p, group);
    c->with->multiply(&t, c->filters, &w, c->out + in_maps(c, p.first, group), map);
    return;
  }
  char *columns = c->columns + thread * c->columns_bytes, *products = columns + smaller(MORE, c->taps) * row;
  const line all = {0, c->pitch};
  for (int64_t k = 0; k < c->taps; k += MORE, w.data += MORE * c->itemsize, w.adds = 1) {
    const tile t = {columns, &all, 1, smaller(MORE, c->taps - k), c->column_tap};
    gather_windows(c, &p, group, k, t.taps, columns);
    c->with->multiply(&t, c->filters, &w, products, row);
  }
  for (int64_t l = p.first; l < p.first + p.n_lines; l++) {
    const int64_t bytes = c->lines[l % c->n_lines].n * c->itemsize;
    char *out = c->out + in_maps(c, l, group);
    for (int64_t f = 0; f < c->filters; f++)
      memcpy(out + f * map, products + f * row, (size_t)bytes);
    products += bytes;
  }
}

int gl_convolve(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array images = frame->arrays[slots[1]], filters = frame->arrays[slots[2]];
  const int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize;
  convolution c;
  int failed = convolution_of(frame, params, itemsize, &images, filters.shape, &c);
  if (failed)
    return failed;
  int64_t shape[GL_MAX_NDIM] = {c.batch, c.filters * c.groups};
  memcpy(shape + 2, c.count, (size_t)c.rank * sizeof *shape);
  failed = gl_allocate(frame, slots[0], shape);
  if (failed || gl_elements(c.rank + 2, shape) == 0)
    return failed;
  c.out = frame->arrays[slots[0]].data;
  failed = in_order(frame, c.rank + 2, itemsize, &filters, &c.filter, &c.packed[0]);
  if (!failed)
    failed = plan_windows(&c, smaller(MORE, c.taps) + c.filters);
  if (!failed)
    failed = gl_run_shared(frame, convolve_tile, &c, spans_of(&c) * c.tiles * c.groups, c.threads);
  finish(&c);
  return failed;
}

/* ---- its derivative by the filters ------------------------------------------------------------------- */

typedef struct by_filters {
  convolution c;
  int64_t tiles, parts; /* there are; in so many parts */
  int64_t taps;         /* that are computed at a time */
  int64_t bytes;        /* of all filters */
  char *sums;           /* for each part */
} by_filters;

/* Taps from number `tap` on. */
static void correlate_tile(const convolution *c, const part *p, int64_t group, int64_t tap, int64_t taps, char *columns,
                           char *out)
{
  const char *maps = c->maps + in_maps(c, p->first, group);
  int64_t map = c->places * c->itemsize;
  tile t;
  line all = {0, 0};
  if (c->direct) {
    t = direct_tile(c, p, group);
    t.tap += tap;
  } else {
    t = (tile){columns, &all, 1, taps, c->column_tap};
    all.n = gather_windows(c, p, group, tap, taps, columns);
    if (c->copied) {
      char *copied = columns + taps * c->pitch * c->itemsize;
      gather_maps(c, p, group, copied);
      maps = copied;
      map = c->pitch * c->itemsize;
      all.n = c->pitch;
    }
  }
  t.taps = taps;
  c->with->correlate(&t, c->filters, maps, map, out, c->taps);
}

static void correlate_part(void *context, int64_t chunk, int32_t thread)
{
  const by_filters *b = context;
  const convolution *c = &b->c;
  const int64_t blocks = (c->taps + b->taps - 1) / b->taps, tap = chunk % blocks * b->taps;
  const int64_t taps = smaller(b->taps, c->taps - tap);
  const int64_t group = chunk / blocks % c->groups, which = chunk / blocks / c->groups;
  char *out = b->sums + which * b->bytes + (group * c->filters * c->taps + tap) * c->itemsize;
  for (int64_t f = 0; f < c->filters; f++)
    memset(out + f * c->taps * c->itemsize, 0, (size_t)(taps * c->itemsize));
  for (int64_t k = b->tiles * which / b->parts; k < b->tiles * (which + 1) / b->parts; k++) {
    const part p = part_of(c, k);
    if (p.n_lines)
      correlate_tile(c, &p, group, tap, taps, c->columns + thread * c->columns_bytes, out);
  }
}

/* The sum of all parts, in their order. */
static void add_parts(const by_filters *b, char *out)
{
  memcpy(out, b->sums, (size_t)b->bytes);
  for (int64_t k = 1; k < b->parts; k++)
    gl_add_run(b->c.itemsize, b->bytes / b->c.itemsize, out, b->c.itemsize, b->sums + k * b->bytes, b->c.itemsize);
}

int gl_convolve_filters(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array images = frame->arrays[slots[1]], maps = frame->arrays[slots[2]];
  const gl_array *vector = &frame->arrays[slots[3]];
  const int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize, rank = (int32_t)params[1];
  int64_t shape[GL_MAX_NDIM] = {maps.shape[1], images.shape[1] / params[0]};
  for (int32_t d = 0; d < rank; d++)
    shape[2 + d] = *(const int64_t *)(vector->data + d * vector->stride[0]);
  by_filters b = {0};
  convolution *c = &b.c;
  int failed = convolution_of(frame, params, itemsize, &images, shape, c);
  if (failed || (failed = agree(c, &maps)) || (failed = gl_allocate(frame, slots[0], shape)))
    return failed;
  char *out = frame->arrays[slots[0]].data;
  b.bytes = gl_elements(rank + 2, shape) * itemsize;
  if (b.bytes == 0 || c->batch == 0) {
    memset(out, 0, (size_t)b.bytes);
    return 0;
  }
  failed = in_order(frame, rank + 2, itemsize, &maps, &c->maps, &c->packed[0]);
  if (!failed)
    failed = plan_windows(c, 0);
  if (!failed) {
    b.taps = smaller(taps_of(c), c->taps);
    b.tiles = spans_of(c) * c->tiles;
    b.parts = larger(smaller(smaller(PARTS, b.tiles), PARTS_BYTES / b.bytes), 1);
    b.sums = c->packed[1] = gl_memory_new((size_t)(b.parts * b.bytes));
    failed = b.sums ? 0 : gl_fail(frame, GL_ERROR_MEMORY, b.parts * b.bytes);
  }
  const int64_t blocks = (c->taps + larger(b.taps, 1) - 1) / larger(b.taps, 1);
  if (!failed)
    failed = gl_run_shared(frame, correlate_part, &b, b.parts * c->groups * blocks, c->threads);
  if (!failed)
    add_parts(&b, out);
  finish(c);
  return failed;
}

/* ---- its derivative by the images -------------------------------------------------------------------- */

typedef struct by_images {
  convolution c;
  int64_t inside, block; /* elements of a filter for each channel; channels that are computed at a time */
  int64_t *map;          /* for each filter of a group where its row is, in bytes */
} by_images;

/* Add the windows' elements `in`, of one channel and one place in the filter, to where they lie in the images. */
static void fold_lines(const convolution *c, const part *p, int64_t channel, int64_t tap, const char *in)
{
  const int64_t step = c->images.stride[1 + c->rank] * c->stride[c->rank - 1];
  for (int64_t l = p->first; l < p->first + p->n_lines; l++) {
    const line *here = &c->lines[l % c->n_lines];
    char *out = c->images.data + l / c->n_lines * c->images.stride[0] + channel * c->images.stride[1] + here->at;
    gl_add_run(c->itemsize, here->n, out + tap, step, in, c->itemsize);
    in += here->n * c->itemsize;
  }
}

static void spread_tile(const by_images *b, const part *p, int64_t group, int64_t first, int64_t channels, char *memory)
{
  const convolution *c = &b->c;
  const int64_t row = c->pitch * c->itemsize, rows = b->inside * channels;
  char *maps = memory + b->inside * b->block * row;
  line all = {0, c->pitch};
  tile t = {maps, &all, 1, c->filters, b->map};
  if (c->copied) {
    gather_maps(c, p, group, maps);
  } else { /* lines follow one another in a map */
    t.base = c->maps + in_maps(c, p->first, group);
    all.n = 0;
    for (int64_t l = p->first; l < p->first + p->n_lines; l++)
      all.n += c->lines[l % c->n_lines].n;
  }
  const factor w = {c->filter + (group * c->taps + first * b->inside) * c->filters * c->itemsize, c->filters, 0};
  c->with->multiply(&t, rows, &w, memory, row);
  for (int64_t k = 0; k < rows; k++)
    fold_lines(c, p, group * c->channels + first + k / b->inside, c->tap[k % b->inside], memory + k * row);
}

static void spread_span(void *context, int64_t chunk, int32_t thread)
{
  const by_images *b = context;
  const convolution *c = &b->c;
  const int64_t blocks = (c->channels + b->block - 1) / b->block, first = chunk % blocks * b->block;
  const int64_t group = chunk / blocks % c->groups, span = chunk / blocks / c->groups;
  const int64_t channels = smaller(b->block, c->channels - first);
  for (int64_t image = span * c->span; image < smaller((span + 1) * c->span, c->batch); image++)
    memset(c->images.data + image * c->images.stride[0] + (group * c->channels + first) * c->images.stride[1], 0,
           (size_t)(channels * c->images.stride[1]));
  for (int64_t k = 0; k < c->tiles; k++) {
    const part p = part_of(c, span * c->tiles + k);
    if (p.n_lines)
      spread_tile(b, &p, group, first, channels, c->columns + thread * c->columns_bytes);
  }
}

/* Filters as columns: for each group and tap a row with an element of each filter; and where rows of maps lie. */
static int turn_filters(by_images *b, const gl_array *filters)
{
  convolution *c = &b->c;
  const int64_t elements = c->groups * c->taps * c->filters, bytes = elements * c->itemsize;
  int64_t shape[GL_MAX_NDIM] = {c->groups, c->channels}, from[GL_MAX_NDIM], to[GL_MAX_NDIM];
  const int32_t ndim = c->rank + 3;
  from[0] = c->filters * filters->stride[0];
  from[1] = filters->stride[1];
  for (int32_t d = 0; d < c->rank; d++) {
    shape[2 + d] = c->kernel[d];
    from[2 + d] = filters->stride[2 + d];
  }
  shape[ndim - 1] = c->filters;
  from[ndim - 1] = filters->stride[0];
  gl_c_strides(ndim, shape, c->itemsize, to);
  const int64_t table = up(bytes, GL_ALIGNMENT);
  c->packed[1] = gl_memory_new((size_t)(table + c->filters * (int64_t)sizeof(int64_t)));
  if (!c->packed[1])
    return gl_fail(c->frame, GL_ERROR_MEMORY, table);
  gl_copy_elements(ndim, shape, c->itemsize, c->packed[1], to, filters->data, from);
  c->filter = c->packed[1];
  b->map = (int64_t *)(c->packed[1] + table);
  for (int64_t f = 0; f < c->filters; f++)
    b->map[f] = f * (c->copied ? c->pitch : c->places) * c->itemsize;
  return 0;
}

int gl_convolve_images(gl_frame *frame, const int32_t *slots, const int64_t *params)
{
  const gl_array maps = frame->arrays[slots[1]], filters = frame->arrays[slots[2]];
  const gl_array *vector = &frame->arrays[slots[3]];
  const int32_t itemsize = gl_call_of(frame)->slots[slots[0]].itemsize, rank = (int32_t)params[1];
  int64_t shape[GL_MAX_NDIM] = {maps.shape[0], filters.shape[1] * params[0]};
  for (int32_t d = 0; d < rank; d++)
    shape[2 + d] = *(const int64_t *)(vector->data + d * vector->stride[0]);
  int failed = gl_allocate(frame, slots[0], shape);
  if (failed)
    return failed;
  const gl_array out = frame->arrays[slots[0]];
  const int64_t bytes = gl_elements(rank + 2, shape) * itemsize;
  by_images b = {0};
  convolution *c = &b.c;
  if ((failed = convolution_of(frame, params, itemsize, &out, filters.shape, c)) || (failed = agree(c, &maps)))
    return failed;
  if (bytes == 0 || c->filters == 0) {
    memset(out.data, 0, (size_t)bytes);
    return 0;
  }
  b.inside = c->taps / c->channels;
  c->span = span_of(c);
  c->copied = c->span > 1 || c->places < c->with->lanes;
  b.block = smaller(larger(taps_of(c) / b.inside, 1), c->channels);
  failed = in_order(frame, rank + 2, itemsize, &maps, &c->maps, &c->packed[0]);
  if (!failed)
    failed = plan(c, b.inside * b.block + (c->copied ? c->filters : 0));
  if (!failed)
    failed = turn_filters(&b, &filters);
  const int64_t blocks = (c->channels + b.block - 1) / b.block;
  if (!failed)
    failed = gl_run_shared(frame, spread_span, &b, spans_of(c) * c->groups * blocks, c->threads);
  finish(c);
  return failed;
}
