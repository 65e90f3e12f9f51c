/* The type Code: a shared object with generated code in it, and what it needs to run. */
#include "gl_python.h"

#include <dlfcn.h>

/* ---- construction ------------------------------------------------------------------------------ */

/* A tuple of small integers as an array; NULL with an exception. */
static int32_t *integers(PyObject *tuple, int32_t *n)
{
  *n = (int32_t)PyTuple_Size(tuple);
  int32_t *numbers = PyMem_Malloc(((size_t)*n + 1) * sizeof *numbers);
  if (!numbers)
    return (int32_t *)PyErr_NoMemory();
  for (int32_t k = 0; k < *n; k++)
    numbers[k] = (int32_t)PyLong_AsLong(PyTuple_GetItem(tuple, k));
  if (PyErr_Occurred()) {
    PyMem_Free(numbers);
    return NULL;
  }
  return numbers;
}

static int in_range(const int32_t *numbers, int32_t n, int32_t end, const char *what)
{
  for (int32_t k = 0; k < n; k++)
    if (numbers[k] < 0 || numbers[k] >= end) {
      PyErr_Format(PyExc_ValueError, "%s %d is not below %d", what, numbers[k], end);
      return 0;
    }
  return 1;
}

/* The GL_DTYPE; -1 for what is none. */
static int8_t dtype_of(PyArray_Descr *descr)
{
  static const struct {
    char kind;
    int8_t bytes;
  } dtypes[GL_DTYPES] = {{'b', 1}, {'i', 1}, {'i', 2}, {'i', 4}, {'i', 8}, {'u', 1}, {'u', 2},
                         {'u', 4}, {'u', 8}, {'f', 2}, {'f', 4}, {'f', 8}, {'c', 8}, {'c', 16}};
  for (int8_t k = 0; k < GL_DTYPES; k++)
    if (dtypes[k].kind == descr->kind && dtypes[k].bytes == PyDataType_ELSIZE(descr))
      return k;
  return -1;
}

static int set_slots(gl_code *code, PyObject *dtypes, PyObject *ndims)
{
  int32_t *ndim = integers(ndims, &code->n_slots);
  if (!ndim)
    return -1;
  code->slots = PyMem_Calloc((size_t)code->n_slots + 1, sizeof *code->slots);
  code->dtypes = PyMem_Calloc((size_t)code->n_slots + 1, sizeof *code->dtypes);
  code->descr = PyMem_Calloc((size_t)code->n_slots + 1, sizeof *code->descr);
  int good = code->slots && code->descr && code->dtypes && PyTuple_Size(dtypes) == code->n_slots &&
             in_range(ndim, code->n_slots, GL_MAX_NDIM + 1, "rank");
  for (int32_t k = 0; good && k < code->n_slots; k++) {
    PyObject *descr = PyTuple_GetItem(dtypes, k);
    good = PyArray_DescrCheck(descr);
    if (!good)
      break;
    Py_INCREF(descr);
    code->descr[k] = (PyArray_Descr *)descr;
    code->dtypes[k] = dtype_of(code->descr[k]);
    code->slots[k] = (gl_slot){.ndim = ndim[k], .itemsize = (int32_t)PyDataType_ELSIZE(code->descr[k])};
  }
  PyMem_Free(ndim);
  if (!good && !PyErr_Occurred())
    PyErr_SetString(PyExc_ValueError, "each slot needs a dtype and a rank");
  return good ? 0 : -1;
}

/* What lies behind the numbers must fit: a wrong program must not become a wrong address. */
static int check(gl_code *code)
{
  if (!in_range(code->inputs, code->n_inputs, code->n_slots, "slot") ||
      !in_range(code->shared, code->n_shared, code->n_slots, "slot") ||
      !in_range(code->constant_slots, code->n_constants, code->n_slots, "slot") ||
      !in_range(code->outputs, code->n_outputs, code->n_slots, "slot") ||
      !in_range(code->update_outputs, code->n_updates, code->n_outputs, "output") ||
      !in_range(code->finishing_reads, code->n_finishing_reads, code->n_slots, "slot") ||
      !in_range(code->update_cells, code->n_updates, code->n_cells, "cell"))
    return -1;
  int good = PyTuple_Size(code->constants) == code->n_constants && code->n_shared <= code->n_cells &&
             code->n_visible >= 0 && code->n_visible <= code->n_outputs;
  for (int32_t k = 0; good && k < code->n_constants; k++)
    good = gl_fits(code, code->constant_slots[k], PyTuple_GetItem(code->constants, k));
  for (int32_t k = 0; good && k < code->n_cells; k++)
    good = PyList_Check(PyTuple_GetItem(code->cells, k));
  if (!good)
    PyErr_SetString(PyExc_ValueError, "the constants, cells or outputs do not fit the program");
  return good ? 0 : -1;
}

static int load(gl_code *code, const char *path)
{
  code->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!code->library) {
    PyErr_SetString(PyExc_OSError, dlerror());
    return -1;
  }
  const int32_t *count = dlsym(code->library, "gl_step_count");
  *(void **)&code->run = dlsym(code->library, "gl_run");
  *(void **)&code->run_one = dlsym(code->library, "gl_run_one");
  if (!count || !code->run || !code->run_one) {
    PyErr_Format(PyExc_OSError, "%s is not a program of graphlab's", path);
    return -1;
  }
  code->n_steps = *count;
  if (code->finishing < 0 || code->finishing > code->n_steps) {
    PyErr_SetString(PyExc_ValueError, "there are not so many steps");
    return -1;
  }
  return 0;
}

#define TUPLE(variable) &PyTuple_Type, &variable

static PyObject *code_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
  static char *names[] = {"path",      "dtypes", "ndims", "inputs",         "shared",       "constant_slots",
                          "outputs",   "constants", "hosts", "cells", "update_outputs", "update_cells",
                          "visible",   "finishing", "finishing_reads", "release_bytes", NULL};
  PyObject *dtypes, *ndims, *inputs, *shared, *constant_slots, *outputs, *constants, *hosts, *cells;
  PyObject *update_outputs, *update_cells, *finishing_reads;
  const char *path;
  int visible, finishing;
  long long release_bytes;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO!O!O!O!O!O!O!O!O!O!O!iiO!L", names, &path, TUPLE(dtypes),
                                   TUPLE(ndims), TUPLE(inputs), TUPLE(shared), TUPLE(constant_slots),
                                   TUPLE(outputs), TUPLE(constants), TUPLE(hosts), TUPLE(cells),
                                   TUPLE(update_outputs), TUPLE(update_cells), &visible, &finishing,
                                   TUPLE(finishing_reads), &release_bytes))
    return NULL;
  gl_code *code = (gl_code *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
  if (!code)
    return NULL;
  int32_t n_targets;
  Py_INCREF(constants), Py_INCREF(hosts), Py_INCREF(cells);
  code->constants = constants, code->hosts = hosts, code->cells = cells;
  code->n_cells = (int32_t)PyTuple_Size(cells);
  code->n_visible = visible;
  code->finishing = finishing;
  code->release_bytes = release_bytes;
  if (set_slots(code, dtypes, ndims) || !(code->inputs = integers(inputs, &code->n_inputs)) ||
      !(code->shared = integers(shared, &code->n_shared)) ||
      !(code->constant_slots = integers(constant_slots, &code->n_constants)) ||
      !(code->outputs = integers(outputs, &code->n_outputs)) ||
      !(code->update_outputs = integers(update_outputs, &code->n_updates)) ||
      !(code->update_cells = integers(update_cells, &n_targets)) || n_targets < code->n_updates ||
      !(code->finishing_reads = integers(finishing_reads, &code->n_finishing_reads)) ||
      check(code) || load(code, path)) {
    if (!PyErr_Occurred())
      PyErr_SetString(PyExc_ValueError, "each update needs an output and a cell");
    Py_DECREF(code);
    return NULL;
  }
  for (int32_t k = 0; k < code->n_outputs; k++)
    code->slots[code->outputs[k]].is_output = 1;
  return (PyObject *)code;
}

/* ---- life -------------------------------------------------------------------------------------- */

static int code_traverse(PyObject *self, visitproc visit, void *arg)
{
  gl_code *code = (gl_code *)self;
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(code->constants);
  Py_VISIT(code->hosts);
  Py_VISIT(code->cells);
  return 0;
}

/* Cycles through a Code are broken elsewhere (in the function that is bound to it, or the cell), so that
 * it stays whole while anybody can run it. */
static void code_dealloc(PyObject *self)
{
  gl_code *code = (gl_code *)self;
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(code->constants);
  Py_CLEAR(code->hosts);
  Py_CLEAR(code->cells);
  for (int32_t k = 0; code->descr && k < code->n_slots; k++)
    Py_XDECREF((PyObject *)code->descr[k]);
  int32_t *numbers[] = {code->inputs,  code->shared,         code->constant_slots,
                        code->outputs, code->update_outputs, code->update_cells, code->finishing_reads};
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
    PyMem_Free(numbers[k]);
  PyMem_Free(code->descr);
  PyMem_Free(code->slots);
  PyMem_Free(code->dtypes);
  if (code->library) {
    dlclose(code->library);
    gl_memory_release(); /* what was kept was as large as its arrays: nobody may want that any more */
  }
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

/* ---- methods ----------------------------------------------------------------------------------- */

/* The arguments as arrays of the inputs' kinds; TypeError or ValueError where NumPy sees no safe way. */
static PyObject *converted(const gl_code *code, PyObject *sequence)
{
  PyObject *given = PySequence_Tuple(sequence);
  PyObject *arrays = given ? PyTuple_New(code->n_inputs) : NULL;
  if (arrays && PyTuple_Size(given) != code->n_inputs) {
    PyErr_Format(PyExc_TypeError, "the program has %d inputs, not %zd", code->n_inputs, PyTuple_Size(given));
    Py_CLEAR(arrays);
  }
  for (int32_t k = 0; arrays && k < code->n_inputs; k++) {
    PyObject *value = PyTuple_GetItem(given, k);
    int32_t slot = code->inputs[k], ndim = code->slots[slot].ndim;
    if (gl_fits(code, slot, value)) {
      Py_INCREF(value);
    } else {
      value = PyArray_FromAny(value, gl_new_descr(code, slot), ndim, ndim,
                              NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_ENSUREARRAY, NULL);
    }
    if (value && !gl_fits(code, slot, value)) { /* as wide, but another C type: long long instead of long */
      PyErr_Format(PyExc_TypeError, "input %d must have dtype %S", k, (PyObject *)code->descr[slot]);
      Py_CLEAR(value);
    }
    if (!value)
      Py_CLEAR(arrays);
    else
      PyTuple_SetItem(arrays, k, value);
  }
  Py_XDECREF(given);
  return arrays;
}

static PyObject *called(PyObject *self, PyObject *sequence, int ways)
{
  gl_code *code = (gl_code *)self;
  PyObject *arguments = converted(code, sequence), *result = NULL;
  gl_error error;
  if (!arguments)
    return NULL;
  if (gl_code_call(code, arguments, ways, 0, NULL, &result, &error) == GL_FAILED)
    gl_raise_failed(&error);
  Py_DECREF(arguments);
  return result;
}

static PyObject *code_call(PyObject *self, PyObject *sequence) { return called(self, sequence, GL_COERCES); }

static PyObject *code_call_without_nan(PyObject *self, PyObject *sequence)
{
  return called(self, sequence, GL_COERCES | GL_REFUSES_NAN);
}

static PyObject *code_call_watched(PyObject *self, PyObject *args)
{
  PyObject *sequence, *slots, *ends;
  int refuses;
  long long room;
  if (!PyArg_ParseTuple(args, "OO!O!pL", &sequence, TUPLE(slots), TUPLE(ends), &refuses, &room))
    return NULL;
  PyObject *arguments = converted((gl_code *)self, sequence);
  const int ways = refuses ? GL_COERCES | GL_REFUSES_NAN : GL_COERCES;
  PyObject *result = arguments ? gl_call_watched((gl_code *)self, arguments, slots, ends, ways, room) : NULL;
  Py_XDECREF(arguments);
  return result;
}

static PyObject *code_frame(PyObject *self, PyObject *sequence)
{
  PyObject *arguments = converted((gl_code *)self, sequence);
  PyObject *frame = arguments ? gl_new_frame((gl_code *)self, arguments) : NULL;
  Py_XDECREF(arguments);
  return frame;
}

static PyObject *code_set_pointer(PyObject *self, PyObject *args)
{
  const char *name;
  PyObject *address;
  if (!PyArg_ParseTuple(args, "sO!", &name, &PyLong_Type, &address))
    return NULL;
  void **variable = dlsym(((gl_code *)self)->library, name);
  void *pointer = PyLong_AsVoidPtr(address);
  if (PyErr_Occurred())
    return NULL;
  if (!variable)
    return PyErr_Format(PyExc_ValueError, "the program has no pointer %s", name);
  *variable = pointer;
  Py_RETURN_NONE;
}

static PyObject *code_steps(PyObject *self, void *closure)
{
  (void)closure;
  return PyLong_FromLong(((gl_code *)self)->n_steps);
}

static PyObject *code_taken(PyObject *self, void *closure)
{
  (void)closure;
  return PyLong_FromLongLong(((gl_code *)self)->taken);
}

static PyMethodDef methods[] = {
    {"call", code_call, METH_O, "Run all steps on a sequence of arrays: the list of visible outputs."},
    {"call_without_nan", code_call_without_nan, METH_O, "As call; fails, before any update, if an output has a NaN."},
    {"call_watched", code_call_watched, METH_VARARGS,
     "As call, given the slots that steps write, how many they are up to each step, whether NaN is refused, and room for "
     "copies in bytes: the results, the gl_statistics of these slots as bytes, and copies or None of each."},
    {"frame", code_frame, METH_O, "A Frame over a sequence of arrays, to run the steps one at a time."},
    {"set_pointer", code_set_pointer, METH_VARARGS, "Set the program's pointer `name` to `address`."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef properties[] = {{"steps", code_steps, NULL, "How many steps there are.", NULL},
                                   {"taken", code_taken, NULL, "How many arrays were put where others died.", NULL},
                                   {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot slots[] = {{Py_tp_new, code_new},
                              {Py_tp_dealloc, code_dealloc},
                              {Py_tp_traverse, code_traverse},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, properties},
                              {Py_tp_doc, "A loaded program with all that it needs to run."},
                              {0, NULL}};
PyType_Spec gl_code_spec = {"graphlab._rt.Code", sizeof(gl_code), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                            slots};
