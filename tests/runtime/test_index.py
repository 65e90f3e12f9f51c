"""Parts gathered, set and increased in C: against NumPy, for random keys, dtypes and layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, verify_grad
from graphlab.callable import Function
from graphlab.dtypes import ALL, INTEGER
from graphlab.loops.ir import HostCall, RuntimeCall
from graphlab.loops.walk import every_step
from graphlab.runtime.threads import threads_use

Array = np.ndarray[Any, Any]
Key = tuple[Any, ...]


def called(function: Function) -> list[str]:
    """The runtime's functions that the program calls, and "host" for each call of NumPy."""
    actions = [step.action for step in every_step(function.lowered.program.steps)]
    return ["host" if isinstance(a, HostCall) else a.function for a in actions if isinstance(a, HostCall | RuntimeCall)]


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Small numbers that fit in any dtype, in one of several layouts."""
    whole = rng.integers(-50, 50, shape)
    array = whole * 1.1 if np.dtype(dtype).kind in "fc" else whole % 2 if dtype == "bool" else whole
    array = array.astype(dtype) if np.dtype(dtype).kind != "c" else (array - 0.3j * whole).astype(dtype)
    layout = rng.integers(4) if array.ndim else 0
    if layout == 1:
        return np.asfortranarray(array)
    if layout == 2:
        wide = np.repeat(array, 3, axis=-1)
        wide.flags.writeable = False
        return wide[..., ::3]
    return np.ascontiguousarray(array[::-1])[::-1] if layout == 3 else array


def random_key(rng: np.random.Generator, shape: tuple[int, ...], advanced: bool) -> Key:
    """Integers, slices, new axes, an ellipsis, and index arrays that broadcast together."""
    common = tuple(rng.integers(1, 4, 2))
    key: list[Any] = []
    for n in shape[: rng.integers(1, len(shape) + 1)]:
        kind = rng.random()
        if advanced and kind < 0.5:
            own = tuple(1 if rng.random() < 0.3 else m for m in common[rng.integers(2) :])
            dtype = str(rng.choice(INTEGER[:7]))
            key.append(rng.integers(0 if dtype.startswith("u") else -n, n, own).astype(dtype))
        elif kind < 0.7:
            key.append(int(rng.integers(-n, n)))
        else:
            start, stop = (None if rng.random() < 0.3 else int(rng.integers(-n - 2, n + 3)) for _ in range(2))
            key.append(slice(start, stop, int(rng.choice([1, -1, 2, -2]))))
        if rng.random() < 0.2:
            key.append(None)
    return (*key, ...) if rng.random() < 0.3 else tuple(key)


def symbolic(key: Key) -> tuple[Key, list[Any], list[Any]]:
    """The key with inputs for its arrays, integers and starts of slices; the inputs, and their values."""
    entries, inputs, values = list[Any](), list[Any](), list[Any]()

    def given(value: Any, dtype: str, ndim: int) -> Any:
        inputs.append(T.tensor(dtype, (None,) * ndim, f"i{len(inputs)}"))
        values.append(np.asarray(value))
        return inputs[-1]

    for entry in key:
        if isinstance(entry, np.ndarray):
            entries.append(given(entry, entry.dtype.name, entry.ndim))
        elif isinstance(entry, int):
            entries.append(given(entry, "int64", 0))
        elif isinstance(entry, slice) and entry.start is not None:
            entries.append(slice(given(entry.start, "int64", 0), entry.stop, entry.step))
        else:
            entries.append(entry)
    return tuple(entries), inputs, values


def updated(x: Array, key: Key, y: Array) -> tuple[Array, Array]:
    """`x` with the part set, and with it increased."""
    replaced, increased = x.copy(), x.copy()
    replaced[key] = y
    if any(isinstance(entry, np.ndarray) for entry in key):
        np.add.at(increased, key, y)
    else:
        increased[key] += y
    return replaced, increased


@pytest.mark.parametrize("advanced", [False, True], ids=["basic", "arrays"])
@pytest.mark.parametrize("dtype", ALL)
def test_parts_are_read_and_written_as_numpy_does(dtype: str, advanced: bool, rng: np.random.Generator) -> None:
    inputs, values, outputs, wanted = list[Any](), list[Any](), list[Any](), list[Array]()
    for k in range(12):
        shape = tuple(map(int, rng.integers(1, 6, rng.integers(1, 5))))
        key, x = random_key(rng, shape, advanced), numbers(rng, shape, dtype)
        part = x[key]
        kept = rng.integers(part.ndim + 1) if k % 3 == 0 else 0  # the values may have to be broadcast
        y = numbers(rng, tuple(1 if rng.random() < 0.2 else n for n in part.shape[kept:]), dtype)
        variables = [T.tensor(dtype, (None,) * a.ndim) for a in (x, y)]
        entries, indices, given = symbolic(key)
        target = variables[0][entries]
        inputs += [*variables, *indices]
        values += [x, y, *given]
        outputs += [target, T.set_subtensor(target, variables[1]), T.inc_subtensor(target, variables[1])]
        wanted += [part, *updated(x, key, y)]
    function = graphlab.function(inputs, outputs, on_unused_input="ignore")
    assert "host" not in called(function) or dtype == "float16"
    for got, want in zip(function(*values), wanted, strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool", "complex128"])
def test_a_repeated_index_adds_in_order_and_keeps_the_last(dtype: str) -> None:
    x, y, i = T.tensor(dtype, (None,), "x"), T.tensor(dtype, (None,), "y"), T.ivector("i")
    function = graphlab.function([x, y, i], [T.inc_subtensor(x[i], y), T.set_subtensor(x[i], y)])
    values = np.array([1e8, 1, -1e8, 1, 3] if dtype != "int8" else [100, 100, 1, 2, 3]).astype(dtype)
    where, target = np.array([1, 1, 1, -1, -1], "int32"), np.zeros(3, dtype)
    increased, replaced = function(target, values, where)
    want = target.copy()
    np.add.at(want, where, values)
    np.testing.assert_array_equal(increased, want, strict=True)
    np.testing.assert_array_equal(replaced, np.array([0, values[2], values[-1]], dtype), strict=True)


def test_nothing_may_be_selected_or_selected_from() -> None:
    x, i, y = T.dmatrix("x"), T.lvector("i"), T.dmatrix("y")
    function = graphlab.function([x, i, y], [x[i], T.inc_subtensor(x[i], y), x[:, i]])
    rows, same, columns = function(np.ones((2, 3)), np.zeros(0, "int64"), np.ones((0, 3)))
    assert (rows.shape, columns.shape) == ((0, 3), (2, 0))
    np.testing.assert_array_equal(same, np.ones((2, 3)))
    empty, same, columns = function(np.ones((2, 0)), np.array([], "int64"), np.ones((0, 0)))
    assert (empty.shape, same.shape, columns.shape) == ((0, 0), (2, 0), (2, 0))
    with pytest.raises(IndexError):  # although there is nothing to be read
        function(np.ones((2, 0)), np.array([2]), np.ones((1, 0)))


@pytest.mark.parametrize("position", [3, -4, 2**40])
def test_an_index_out_of_range_names_the_line(position: int) -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    many = np.append(np.zeros(400, "int64"), position)
    for written in (x[:, i], T.set_subtensor(x[:, i], 0.0), T.inc_subtensor(x[:, i], 1.0)):
        function = graphlab.function([x, i], written)
        with pytest.raises(IndexError, match=rf"index {position} is out of bounds for axis 1 with size 3") as info:
            function(np.zeros((2, 3)), many)
        assert "test_index.py" in str(info.value)


@pytest.fixture
def threads() -> Iterator[None]:
    before = graphlab.num_threads()
    yield
    graphlab.set_num_threads(before)


def spread(rng: np.random.Generator, extent: int, *shape: int) -> Array:
    """Indices of which some come very often, and some from behind."""
    return np.where(rng.random(shape) < 0.3, 7, rng.integers(-extent, extent, shape))


# The shape of an array, and keys: few or many places for each row, and rows in several axes.
SHARED: dict[str, tuple[tuple[int, ...], Callable[[np.random.Generator], Key]]] = {
    "rows": ((5000, 40), lambda r: (spread(r, 5000, 20_011),)),
    "one row": ((5000, 40), lambda r: (np.full(20_011, 3),)),
    "matrices": ((300, 5, 33), lambda r: (spread(r, 300, 9001),)),
    "a table of places": ((3000, 64), lambda r: (spread(r, 3000, 150, 131),)),
    "of a transposed table": ((3000, 64), lambda r: (spread(r, 3000, 150, 131).T,)),
    "two axes": ((70, 90, 50), lambda r: (spread(r, 70, 130, 1), spread(r, 90, 101))),
    "behind an axis": ((3, 2000, 41), lambda r: (slice(None), spread(r, 2000, 6007))),
    "parts of rows": ((5000, 90), lambda r: (spread(r, 5000, 20_011), slice(3, 80, 2))),
    "numbers": ((90_000,), lambda r: (spread(r, 90_000, 400_001),)),
}
NO_ROWS = ("parts of rows", "numbers")  # whose elements are shared when they are read alone


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex128"])
@pytest.mark.parametrize("name", SHARED)
def test_threads_share_places_and_keep_each_ones_order(
    name: str, dtype: str, rng: np.random.Generator, threads: None
) -> None:
    shape, keys = SHARED[name]
    key, x = keys(rng), rng.standard_normal(shape).astype(dtype)
    y = (100 * rng.standard_normal(x[key].shape)).astype(dtype)
    given, part = T.tensor(dtype, (None,) * x.ndim), T.tensor(dtype, (None,) * y.ndim)
    entries, indices, values = symbolic(key)
    target = given[entries]
    f = graphlab.function(
        [given, part, *indices], [target, T.set_subtensor(target, part), T.inc_subtensor(target, part)]
    )
    want = [x[key], *updated(x, key, y)]
    for count in (1, 2, 5):
        graphlab.set_num_threads(count)
        before = threads_use().shared
        for got, expected in zip(f(x, y, *values), want, strict=True):
            np.testing.assert_array_equal(got, expected, strict=True)
        assert count == 1 or threads_use().shared - before >= (1 if name in NO_ROWS else 3)


def test_threads_refuse_an_index_out_of_range_and_change_nothing(threads: None) -> None:
    graphlab.set_num_threads(3)
    table, i = graphlab.shared(np.zeros((5000, 64)), "table"), T.lvector("i")
    read = graphlab.function([i], table[i])
    add = graphlab.function([i], [], updates={table: T.inc_subtensor(table[i], 1.0)})
    many = np.arange(20_000) % 5000
    for position in (0, 9_000, 19_999):
        wrong = many.copy()
        wrong[position] = 5000
        for f in (read, add):
            with pytest.raises(IndexError, match="index 5000 is out of bounds for axis 0 with size 5000") as info:
                f(wrong)
            assert "test_index.py" in str(info.value)
    assert not table.get_value().any()
    add(many)
    assert (table.get_value() == 4).all()


def test_what_does_not_broadcast_is_an_error() -> None:
    x, i, j, y = T.dmatrix("x"), T.lvector("i"), T.lvector("j"), T.dvector("y")
    read = graphlab.function([x, i, j], x[i, j])
    with pytest.raises(IndexError, match=r"\(2,\), \(3,\) do not broadcast"):
        read(np.zeros((3, 3)), np.array([0, 1]), np.array([0, 1, 2]))
    write = graphlab.function([x, i, y], T.set_subtensor(x[i], y))
    with pytest.raises(ValueError, match="broadcast"):
        write(np.zeros((3, 3)), np.array([0, 1]), np.ones(2))


def test_gradients_through_index_arrays_need_no_numpy() -> None:
    x, y, i, j = T.dmatrix("x"), T.dvector("y"), T.lvector("i"), T.lvector("j")
    picked = x[i, j]
    cost = (picked**2).sum() + (T.set_subtensor(x[j, 1], y) ** 2).sum() + (T.inc_subtensor(x[i, 0], y) ** 3).sum()
    function = graphlab.function([x, y, i, j], grad(cost, [x, y]))
    assert {"gather", "scatter"} <= set(called(function))
    assert "host" not in called(function)
    rows, columns = np.array([0, 2, 0, -1]), np.array([1, 1, 1, 0])

    def by_constants(a: Any, b: Any) -> Any:
        parts = a[rows, columns], T.set_subtensor(a[columns, 1], b), T.inc_subtensor(a[rows, 0], b)
        return (parts[0] ** 2).sum() + (parts[1] ** 2).sum() + (parts[2] ** 3).sum()

    point = [np.arange(6.0).reshape(3, 2) / 4 - 0.6, np.array([0.5, -1.0, 2.0, 1.5])]
    verify_grad(by_constants, point)
    a, b = T.dmatrix("a"), T.dvector("b")
    wanted = graphlab.function([a, b], grad(by_constants(a, b), [a, b]))(*point)
    for got, want in zip(function(*point, rows, columns), wanted, strict=True):
        np.testing.assert_allclose(got, want)


def test_the_gradient_of_turned_axes_is_a_view() -> None:
    x = T.dmatrix("x")
    weights = np.arange(6.0).reshape(3, 1, 2)
    function = graphlab.function([x], grad((x[::-1, None] * weights).sum(), x), on_unused_input="ignore")
    assert "scatter" not in called(function)
    np.testing.assert_array_equal(function(np.zeros((3, 2))), weights[::-1, 0])
    verify_grad(lambda v: (v[None, ::-1, :, None] ** 2).sum(), [np.arange(6.0).reshape(3, 2)])


def test_a_loop_that_writes_into_its_state_needs_no_numpy() -> None:
    start, order = T.dvector("start"), T.lvector("order")
    states, _ = graphlab.scan(
        lambda k, state: T.inc_subtensor(state[k], state.sum() + state.argmax()),
        sequences=[order],
        outputs_info=[start],
    )
    function = graphlab.function([start, order], [states, grad(states[-1].sum(), start)])
    assert "host" not in called(function)
    state = np.array([1.0, 2.0, 0.5])
    want = []
    for k in (2, 0, 2):
        state = state.copy()
        state[k] += state.sum() + state.argmax()
        want.append(state)
    got, slope = function(np.array([1.0, 2.0, 0.5]), np.array([2, 0, 2]))
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(slope, [8.0, 8.0, 8.0])
