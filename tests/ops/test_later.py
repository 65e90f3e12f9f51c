"""SciPy is found when it is wanted, and computes in the dtypes that are assumed of it before."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from graphlab.ops.later import Later
from graphlab.ops.special import TABLE
from graphlab.ops.ufunc import Elementwise

LATER = [op for op in TABLE if isinstance(op.function, Later) and op.resolve is None]


def test_what_needs_no_scipy_imports_none() -> None:
    script = """
import sys, graphlab, graphlab.tensor as T
x = T.dvector("x")
graphlab.function([x], [T.exp(x) / T.exp(x).sum(), T.log(1 - 1 / (1 + T.exp(-x))), T.erf(x)], mode="fast_compile")
print([name for name in sys.modules if name.partition(".")[0] == "scipy"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("op", LATER, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scipys_functions_compute_in_the_dtype_of_their_operands(op: Elementwise, dtype: str) -> None:
    assert isinstance(op.function, Later)
    resolved = op.function.found.resolve_dtypes((*(np.dtype(dtype),) * op.arity, None))  # type: ignore[attr-defined]
    assert {d.name for d in resolved} == {dtype}
    assert op.loop(*(dtype,) * op.arity) == ((dtype,) * op.arity, dtype)


def test_other_dtypes_are_what_scipy_says() -> None:
    gamma = next(op for op in LATER if op.name == "gamma")
    assert gamma.loop("int8") == (("float64",), "float64")


def test_there_are_functions_to_test() -> None:
    assert len(LATER) > 30
