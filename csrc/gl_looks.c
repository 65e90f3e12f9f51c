/* Calls that tell more than their results: statistics of the arrays that their steps write, and copies of them. */
#include "gl_python.h"

#include <string.h>

void gl_looks_begin(gl_activation *run, gl_looks *looks)
{
  run->looks = looks;
  run->watch = (gl_watch){looks->dtypes, looks->found};
  run->call.watch = &run->watch;
  for (int32_t k = 0; k < run->code->n_slots; k++)
    looks->found[k] = (gl_statistics){.count = -1};
  for (int32_t k = 0; looks->values && k < looks->n_slots; k++)
    Py_CLEAR(looks->values[k]); /* of an attempt before */
}

static int32_t begin_of(const gl_looks *looks, int32_t step) { return step ? looks->ends[step - 1] : 0; }

/* Copies of what steps first_step..end-1 wrote, as far as there is room: whoever needs them asks right after it. */
void gl_copy_after(gl_activation *run, int32_t first_step, int32_t end)
{
  gl_looks *looks = run->looks;
  int64_t used = 0;
  if (!looks->values || first_step == end)
    return;
  for (int32_t k = 0; k < looks->n_slots; k++)
    used += looks->values[k] ? (int64_t)PyArray_NBYTES((PyArrayObject *)looks->values[k]) : 0;
  for (int32_t k = begin_of(looks, first_step); k < looks->ends[end - 1]; k++) {
    const gl_array *array = &run->call.frame.arrays[looks->slots[k]];
    const gl_slot *slot = &run->call.slots[looks->slots[k]];
    int64_t bytes = gl_elements(slot->ndim, array->shape) * slot->itemsize;
    if (!array->data || used + bytes > looks->room)
      continue;
    looks->values[k] = gl_copied(run, looks->slots[k], 0);
    if (!looks->values[k])
      PyErr_Clear(); /* there is no memory, which is no fault of the call's */
    else
      used += bytes;
  }
}

void gl_look_after(gl_activation *run, int32_t step)
{
  const gl_looks *looks = run->looks;
  for (int32_t k = begin_of(looks, step); k < looks->ends[step]; k++)
    gl_watch_slot(&run->call, looks->slots[k]);
  if (run->call.phase == GL_RUNNING) /* what finishes a run must not meet Python: its values are copied afterwards */
    gl_copy_after(run, step, step + 1);
}

/* ---- from Python ------------------------------------------------------------------------------- */

static int set_numbers(PyObject *tuple, int32_t n, int32_t end, int32_t *numbers)
{
  for (int32_t k = 0; k < n; k++) {
    long number = PyLong_AsLong(PyTuple_GetItem(tuple, k));
    if (PyErr_Occurred())
      return -1;
    if (number < 0 || number > end) {
      PyErr_Format(PyExc_ValueError, "%ld is out of range", number);
      return -1;
    }
    numbers[k] = (int32_t)number;
  }
  return 0;
}

static int set_looks(gl_looks *looks, const gl_code *code, PyObject *slots, PyObject *ends)
{
  if (set_numbers(slots, looks->n_slots, code->n_slots - 1, looks->slots) ||
      set_numbers(ends, code->n_steps, looks->n_slots, looks->ends))
    return -1;
  for (int32_t k = 1; k < code->n_steps; k++)
    if (looks->ends[k] < looks->ends[k - 1]) {
      PyErr_SetString(PyExc_ValueError, "the ends must grow");
      return -1;
    }
  for (int32_t k = 0; k < code->n_slots; k++)
    looks->dtypes[k] = -1;
  for (int32_t k = 0; k < looks->n_slots; k++)
    looks->dtypes[looks->slots[k]] = code->dtypes[looks->slots[k]];
  return 0;
}

/* (results, statistics of the slots as bytes, list of copies or None); NULL with an exception. */
static PyObject *told(const gl_looks *looks, PyObject *results)
{
  const Py_ssize_t each = sizeof *looks->found;
  PyObject *numbers = PyBytes_FromStringAndSize(NULL, looks->n_slots * each);
  PyObject *values = PyList_New(looks->values ? looks->n_slots : 0);
  for (int32_t k = 0; numbers && k < looks->n_slots; k++)
    memcpy(PyBytes_AsString(numbers) + k * each, &looks->found[looks->slots[k]], (size_t)each);
  for (int32_t k = 0; values && looks->values && k < looks->n_slots; k++) {
    PyObject *value = looks->values[k] ? looks->values[k] : Py_None;
    Py_INCREF(value);
    PyList_SetItem(values, k, value);
  }
  if (numbers && values)
    return Py_BuildValue("NNN", results, numbers, values);
  Py_XDECREF(numbers);
  Py_XDECREF(values);
  Py_DECREF(results);
  return NULL;
}

PyObject *gl_call_watched(gl_code *code, PyObject *arguments, PyObject *slots, PyObject *ends, int ways,
                          int64_t room)
{
  gl_looks looks = {.n_slots = (int32_t)PyTuple_Size(slots), .room = room};
  gl_error error;
  PyObject *results = NULL, *all = NULL;
  if (PyTuple_Size(ends) != code->n_steps)
    return PyErr_Format(PyExc_ValueError, "there are %d steps", code->n_steps);
  looks.slots = PyMem_Calloc((size_t)looks.n_slots + 1, sizeof *looks.slots);
  looks.ends = PyMem_Calloc((size_t)code->n_steps + 1, sizeof *looks.ends);
  looks.dtypes = PyMem_Calloc((size_t)code->n_slots + 1, sizeof *looks.dtypes);
  looks.found = PyMem_Calloc((size_t)code->n_slots + 1, sizeof *looks.found);
  if (room > 0)
    looks.values = PyMem_Calloc((size_t)looks.n_slots + 1, sizeof *looks.values);
  if (!looks.slots || !looks.ends || !looks.dtypes || !looks.found || (room > 0 && !looks.values))
    PyErr_NoMemory();
  else if (!set_looks(&looks, code, slots, ends)) {
    if (gl_code_call(code, arguments, ways, 0, &looks, &results, &error) == GL_FAILED)
      gl_raise_failed(&error);
    if (results)
      all = told(&looks, results);
  }
  for (int32_t k = 0; looks.values && k < looks.n_slots; k++)
    Py_XDECREF(looks.values[k]);
  PyMem_Free(looks.values);
  PyMem_Free(looks.found);
  PyMem_Free(looks.dtypes);
  PyMem_Free(looks.ends);
  PyMem_Free(looks.slots);
  return all;
}
