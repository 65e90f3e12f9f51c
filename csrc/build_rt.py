"""The one extension module, graphlab._rt, as cffi is to build it: see README.md beside this file."""

import hashlib
import os
from pathlib import Path

import numpy as np
from cffi import FFI

folder = Path("csrc")  # setuptools wants paths relative to setup.py, where the build runs
names = (
    "memory", "pool", "runtime", "kernel", "beside", "statistics", "places", "index", "numeric", "matmul", "along",
    "windows", "convolution", "pooling", "random", "draw", "loop", "steady", "turns", "output", "host", "operands",
    "activation", "code", "frame", "callable", "looks", "module",
)  # fmt: skip
optimised = () if "-O" in os.environ.get("CFLAGS", "") else ("-O3",)  # unless CFLAGS say how far
digest = hashlib.blake2b((folder / "gl_abi.h").read_bytes(), digest_size=16).hexdigest()

ffi = FFI()
ffi.cdef("int gl_export(uintptr_t dict); static char *const GL_ABI_DIGEST;")
ffi.set_source(
    "graphlab._rt",
    f'#include "gl_python.h"\nstatic char *const GL_ABI_DIGEST = "{digest}";\n',
    sources=[f"{folder}/gl_{name}.c" for name in names],
    include_dirs=[str(folder), np.get_include()],
    depends=[str(path) for path in sorted(folder.glob("*.[ch]"))],
    library_dirs=[str(Path(np.random.__file__).parent / "lib")],
    libraries=["npyrandom", "m"],  # NumPy's distributions: the same code that numpy.random.Generator runs
    define_macros=[("Py_LIMITED_API", "0x030b0000")],
    extra_compile_args=[*optimised, "-std=gnu11", "-ffp-contract=off", "-fvisibility=hidden", "-pthread"],
    extra_link_args=["-pthread"],
    py_limited_api=True,
    optional=True,  # without a C compiler graphlab installs all the same, and runs on NumPy
)
