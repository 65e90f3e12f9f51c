"""The extension module graphlab._rt, if it is there: the one place that knows how to reach it."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import re
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from graphlab.codegen.paste import csrc, pieces

# What StepFailed.detail holds, kind by kind.
DETAILS = {
    "unknown": "",
    "memory": "no memory for {} bytes",
    "size": "the array is too big",
    "broadcast": "operands {} and {} do not broadcast: along axis {} their extents are {} and {}",
    "reshape": "{} elements do not fit a shape of {}",
    "negative": "axis {} gets the negative extent {}",
    "index": "on axis {} the index {} is out of range for the extent {}",
    "step": "the slice of axis {} has step 0",
    "empty": "a reduction over no elements has no value",
    "squeeze": "axis {} can't be dropped: its extent is {}",
    "concatenate": "operand {} differs along axis {}: its extent is {} instead of {}",
    "matmul": "the inner extents {} and {} differ",
    "host": "host function {} raised",
    "assumption": "the program takes extents to be equal that are not",
    "window": "windows of {} elements, {} apart, do not lie along axis {}, whose extent is {}",
    "turns": "sequence {} has {} elements, and the loop makes {} turns",
    "starts": "carried value {} starts from {} past values where {} are needed",
    "carried": "carried value {} changes its extent along axis {} to {} from {}",
    "stacked": "collected value {} changes its extent along axis {} to {} from {}",
    "nan": "output {} has a NaN",
    "parameter": "the distribution is not defined for a value of its parameter {}",
}


class StepFailed(Exception):
    """Step number `step` of a program failed: `kind` is a key of DETAILS, `detail` its numbers.

    >>> str(StepFailed(3, "matmul", (2, 5)))
    'step 3: the inner extents 2 and 5 differ'
    """

    def __init__(self, step: int, kind: str, detail: tuple[int, ...]) -> None:
        super().__init__(step, kind, detail)
        self.step, self.kind, self.detail = step, kind, detail

    def __str__(self) -> str:
        template = DETAILS.get(self.kind, "")
        known = len(self.detail) >= template.count("{}")
        return f"step {self.step}: {template.format(*self.detail) if template and known else self.kind}"


def _load() -> tuple[dict[str, Any], str]:
    """The names that the extension exports, and why there are none."""
    try:
        module: Any = importlib.import_module("graphlab._rt")
    except ImportError as error:
        return {}, f"graphlab's C runtime was not built when graphlab was installed ({error})"
    built_for = module.ffi.string(module.lib.GL_ABI_DIGEST).decode()
    if built_for != hashlib.blake2b((csrc() / "gl_abi.h").read_bytes(), digest_size=16).hexdigest():
        return {}, "graphlab's C runtime is older than csrc/gl_abi.h: install graphlab again"
    names: dict[str, Any] = {"StepFailed": StepFailed}
    if module.lib.gl_export(id(names)):
        return {}, "graphlab's C runtime could not start"
    return names, ""


NAMES, MISSING = _load()

# ---- pointers from SciPy -------------------------------------------------------------------------

_BLAS = {
    "gemm": "void (char *, char *, int *, int *, int *, T *, T *, int *, T *, int *, T *, T *, int *)",
    "gemv": "void (char *, int *, int *, T *, T *, int *, T *, int *, T *, T *, int *)",
    "dot": "T (int *, T *, int *, T *, int *)",
    "syrk": "void (char *, char *, int *, int *, T *, T *, int *, T *, T *, int *)",
}
_blas_ready = False


def load_blas() -> None:
    """Give the runtime its BLAS routines, once per process."""
    global _blas_ready
    if not _blas_ready:
        NAMES["set_blas"](*(bundled_blas() or scipy_blas()))
        _blas_ready = True


def bundled_blas() -> tuple[int, ...] | None:
    """The addresses in the library that SciPy's wheels bring along, which loads in a moment; None if there is none."""
    for path in bundled_libraries():
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))
            return tuple(_address(library[f"scipy_{letter}{name}_"]) for name in _BLAS for letter in "ds")
    return None


def bundled_libraries() -> list[Path]:
    """Where SciPy's wheels have their BLAS."""
    scipy = importlib.util.find_spec("scipy")
    if scipy is None or scipy.origin is None:
        return []
    return sorted((Path(scipy.origin).parent.parent / "scipy.libs").glob("libscipy_openblas-*"))


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def scipy_blas() -> tuple[int, ...]:
    """The addresses of SciPy's own, whatever library it was built with; importing it takes a while."""
    module = importlib.import_module("scipy.linalg.cython_blas")
    return tuple(_pointer(module, letter + name, signature) for name, signature in _BLAS.items() for letter in "ds")


def special_function(name: str) -> int:
    """The address of SciPy's special function `name`, of as many doubles as gl_math.h declares it with."""
    piece = pieces().get(f"gl_extern_{name}")
    declared = (piece.text if piece else "").partition(f"gl_extern_{name})")[2].strip(";\n")
    capsules = importlib.import_module("scipy.special.cython_special").__pyx_capi__
    for spelled in (name, *(f"__pyx_fuse_{i}{name}" for i in range(3))):
        if spelled in capsules and _read(capsules[spelled])[0] == f"double {declared}":
            return _read(capsules[spelled])[1]
    raise ImportError(f"scipy.special.cython_special has no {name} of {declared or 'doubles'}")


def _pointer(module: ModuleType, name: str, expected: str) -> int:
    signature, address = _read(module.__pyx_capi__[name])
    if signature != expected:
        raise ImportError(f"{module.__name__}.{name} is {signature!r}, not {expected!r}")
    return address


def _read(capsule: Any) -> tuple[str, int]:
    """The signature in a capsule, with Cython's own names taken out of it, and its address."""
    signature, address = NAMES["read_capsule"](capsule)
    signature = re.sub(r"__pyx_t_\w+_[ds]\b", "T", signature)
    return signature.replace(", int __pyx_skip_dispatch", ""), address
