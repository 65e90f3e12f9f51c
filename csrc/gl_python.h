/* What the files of the Python bridge share. `Code` is a loaded program with everything that it needs,
 * an activation is one run of it, `Callable` the fast way to call it and `Frame` the slow, visible way. */
#ifndef GL_PYTHON_H
#define GL_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL gl_numpy_api
#ifndef GL_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include "gl_statistics.h"

/* A loaded program. It never changes, and whoever runs it holds a reference. */
typedef struct gl_code {
  PyObject_HEAD
  void *library;
  int (*run)(gl_frame *);
  int (*run_one)(gl_frame *, int32_t);
  int32_t n_steps;
  int32_t n_slots, n_inputs, n_shared, n_constants, n_outputs, n_visible, n_updates, n_cells;
  gl_slot *slots;
  PyArray_Descr **descr;                                 /* the dtype of each slot */
  int8_t *dtypes;                                        /* the same as GL_DTYPE */
  int32_t *inputs, *shared, *constant_slots, *outputs;   /* slots */
  int32_t *update_outputs, *update_cells;                /* positions in outputs and cells */
  PyObject *constants, *hosts, *cells;                   /* tuples: arrays, functions, one-element lists */
  int32_t finishing, n_finishing_reads; /* the last steps, so many, run in two parts (gl_phase); the slots they read */
  int32_t *finishing_reads;
  int64_t taken;         /* how many arrays were put where others died, in all runs */
  int64_t release_bytes; /* from so many bytes of operands on, a run is worth giving up the GIL */
} gl_code;

/* A new reference to the dtype of a slot: NumPy's constructors take one. */
static inline PyArray_Descr *gl_new_descr(const gl_code *code, int32_t slot)
{
  Py_INCREF((PyObject *)code->descr[slot]);
  return code->descr[slot];
}

/* Whether a value is an array of just the slot's kind: no subclass, native byte order, aligned. */
static inline int gl_fits(const gl_code *code, int32_t slot, PyObject *value)
{
  PyArrayObject *array = (PyArrayObject *)value;
  return PyArray_CheckExact(value) && PyArray_TYPE(array) == code->descr[slot]->type_num &&
         PyArray_NDIM(array) == code->slots[slot].ndim && PyArray_ISBEHAVED_RO(array);
}

#define GL_STORAGE 6144 /* bytes on the stack that serve about 20 slots */

/* Room for a number of any dtype. */
typedef struct gl_scalar {
  int64_t bytes[2];
} gl_scalar;

/* How a call is done. Operands that are not arrays of just the right kind: convert shared values, make floats of
 * Python's into float32. Outputs: fail, before any update, if one has a NaN. */
enum { GL_COERCES = 1, GL_NARROWS = 2, GL_REFUSES_NAN = 4 };

/* What a call is to tell beside its results: statistics of slots right after the steps that write them, and copies of
 * their values while these have no more than `room` bytes together. */
typedef struct gl_looks {
  int32_t n_slots;
  int32_t *slots, *ends; /* ends[k]: how many slots steps 0..k write */
  int8_t *dtypes;        /* of all slots of the program, -1 for those that are not looked at */
  gl_statistics *found;
  int64_t room;
  PyObject **values;     /* NULL: none are wanted */
} gl_looks;

/* One run of a program. */
typedef struct gl_activation {
  gl_call call; /* first: gl_frame *, gl_call * and gl_activation * are one address */
  gl_code *code;
  PyObject *arguments;   /* a tuple that the caller holds */
  PyObject **cell_values; /* what each cell held when the run began */
  gl_scalar *numbers;    /* where Python's and NumPy's numbers among the arguments lie */
  int64_t bytes;         /* of all operands */
  PyObject *anchor;      /* what keeps operands alive for the arrays that host functions see */
  PyThreadState *thread; /* while the GIL is released: the way back to it */
  int may_let_go;        /* it may be released */
  PyObject *raised[3];   /* a host function's exception */
  void *heap;            /* storage, when the stack does not do */
  gl_looks *looks;       /* or NULL */
  gl_watch watch;
} gl_activation;

typedef enum gl_outcome {
  GL_DONE,
  GL_UNFIT,  /* an argument or a shared value is not an array of just the right kind */
  GL_FAILED, /* a step failed: see the error */
  GL_RAISED, /* a Python exception is set */
  GL_STALE   /* a shared value changed during the run */
} gl_outcome;

/* gl_operands.c: fill the slots of arguments, constants and shared values. */
gl_outcome gl_describe_operands(gl_activation *run, int ways);

/* gl_activation.c: a run, from its operands to its results. */
gl_outcome gl_activate(gl_activation *run, gl_code *code, PyObject *arguments, int ways, char *storage);
gl_outcome gl_run_all(gl_activation *run); /* but for those that finish it */
gl_outcome gl_run_step(gl_activation *run, int32_t step);
void gl_deactivate(gl_activation *run);
void gl_lend_copies(gl_activation *run); /* of old values, for new ones to be written there: to time that */
/* A copy of the slot's value; NULL with an exception: there is no memory, or, if it `asks`, the user wants to stop. */
PyObject *gl_copied(gl_activation *run, int32_t slot, int asks);
gl_outcome gl_code_call(gl_code *code, PyObject *arguments, int ways, int single, gl_looks *looks, PyObject **result,
                        gl_error *error);
/* gl_looks.c: before each attempt at a call, after each of its steps, and after it. */
void gl_looks_begin(gl_activation *run, gl_looks *looks);
void gl_look_after(gl_activation *run, int32_t step);
void gl_copy_after(gl_activation *run, int32_t first_step, int32_t end);
PyObject *gl_call_watched(gl_code *code, PyObject *arguments, PyObject *slots, PyObject *ends, int ways,
                          int64_t room);

/* gl_output.c: a fresh C-contiguous array of the slot's dtype for the caller to keep; NULL with an exception. */
PyObject *gl_new_output(const gl_code *code, int32_t slot, const int64_t *shape);
/* Before the first of them; -1 with an exception. */
int gl_start_outputs(void);

/* gl_host.c: what the runtime asks of Python while a program runs. */
extern const gl_hooks gl_python_hooks;
extern const gl_api gl_python_api;
int gl_host(gl_frame *frame, int32_t index, int32_t n_inputs, const int32_t *inputs, int32_t n_outputs,
            const int32_t *outputs);

/* gl_module.c: the types, and a step's failure as a Python exception (always NULL). */
extern PyTypeObject *gl_code_type, *gl_frame_type;
extern PyType_Spec gl_code_spec, gl_frame_spec, gl_callable_spec;
PyObject *gl_raise_failed(const gl_error *error);
PyObject *gl_new_frame(gl_code *code, PyObject *arguments);

/* Puts the module's types and functions into the dict at this address; -1 with a Python exception. */
int gl_export(uintptr_t dict);

#endif
