/* One run of a program: its operands are described in a frame, the steps run, the results are collected
 * as arrays that nobody else holds, and updates take effect together or not at all. */
#include "gl_python.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE 1000 /* how often a run that was overtaken by another update is tried again */

/* ---- operands ---------------------------------------------------------------------------------- */

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

/* A Python float or int where a number of that kind is due; 0 if it is not one, or too large. */
static int describe_number(gl_activation *run, int32_t position, PyObject *value)
{
  int32_t slot = run->code->inputs[position];
  int kind = run->code->slots[slot].ndim == 0 ? run->code->descr[slot]->type_num : NPY_NOTYPE;
  int64_t *number = &run->scalars[position];
  if (kind == NPY_FLOAT64 && PyFloat_CheckExact(value)) {
    double x = PyFloat_AsDouble(value);
    memcpy(number, &x, sizeof x);
  } else if (kind == NPY_INT64 && PyLong_CheckExact(value)) {
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow)
      return 0;
  } else {
    return 0;
  }
  run->call.frame.arrays[slot].data = (char *)number;
  return 1;
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

static gl_outcome describe_operands(gl_activation *run, int coerce)
{
  const gl_code *code = run->code;
  for (int32_t k = 0; k < code->n_inputs; k++) {
    PyObject *value = PyTuple_GetItem(run->arguments, k);
    if (gl_fits(code, code->inputs[k], value))
      describe(run, code->inputs[k], value);
    else if (!describe_number(run, k, value))
      return GL_UNFIT;
  }
  for (int32_t k = 0; k < code->n_constants; k++)
    describe(run, code->constant_slots[k], PyTuple_GetItem(code->constants, k));
  for (int32_t k = 0; k < code->n_shared; k++) {
    if (gl_fits(code, code->shared[k], run->cell_values[k])) {
      describe(run, code->shared[k], run->cell_values[k]);
      continue;
    }
    gl_outcome outcome = coerce ? describe_converted(run, code->shared[k], run->cell_values[k]) : GL_UNFIT;
    if (outcome != GL_DONE)
      return outcome;
  }
  return GL_DONE;
}

/* ---- the run ----------------------------------------------------------------------------------- */

static gl_outcome read_cells(gl_activation *run)
{
  for (int32_t k = 0; k < run->code->n_cells; k++) {
    PyObject *value = PyList_GetItem(PyTuple_GetItem(run->code->cells, k), 0);
    if (!value)
      return GL_RAISED; /* IndexError: an emptied cell */
    Py_INCREF(value);
    run->cell_values[k] = value;
  }
  return GL_DONE;
}

/* Begin a run; gl_deactivate must follow whatever comes out. `storage` may be NULL. */
gl_outcome gl_activate(gl_activation *run, gl_code *code, PyObject *arguments, int coerce, char *storage)
{
  size_t arrays = (size_t)code->n_slots * sizeof(gl_array);
  size_t numbers = (size_t)code->n_inputs * sizeof(int64_t);
  size_t needed = arrays + numbers + (size_t)code->n_cells * sizeof(PyObject *);
  void *heap = NULL;
  if (!storage || needed > GL_STORAGE)
    storage = heap = PyMem_Malloc(needed + 1);
  *run = (gl_activation){.call.frame.api = &gl_python_api,
                         .call.n_slots = code->n_slots,
                         .call.slots = code->slots,
                         .call.hooks = &gl_python_hooks,
                         .code = code,
                         .arguments = arguments,
                         .heap = heap};
  if (!storage) {
    run->call.n_slots = 0;
    PyErr_NoMemory();
    return GL_RAISED;
  }
  run->call.frame.arrays = (gl_array *)storage;
  run->scalars = (int64_t *)(storage + arrays);
  run->cell_values = (PyObject **)(storage + arrays + numbers);
  for (int32_t k = 0; k < code->n_slots; k++) {
    run->call.frame.arrays[k].data = NULL;
    run->call.frame.arrays[k].owner = NULL;
  }
  for (int32_t k = 0; k < code->n_cells; k++)
    run->cell_values[k] = NULL;
  gl_outcome outcome = code->n_cells ? read_cells(run) : GL_DONE;
  return outcome == GL_DONE ? describe_operands(run, coerce) : outcome;
}

/* What a step's status means. A host function's exception becomes the current one. */
static gl_outcome judged(gl_activation *run, int status)
{
  if (!status)
    return GL_DONE;
  if (run->raised[0]) {
    PyErr_Restore(run->raised[0], run->raised[1], run->raised[2]);
    run->raised[0] = run->raised[1] = run->raised[2] = NULL;
    return GL_RAISED;
  }
  gl_record(&run->call.frame, status, 0, run->call.error.details);
  return GL_FAILED;
}

gl_outcome gl_run_all(gl_activation *run)
{
  /* With updates the GIL is kept, so that calls that update the same value do not overtake each other. */
  if (run->bytes >= run->code->release_bytes && !run->code->n_updates)
    run->thread = PyEval_SaveThread();
  int status = run->code->run(&run->call.frame);
  if (run->thread) {
    PyEval_RestoreThread(run->thread);
    run->thread = NULL;
  }
  return judged(run, status);
}

gl_outcome gl_run_step(gl_activation *run, int32_t step)
{
  run->call.error.kind = 0;
  return judged(run, run->code->run_one(&run->call.frame, step));
}

void gl_deactivate(gl_activation *run)
{
  for (int32_t k = 0; k < run->call.n_slots; k++)
    if (run->call.frame.arrays[k].owner)
      gl_clear(&run->call.frame, k);
  for (int32_t k = 0; run->cell_values && k < run->code->n_cells; k++)
    Py_CLEAR(run->cell_values[k]);
  run->cell_values = NULL;
  Py_CLEAR(run->anchor);
  free(run->call.scratch);
  run->call.scratch = NULL;
  PyMem_Free(run->heap);
  run->heap = NULL;
  run->call.n_slots = 0;
  gl_memory_rest();
}

/* ---- results ----------------------------------------------------------------------------------- */

PyObject *gl_copied(const gl_activation *run, int32_t slot)
{
  const gl_array *array = &run->call.frame.arrays[slot];
  const gl_slot *kind = &run->call.slots[slot];
  int64_t stride[GL_MAX_NDIM];
  PyObject *copy = gl_new_output(run->code, slot, array->shape);
  if (!copy)
    return NULL;
  gl_c_strides(kind->ndim, array->shape, kind->itemsize, stride);
  gl_copy_elements(kind->ndim, array->shape, kind->itemsize, PyArray_BYTES((PyArrayObject *)copy), stride,
                   array->data, array->stride);
  return copy;
}

/* The slot's value as an array that nobody else holds: the one that was made for it, once; else a copy. */
static PyObject *taken(gl_activation *run, int32_t slot)
{
  gl_array *array = &run->call.frame.arrays[slot];
  gl_block *block = array->owner;
  if (!block || !block->object || block->home != slot)
    return gl_copied(run, slot);
  block->home = -1;
  Py_INCREF((PyObject *)block->object);
  return block->object;
}

static PyObject *visible_results(gl_activation *run, int single)
{
  const gl_code *code = run->code;
  if (single)
    return taken(run, code->outputs[0]);
  PyObject *list = PyList_New(code->n_visible);
  for (int32_t k = 0; list && k < code->n_visible; k++) {
    PyObject *result = taken(run, code->outputs[k]);
    if (!result)
      Py_CLEAR(list);
    else
      PyList_SetItem(list, k, result);
  }
  return list;
}

/* Replace what the cells hold; `fresh` gives its references away. There is nothing in here that can fail
 * or let another thread in: the old values stay alive in cell_values meanwhile. */
static gl_outcome commit(gl_activation *run, PyObject **fresh)
{
  const gl_code *code = run->code;
  for (int32_t k = 0; k < code->n_cells; k++) {
    PyObject *cell = PyTuple_GetItem(code->cells, k);
    if (PyList_Size(cell) < 1 || PyList_GetItem(cell, 0) != run->cell_values[k])
      return GL_STALE;
  }
  for (int32_t k = 0; k < code->n_updates; k++) {
    PyList_SetItem(PyTuple_GetItem(code->cells, code->update_cells[k]), 0, fresh[k]);
    fresh[k] = NULL;
  }
  return GL_DONE;
}

static gl_outcome collect(gl_activation *run, int single, PyObject **result)
{
  const gl_code *code = run->code;
  PyObject *fresh[code->n_updates + 1];
  int32_t have = 0;
  *result = visible_results(run, single);
  if (!*result)
    return GL_RAISED;
  while (have < code->n_updates && (fresh[have] = taken(run, code->outputs[code->update_outputs[have]])))
    have++;
  gl_outcome outcome = have < code->n_updates ? GL_RAISED : have ? commit(run, fresh) : GL_DONE;
  for (int32_t k = 0; k < have; k++)
    Py_XDECREF(fresh[k]);
  if (outcome != GL_DONE)
    Py_CLEAR(*result);
  return outcome;
}

/* A whole call. `coerce`: convert shared values that don't fit; `single`: the result is the one output. */
gl_outcome gl_code_call(gl_code *code, PyObject *arguments, int coerce, int single, PyObject **result,
                        gl_error *error)
{
  gl_activation run;
  _Alignas(16) char storage[GL_STORAGE];
  gl_outcome outcome = GL_STALE;
  if (PyTuple_Size(arguments) != code->n_inputs)
    return GL_UNFIT;
  Py_INCREF((PyObject *)code);
  for (int attempt = 0; outcome == GL_STALE && attempt < PATIENCE; attempt++) {
    outcome = gl_activate(&run, code, arguments, coerce, storage);
    if (outcome == GL_DONE)
      outcome = gl_run_all(&run);
    if (outcome == GL_DONE)
      outcome = collect(&run, single, result);
    *error = run.call.error;
    gl_deactivate(&run);
  }
  Py_DECREF((PyObject *)code);
  if (outcome == GL_STALE) {
    PyErr_Format(PyExc_RuntimeError, "a shared value was changed by others during each of %d runs", PATIENCE);
    outcome = GL_RAISED;
  }
  return outcome;
}
