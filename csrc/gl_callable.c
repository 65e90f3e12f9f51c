/* The type Callable: what `f(x)` meets first. Plain arrays of just the right kind and numbers, by position or by
 * name, go straight to the program; everything else, and every call that fails, goes to the Python function `slow`. */
#include "gl_python.h"

typedef struct callable {
  PyObject_HEAD
  gl_code *code; /* NULL: every call is slow */
  PyObject *slow;
  int ways;       /* GL_NARROWS and GL_REFUSES_NAN, or neither */
  int single;     /* the result is the one output, not a list */
  PyObject *form; /* NULL: the list itself; the type tuple, or a tuple of keys: a tuple or dict of its items */
  PyObject *names; /* a tuple: the keyword of each input, or None */
  int64_t left;   /* so many calls go to the program, then they are slow; negative: all do */
  int64_t passed; /* calls that did, since somebody asked; only counted if not all do */
} callable;

/* The list of results as a tuple, or as a dict with the keys in `form`; takes the reference to `list`. */
static PyObject *formed(PyObject *form, PyObject *list)
{
  PyObject *result = PyTuple_Check(form) ? PyDict_New() : PyList_AsTuple(list);
  for (Py_ssize_t k = 0; result && PyTuple_Check(form) && k < PyTuple_Size(form); k++)
    if (PyDict_SetItem(result, PyTuple_GetItem(form, k), PyList_GetItem(list, k)))
      Py_CLEAR(result);
  Py_DECREF(list);
  return result;
}

/* Which input a keyword names: the first; -1 if there is none. */
static Py_ssize_t named(PyObject *names, PyObject *key)
{
  Py_ssize_t n = PyTuple_Size(names);
  for (Py_ssize_t k = 0; k < n; k++) {
    PyObject *name = PyTuple_GetItem(names, k);
    if (name == key || (PyUnicode_Check(name) && PyUnicode_Compare(name, key) == 0))
      return k;
  }
  return -1;
}

/* All arguments in the order of the inputs; NULL, perhaps without an exception, where they are not one for each. */
static PyObject *in_order(PyObject *names, PyObject *args, PyObject *kwargs)
{
  Py_ssize_t n = PyTuple_Size(names), given = PyTuple_Size(args), at = 0;
  PyObject *all = given + PyDict_Size(kwargs) == n ? PyTuple_New(n) : NULL, *key, *value;
  for (Py_ssize_t k = 0; all && k < given; k++) {
    value = PyTuple_GetItem(args, k);
    Py_INCREF(value);
    PyTuple_SetItem(all, k, value);
  }
  while (all && PyDict_Next(kwargs, &at, &key, &value)) {
    Py_ssize_t k = PyUnicode_Check(key) ? named(names, key) : -1;
    if (k < given) {
      Py_CLEAR(all); /* it is no input, or given twice */
    } else {
      Py_INCREF(value);
      PyTuple_SetItem(all, k, value);
    }
  }
  return all;
}

/* The call by the program: GL_DONE and the result, or why not; `stopped`: a signal's handler raised. */
static inline gl_outcome run_program(callable *me, PyObject *arguments, PyObject **result, int *stopped)
{
  gl_error error = {0};
  PyObject *form = me->form;
  Py_XINCREF(form); /* it may be bound anew meanwhile */
  gl_outcome outcome = gl_code_call(me->code, arguments, me->ways, me->single, NULL, result, &error);
  if (outcome == GL_DONE && form)
    *result = formed(form, *result);
  Py_XDECREF(form);
  *stopped = outcome == GL_RAISED && error.kind == GL_ERROR_HOST && error.n_details && error.details[0] < 0;
  return outcome;
}

static PyObject *callable_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
  callable *me = (callable *)self;
  PyObject *result = NULL;
  int stopped = 0;
  if (me->code && me->left) {
    gl_outcome outcome = GL_UNFIT;
    const int counted = me->left > 0;
    me->left -= counted; /* before the call, in which other threads may run */
    if (!kwargs || PyDict_Size(kwargs) == 0) {
      outcome = run_program(me, args, &result, &stopped);
    } else {
      PyObject *arguments = in_order(me->names, args, kwargs);
      if (arguments)
        outcome = run_program(me, arguments, &result, &stopped);
      Py_XDECREF(arguments);
    }
    if (outcome == GL_DONE) {
      me->passed += counted;
      return result;
    }
    if (PyErr_Occurred()) {
      if (stopped || !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL; /* KeyboardInterrupt, or what a signal's handler raised: it is not to be tried again */
      PyErr_Clear();
    }
  }
  PyObject *slow = me->slow;
  if (!slow) {
    PyErr_SetString(PyExc_TypeError, "this function is not bound to a program");
    return NULL;
  }
  Py_INCREF(slow); /* it may be bound anew meanwhile */
  result = PyObject_Call(slow, args, kwargs);
  Py_DECREF(slow);
  return result;
}

static PyObject *callable_bind(PyObject *self, PyObject *args)
{
  callable *me = (callable *)self;
  PyObject *code, *slow, *names, *form = NULL;
  int single, narrows = 0, refuses = 0;
  if (!PyArg_ParseTuple(args, "O!OpO!|Opp", gl_code_type, &code, &slow, &single, &PyTuple_Type, &names, &form,
                        &narrows, &refuses))
    return NULL;
  if (PyTuple_Size(names) != ((gl_code *)code)->n_inputs) {
    PyErr_SetString(PyExc_ValueError, "each input needs a name, or None");
    return NULL;
  }
  if (single && ((gl_code *)code)->n_visible != 1) {
    PyErr_SetString(PyExc_ValueError, "only a program with one visible output has a single result");
    return NULL;
  }
  if (form == Py_None)
    form = NULL;
  int keys = form && PyTuple_Check(form);
  if (form && (single || (!keys && form != (PyObject *)&PyTuple_Type) ||
               (keys && PyTuple_Size(form) != ((gl_code *)code)->n_visible))) {
    PyErr_SetString(PyExc_ValueError, "form is None, tuple, or a tuple with a key for each visible output");
    return NULL;
  }
  PyObject *old_code = (PyObject *)me->code, *old_slow = me->slow, *old_form = me->form, *old_names = me->names;
  Py_INCREF(code);
  Py_INCREF(slow);
  Py_INCREF(names);
  Py_XINCREF(form);
  me->code = (gl_code *)code;
  me->slow = slow;
  me->single = single;
  me->ways = (narrows ? GL_NARROWS : 0) | (refuses ? GL_REFUSES_NAN : 0);
  me->form = form;
  me->names = names;
  me->left = -1;
  Py_XDECREF(old_code);
  Py_XDECREF(old_slow);
  Py_XDECREF(old_form);
  Py_XDECREF(old_names);
  Py_RETURN_NONE;
}

static PyObject *callable_bind_slow(PyObject *self, PyObject *slow)
{
  callable *me = (callable *)self;
  PyObject *old_code = (PyObject *)me->code, *old_slow = me->slow;
  Py_INCREF(slow);
  me->code = NULL;
  me->slow = slow;
  Py_XDECREF(old_code);
  Py_XDECREF(old_slow);
  Py_RETURN_NONE;
}

static PyObject *callable_pass(PyObject *self, PyObject *number)
{
  callable *me = (callable *)self;
  const long long left = PyLong_AsLongLong(number), passed = me->passed;
  if (PyErr_Occurred())
    return NULL;
  me->left = left;
  me->passed = 0;
  return PyLong_FromLongLong(passed);
}

static int callable_traverse(PyObject *self, visitproc visit, void *arg)
{
  Py_VISIT(Py_TYPE(self));
  Py_VISIT((PyObject *)((callable *)self)->code);
  Py_VISIT(((callable *)self)->slow);
  Py_VISIT(((callable *)self)->form);
  Py_VISIT(((callable *)self)->names);
  return 0;
}

static int callable_clear(PyObject *self)
{
  Py_CLEAR(((callable *)self)->code);
  Py_CLEAR(((callable *)self)->slow);
  Py_CLEAR(((callable *)self)->form);
  Py_CLEAR(((callable *)self)->names);
  return 0;
}

static void callable_dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  callable_clear(self);
  ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"_bind", callable_bind, METH_VARARGS,
     "Bind to (code, slow, single, names, form=None, narrows=False, refuses_nan=False)."},
    {"_bind_slow", callable_bind_slow, METH_O, "Let `slow` answer every call."},
    {"_pass", callable_pass, METH_O,
     "Let so many calls go straight to the program, and `slow` answer those after them; negative: all that can.\n\n"
     "How many were counted so since this was last said."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {{Py_tp_call, callable_call},
                              {Py_tp_dealloc, callable_dealloc},
                              {Py_tp_traverse, callable_traverse},
                              {Py_tp_clear, callable_clear},
                              {Py_tp_methods, methods},
                              {Py_tp_doc, "Base of compiled functions: calls a bound program, or `slow`."},
                              {0, NULL}};
PyType_Spec gl_callable_spec = {"graphlab._rt.Callable", sizeof(callable), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
