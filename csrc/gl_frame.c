/* The type Frame: a run of a program that stops after every step, for debuggers. Its values stay until it
 * is closed, also those that the program releases; updates do not take effect. */
#include "gl_python.h"

#include <time.h>

typedef struct frame {
  PyObject_HEAD
  gl_activation run;
  PyObject *code, *arguments; /* what `run` borrows; code is NULL when the frame is closed */
  int busy;                   /* a step runs: it may let other threads in */
} frame;

PyObject *gl_new_frame(gl_code *code, PyObject *arguments)
{
  PyTypeObject *type = gl_frame_type;
  frame *me = (frame *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
  if (!me)
    return NULL;
  Py_INCREF((PyObject *)code);
  Py_INCREF(arguments);
  me->code = (PyObject *)code;
  me->arguments = arguments;
  gl_outcome outcome = gl_activate(&me->run, code, arguments, GL_COERCES, NULL);
  me->run.call.keep = 1;
  if (outcome == GL_DONE)
    return (PyObject *)me;
  if (outcome == GL_UNFIT)
    PyErr_SetString(PyExc_TypeError, "the arguments do not fit the program");
  Py_DECREF(me);
  return NULL;
}

static int is_open(const frame *me)
{
  if (!me->code)
    PyErr_SetString(PyExc_RuntimeError, "this frame is closed");
  else if (me->busy)
    PyErr_SetString(PyExc_RuntimeError, "a step of this frame is running");
  return me->code && !me->busy;
}

static PyObject *frame_run_step(PyObject *self, PyObject *number)
{
  frame *me = (frame *)self;
  long step = PyLong_AsLong(number);
  if (PyErr_Occurred() || !is_open(me))
    return NULL;
  if (step < 0 || step >= me->run.code->n_steps)
    return PyErr_Format(PyExc_IndexError, "there is no step %ld", step);
  me->busy = 1;
  gl_outcome outcome = gl_run_step(&me->run, (int32_t)step);
  me->busy = 0;
  if (outcome == GL_FAILED)
    return gl_raise_failed(&me->run.call.error);
  if (outcome == GL_RAISED)
    return NULL;
  Py_RETURN_NONE;
}

/* The slot that Python asks for; -1 with an exception if there is none. */
static int32_t asked_slot(frame *me, PyObject *number)
{
  const long slot = PyLong_AsLong(number);
  if (PyErr_Occurred() || !is_open(me))
    return -1;
  if (slot >= 0 && slot < me->run.call.n_slots)
    return (int32_t)slot;
  PyErr_Format(PyExc_IndexError, "there is no slot %ld", slot);
  return -1;
}

static PyObject *frame_value(PyObject *self, PyObject *number)
{
  frame *me = (frame *)self;
  const int32_t slot = asked_slot(me, number);
  if (slot < 0)
    return NULL;
  if (!me->run.call.frame.arrays[slot].data)
    Py_RETURN_NONE;
  return gl_copied(&me->run, slot, 1);
}

static PyObject *numbers(int32_t n, const int64_t *values)
{
  PyObject *tuple = PyTuple_New(n);
  for (int32_t d = 0; tuple && d < n; d++)
    PyTuple_SetItem(tuple, d, PyLong_FromLongLong(values[d]));
  return tuple;
}

static PyObject *frame_layout(PyObject *self, PyObject *number)
{
  frame *me = (frame *)self;
  const int32_t slot = asked_slot(me, number);
  if (slot < 0)
    return NULL;
  const gl_array *array = &me->run.call.frame.arrays[slot];
  if (!array->data)
    Py_RETURN_NONE;
  int32_t ndim = me->run.call.slots[slot].ndim;
  return Py_BuildValue("NNNN", PyLong_FromVoidPtr(array->data), numbers(ndim, array->shape),
                       numbers(ndim, array->stride), PyLong_FromVoidPtr(array->owner));
}

/* What was computed may be given up, to be computed again; what was given stays. */
static PyObject *frame_drop(PyObject *self, PyObject *number)
{
  frame *me = (frame *)self;
  const int32_t slot = asked_slot(me, number);
  if (slot < 0)
    return NULL;
  if (me->run.call.frame.arrays[slot].owner)
    gl_clear(&me->run.call.frame, slot);
  Py_RETURN_NONE;
}

static int64_t nanoseconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What a step's time contains of the clock itself: the least of a few readings. */
static int64_t clock_cost(void)
{
  int64_t least = INT64_MAX;
  for (int k = 0; k < 8; k++) {
    int64_t before = nanoseconds(), cost = nanoseconds() - before;
    least = cost < least ? cost : least;
  }
  return least;
}

/* All steps as a plain call runs them, which releases what nobody needs any more: how long each took. */
static PyObject *frame_time_steps(PyObject *self, PyObject *unused)
{
  frame *me = (frame *)self;
  (void)unused;
  if (!is_open(me))
    return NULL;
  PyObject *times = PyTuple_New(me->run.code->n_steps);
  gl_outcome outcome = times ? GL_DONE : GL_RAISED;
  int64_t cost = clock_cost();
  me->run.call.keep = 0;
  gl_lend_copies(&me->run);
  me->busy = 1;
  for (int32_t k = 0; outcome == GL_DONE && k < me->run.code->n_steps; k++) {
    int64_t before = nanoseconds();
    outcome = gl_run_step(&me->run, k);
    int64_t taken = nanoseconds() - before - cost;
    PyTuple_SetItem(times, k, PyFloat_FromDouble(1e-9 * (double)(taken > 0 ? taken : 0)));
  }
  me->busy = 0;
  if (outcome == GL_DONE)
    return times;
  Py_XDECREF(times);
  return outcome == GL_FAILED ? gl_raise_failed(&me->run.call.error) : NULL;
}

static void shut(frame *me)
{
  PyObject *code = me->code;
  me->code = NULL;
  if (code)
    gl_deactivate(&me->run);
  Py_CLEAR(me->arguments);
  Py_XDECREF(code);
}

static PyObject *frame_close(PyObject *self, PyObject *unused)
{
  frame *me = (frame *)self;
  (void)unused;
  if (me->code && !is_open(me))
    return NULL;
  shut(me);
  Py_RETURN_NONE;
}

static int frame_traverse(PyObject *self, visitproc visit, void *arg)
{
  frame *me = (frame *)self;
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(me->code);
  Py_VISIT(me->arguments);
  return 0;
}

static int frame_clear(PyObject *self)
{
  shut((frame *)self);
  return 0;
}

static void frame_dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  frame_clear(self);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {{"run_step", frame_run_step, METH_O, "Run step number `k`."},
                                {"value", frame_value, METH_O, "A copy of what the slot holds, or None."},
                                {"layout", frame_layout, METH_O, "Its address, shape, strides and block, or None."},
                                {"drop", frame_drop, METH_O, "Give up what was computed into the slot."},
                                {"time_steps", frame_time_steps, METH_NOARGS, "Run all; the seconds of each."},
                                {"close", frame_close, METH_NOARGS, "Give up all values."},
                                {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {{Py_tp_dealloc, frame_dealloc},
                              {Py_tp_traverse, frame_traverse},
                              {Py_tp_clear, frame_clear},
                              {Py_tp_methods, methods},
                              {Py_tp_doc, "A run that stops after every step."},
                              {0, NULL}};
#define FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION)
PyType_Spec gl_frame_spec = {"graphlab._rt.Frame", sizeof(frame), 0, FLAGS, slots};
