/* What graphlab._rt gives to Python: its types, BLAS pointers in, capsules read, failures out. */
#define GL_IMPORTS_NUMPY
#include "gl_pool.h"
#include "gl_python.h"
#include "gl_statistics.h"

PyTypeObject *gl_code_type, *gl_frame_type;
static PyObject *step_failed; /* the exception class; it lives as long as the process */

static const char *const kinds[GL_ERROR_KINDS] = {
    [0] = "unknown",
    [GL_ERROR_MEMORY] = "memory",
    [GL_ERROR_SIZE] = "size",
    [GL_ERROR_BROADCAST] = "broadcast",
    [GL_ERROR_RESHAPE] = "reshape",
    [GL_ERROR_NEGATIVE] = "negative",
    [GL_ERROR_INDEX] = "index",
    [GL_ERROR_STEP] = "step",
    [GL_ERROR_EMPTY] = "empty",
    [GL_ERROR_SQUEEZE] = "squeeze",
    [GL_ERROR_CONCATENATE] = "concatenate",
    [GL_ERROR_MATMUL] = "matmul",
    [GL_ERROR_HOST] = "host",
    [GL_ERROR_ASSUMPTION] = "assumption",
    [GL_ERROR_WINDOW] = "window",
    [GL_ERROR_TURNS] = "turns",
    [GL_ERROR_STARTS] = "starts",
    [GL_ERROR_CARRIED] = "carried",
    [GL_ERROR_STACKED] = "stacked",
    [GL_ERROR_PARAMETER] = "parameter",
    [GL_ERROR_NAN] = "nan",
};

PyObject *gl_raise_failed(const gl_error *error)
{
  const char *kind = kinds[error->kind > 0 && error->kind < GL_ERROR_KINDS ? error->kind : 0];
  PyObject *details = PyTuple_New(error->n_details);
  for (int32_t k = 0; details && k < error->n_details; k++)
    PyTuple_SetItem(details, k, PyLong_FromLongLong(error->details[k]));
  PyObject *failure = details ? PyObject_CallFunction(step_failed, "isO", error->step, kind, details) : NULL;
  if (failure)
    PyErr_SetObject(step_failed, failure);
  Py_XDECREF(failure);
  Py_XDECREF(details);
  return NULL;
}

/* ---- functions --------------------------------------------------------------------------------- */

static PyObject *set_blas(PyObject *module, PyObject *args)
{
  PyObject *dgemm, *sgemm, *dgemv, *sgemv, *ddot, *sdot, *dsyrk, *ssyrk;
  (void)module;
  if (!PyArg_ParseTuple(args, "OOOOOOOO", &dgemm, &sgemm, &dgemv, &sgemv, &ddot, &sdot, &dsyrk, &ssyrk))
    return NULL;
  gl_blas *blas = &gl_blas_table;
  *(void **)&blas->dgemm = PyLong_AsVoidPtr(dgemm);
  *(void **)&blas->sgemm = PyLong_AsVoidPtr(sgemm);
  *(void **)&blas->dgemv = PyLong_AsVoidPtr(dgemv);
  *(void **)&blas->sgemv = PyLong_AsVoidPtr(sgemv);
  *(void **)&blas->ddot = PyLong_AsVoidPtr(ddot);
  *(void **)&blas->sdot = PyLong_AsVoidPtr(sdot);
  *(void **)&blas->dsyrk = PyLong_AsVoidPtr(dsyrk);
  *(void **)&blas->ssyrk = PyLong_AsVoidPtr(ssyrk);
  if (PyErr_Occurred())
    return NULL;
  Py_RETURN_NONE;
}

static PyObject *read_capsule(PyObject *module, PyObject *capsule)
{
  (void)module;
  const char *name = PyCapsule_GetName(capsule);
  void *pointer = name || !PyErr_Occurred() ? PyCapsule_GetPointer(capsule, name) : NULL;
  return pointer ? Py_BuildValue("sN", name, PyLong_FromVoidPtr(pointer)) : NULL;
}

static PyObject *memory_use(PyObject *module, PyObject *unused)
{
  (void)module, (void)unused;
  gl_memory_use use = gl_memory_used();
  return Py_BuildValue("nnn", (Py_ssize_t)use.in_use, (Py_ssize_t)use.kept, (Py_ssize_t)use.most);
}

static PyObject *release_memory(PyObject *module, PyObject *unused)
{
  (void)module, (void)unused;
  return PyLong_FromSize_t(gl_memory_release());
}

static PyObject *statistics(PyObject *module, PyObject *args)
{
  PyObject *object;
  int dtype;
  (void)module;
  if (!PyArg_ParseTuple(args, "iO!", &dtype, &PyArray_Type, &object))
    return NULL;
  PyArrayObject *array = (PyArrayObject *)object;
  if (dtype < 0 || dtype >= GL_DTYPES || PyArray_NDIM(array) > GL_MAX_NDIM || !PyArray_ISBEHAVED_RO(array))
    return PyErr_Format(PyExc_ValueError, "there are no statistics of such an array");
  int64_t shape[GL_MAX_NDIM + 1], stride[GL_MAX_NDIM + 1];
  for (int d = 0; d < PyArray_NDIM(array); d++) {
    shape[d] = PyArray_DIM(array, d);
    stride[d] = PyArray_STRIDE(array, d);
  }
  gl_statistics found = gl_statistics_of(dtype, PyArray_NDIM(array), shape, stride, PyArray_BYTES(array));
  return PyBytes_FromStringAndSize((const char *)&found, sizeof found);
}

static PyObject *num_threads(PyObject *module, PyObject *unused)
{
  (void)module, (void)unused;
  return PyLong_FromLong(gl_pool_threads());
}

static PyObject *set_num_threads(PyObject *module, PyObject *number)
{
  long threads = PyLong_AsLong(number);
  (void)module;
  if (PyErr_Occurred())
    return NULL;
  gl_pool_set_threads(threads > GL_MAX_THREADS ? GL_MAX_THREADS : (int32_t)threads);
  Py_RETURN_NONE;
}

static PyObject *threads_use(PyObject *module, PyObject *unused)
{
  (void)module, (void)unused;
  gl_pool_use use = gl_pool_used();
  return Py_BuildValue("LLi", (long long)use.regions, (long long)use.helped, (int)use.workers);
}

static PyMethodDef set_blas_method = {"set_blas", set_blas, METH_VARARGS,
                                      "Set the addresses of gemm, gemv, dot and syrk, of doubles and floats each."};
static PyMethodDef read_capsule_method = {"read_capsule", read_capsule, METH_O,
                                          "The name (a C signature) and the address in a capsule."};
static PyMethodDef memory_use_method = {"memory_use", memory_use, METH_NOARGS,
                                        "Bytes of large arrays: in use, kept, the most that were in use at once."};
static PyMethodDef statistics_method = {"statistics", statistics, METH_VARARGS,
                                        "The gl_statistics of an array, given the number of its dtype, as bytes."};
static PyMethodDef num_threads_method = {"num_threads", num_threads, METH_NOARGS, "How many threads kernels may use."};
static PyMethodDef set_num_threads_method = {"set_num_threads", set_num_threads, METH_O, "Let kernels use so many."};
static PyMethodDef threads_use_method = {
    "threads_use", threads_use, METH_NOARGS,
    "Kernels and copies that threads could share, pieces that others than the caller took, and those others now."};
static PyMethodDef release_memory_method = {"release_memory", release_memory, METH_NOARGS,
                                            "Give to the system what is kept: how many bytes."};

/* ---- export ------------------------------------------------------------------------------------ */

static int put(PyObject *dict, const char *name, PyObject *object)
{
  int failed = !object || PyDict_SetItemString(dict, name, object);
  Py_XDECREF(object); /* the dict holds it now */
  return failed;
}

/* What is to happen once, however often this module is imported. */
static int start(void)
{
  static int started;
  if (started)
    return 0;
  if (_import_array() || gl_start_outputs())
    return -1;
  if (gl_memory_start() || gl_pool_start()) {
    PyErr_NoMemory();
    return -1;
  }
  started = 1;
  return 0;
}

static int export_types(PyObject *dict)
{
  step_failed = PyDict_GetItemString(dict, "StepFailed");
  if (!step_failed) {
    PyErr_SetString(PyExc_KeyError, "StepFailed");
    return -1;
  }
  Py_INCREF(step_failed);
  gl_code_type = (PyTypeObject *)PyType_FromSpec(&gl_code_spec);
  gl_frame_type = (PyTypeObject *)PyType_FromSpec(&gl_frame_spec);
  if (!gl_code_type || !gl_frame_type)
    return -1;
  Py_INCREF((PyObject *)gl_code_type); /* one for us, one for the dict */
  Py_INCREF((PyObject *)gl_frame_type);
  return put(dict, "Code", (PyObject *)gl_code_type) || put(dict, "Frame", (PyObject *)gl_frame_type) ||
                 put(dict, "Callable", PyType_FromSpec(&gl_callable_spec)) ||
                 put(dict, "set_blas", PyCFunction_NewEx(&set_blas_method, NULL, NULL)) ||
                 put(dict, "read_capsule", PyCFunction_NewEx(&read_capsule_method, NULL, NULL)) ||
                 put(dict, "memory_use", PyCFunction_NewEx(&memory_use_method, NULL, NULL)) ||
                 put(dict, "statistics", PyCFunction_NewEx(&statistics_method, NULL, NULL)) ||
                 put(dict, "num_threads", PyCFunction_NewEx(&num_threads_method, NULL, NULL)) ||
                 put(dict, "set_num_threads", PyCFunction_NewEx(&set_num_threads_method, NULL, NULL)) ||
                 put(dict, "threads_use", PyCFunction_NewEx(&threads_use_method, NULL, NULL)) ||
                 put(dict, "release_memory", PyCFunction_NewEx(&release_memory_method, NULL, NULL))
             ? -1
             : 0;
}

int gl_export(uintptr_t dict)
{
  PyGILState_STATE state = PyGILState_Ensure(); /* cffi calls without the GIL */
  int failed = start();
  if (!failed)
    failed = export_types((PyObject *)dict);
  if (failed)
    PyErr_Print();
  PyGILState_Release(state);
  return failed;
}
