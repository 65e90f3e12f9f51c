"""Loop nests: broadcasting, reductions, and the merging of axes, against NumPy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.runtime.program import StepFailed
from tests.runtime.programs import ADD, adder, call, machine, nested


def plan(a: np.ndarray, b: np.ndarray, reduce: tuple[int, ...] = (), few: int = 0) -> tuple[list[int], list[int]]:
    """The extents of the nest of a + b and its byte strides (output, a, b), as the kernel sees them."""
    ndim = max(a.ndim, b.ndim)
    probe = f"""
      int64_t *seen = (int64_t *)f->arrays[3].data;
      for (int d = 0; d < {ndim}; d++) seen[d] = n[d];
      for (int k = 0; k < 3 * {ndim}; k++) seen[{ndim} + k] = s[k];
      return 0;"""
    step = nested(ndim, [2], [0, 1], "", reduce, [bool(reduce)], setup=probe, ranks=(a.ndim, b.ndim), few=few)
    steps = [call("copy", [3, 4]), step]  # slot 3 gets the room that the probe writes into
    slots = [
        ("float64", a.ndim),
        ("float64", b.ndim),
        ("float64", ndim - len(reduce)),
        ("int64", 1),
        ("int64", 1),
    ]
    made = machine(slots, [0, 1, 4], [3], steps)
    seen = made.call([a, b, np.zeros(4 * ndim, "int64")])[0].tolist()
    return seen[:ndim], seen[ndim:]


CASES: dict[str, tuple[Any, Any]] = {
    "equal": (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)),
    "row": (np.arange(6.0).reshape(2, 3), np.arange(3.0)),
    "column": (np.arange(6.0).reshape(2, 3), np.arange(2.0).reshape(2, 1)),
    "outer": (np.arange(3.0), np.arange(2.0).reshape(2, 1)),
    "scalar": (np.arange(24.0).reshape(2, 3, 4), np.array(5.0)),
    "reversed": (np.arange(6.0)[::-1].reshape(2, 3), np.arange(6.0).reshape(3, 2).T[::-1]),
    "stretched": (np.broadcast_to(np.arange(4.0), (3, 4)), np.ones((1, 4))),
    "empty": (np.zeros((0, 3)), np.ones((1, 3))),
    "empty against one": (np.zeros((2, 0)), np.ones((2, 1))),
}
cases = pytest.mark.parametrize(("a", "b"), CASES.values(), ids=CASES)


def add(ndims: tuple[int, int]) -> Any:
    ndim = max(ndims)
    slots = [("float64", ndims[0]), ("float64", ndims[1]), ("float64", ndim)]
    return machine(slots, [0, 1], [2], [nested(ndim, [2], [0, 1], ADD, ranks=ndims)])


@cases
def test_inputs_are_broadcast_at_run_time(a: np.ndarray, b: np.ndarray) -> None:
    got = add((a.ndim, b.ndim)).call([a, b])[0]
    np.testing.assert_array_equal(got, a + b, strict=True)
    assert got.flags.c_contiguous


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_reductions_run_over_the_reduced_axes_innermost(axes: tuple[int, ...], keepdims: bool) -> None:
    body = "*(double *)q[0] += *(double *)q[1] * *(double *)q[2];"
    ndim = 3 if keepdims else 3 - len(axes)
    kept = 3 - len(axes)
    zero = f"int64_t m = 1; for (int d = 0; d < {kept}; d++) m *= n[d]; while (m) ((double *)p[0])[--m] = 0;"
    step = nested(3, [2], [0, 1], body, axes, [True], [keepdims], setup=zero, ranks=(3, 2))
    made = machine([("float64", 3), ("float64", 2), ("float64", ndim)], [0, 1], [2], [step])
    for a in (np.arange(24.0).reshape(2, 3, 4), np.arange(24.0).reshape(4, 3, 2).T, np.zeros((2, 0, 4))):
        b = np.arange(1.0, 1.0 + a.shape[1]).reshape(a.shape[1], 1)
        np.testing.assert_array_equal(made.call([a, b])[0], (a * b).sum(axes, keepdims=keepdims), strict=True)


def test_several_outputs_may_be_reduced_or_not() -> None:
    body = "*(double *)q[0] = *(double *)q[2]; *(double *)q[1] = *(double *)q[2];"
    step = nested(2, [1, 2], [0], body, [1], [False, True], [False, False])
    made = machine([("float64", 2), ("float64", 2), ("float64", 1)], [0], [1, 2], [step])
    x = np.arange(6.0).reshape(2, 3)
    whole, last = made.call([x])
    np.testing.assert_array_equal(whole, x, strict=True)
    np.testing.assert_array_equal(last, x[:, -1], strict=True)


def test_neighbouring_axes_merge_where_every_operand_allows() -> None:
    whole = np.ones((2, 3, 4))
    assert plan(whole, whole) == ([1, 1, 24], [0, 0, 8, 0, 0, 8, 0, 0, 8])
    assert plan(whole, np.ones(())) == ([1, 1, 24], [0, 0, 8, 0, 0, 8, 0, 0, 0])
    assert plan(whole, np.ones((3, 4)))[0] == [1, 2, 12]
    assert plan(whole, np.ones((3, 1)))[0] == [2, 3, 4]
    assert plan(whole, np.ones((2, 1, 1)))[0] == [1, 2, 12]
    assert plan(np.ones((1, 3, 1)), np.ones((1, 3, 1)))[0] == [1, 1, 3]
    assert plan(whole, np.ones((4, 3, 2)).T)[0] == [2, 3, 4]
    assert plan(np.ones((1, 1, 1)), np.ones((1, 1, 1)))[0] == [1, 1, 1]


def test_kept_and_reduced_axes_merge_among_themselves_only() -> None:
    whole = np.ones((2, 3, 4))
    assert plan(whole, whole, (2,)) == ([1, 6, 4], [0, 8, 0, 0, 32, 8, 0, 32, 8])
    assert plan(whole, whole, (1, 2)) == ([2, 1, 12], [8, 0, 0, 96, 0, 8, 96, 0, 8])
    assert plan(whole, whole, (0,)) == ([1, 12, 2], [0, 8, 0, 0, 8, 96, 0, 8, 96])
    assert plan(whole, whole, (1,))[0] == [2, 4, 3]


@pytest.mark.parametrize(
    ("last", "stays"), [(2, False), (8, True), (10, False), (16, True), (24, False), (31, False), (32, True)]
)
def test_of_rows_with_few_elements_the_longest_axis_goes_last_unless_the_last_fills_strips(
    last: int, stays: bool
) -> None:
    a, b = np.zeros((100, 1, 4)), np.zeros((last, 4))
    assert plan(a, b, (2,), few=8)[0] == ([100, last, 4] if stays else [last, 100, 4])
    assert plan(a, b, (2,), few=3)[0] == [100, last, 4]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 30])
def test_distances_of_all_pairs_are_the_same_in_whatever_order_the_axes_come(count: int, dtype: str) -> None:
    x, y = T.TensorType(dtype, (None, None))("x"), T.TensorType(dtype, (None, None))("y")
    f = graphlab.function([x, y], ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2))
    rng = np.random.default_rng(7)
    for others in (8, 10, 16):
        a, b = rng.standard_normal((count, 4)).astype(dtype), rng.standard_normal((others, 4)).astype(dtype)
        d = (a[:, None, :] - b) ** 2
        want = ((d[..., 0] + d[..., 1]) + d[..., 2]) + d[..., 3]  # one after the other
        np.testing.assert_array_equal(f(a, b), want, strict=True)
        np.testing.assert_array_equal(f(b, a), want.T, strict=True)


def test_a_mismatch_names_operands_axis_and_extents() -> None:
    with pytest.raises(StepFailed) as info:
        add((2, 1)).call([np.ones((2, 3)), np.ones(4)])
    assert (info.value.step, info.value.kind, info.value.detail) == (0, "broadcast", (0, 1, 1, 3, 4))
    assert "operands 0 and 1 do not broadcast: along axis 1 their extents are 3 and 4" in str(info.value)


def test_an_output_too_large_for_memory_fails_before_the_loop() -> None:
    a = np.broadcast_to(np.ones(1), (2**34, 1))
    with pytest.raises(StepFailed) as info:
        add((2, 2)).call([a, np.broadcast_to(np.ones(1), (1, 2**34))])
    assert info.value.kind == "size"
    with pytest.raises(StepFailed) as info:
        add((2, 2)).call([a, np.broadcast_to(np.ones(1), (1, 2**24))])
    assert info.value.kind == "memory"
    assert info.value.detail == (2**61,)


def test_what_a_kernel_returns_is_the_kind_of_its_failure() -> None:
    made = machine([("float64", 0)], [0], [0], ["return 0;", "return GL_ERROR_EMPTY;"])
    with pytest.raises(StepFailed, match="step 1: a reduction over no elements") as info:
        made.call([np.array(1.0)])
    assert (info.value.step, info.value.kind) == (1, "empty")
    with pytest.raises(StepFailed, match="unknown"):
        machine([("float64", 0)], [0], [0], ["return 99;"]).call([np.array(1.0)])


def test_temporaries_are_aligned_to_cache_lines() -> None:
    check = "return (uintptr(f->arrays[1].data) & 63) ? GL_ERROR_EMPTY : 0;".replace("uintptr", "(uint64_t)")
    copy = "static const int32_t s[] = {1, 0}; int e = f->api->copy(f, s, 0); if (e) return e;"
    made = machine([("float64", 1)] * 3, [0], [2], [copy + check, nested(1, [2], [0, 1], ADD)])
    for n in (0, 1, 7, 1000):
        np.testing.assert_array_equal(made.call([np.ones(n)])[0], np.full(n, 2.0))


def test_the_sum_of_two_numbers() -> None:
    np.testing.assert_array_equal(adder().call([np.array(1.5), np.array(2.0)])[0], np.array(3.5), strict=True)


NOWHERE = """
import numpy as np, graphlab, graphlab.tensor as T

class Nowhere:  # an array without elements, at an address that nobody may read
    def __init__(self, shape, strides):
        self.__array_interface__ = dict(shape=shape, typestr="<f8", data=(4096, False), strides=strides, version=3)

x, y = T.tensor("float64", (None, 1), "x"), T.dmatrix("y")
for z, want in ((3 - T.exp(y) * x, np.zeros((0, 2))), ((T.exp(y) * x).sum(), 0), ((T.exp(y) * x).sum(axis=0), [0, 0]),
                (T.prod(y * x, axis=0), [1, 1])):
    f = graphlab.function([x, y], z)
    assert f.c_source
    np.testing.assert_array_equal(f(np.asarray(Nowhere((0, 1), (0, 0))), np.asarray(Nowhere((0, 2), (16, 8)))), want)
"""


def test_a_maximum_of_nothing_is_refused_where_there_are_no_results_either() -> None:
    x = T.fmatrix("x")
    f = graphlab.function([x], T.max(x, axis=1))
    assert f.c_source
    with pytest.raises(graphlab.GraphlabError, match="zero-size"):
        f(np.zeros((0, 0), "f"))


def test_arrays_without_elements_are_not_read() -> None:
    subprocess.run([sys.executable, "-c", NOWHERE], check=True, timeout=300)
