"""Views, copies and shapes: each function of the runtime against what NumPy does."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from graphlab.runtime.program import StepFailed
from tests.runtime.programs import call, host, machine, run_one

A = np.arange(24.0).reshape(2, 3, 4)
LAYOUTS = {
    "contiguous": A,
    "transposed": np.arange(24.0).reshape(4, 3, 2).T,
    "reversed": A[::-1, :, ::-1],
    "stepped": np.arange(96.0).reshape(4, 3, 8)[::2, :, 1::2],
    "broadcast": np.broadcast_to(np.arange(4.0), (2, 3, 4)),
    "empty": np.zeros((2, 0, 4)),
}
layouts = pytest.mark.parametrize("x", LAYOUTS.values(), ids=LAYOUTS)


def same(got: Any, want: Any) -> None:
    assert type(got) is np.ndarray
    assert got.dtype == want.dtype
    assert got.flags.owndata
    np.testing.assert_array_equal(got, want, strict=True)


@layouts
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "int16", "complex128", "bool"])
def test_copy_gives_the_same_elements_of_every_size(x: np.ndarray, dtype: str) -> None:
    x = x.astype(dtype) if x.strides[0] else x  # astype keeps the order of the axes
    same(run_one("copy", (x.dtype.name, 3), [x], ()), x)


@layouts
@pytest.mark.parametrize("axes", [(2, 0, 1), (1, 0, -1, 2), (-1, 2, 1, 0, -1)])
def test_transpose_permutes_and_adds_axes(x: np.ndarray, axes: tuple[int, ...]) -> None:
    kept = [a for a in axes if a >= 0]
    want = x.transpose(kept)
    for position, axis in enumerate(axes):
        if axis < 0:
            want = np.expand_dims(want, position)
    same(run_one("transpose", ("float64", len(axes)), [x], (len(axes), *axes)), want)


def test_transpose_drops_axes_of_extent_one_only() -> None:
    same(run_one("transpose", ("float64", 1), [np.ones((1, 3))], (1, 1)), np.ones(3))
    with pytest.raises(StepFailed, match="axis 0 can't be dropped: its extent is 2"):
        run_one("transpose", ("float64", 1), [np.ones((2, 3))], (1, 1))


SHAPES = [(24,), (6, 4), (2, 12), (4, 6), (2, 3, 2, 2), (1, 24, 1), (-1, 4), (3, -1, 2), (1, 2, 1, 3, 4, 1)]


@layouts
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reshape_gives_the_elements_in_c_order(x: np.ndarray, shape: tuple[int, ...]) -> None:
    if x.size == 0:
        shape = (5, 0) if -1 not in shape else (-1, 3)
    vector = np.array(shape, "int64")
    same(run_one("reshape", ("float64", len(shape)), [x, vector], (len(shape), 3)), x.reshape(shape))


def test_reshape_to_and_from_scalars() -> None:
    empty = np.zeros(0, "int64")
    same(run_one("reshape", ("float64", 0), [np.ones((1, 1)), empty], (0, 2)), np.array(1.0))
    same(run_one("reshape", ("float64", 2), [np.array(3.0), np.array([1, 1])], (2, 0)), np.array([[3.0]]))


@pytest.mark.parametrize(
    ("shape", "kind", "detail"),
    [((5, 5), "reshape", (24, 25)), ((-1, 7), "reshape", (24, 7)), ((-1, 0), "reshape", (24, 0)),
     ((-1, -1), "negative", (1, -1)), ((-3,), "negative", (0, -3)), ((2**40, 2**40), "size", (0,))],
)  # fmt: skip
def test_a_bad_reshape_says_what_does_not_fit(shape: tuple[int, ...], kind: str, detail: tuple[int, ...]) -> None:
    with pytest.raises(StepFailed) as info:
        run_one("reshape", ("float64", len(shape)), [A, np.array(shape, "int64")], (len(shape), 3))
    assert (info.value.kind, info.value.detail) == (kind, detail)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (5, 2, 3, 4), (0, 3, 4)], ids=str)
def test_broadcast_to_stretches_as_numpy(shape: tuple[int, ...]) -> None:
    for x in (np.arange(12.0).reshape(3, 4)[:, ::-1], np.arange(3.0).reshape(3, 1), np.ones((1, 1))):
        got = run_one("broadcast_to", ("float64", len(shape)), [x, np.array(shape)], (len(shape), 2))
        same(got, np.broadcast_to(x, shape))


@pytest.mark.parametrize(
    ("shape", "kind"), [((4, 4), "broadcast"), ((3, -1), "negative"), ((2**62, 2**62, 3, 4), "size")]
)
def test_a_bad_broadcast_is_an_error_before_any_memory(shape: tuple[int, ...], kind: str) -> None:
    with pytest.raises(StepFailed) as info:
        run_one("broadcast_to", ("float64", len(shape)), [np.ones((3, 4)), np.array(shape)], (len(shape), 2))
    assert info.value.kind == kind


def test_a_view_too_large_to_copy_is_a_memory_error_not_a_crash() -> None:
    shape = np.array([2**58])
    with pytest.raises(MemoryError):
        run_one("broadcast_to", ("float64", 1), [np.ones(1), shape], (1, 1))


def test_shapes_as_values() -> None:
    same(run_one("shape_of", ("int64", 1), [A], (3,)), np.array(A.shape))
    same(run_one("shape_of", ("int64", 1), [np.array(1.0)], (0,)), np.zeros(0, "int64"))
    same(run_one("stack_scalars", ("int64", 1), [np.int64(3), np.int64(-1)], (2,)), np.array([3, -1]))


# ---- indexing ------------------------------------------------------------------------------------


def index_words(key: tuple[Any, ...], ndim: int, ndim_out: int, scalars: list[int] | None) -> list[int]:
    """The key as gl_abi.h describes it; with `scalars` numbers are passed at run time."""

    def number(value: int | None) -> list[int]:
        if value is None:
            return [0, 0]
        if scalars is None:
            return [1, value]
        scalars.append(value)
        return [2, 0]

    words = [ndim, ndim_out, len(key)]
    for entry in key:
        if entry is None:
            words += [0]
        elif isinstance(entry, slice):
            words += [2, *number(entry.start), *number(entry.stop), *number(entry.step)]
        else:
            words += [1, *number(entry)]
    return words


KEYS: list[tuple[Any, ...]] = [
    (0,), (-1,), (slice(None),), (slice(None, None, -1),), (1, -2, 3), (None, 0, None, slice(1, None)),
    (slice(None), slice(5, None, -2), None), (slice(-100, 100, 3), slice(1, 1)),
    (0, slice(2, 0, -1), slice(None, -1)), (slice(None), slice(None), slice(None, None, -(2**63))),
    (slice(None), slice(-1, None, 2**62)),
    (slice(2**63 - 1, -(2**63), -1),),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "symbolic"])
def test_index_is_numpys(key: tuple[Any, ...], dynamic: bool) -> None:
    for x in (A, LAYOUTS["reversed"], LAYOUTS["empty"]):
        plain = tuple(e for e in key if isinstance(e, int))
        if x.size == 0 and len(plain) > 1:
            continue  # there is no element to pick
        want = x[key]
        scalars: list[int] | None = [] if dynamic else None
        words = index_words(key, 3, want.ndim, scalars)
        operands = [x, *(np.int64(s) for s in scalars or [])]
        same(run_one("index", ("float64", want.ndim), operands, words), np.asarray(want))


def test_slices_of_every_small_extent_are_pythons() -> None:
    bounds = [None, -3, -1, 0, 1, 2, 5]
    cases = list(itertools.product(range(4), bounds, bounds, [None, -2, -1, 1, 3]))
    slots = [("float64", 1), ("int64", 0), ("int64", 0), ("int64", 0), ("float64", 1)]
    for have in itertools.product([False, True], repeat=3):
        words = [1, 1, 1, 2, *(n for present in have for n in ((2, 0) if present else (0, 0)))]
        used = [k + 1 for k in range(3) if have[k]]
        made = machine(slots, [0, 1, 2, 3], [4], [call("index", [4, 0, *used], words)])
        for n, *numbers in cases:
            if [b is not None for b in numbers] == list(have):
                x = np.arange(float(n))
                got = made.call([x, *(np.array(b or 0, "int64") for b in numbers)])[0]
                np.testing.assert_array_equal(got, x[slice(*numbers)])


@pytest.mark.parametrize("position", [2, -3, 2**62, -(2**63)])
def test_an_index_out_of_range_names_axis_index_and_extent(position: int) -> None:
    with pytest.raises(StepFailed) as info:
        run_one("index", ("float64", 2), [A, np.int64(position)], [3, 2, 1, 1, 2, 0])
    assert (info.value.kind, info.value.detail) == ("index", (0, position, 2))


def test_a_slice_with_step_zero_is_an_error() -> None:
    with pytest.raises(StepFailed, match="the slice of axis 0 has step 0"):
        run_one("index", ("float64", 3), [A], [3, 3, 1, 2, 0, 0, 0, 0, 1, 0])


# ---- concatenate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concatenate_along_each_axis(axis: int) -> None:
    arrays = [LAYOUTS[name] for name in ("contiguous", "transposed", "broadcast")]
    arrays.append(np.zeros(tuple(0 if d == axis else n for d, n in enumerate(A.shape))))
    got = run_one("concatenate", ("float64", 3), arrays, (axis, len(arrays), 3))
    same(got, np.concatenate(arrays, axis))


@pytest.mark.parametrize("dtype", ["int8", "int32", "float64", "complex128"])
def test_a_large_array_behind_a_few_elements_and_turned_around(dtype: str) -> None:
    large = (np.arange(70_000) % 101).astype(dtype)
    for first in (0, 1, 3, 15, 17):
        same(
            run_one("concatenate", (dtype, 1), [large[:first], large], (0, 2, 1)),
            np.concatenate([large[:first], large]),
        )
    for view in (large[::-1], large[::-3], large[:0:-1]):
        same(run_one("copy", (dtype, 1), [view], ()), view.copy())


def test_concatenating_what_differs_names_the_operand() -> None:
    with pytest.raises(StepFailed, match="operand 1 differs along axis 0: its extent is 2 instead of 3"):
        run_one("concatenate", ("float64", 2), [np.ones((3, 2)), np.ones((2, 2))], (1, 2, 2))


# ---- lifetimes -----------------------------------------------------------------------------------


def test_a_view_outlives_the_release_of_what_it_views() -> None:
    slots = [("float64", 1)] * 3
    release = "f->api->release(f, 1); return 0;"
    steps = [
        call("copy", [1, 0]),
        call("index", [2, 1], [1, 1, 1, 2, 0, 0, 0, 0, 1, -1]),
        release,
        call("copy", [3, 2]),
    ]
    made = machine([*slots, ("float64", 1)], [0], [3], steps)
    x = np.arange(5.0)
    same(made.call([x])[0], x[::-1])


def test_an_output_that_is_a_view_never_shares_memory() -> None:
    transposed = call("transpose", [1, 0], [2, 1, 0])
    made = machine([("float64", 2)] * 3, [0], [1, 1, 2], [transposed, call("transpose", [2, 1], [2, 1, 0])])
    x = np.arange(6.0).reshape(2, 3)
    results = made.call([x])
    for got, want in zip(results, [x.T, x.T, x], strict=True):
        same(got, want)
    for a, b in itertools.combinations([x, *results], 2):
        assert not np.shares_memory(a, b)


def test_a_view_of_an_output_is_copied_and_the_output_is_not() -> None:
    steps = [call("copy", [1, 0]), call("transpose", [2, 1], [2, 1, 0])]
    made = machine([("float64", 2)] * 3, [0], [2, 1], steps)
    x = np.arange(6.0).reshape(2, 3)
    view, whole = made.call([x])
    same(view, x.T)
    same(whole, x)
    assert not np.shares_memory(view, whole)


def test_host_results_do_not_alias_what_python_keeps() -> None:
    kept = np.arange(3.0)
    made = machine([("float64", 1)] * 3, [0], [1, 2], [host(0, [0], [1]), host(1, [0], [2])],
                   hosts=[lambda x: (x,), lambda x: (kept,)])  # fmt: skip
    x = np.ones(3)
    same_as_input, constant = made.call([x])
    same(same_as_input, x)
    same(constant, kept)
    assert not np.shares_memory(same_as_input, x)
    assert not np.shares_memory(constant, kept)
