"""The practical limit: hand-written C with OpenMP and vectorised libm, called with bound pointers.

Outputs go into buffers allocated once, so no call pays for page faults.  Each
kernel is one file in c/, compiled on demand into the cache directory; matrix
products use the BLAS that SciPy carries, one thread at a time, inside the
kernels' own parallel regions: two thread pools would fight for the processors.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import ctypes
import hashlib
import importlib.machinery
import importlib.util
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
from scipy.linalg import cython_blas

SOURCES = Path(__file__).parent / "c"
CACHE = Path(os.environ["PEERS_CACHE"]) / "c_limit"
FLAGS = """-O3 -march=native -mprefer-vector-width=512 -ffast-math -funroll-loops
-fvariable-expansion-in-unroller -fopenmp -shared -fPIC""".split()
VERSION = (
    "C, " + subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.partition("\n")[0]
)
NOT_APPLICABLE = {}


def array(value):
    return value


def compiled(source, *flags, libraries=("-lmvec", "-lm")):
    """The path of the shared object of a C text, compiled unless the cache has it."""
    files = (path.read_text() for path in sorted(SOURCES.iterdir()))
    key = hashlib.sha256("\0".join((source, *files, *flags)).encode()).hexdigest()[:20]
    target = CACHE / f"{key}.so"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["gcc", *FLAGS, *flags, f"-I{SOURCES}", "-x", "c", "-", "-o", f"{target}.{os.getpid()}"]
        subprocess.run([*command, *libraries], input=source, text=True, check=True)
        os.replace(command[-1], target)
    return str(target)


def _load_bind():
    source = (SOURCES / "bind.c").read_text()
    includes = f"-I{sysconfig.get_paths()['include']}", f"-I{np.get_include()}"
    loader = importlib.machinery.ExtensionFileLoader("bind", compiled(source, *includes))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bind", loader))
    loader.exec_module(module)
    return module


_bind = _load_bind()


def blas(name):
    """The address of a BLAS routine."""
    capsule = cython_blas.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))


def kernel(name, *arguments, result, source=None):
    """A callable that runs c/<name>.c on these arrays, sizes and addresses, and returns `result`."""
    dtype = next(a.dtype for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f")
    source = source or (SOURCES / f"{name}.c").read_text()
    library = ctypes.CDLL(compiled(source, f"-DREAL={'float' if dtype == 'float32' else 'double'}"))
    kept = [np.asarray(a, np.int64) if isinstance(a, int) else a for a in arguments]
    addresses = [k.ctypes.data if isinstance(k, np.ndarray) else k.value for k in kept]
    run = ctypes.cast(library.run, ctypes.c_void_p).value
    return _bind.bind(run, addresses, result, kept)


def new(like, *shape):
    """An output on a cache-line boundary, already touched."""
    size = int(np.prod(shape, dtype=int)) * like.itemsize
    raw = np.ones(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(like.dtype).reshape(shape)


def add(a, b):
    return lambda: _bind.add(a, b)


add_numpy = add


def elementwise(name, x):
    out = new(x, *x.shape)
    return kernel(name, x.size, x, out, result=out)


def poly(x):
    return elementwise("poly", x)


def chain(x):
    return elementwise("chain", x)


def longchain(x, c):
    out = new(x, *x.shape)
    return kernel("longchain", x.size, c.size, x, c, out, result=out)


def blackscholes(spot, strike, years):
    outputs = new(spot, *spot.shape), new(spot, *spot.shape)
    return kernel("blackscholes", spot.size, spot, strike, years, *outputs, result=outputs)


def sqdist(x, y):
    out = new(x)
    return kernel("sqdist", x.size, x, y, out, result=out)


def logsumexp(x):
    out = new(x, len(x))
    return kernel("logsumexp", *x.shape, x, out, result=out)


def softmax(x):
    out = new(x, *x.shape)
    return kernel("softmax", *x.shape, x, out, result=out)


def layernorm(x, gain, bias):
    out = new(x, *x.shape)
    return kernel("layernorm", *x.shape, x, gain, bias, out, result=out)


def broadcast(x, y, z):
    out = new(x, *x.shape)
    return kernel("broadcast", x.size, x, y, z, out, result=out)


def gmm(x, logits, mean, logscale):
    out = new(x)
    return kernel("gmm", len(x), x, logits, mean, logscale, out, result=out)


def gmm_grad(x, logits, mean, logscale):
    outputs = new(x), new(x, *logits.shape), new(x, *mean.shape), new(x, *mean.shape)
    return kernel("gmm_grad", len(x), x, logits, mean, logscale, *outputs, result=outputs)


def logreg(x, y, w, b):
    w, b, cost = w.copy(), b.copy(), new(x)
    return kernel("logreg", *x.shape, x, y, w, b, cost, result=cost), lambda: (w, b)


def mlp(x, labels, w1, b1, w2, b2):
    state = w1.copy(), b1.copy(), w2.copy(), b2.copy()
    n, (features, hidden), classes = len(x), w1.shape, len(b2)
    scratch = new(x, n, hidden), new(x, n, hidden), new(x, n, classes)
    cost = new(x)
    gemm = ctypes.c_void_p(blas("sgemm"))
    step = kernel("mlp", n, features, hidden, classes, x, labels, *state, *scratch, cost, gemm, result=cost)
    return step, lambda: state


def conv(x, w, b):
    outputs = new(x), new(x, *w.shape), new(x, *b.shape)
    return kernel("conv", len(x), x, w, b, *outputs, result=outputs)


def embed_grad(table, ids, target):
    outputs = new(table), new(table, *table.shape)
    return kernel("embed_grad", *table.shape, len(ids), table, ids, target, *outputs, result=outputs)


def embed_sgd(table, ids, target):
    table, cost, scratch = table.copy(), new(table), new(table, *target.shape)
    step = kernel("embed_sgd", *table.shape, len(ids), table, ids, target, cost, scratch, result=cost)
    return step, lambda: table


def rnn(x, w, u, b):
    steps, batch, hidden = x.shape
    outputs = new(x), new(x, *w.shape), new(x, *u.shape), new(x, *b.shape)
    scratch = new(x, steps + 1, batch, hidden), new(x, steps, batch, hidden)
    gemm = ctypes.c_void_p(blas("dgemm" if x.dtype == "float64" else "sgemm"))
    return kernel("rnn", steps, batch, x, w, u, b, *outputs, *scratch, gemm, result=outputs)


def ar1(a, x):
    out = new(x, *x.shape)
    return kernel("ar1", x.size, a, x, out, result=out)


def ar1_grad(a, x):
    outputs = new(x), new(x), new(x, *x.shape)
    return kernel("ar1_grad", x.size, a, x, *outputs, new(x, *x.shape), result=outputs)


def hessian(x):
    out = new(x, len(x), len(x))
    return kernel("hessian", x.size, x, out, result=out)


def jacobian(m, x):
    out = new(x, *m.shape)
    return kernel("jacobian", x.size, m, x, out, result=out)


def _vector_program(x, lines):
    """Compile statements over the scalars v and x[i]; a `mean` of v*v closes a loop and opens the next."""
    text = ['#include "kernel.h"', "void run(void **a) {", "long n = SIZE(0); const REAL *restrict x = IN(1);"]
    text += ["REAL *restrict out = OUT(2), mean = 0;", *lines, "}"]
    out = new(x, *x.shape)
    return kernel("program", x.size, x, out, result=out, source="\n".join(text))


def graph_scale(n, x):
    """The source a naive but fused generator would emit: one loop between reductions."""
    lines = ["memcpy(out, x, n * sizeof(REAL));"]
    for block in range(n // 10):
        lines.append("{ REAL t = 0; for (long i = 0; i < n; i++) { REAL v = out[i] - (REAL)0.1 * mean;")
        lines.append(f"v = v * (REAL){0.5 + 0.1 * (block % 4)} + x[i]; v = v / (1 + fabs(v));")
        lines.append("out[i] = v; t += v * v; } mean = t / n; }")
    lines.append("for (long i = 0; i < n; i++) out[i] -= (REAL)0.1 * mean;")
    return _vector_program(x, lines)


def grad_depth(n, x):
    """Forward and backward of one element in one loop body."""
    lines = ["for (long i = 0; i < n; i++) { REAL v0 = x[i], dv = 1, dx = 0;"]
    constants = [0.5 + 0.1 * (level % 4) for level in range(n)]
    for level, c in enumerate(constants):
        lines.append(f"REAL v{level + 1} = v{level} / (1 + v{level} * v{level}) + (REAL){c} * x[i];")
    for level, c in reversed(list(enumerate(constants))):
        lines.append(f"dx += (REAL){c} * dv; {{ REAL q = v{level} * v{level}; dv *= (1 - q) / ((1 + q) * (1 + q)); }}")
    lines.append("out[i] = dx + dv; }")
    return _vector_program(x, lines)
