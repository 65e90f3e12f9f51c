/* The operands of a run: arguments, constants and shared values as the slots that they are for. */
#include "gl_python.h"

#include <math.h>
#include <string.h>

static void describe(gl_activation *run, int32_t slot, PyObject *value)
{
  PyArrayObject *source = (PyArrayObject *)value;
  gl_array *array = &run->call.frame.arrays[slot];
  int64_t bytes = run->code->slots[slot].itemsize;
  array->data = PyArray_BYTES(source);
  for (int d = 0; d < run->code->slots[slot].ndim; d++) {
    array->shape[d] = PyArray_DIM(source, d);
    array->stride[d] = PyArray_STRIDE(source, d);
    bytes *= array->shape[d];
  }
  run->bytes += bytes;
}

/* An int, which a run can only keep where it is exact. */
static int put_integer(int kind, gl_scalar *to, int64_t n)
{
#define PUT(npy, type, fits)       \
  case npy: {                      \
    type x = (type)n;              \
    memcpy(to, &x, sizeof x);      \
    return fits;                   \
  }
  switch (kind) {
    PUT(NPY_BOOL, npy_bool, x == n && n < 2)
    PUT(NPY_INT8, int8_t, x == n)
    PUT(NPY_INT16, int16_t, x == n)
    PUT(NPY_INT32, int32_t, x == n)
    PUT(NPY_INT64, int64_t, 1)
    PUT(NPY_UINT8, uint8_t, x == n)
    PUT(NPY_UINT16, uint16_t, x == n)
    PUT(NPY_UINT32, uint32_t, x == n)
    PUT(NPY_UINT64, uint64_t, n >= 0)
    PUT(NPY_FLOAT32, float, -(1 << 24) <= n && n <= 1 << 24)
    PUT(NPY_FLOAT64, double, 1) /* rounded if need be, as NumPy does */
  }
#undef PUT
  return 0;
}

static int put_float(int kind, gl_scalar *to, double x, int ways)
{
  float narrow = (float)x;
  if (kind == NPY_FLOAT64)
    memcpy(to, &x, sizeof x);
  else if (kind == NPY_FLOAT32 && ways & GL_NARROWS && (isinf(x) || !isinf(narrow)))
    memcpy(to, &narrow, sizeof narrow);
  else
    return 0;
  return 1;
}

/* A Python or NumPy number for an input without axes, if it needs no error, no warning and no thought. */
static int describe_number(gl_activation *run, int32_t position, PyObject *value, int ways)
{
  int32_t slot = run->code->inputs[position];
  PyArray_Descr *descr = run->code->descr[slot];
  gl_scalar *number = &run->numbers[position];
  int good = 0, overflow = 0;
  if (run->code->slots[slot].ndim)
    return 0;
  if (PyFloat_CheckExact(value)) {
    good = put_float(descr->type_num, number, PyFloat_AsDouble(value), ways);
  } else if (PyLong_CheckExact(value)) {
    int64_t n = PyLong_AsLongLongAndOverflow(value, &overflow);
    good = !overflow && put_integer(descr->type_num, number, n);
  } else if (PyBool_Check(value)) {
    good = put_integer(descr->type_num, number, value == Py_True);
  } else if (Py_TYPE(value) == descr->typeobj) {
    PyArray_ScalarAsCtype(value, number);
    good = 1;
  }
  if (good)
    run->call.frame.arrays[slot].data = (char *)number;
  return good;
}

/* A shared value that is not stored as the program needs it, converted for this run. */
static gl_outcome describe_converted(gl_activation *run, int32_t slot, PyObject *value)
{
  int ndim = run->code->slots[slot].ndim;
  PyObject *array = PyArray_FromAny(value, gl_new_descr(run->code, slot), ndim, ndim,
                                    NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_ENSUREARRAY, NULL);
  if (!array)
    return GL_RAISED;
  describe(run, slot, array);
  gl_block *block = gl_block_of_object(&run->call, array, -1);
  if (!block) {
    Py_DECREF(array);
    PyErr_NoMemory();
    return GL_RAISED;
  }
  run->call.frame.arrays[slot].owner = block;
  return GL_DONE;
}

gl_outcome gl_describe_operands(gl_activation *run, int ways)
{
  const gl_code *code = run->code;
  for (int32_t k = 0; k < code->n_inputs; k++) {
    PyObject *value = PyTuple_GetItem(run->arguments, k);
    if (gl_fits(code, code->inputs[k], value))
      describe(run, code->inputs[k], value);
    else if (!describe_number(run, k, value, ways))
      return GL_UNFIT;
  }
  for (int32_t k = 0; k < code->n_constants; k++)
    describe(run, code->constant_slots[k], PyTuple_GetItem(code->constants, k));
  for (int32_t k = 0; k < code->n_shared; k++) {
    if (gl_fits(code, code->shared[k], run->cell_values[k])) {
      describe(run, code->shared[k], run->cell_values[k]);
      continue;
    }
    gl_outcome outcome = ways & GL_COERCES ? describe_converted(run, code->shared[k], run->cell_values[k]) : GL_UNFIT;
    if (outcome != GL_DONE)
      return outcome;
  }
  return GL_DONE;
}
