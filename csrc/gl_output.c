/* Arrays that the caller keeps. The memory of large ones is the runtime's (gl_memory.h), by the way that
 * NumPy has for that (NEP 49): the array owns it, and gives it back to where it came from. */
#include "gl_python.h"

#include <string.h>

static void *new_memory(void *context, size_t bytes)
{
  (void)context;
  return gl_memory_new(bytes);
}

static void *new_zeros(void *context, size_t n, size_t size)
{
  size_t bytes;
  void *memory = __builtin_mul_overflow(n, size, &bytes) ? NULL : new_memory(context, bytes);
  return memory ? memset(memory, 0, bytes) : NULL;
}

static void *resized(void *context, void *memory, size_t bytes)
{
  (void)context;
  return gl_memory_resized(memory, bytes);
}

static void drop_memory(void *context, void *memory, size_t bytes)
{
  (void)context;
  (void)bytes;
  gl_memory_drop(memory);
}

static PyDataMem_Handler memory = {
    "graphlab", 1, {.malloc = new_memory, .calloc = new_zeros, .realloc = resized, .free = drop_memory}};
static PyObject *handler; /* `memory` as NumPy wants to have it; it lives as long as the process */

int gl_start_outputs(void)
{
  handler = PyCapsule_New(&memory, "mem_handler", NULL);
  return handler ? 0 : -1;
}

static PyObject *new_array(const gl_code *code, int32_t slot, const int64_t *shape)
{
  return PyArray_NewFromDescr(&PyArray_Type, gl_new_descr(code, slot), code->slots[slot].ndim, (npy_intp *)shape,
                              NULL, NULL, 0, NULL);
}

PyObject *gl_new_output(const gl_code *code, int32_t slot, const int64_t *shape)
{
  int64_t bytes = gl_elements(code->slots[slot].ndim, shape) * code->slots[slot].itemsize;
  if (bytes < GL_LARGE)
    return new_array(code, slot, shape);
  PyObject *before = PyDataMem_SetHandler(handler);
  if (!before)
    return NULL;
  PyObject *array = new_array(code, slot, shape);
  if (!array)
    PyErr_Clear(); /* nothing is to be asked of Python while an exception is set */
  PyObject *ours = PyDataMem_SetHandler(before); /* it was set for this one array only */
  Py_DECREF(before);
  if (!ours)
    Py_CLEAR(array);
  else if (!array)
    PyErr_NoMemory();
  Py_XDECREF(ours);
  return array;
}
