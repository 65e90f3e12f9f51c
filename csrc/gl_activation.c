/* One run of a program: the steps run, the results are collected
 * as arrays that nobody else holds, and updates take effect together or not at all. */
#include "gl_python.h"

#include <stdlib.h>
#include <string.h>

#define PATIENCE 1000 /* how often a run that was overtaken by another update is tried again */

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
gl_outcome gl_activate(gl_activation *run, gl_code *code, PyObject *arguments, int ways, char *storage)
{
  size_t arrays = (size_t)code->n_slots * sizeof(gl_array);
  size_t numbers = (size_t)code->n_inputs * sizeof(gl_scalar);
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
  run->numbers = (gl_scalar *)(storage + arrays);
  run->cell_values = (PyObject **)(storage + arrays + numbers);
  for (int32_t k = 0; k < code->n_slots; k++) {
    run->call.frame.arrays[k].data = NULL;
    run->call.frame.arrays[k].owner = NULL;
  }
  for (int32_t k = 0; k < code->n_cells; k++)
    run->cell_values[k] = NULL;
  gl_outcome outcome = code->n_cells ? read_cells(run) : GL_DONE;
  return outcome == GL_DONE ? gl_describe_operands(run, ways) : outcome;
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
  run->may_let_go = !run->code->n_updates && !(run->looks && run->looks->values); /* copies are Python's */
  if (run->bytes >= run->code->release_bytes && run->may_let_go)
    run->thread = PyEval_SaveThread();
  int status = 0;
  const int whole = run->code->finishing == 0 && !run->looks;
  if (whole)
    status = run->code->run(&run->call.frame);
  for (int32_t k = 0; !status && !whole && k < run->code->n_steps - run->code->finishing; k++) {
    status = run->code->run_one(&run->call.frame, k);
    if (run->looks && !status)
      gl_look_after(run, k);
  }
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
  run->code->taken += run->call.taken;
  gl_memory_drop(run->call.scratch);
  run->call.scratch = NULL;
  PyMem_Free(run->heap);
  run->heap = NULL;
  run->call.n_slots = 0;
  gl_memory_rest();
}

/* ---- results ----------------------------------------------------------------------------------- */

static int check_signals(void *asks) { return asks ? PyErr_CheckSignals() : 0; }

PyObject *gl_copied(gl_activation *run, int32_t slot, int asks)
{
  const gl_array *array = &run->call.frame.arrays[slot];
  const gl_slot *kind = &run->call.slots[slot];
  int64_t stride[GL_MAX_NDIM];
  PyObject *copy = gl_new_output(run->code, slot, array->shape);
  if (!copy)
    return NULL;
  gl_c_strides(kind->ndim, array->shape, kind->itemsize, stride);
  if (gl_copy_until(kind->ndim, array->shape, kind->itemsize, PyArray_BYTES((PyArrayObject *)copy), stride,
                    array->data, array->stride, check_signals, asks ? run : NULL)) {
    gl_fail(&run->call.frame, GL_ERROR_HOST, -1);
    Py_CLEAR(copy);
  }
  return copy;
}

/* The slot's value as an array that nobody else holds: the one that was made for it, once; else a copy. */
static PyObject *taken(gl_activation *run, int32_t slot)
{
  gl_array *array = &run->call.frame.arrays[slot];
  gl_block *block = array->owner;
  if (!block || !block->object || block->home != slot)
    return gl_copied(run, slot, 1);
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

/* ---- updates -----------------------------------------------------------------------------------
 *
 * They take effect together, after all that can fail, and with nothing in between that could let another thread
 * or any Python in. Steps that finish a run compute new values of shared variables, each perhaps in the memory of
 * the old one: they are all planned before the first of them writes. */

/* Whether a cell was changed since the run began. */
static int stale(const gl_activation *run)
{
  for (int32_t k = 0; k < run->code->n_cells; k++) {
    PyObject *cell = PyTuple_GetItem(run->code->cells, k);
    if (PyList_Size(cell) < 1 || PyList_GetItem(cell, 0) != run->cell_values[k])
      return 1;
  }
  return 0;
}

/* The addresses from the first to behind the last byte of an array; none if it is empty. */
static void reach(const gl_activation *run, int32_t slot, const char **low, const char **high)
{
  const gl_array *array = &run->call.frame.arrays[slot];
  *low = array->data;
  *high = array->data + run->code->slots[slot].itemsize;
  for (int32_t d = 0; d < run->code->slots[slot].ndim; d++) {
    int64_t way = (array->shape[d] - 1) * array->stride[d];
    if (array->shape[d] == 0)
      *high = *low;
    else if (way < 0)
      *low += way;
    else
      *high += way;
  }
}

/* Whether the steps that finish read the memory of the slot by another slot too. */
static int is_read_otherwise(const gl_activation *run, int32_t slot)
{
  const char *low, *high, *other_low, *other_high;
  reach(run, slot, &low, &high);
  for (int32_t k = 0; k < run->code->n_finishing_reads; k++) {
    if (run->code->finishing_reads[k] == slot || !run->call.frame.arrays[run->code->finishing_reads[k]].data)
      continue; /* what has no memory yet is a new value */
    reach(run, run->code->finishing_reads[k], &other_low, &other_high);
    if (other_low < high && low < other_high)
      return 1;
  }
  return 0;
}

/* Let the new values have the memory of the old ones that only their cells and this run hold: whoever borrowed a
 * value, has a view of it or reads it in another thread has a reference to the array, and keeps it as it is. */
static void offer_old_values(gl_activation *run)
{
  const gl_code *code = run->code;
  for (int32_t k = 0; k < code->n_updates; k++) {
    int32_t cell = code->update_cells[k];
    if (cell >= code->n_shared) /* it is not read */
      continue;
    PyObject *value = run->cell_values[cell];
    gl_array *array = &run->call.frame.arrays[code->shared[cell]];
    if (Py_REFCNT(value) != 2 || array->owner || array->data != PyArray_BYTES((PyArrayObject *)value) ||
        !PyArray_CHKFLAGS((PyArrayObject *)value, NPY_ARRAY_OWNDATA | NPY_ARRAY_WRITEABLE) ||
        is_read_otherwise(run, code->shared[cell]))
      continue;
    array->owner = gl_block_of_object(&run->call, value, code->outputs[code->update_outputs[k]]);
    if (array->owner) /* else there is no memory for a block: the value stays as it is */
      Py_INCREF(value);
  }
}

void gl_lend_copies(gl_activation *run)
{
  const gl_code *code = run->code;
  for (int32_t k = 0; code->finishing && k < code->n_updates; k++) {
    int32_t cell = code->update_cells[k], slot = cell < code->n_shared ? code->shared[cell] : -1;
    if (slot < 0 || run->call.frame.arrays[slot].owner)
      continue;
    gl_array *array = &run->call.frame.arrays[slot];
    PyObject *copy = gl_copied(run, slot, 0);
    array->owner = copy ? gl_block_of_object(&run->call, copy, code->outputs[code->update_outputs[k]]) : NULL;
    if (array->owner) {
      array->data = PyArray_BYTES((PyArrayObject *)copy);
      gl_c_strides(code->slots[slot].ndim, array->shape, code->slots[slot].itemsize, array->stride);
    } else {
      Py_XDECREF(copy);
      PyErr_Clear();
    }
  }
}

static gl_outcome run_finishing(gl_activation *run, gl_phase phase)
{
  gl_outcome outcome = GL_DONE;
  run->call.phase = phase;
  for (int32_t k = run->code->n_steps - run->code->finishing; outcome == GL_DONE && k < run->code->n_steps; k++) {
    int status = run->code->run_one(&run->call.frame, k);
    outcome = status == GL_PLANNED ? GL_DONE : judged(run, status);
    if (run->looks && outcome == GL_DONE && phase == GL_FINISHING)
      gl_look_after(run, k);
  }
  return outcome;
}

static gl_outcome plan_finish(gl_activation *run)
{
  if (stale(run))
    return GL_STALE;
  Py_CLEAR(run->anchor); /* if host functions are done with what they saw, it held the old values last */
  offer_old_values(run);
  return run_finishing(run, GL_PLANNING);
}

static gl_outcome finish(gl_activation *run)
{
  run->call.keep = 1; /* to give arrays up could run somebody's Python */
  return run_finishing(run, GL_FINISHING);
}

/* Replace what the cells hold; `fresh` gives its references away. The old values stay alive in cell_values
 * meanwhile. */
static gl_outcome commit(gl_activation *run, PyObject **fresh)
{
  const gl_code *code = run->code;
  if (stale(run))
    return GL_STALE;
  gl_outcome outcome = code->finishing ? finish(run) : GL_DONE;
  for (int32_t k = 0; outcome == GL_DONE && k < code->n_updates; k++) {
    PyList_SetItem(PyTuple_GetItem(code->cells, code->update_cells[k]), 0, fresh[k]);
    fresh[k] = NULL;
  }
  return outcome;
}

static gl_outcome collect(gl_activation *run, int single, PyObject **result)
{
  const gl_code *code = run->code;
  PyObject *fresh[code->n_updates + 1];
  int32_t have = 0;
  *result = visible_results(run, single);
  if (!*result)
    return GL_RAISED;
  gl_outcome outcome = code->finishing ? plan_finish(run) : GL_DONE;
  while (outcome == GL_DONE && have < code->n_updates &&
         (fresh[have] = taken(run, code->outputs[code->update_outputs[have]])))
    have++;
  if (outcome == GL_DONE && code->n_updates)
    outcome = have < code->n_updates ? GL_RAISED : commit(run, fresh);
  for (int32_t k = 0; k < have; k++)
    Py_XDECREF(fresh[k]);
  if (outcome != GL_DONE)
    Py_CLEAR(*result);
  return outcome;
}

static gl_outcome refuse_nan(gl_activation *run)
{
  const gl_code *code = run->code;
  for (int32_t k = 0; k < code->n_outputs; k++) {
    const int32_t slot = code->outputs[k];
    const gl_array *array = &run->call.frame.arrays[slot];
    if (gl_has_nan(code->dtypes[slot], code->slots[slot].ndim, array->shape, array->stride, array->data)) {
      gl_fail(&run->call.frame, GL_ERROR_NAN, k);
      return GL_FAILED;
    }
  }
  return GL_DONE;
}

/* A whole call; `single`: the result is the one output; `looks`: what else is wanted, or NULL. */
gl_outcome gl_code_call(gl_code *code, PyObject *arguments, int ways, int single, gl_looks *looks, PyObject **result,
                        gl_error *error)
{
  gl_activation run;
  _Alignas(16) char storage[GL_STORAGE];
  gl_outcome outcome = GL_STALE;
  if (PyTuple_Size(arguments) != code->n_inputs)
    return GL_UNFIT;
  Py_INCREF((PyObject *)code);
  for (int attempt = 0; outcome == GL_STALE && attempt < PATIENCE; attempt++) {
    outcome = gl_activate(&run, code, arguments, ways, storage);
    if (looks)
      gl_looks_begin(&run, looks);
    if (outcome == GL_DONE)
      outcome = gl_run_all(&run);
    if (outcome == GL_DONE && ways & GL_REFUSES_NAN)
      outcome = refuse_nan(&run);
    if (outcome == GL_DONE)
      outcome = collect(&run, single, result);
    if (outcome == GL_DONE && looks)
      gl_copy_after(&run, code->n_steps - code->finishing, code->n_steps);
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
