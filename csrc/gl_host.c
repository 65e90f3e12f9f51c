/* What a running program asks of Python: arrays that the caller will keep, and host functions. */
#include "gl_python.h"

/* ---- the GIL ----------------------------------------------------------------------------------- */

static int enter(gl_activation *run)
{
  int released = run->thread != NULL;
  if (released) {
    PyEval_RestoreThread(run->thread);
    run->thread = NULL;
  }
  return released;
}

static void leave(gl_activation *run, int released)
{
  if (released)
    run->thread = PyEval_SaveThread();
}

/* ---- hooks ------------------------------------------------------------------------------------- */

static int new_output(gl_call *call, int32_t slot, const int64_t *shape)
{
  gl_activation *run = (gl_activation *)call;
  int released = enter(run);
  PyObject *array = gl_new_output(run->code, slot, shape);
  gl_block *block = array ? gl_block_of_object(call, array, slot) : NULL;
  if (block) {
    call->frame.arrays[slot].owner = block;
    call->frame.arrays[slot].data = PyArray_BYTES((PyArrayObject *)array);
  } else {
    PyErr_Clear(); /* the frame says that there is no memory */
    Py_XDECREF(array);
  }
  leave(run, released);
  return block == NULL;
}

static void drop(gl_call *call, void *object)
{
  gl_activation *run = (gl_activation *)call;
  int released = enter(run);
  Py_DECREF((PyObject *)object);
  leave(run, released);
}

static int interrupted(gl_call *call)
{
  gl_activation *run = (gl_activation *)call;
  int released = enter(run);
  if (!released) { /* other threads get their turn */
    PyThreadState *thread = PyEval_SaveThread();
    PyEval_RestoreThread(thread);
  }
  int stop = PyErr_CheckSignals();
  if (stop)
    PyErr_Fetch(&run->raised[0], &run->raised[1], &run->raised[2]);
  leave(run, released);
  return stop;
}

/* The GIL stays where it is in a run that others must not overtake, and where a debugger looks on. */
static int let_go(gl_call *call)
{
  gl_activation *run = (gl_activation *)call;
  if (!run->thread && run->may_let_go)
    run->thread = PyEval_SaveThread();
  return run->thread != NULL;
}

const gl_hooks gl_python_hooks = {
    .new_output = new_output, .drop = drop, .interrupted = interrupted, .let_go = let_go};

/* ---- what a host function sees ----------------------------------------------------------------- */

static void drop_capsule(PyObject *capsule)
{
  gl_block_drop(NULL, PyCapsule_GetPointer(capsule, NULL));
}

/* What must live while Python looks at borrowed memory: arguments, constants, shared values. */
static PyObject *anchor(gl_activation *run)
{
  if (!run->anchor) {
    PyObject *list = PyList_New(0);
    int failed = !list || PyList_Append(list, run->arguments) || PyList_Append(list, (PyObject *)run->code);
    for (int32_t k = 0; !failed && k < run->code->n_cells; k++)
      failed = PyList_Append(list, run->cell_values[k]);
    if (failed)
      Py_CLEAR(list);
    run->anchor = list;
  }
  Py_XINCREF(run->anchor);
  return run->anchor;
}

/* A new reference to what keeps the slot's memory alive, however long Python holds on to it. */
static PyObject *keeper(gl_activation *run, const gl_array *array)
{
  gl_block *block = array->owner;
  if (!block)
    return anchor(run);
  if (block->object) {
    Py_INCREF((PyObject *)block->object);
    return block->object;
  }
  PyObject *capsule = PyCapsule_New(block, NULL, drop_capsule);
  if (capsule)
    __atomic_add_fetch(&block->count, 1, __ATOMIC_RELAXED);
  return capsule;
}

/* The slot as a read-only array. */
static PyObject *shown(gl_activation *run, int32_t slot)
{
  gl_array *array = &run->call.frame.arrays[slot];
  const char *numbers = (const char *)run->numbers;
  if (array->data >= numbers && array->data < (const char *)(run->numbers + run->code->n_inputs))
    return gl_copied(run, slot, 0); /* a Python number: its memory ends with the run */
  PyObject *base = keeper(run, array);
  if (!base)
    return NULL;
  PyObject *view =
      PyArray_NewFromDescr(&PyArray_Type, gl_new_descr(run->code, slot), run->call.slots[slot].ndim,
                           (npy_intp *)array->shape, (npy_intp *)array->stride, array->data, 0, NULL);
  if (!view)
    Py_DECREF(base);
  else if (PyArray_SetBaseObject((PyArrayObject *)view, base) < 0) /* takes base, also if it fails */
    Py_CLEAR(view);
  return view;
}

static PyObject *shown_inputs(gl_activation *run, int32_t n, const int32_t *slots)
{
  PyObject *inputs = PyTuple_New(n);
  for (int32_t k = 0; inputs && k < n; k++) {
    PyObject *view = shown(run, slots[k]);
    if (!view)
      Py_CLEAR(inputs);
    else
      PyTuple_SetItem(inputs, k, view);
  }
  return inputs;
}

/* ---- what a host function gives ---------------------------------------------------------------- */

/* One result as an array of the slot's dtype and rank; takes nothing, gives a new reference. */
static PyObject *converted(const gl_activation *run, int32_t index, int32_t slot, PyObject *result)
{
  int ndim = run->call.slots[slot].ndim;
  int rank = PyArray_Check(result) ? PyArray_NDIM((PyArrayObject *)result)
             : PyArray_IsScalar(result, Generic) ? 0 : -1; /* what NumPy calls a scalar: float64(1.0) */
  if (rank != ndim) {
    PyErr_Format(PyExc_TypeError, "host function %d gave %R where an array of %d dimensions is due", index,
                 (PyObject *)Py_TYPE(result), ndim);
    return NULL;
  }
  int flags = NPY_ARRAY_ALIGNED | NPY_ARRAY_NOTSWAPPED | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST;
  return PyArray_FromAny(result, gl_new_descr(run->code, slot), 0, 0, flags, NULL);
}

/* Whether nobody but us can reach the array's memory, so that it may be handed to the caller as it is. */
static int is_ours_alone(PyObject *object)
{
  PyArrayObject *array = (PyArrayObject *)object;
  return Py_REFCNT(object) == 1 && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA | NPY_ARRAY_WRITEABLE);
}

/* Put an array into the slot, whose reference it takes. */
static int place(gl_activation *run, int32_t slot, PyObject *object)
{
  PyArrayObject *source = (PyArrayObject *)object;
  gl_array *array = &run->call.frame.arrays[slot];
  gl_clear(&run->call.frame, slot);
  gl_block *block = gl_block_of_object(&run->call, object, is_ours_alone(object) ? slot : -1);
  if (!block) {
    Py_DECREF(object);
    PyErr_NoMemory();
    return -1;
  }
  array->owner = block;
  array->data = PyArray_BYTES(source);
  for (int d = 0; d < PyArray_NDIM(source); d++) {
    array->shape[d] = PyArray_DIM(source, d);
    array->stride[d] = PyArray_STRIDE(source, d);
  }
  return 0;
}

static int accept(gl_activation *run, int32_t index, PyObject *results, int32_t n, const int32_t *slots)
{
  PyObject *arrays[n + 1];
  int32_t have = 0;
  if (!PyTuple_Check(results) || PyTuple_Size(results) != n)
    PyErr_Format(PyExc_TypeError, "host function %d gave %R where a tuple of %d arrays is due", index,
                 (PyObject *)Py_TYPE(results), n);
  else
    while (have < n && (arrays[have] = converted(run, index, slots[have], PyTuple_GetItem(results, have))))
      have++;
  Py_DECREF(results); /* first, so that is_ours_alone sees who else is left */
  for (int32_t k = 0; k < have; k++)
    if (have < n)
      Py_DECREF(arrays[k]);
    else if (place(run, slots[k], arrays[k])) {
      for (k++; k < have; k++)
        Py_DECREF(arrays[k]);
      return -1;
    }
  return have < n ? -1 : 0;
}

static int host_call(gl_activation *run, int32_t index, int32_t n_inputs, const int32_t *inputs,
                     int32_t n_outputs, const int32_t *outputs)
{
  PyObject *function = PyTuple_GetItem(run->code->hosts, index);
  PyObject *arguments = function ? shown_inputs(run, n_inputs, inputs) : NULL;
  if (!arguments)
    return -1;
  PyObject *results = PyObject_CallObject(function, arguments);
  Py_DECREF(arguments);
  return results ? accept(run, index, results, n_outputs, outputs) : -1;
}

int gl_host(gl_frame *frame, int32_t index, int32_t n_inputs, const int32_t *inputs, int32_t n_outputs,
            const int32_t *outputs)
{
  gl_activation *run = (gl_activation *)frame;
  int released = enter(run);
  int failed = host_call(run, index, n_inputs, inputs, n_outputs, outputs);
  if (failed)
    PyErr_Fetch(&run->raised[0], &run->raised[1], &run->raised[2]);
  leave(run, released);
  return failed ? gl_fail(frame, GL_ERROR_HOST, index) : 0;
}

const gl_api gl_python_api = {
    .nest = gl_nest_plan,
    .run = gl_run_kernel,
    .host = gl_host,
    .release = gl_release,
    .copy = gl_copy,
    .transpose = gl_transpose,
    .reshape = gl_reshape,
    .broadcast_to = gl_broadcast_to,
    .index = gl_index,
    .shape_of = gl_shape_of,
    .stack_scalars = gl_stack_scalars,
    .concatenate = gl_concatenate,
    .matmul = gl_matmul,
    .sum_to = gl_sum_to,
    .windows = gl_windows,
    .fold_windows = gl_fold_windows,
    .convolve = gl_convolve,
    .convolve_filters = gl_convolve_filters,
    .convolve_images = gl_convolve_images,
    .max_pool = gl_max_pool,
    .max_pool_input = gl_max_pool_input,
    .draw = gl_draw,
    .share = gl_share,
    .loop_begin = gl_loop_begin,
    .loop_turn = gl_loop_turn,
    .loop_keep = gl_loop_keep,
    .loop_steady = gl_loop_steady,
    .loop_end = gl_loop_end,
    .turns = gl_run_turns,
    .gather = gl_gather,
    .scatter = gl_scatter,
    .scatter_into = gl_scatter_into,
    .arg_extreme = gl_arg_extreme,
    .accumulate = gl_accumulate,
    .arange = gl_arange,
};
