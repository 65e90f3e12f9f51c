/* Kernels that have their operands side by side. Elements that are no neighbours in memory are put together, some at a
 * time, in tiles that the nearest cache holds; results are taken to their places from there. */
#include "gl_runtime.h"

#define TILE_BYTES (16 << 10) /* of all operands together, */
#define MOST 512              /* and so many elements at most, */
#define LEAST 64              /* but whole vectors, however many operands there are; so tiles begin at whole cache lines */
#define NARROW 64             /* elements: shorter rows that are side by side are put together, too */

/* An operand along the last two axes. */
typedef struct operand {
  char *start;
  int64_t size, step, along; /* bytes: of an element, to the next row, and to the next element of a row */
  int is_number;             /* which kernels read once */
  int is_same;               /* an input that is the same for all elements, */
  char *tile;                /* fills its tile once; NULL: it needs none */
} operand;

typedef struct plane {
  gl_kernel kernel;
  const int64_t *stride;
  int32_t outputs, operands;
  operand *operand;
  int64_t rows, columns;
  int64_t high, wide; /* of a tile, at most */
} plane;

/* Are so many rows of so many elements side by side where they are? */
static int is_beside(const operand *o, int64_t high, int64_t wide)
{
  return o->is_number || (o->along == o->size && (high == 1 || o->step == o->size * wide));
}

/* An operand's elements from their places into its tile, or back. */
static void move(const operand *o, char *place, int64_t high, int64_t wide, int back)
{
  const int64_t extent[2] = {high, wide}, there[2] = {o->step, o->along}, here[2] = {wide * o->size, o->size};
  if (back)
    gl_copy_elements(2, extent, (int32_t)o->size, place, there, o->tile, here);
  else
    gl_copy_elements(2, extent, (int32_t)o->size, o->tile, here, place, there);
}

/* The kernel on `high` rows from number `top` on, of `wide` elements from number `first` on. */
static int run_tile(const plane *p, int64_t top, int64_t high, int64_t first, int64_t wide)
{
  const int64_t count = high * wide;
  char *place[p->operands], *data[p->operands];
  for (int32_t k = 0; k < p->operands; k++) {
    const operand *o = &p->operand[k];
    const int stays = !o->tile || is_beside(o, high, wide);
    place[k] = o->start + top * o->step + first * o->along;
    data[k] = stays ? place[k] : o->tile;
    if (!stays && k >= p->outputs && !o->is_same)
      move(o, place[k], high, wide, 0);
  }
  int failed = p->kernel(&count, p->stride, data);
  for (int32_t k = 0; k < p->outputs; k++)
    if (!failed && data[k] != place[k])
      move(&p->operand[k], place[k], high, wide, 1);
  return failed;
}

static int run_plane(const plane *p)
{
  int failed = 0;
  for (int64_t top = 0; top < p->rows && !failed; top += p->high) {
    const int64_t high = p->rows - top < p->high ? p->rows - top : p->high;
    for (int64_t first = 0; first < p->columns && !failed; first += p->wide)
      failed = run_tile(p, top, high, first, p->columns - first < p->wide ? p->columns - first : p->wide);
  }
  return failed;
}

static void lay_out(plane *p, gl_frame *frame, const gl_nest *nest, char *const *data)
{
  const int32_t ndim = nest->ndim;
  for (int32_t k = 0; k < p->operands; k++) {
    const gl_slot *slot = &gl_call_of(frame)->slots[nest->slots[k]];
    const int64_t *stride = p->stride + k * ndim;
    operand *o = &p->operand[k];
    *o = (operand){.start = data[k], .size = slot->itemsize, .along = stride[ndim - 1], .is_number = slot->ndim == 0};
    o->step = ndim > 1 ? stride[ndim - 2] : 0;
    o->is_same = k >= p->outputs;
    for (int32_t d = 0; d < ndim; d++)
      o->is_same &= stride[d] == 0;
  }
}

/* How many bytes of an element of all operands are in tiles, if these have so many rows. */
static int64_t in_tiles(const plane *p, int64_t rows)
{
  int64_t bytes = 0;
  for (int32_t k = 0; k < p->operands; k++)
    bytes += is_beside(&p->operand[k], rows, p->columns) ? 0 : p->operand[k].size;
  return bytes;
}

/* Give each operand that needs it a tile of `most` elements, if tiles have so many rows. */
static void give_tiles(plane *p, int64_t rows, int64_t most, char *memory)
{
  for (int32_t k = 0; k < p->operands; k++) {
    operand *o = &p->operand[k];
    if (is_beside(o, rows, p->columns))
      continue;
    o->tile = memory;
    memory += most * o->size;
    if (o->is_same) /* once for all tiles */
      gl_copy_elements(1, &most, (int32_t)o->size, o->tile, &o->size, o->start, &o->along);
  }
}

/* All planes of a nest: the axes before the last two go like a counter. */
static int run_planes(plane *p, int32_t ndim, const int64_t *extent)
{
  int64_t at[GL_MAX_NDIM] = {0};
  for (;;) {
    int failed = run_plane(p);
    int32_t d = ndim - 3;
    for (; d >= 0 && at[d] == extent[d] - 1; d--) {
      for (int32_t k = 0; k < p->operands; k++)
        p->operand[k].start -= at[d] * p->stride[k * ndim + d];
      at[d] = 0;
    }
    if (failed || d < 0)
      return failed;
    at[d]++;
    for (int32_t k = 0; k < p->operands; k++)
      p->operand[k].start += p->stride[k * ndim + d];
  }
}

/* Is a nest one row whose operands are side by side? */
static int is_one_row(gl_frame *frame, const gl_nest *nest, const int64_t *extent, const int64_t *stride)
{
  const int32_t last = nest->ndim - 1;
  const gl_slot *slots = gl_call_of(frame)->slots;
  for (int32_t d = 0; d < last; d++)
    if (extent[d] != 1)
      return 0;
  for (int32_t k = 0; k < nest->n_outputs + nest->n_inputs && extent[last] != 1; k++) {
    const gl_slot *slot = &slots[nest->slots[k]];
    if (stride[k * nest->ndim + last] != slot->itemsize && slot->ndim)
      return 0;
  }
  return 1;
}

int gl_run_beside(gl_frame *frame, const gl_nest *nest, gl_kernel kernel, const int64_t *extent, const int64_t *stride,
                  char *const *data)
{
  const int32_t ndim = nest->ndim;
  if (is_one_row(frame, nest, extent, stride)) /* most calls */
    return kernel(&extent[ndim - 1], stride, data);
  if (gl_elements(ndim, extent) == 0)
    return 0;
  const int32_t operands = nest->n_outputs + nest->n_inputs;
  operand operand[operands];
  plane p = {.kernel = kernel, .stride = stride, .outputs = nest->n_outputs, .operands = operands, .operand = operand,
             .rows = ndim > 1 ? extent[ndim - 2] : 1, .columns = extent[ndim - 1]};
  lay_out(&p, frame, nest, data);
  const int joins = p.rows > 1 && p.columns <= MOST / 2 && (p.columns < NARROW || in_tiles(&p, 1));
  const int64_t some = joins ? MOST / p.columns : 1, bytes = in_tiles(&p, some);
  const int64_t fit = bytes * MOST > TILE_BYTES ? TILE_BYTES / bytes / LEAST * LEAST : MOST, most = fit ? fit : LEAST;
  p.high = joins && most > p.columns ? most / p.columns : 1;
  p.wide = bytes && most < p.columns ? most : p.columns;
  _Alignas(64) char memory[bytes * most + 1];
  give_tiles(&p, some, most, memory);
  return run_planes(&p, ndim, extent);
}
