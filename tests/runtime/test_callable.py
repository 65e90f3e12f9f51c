"""The fast way of a call: what it takes, what it leaves to the slow way, and what it never loses."""

from __future__ import annotations

import gc
import sys
import threading
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.arguments import In, as_argument
from graphlab.errors import GraphTypeError
from graphlab.runtime import native
from graphlab.runtime.native import NAMES
from graphlab.runtime.program import Callable, Machine, SlowCallable, StepFailed
from tests.runtime.programs import ADD, adder, call, host, machine, nested


class Function(Callable):  # type: ignore[misc, valid-type]
    """A subclass with attributes, as graphlab.Function is."""

    label = "class attribute"


def slow(*args: Any, **kwargs: Any) -> Any:
    return "slow", args, kwargs


def bound(made: Machine, single: bool = True) -> Any:
    f = Function()
    made.bind(f, slow, single)
    return f


def is_slow(result: Any) -> bool:
    return isinstance(result, tuple) and result[0] == "slow"


# ---- which way -----------------------------------------------------------------------------------


def test_plain_arrays_and_python_numbers_go_straight_to_the_program() -> None:
    f = bound(adder())
    for a, b in [(np.array(1.0), np.array(2.0)), (1.0, 2.0), (1.0, np.array(2.0))]:
        result = f(a, b)
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, np.array(3.0), strict=True)


def test_python_integers_go_to_integer_inputs_if_they_fit() -> None:
    body = "*(int64_t *)q[0] = *(int64_t *)q[1] + 1;"
    f = bound(machine([("int64", 0)] * 2, [0], [1], [nested(0, [1], [0], body)]))
    assert f(2**63 - 2) == 2**63 - 1
    assert f(-(2**63)) == -(2**63) + 1
    assert f(np.int64(3)) == 4
    assert f(True) == 2
    for other in (2**63, -(2**63) - 1, 1.0, np.int32(3)):
        assert is_slow(f(other))


def test_arguments_given_by_name_go_straight_to_the_program() -> None:
    body = "*(double *)q[0] = 10 * *(double *)q[1] + *(double *)q[2];"
    made = machine([("float64", 0)] * 3, [0, 1], [2], [nested(0, [2], [0, 1], body)])
    f = Function()
    made.bind(f, slow, True, names=["a", "b"])
    one, two = np.array(1.0), np.array(2.0)
    for result in (f(one, two), f(one, b=two), f(a=one, b=two), f(b=two, a=one), f(**{"".join("b"): 2.0}, a=1.0)):
        np.testing.assert_array_equal(result, np.array(12.0), strict=True)
    for args, kwargs in [
        ((one, two), {"b": two}), ((one,), {"a": two}), ((), {"a": one, "c": two}), ((), {"a": one}), ((one,), {}),
        ((), {"a": one, "b": "two"}), ((), {"a": one, "b": two, "c": two}),
    ]:  # fmt: skip
        assert is_slow(f(*args, **kwargs))
    counts = [sys.getrefcount(v) for v in (one, two)]
    for _ in range(100):
        f(b=two, a=one)
        f(one, b=two)
        f(one, a=two)
    assert [sys.getrefcount(v) for v in (one, two)] == counts


def test_a_functions_keywords_are_those_of_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphlab.Function, "_slow", slow)
    x, y = T.dscalars("x", "y")
    f = graphlab.function([x, In(y, name="rate")], 10 * x + y)
    assert f(rate=2.0, x=1.0) == f(1, rate=True) + 1 == 12.0
    assert is_slow(f(x=1.0, y=2.0))


def test_only_inputs_with_a_name_are_found_by_it_and_of_two_the_first() -> None:
    body = "*(double *)q[0] = 10 * *(double *)q[1] + *(double *)q[2];"
    made = machine([("float64", 0)] * 3, [0, 1], [2], [nested(0, [2], [0, 1], body)])
    f = Function()
    made.bind(f, slow, True, names=[None, "b"])
    assert f(1.0, b=2.0) == 12.0
    assert is_slow(f(b=2.0))
    made.bind(f, slow, True, names=["b", "b"])
    assert is_slow(f(1.0, b=2.0))
    made.bind(f, slow, True)
    assert is_slow(f(1.0, b=2.0))
    with pytest.raises(ValueError, match="name"):
        made.bind(f, slow, True, names=["a"])


NUMBERS = (0, -1, 2, 127, 128, -128, 255, -129, 2**24, 2**24 + 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63),
           0.5, -0.0, 1e300, 1e39, float("inf"), float("nan"), 1e-50, True, False)  # fmt: skip


@pytest.mark.parametrize(
    "dtype", ["int8", "int32", "int64", "uint8", "uint64", "float32", "float64", "complex128", "bool"]
)
def test_numbers_go_straight_to_the_program_where_nothing_is_to_be_said(dtype: str) -> None:
    size = np.dtype(dtype).itemsize
    copy = f"for (int k = 0; k < {size}; k++) q[0][k] = q[1][k];"
    made = machine([(dtype, 0)] * 2, [0], [1], [nested(0, [1], [0], copy)])
    f, plain, spec = Function(), bound(made), In(T.tensor(dtype, ()))
    made.bind(f, slow, True, None, True)
    for number in (*NUMBERS, *(t(3) for t in (np.int8, np.int64, np.float32, np.float64, np.complex128, np.bool_))):
        got = f(number)
        if is_slow(got):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what NumPy warns about is not for the fast way
            np.testing.assert_array_equal(got, as_argument(number, spec, 0, None), strict=True)
    assert not is_slow(f(np.dtype(dtype).type(1)))
    assert is_slow(plain(0.5)) == (dtype != "float64")


def test_floats_become_narrow_only_where_that_is_allowed() -> None:
    x = T.fscalar("x")
    f = graphlab.function([x], x * 1, allow_input_downcast=False)
    with pytest.raises(GraphTypeError):
        f(0.1)
    assert graphlab.function([x], x * 1)(0.1) == np.float32(0.1)


def test_strided_and_read_only_arrays_are_plain() -> None:
    f = bound(adder(2))
    x = np.arange(12.0).reshape(3, 4)
    y = np.broadcast_to(np.arange(4.0), (1, 4))
    for a in (x, x[::-1, ::-1], np.asfortranarray(x), x[:, 1:2]):
        np.testing.assert_array_equal(f(a, y), a + y, strict=True)


class Matrix(np.ndarray):
    """A subclass, which the program must not see."""


UNUSUAL: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "too few": ((np.ones(2),), {}),
    "too many": ((np.ones(2),) * 3, {}),
    "none": ((), {}),
    "keyword": ((np.ones(2),), {"b": np.ones(2)}),
    "list": (([1.0], np.ones(2)), {}),
    "None": ((None, np.ones(2)), {}),
    "rank": ((np.ones((1, 2)), np.ones(2)), {}),
    "dtype": ((np.ones(2, "f4"), np.ones(2)), {}),
    "integers": ((np.ones(2, "i8"), np.ones(2)), {}),
    "byte order": ((np.ones(2, ">f8"), np.ones(2)), {}),
    "unaligned": ((np.zeros(17, "u1")[1:].view("f8"), np.ones(2)), {}),
    "subclass": ((np.ones(2).view(Matrix), np.ones(2)), {}),
    "masked": ((np.ma.ones(2), np.ones(2)), {}),
    "object": ((np.ones(2, object), np.ones(2)), {}),
    "shapes": ((np.ones(2), np.ones(3)), {}),
}


@pytest.mark.parametrize("case", UNUSUAL.values(), ids=UNUSUAL)
def test_whatever_is_unusual_goes_the_slow_way_unchanged(
    case: tuple[tuple[Any, ...], dict[str, Any]],
) -> None:
    args, kwargs = case
    _, got_args, got_kwargs = bound(adder(1))(*args, **kwargs)
    assert [id(a) for a in got_args] == [id(a) for a in args]
    assert got_kwargs == kwargs


def test_an_empty_keyword_dict_is_not_unusual() -> None:
    assert bound(adder())(*(1.0, 2.0), **{}) == 3.0


def test_the_list_of_all_outputs_or_the_only_one() -> None:
    both = machine([("float64", 0)] * 4, [0, 1], [2, 3], [nested(0, [2], [0, 1], ADD), nested(0, [3], [0, 2], ADD)])
    assert bound(both, single=False)(1.0, 2.0) == [3.0, 4.0]
    assert bound(adder(), single=False)(1.0, 2.0) == [3.0]
    nothing = machine([("float64", 0)], [0], [], ["return 0;"])
    assert bound(nothing, single=False)(1.0) == []
    with pytest.raises(ValueError, match="one visible output"):
        bound(both, single=True)


def test_a_callable_without_a_program_is_slow() -> None:
    f = Function()
    with pytest.raises(TypeError, match="not bound"):
        f(1.0)
    f._bind_slow(slow)
    assert is_slow(f(1.0))
    adder().bind(f, slow, True)
    assert f(1.0, 2.0) == 3.0
    f._bind_slow(lambda *args: len(args))
    assert f(1.0, 2.0) == 2


def test_so_many_calls_pass_and_are_counted_and_then_one_is_slow() -> None:
    f = Function()
    assert f._pass(3) == 0
    adder().bind(f, slow, True)
    assert f(1.0, 2.0) == 3.0
    assert f._pass(2) == 0  # of calls without a bound none is counted
    assert [f(1.0, 2.0), f(3.0, 4.0)] == [3.0, 7.0]
    assert is_slow(f(1.0, 2.0))
    assert is_slow(f(1.0, 2.0))
    assert f._pass(1) == 2
    assert is_slow(f("no number", 2.0))  # which uses it up, and is no call that went to the program
    assert f._pass(0) == 0
    assert is_slow(f(1.0, 2.0))
    assert f._pass(-1) == 0
    assert [f(1.0, 2.0) for _ in range(5)] == [3.0] * 5
    assert f._pass(-1) == 0


def test_without_the_extension_every_call_is_slow() -> None:
    class Fallback(SlowCallable):
        pass

    f = Fallback()
    f._bind_slow(slow)
    assert f(1, b=2) == ("slow", (1,), {"b": 2})
    assert f._pass(7) == 0
    assert f(1) == ("slow", (1,), {})


def test_what_slow_raises_passes_through() -> None:
    f = Function()

    def fail(*args: Any) -> None:
        raise LookupError("mine")

    adder().bind(f, fail, True)
    with pytest.raises(LookupError, match="mine"):
        f(1.0, 2.0, 3.0)


# ---- Machine.call --------------------------------------------------------------------------------


def test_call_converts_what_numpy_converts_safely() -> None:
    made = adder(1)
    unaligned = np.zeros(17, "u1")[1:].view("f8")
    for a in ([1, 2], np.ones(2, "i4"), np.ones(2, ">f8"), unaligned, np.ones(2).view(Matrix)):
        result = made.call([a, np.ones(2)])[0]
        np.testing.assert_array_equal(result, np.asarray(a) + 1.0, strict=True)
    with pytest.raises(TypeError, match="Cannot cast"):
        made.call([np.ones(2, complex), np.ones(2)])
    with pytest.raises(TypeError, match="has 2 inputs, not 1"):
        made.call([np.ones(2)])
    with pytest.raises(ValueError, match="too deep"):
        made.call([np.ones((2, 2)), np.ones(2)])


def test_constants_are_read_and_never_written() -> None:
    value = np.arange(3.0)
    made = machine([("float64", 1)] * 3, [0], [2, 1], [nested(1, [2], [0, 1], ADD)], constants=[1], values=[value])
    value[:] = 99.0  # the program has its own copy
    total, constant = made.call([np.ones(3)])
    np.testing.assert_array_equal(total, [1.0, 2.0, 3.0])
    constant[:] = 5.0
    np.testing.assert_array_equal(made.call([np.ones(3)])[1], [0.0, 1.0, 2.0])


def test_facts_that_do_not_fit_the_program_are_refused() -> None:
    steps = [nested(0, [2], [0, 1], ADD)]
    slots = [("float64", 0)] * 3
    for wrong in (dict(inputs=[0, 7], outputs=[2]), dict(inputs=[0, 1], outputs=[-1])):
        with pytest.raises(ValueError, match="is not below 3"):
            machine(slots, steps=steps, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="do not fit"):
        machine(slots, [0], [2], steps, shared=[1])
    with pytest.raises(ValueError, match="rank 17"):
        machine([("float64", 17)], [0], [0], ["return 0;"])


# ---- updates -------------------------------------------------------------------------------------


def counter(cell: list[Any], fail: bool = False) -> Machine:
    """out = cell + x; then cell = that, if no later step fails."""
    steps = [nested(1, [2], [0, 1], ADD), *(["return GL_ERROR_EMPTY;"] if fail else [])]
    return machine([("float64", 1)] * 3, [0], [2, 2], steps, shared=[1], cells=[cell], updates=[(1, cell)])


def test_updates_replace_the_value_and_alias_nothing() -> None:
    first = np.zeros(2)
    cell = [first]
    f = bound(counter(cell))
    result = f(np.ones(2))
    np.testing.assert_array_equal(result, [1.0, 1.0])
    np.testing.assert_array_equal(cell[0], [1.0, 1.0])
    np.testing.assert_array_equal(first, [0.0, 0.0])
    assert not np.shares_memory(result, cell[0])
    f(np.ones(2))
    np.testing.assert_array_equal(cell[0], [2.0, 2.0])
    assert counter(cell).call([np.ones(2)])[0].tolist() == [3.0, 3.0]


def test_two_cells_can_change_places() -> None:
    a, b = [np.array(1.0)], [np.array(2.0)]
    swap = machine(
        [("float64", 0)] * 2, [], [1, 0], ["return 0;"], shared=[0, 1], cells=[a, b], updates=[(0, a), (1, b)]
    )
    old = a[0], b[0]
    assert bound(swap, single=False)() == []
    assert (a[0], b[0]) == (2.0, 1.0)
    assert not any(np.shares_memory(x, y) for x in (a[0], b[0]) for y in old)


def test_a_cell_may_be_written_and_not_read() -> None:
    cell: list[Any] = ["anything"]
    made = machine([("float64", 0)] * 3, [0, 1], [2], [nested(0, [2], [0, 1], ADD)], updates=[(0, cell)])
    assert made.call([1.0, 2.0]) == []
    assert cell == [3.0]


def test_a_failing_call_changes_nothing() -> None:
    cell = [np.zeros(2)]
    before = cell[0]
    made = counter(cell, fail=True)
    assert is_slow(bound(made)(np.ones(2)))
    with pytest.raises(StepFailed, match="no elements"):
        made.call([np.ones(2)])
    with pytest.raises(StepFailed):
        counter(cell).call([np.ones(3)])
    assert cell[0] is before
    np.testing.assert_array_equal(before, [0.0, 0.0])


def test_an_interrupted_call_changes_nothing_and_is_not_tried_again() -> None:
    cell = [np.zeros(1)]
    before, calls = cell[0], []

    def interrupt(x: Any) -> Any:
        calls.append(x)
        raise KeyboardInterrupt

    steps = [nested(1, [2], [0, 1], ADD), host(0, [2], [3])]
    made = machine(
        [("float64", 1)] * 4,
        [0],
        [3, 2],
        steps,
        shared=[1],
        hosts=[interrupt],
        cells=[cell],
        updates=[(1, cell)],
    )
    with pytest.raises(KeyboardInterrupt):
        bound(made)(np.ones(1))
    assert len(calls) == 1
    assert cell[0] is before


@pytest.mark.parametrize("value", [[1.0, 2.0], np.ones(2, ">f8"), np.ones(2, "f4"), np.zeros(17, "u1")[1:].view("f8")])
def test_a_cell_that_is_not_plain_is_slow_and_converted_by_call(value: Any) -> None:
    cell = [value]
    made = counter(cell)
    assert is_slow(bound(made)(np.ones(2)))
    assert cell[0] is value
    np.testing.assert_array_equal(made.call([np.ones(2)])[0], np.asarray(value) + 1.0)
    assert type(cell[0]) is np.ndarray
    assert cell[0].dtype == "f8"


def test_an_emptied_cell_is_an_error_not_a_crash() -> None:
    cell = [np.zeros(2)]
    made = counter(cell)
    cell.clear()
    with pytest.raises(IndexError):
        made.call([np.ones(2)])


def test_a_value_changed_during_the_call_is_not_lost() -> None:
    """The run is done again with the new value, as if the other change had come first."""
    cell = [np.array(0.0)]
    seen = []

    def meddle(x: np.ndarray) -> tuple[np.ndarray]:
        seen.append(float(x))
        if len(seen) == 1:
            cell[0] = np.array(10.0)
        return (x + 0.0,)

    steps = [host(0, [1], [2]), nested(0, [3], [0, 2], ADD)]
    made = machine([("float64", 0)] * 4, [0], [3], steps, shared=[1], hosts=[meddle], cells=[cell], updates=[(0, cell)])
    bound(made, single=False)(1.0)
    assert seen == [0.0, 10.0]
    assert cell[0] == 11.0


def test_a_value_that_changes_in_every_run_is_an_error_in_the_end() -> None:
    cell = [np.array(0.0)]

    def meddle(x: np.ndarray) -> tuple[np.ndarray]:
        cell[0] = x + 1
        return (x + 0.0,)

    made = machine(
        [("float64", 0)] * 2,
        [],
        [1],
        [host(0, [0], [1])],
        shared=[0],
        hosts=[meddle],
        cells=[cell],
        updates=[(0, cell)],
    )
    with pytest.raises(RuntimeError, match="changed by others during each of 1000 runs"):
        made.call([])


# ---- host functions ------------------------------------------------------------------------------


def hosted(function: Any, dtype: str = "float64") -> Machine:
    """x -> copy of x, given to `function`."""
    return machine(
        [("float64", 1), ("float64", 1), (dtype, 1)],
        [0],
        [2],
        [call("copy", [1, 0]), host(0, [1], [2])],
        hosts=[function],
    )


def test_a_host_function_sees_read_only_arrays() -> None:
    def check(x: np.ndarray) -> tuple[np.ndarray]:
        assert type(x) is np.ndarray
        assert not x.flags.writeable
        return (2 * x,)

    np.testing.assert_array_equal(bound(hosted(check))(np.arange(3.0)), [0.0, 2.0, 4.0], strict=True)


def test_the_exception_of_a_host_function_is_the_callers() -> None:
    class Mine(Exception):
        pass

    raised = Mine("exactly this one")

    def fail(x: np.ndarray) -> Any:
        raise raised

    made = hosted(fail)
    with pytest.raises(Mine) as info:
        made.call([np.ones(2)])
    assert info.value is raised
    assert is_slow(bound(made)(np.ones(2)))


def test_host_results_are_converted_to_the_slots_dtype() -> None:
    for result in (
        np.ones(2, "f8"),
        np.ones(2, ">f4"),
        np.ones((2, 3), "f4")[:, 1],
        np.ones(2, "f4").view(Matrix),
    ):
        got = hosted(lambda x, r=result: (r,), "float32").call([np.ones(2)])[0]
        np.testing.assert_array_equal(got, np.ones(2, "f4"), strict=True)
        assert type(got) is np.ndarray
        assert not np.shares_memory(got, result)


@pytest.mark.parametrize(
    "result", [None, np.ones(2), (), (np.ones(2), np.ones(2)), (1.0,), (np.ones((2, 2)),), [np.ones(2)]]
)
def test_a_host_function_that_breaks_its_word_is_told(result: Any) -> None:
    with pytest.raises(TypeError, match=r"host function 0 gave .* where .* due"):
        hosted(lambda x: result).call([np.ones(2)])


def test_arrays_that_a_host_function_keeps_stay_valid_after_the_call() -> None:
    """What it was given may be a temporary, an argument, a Python number, a constant or an output."""
    kept: list[np.ndarray] = []

    def keep(*arrays: np.ndarray) -> tuple[np.ndarray]:
        kept.extend(arrays)
        kept.extend(a[::-1] for a in arrays if a.ndim)
        return (arrays[0],)

    slots = [("float64", 1), ("float64", 0), ("float64", 1), ("float64", 1), ("float64", 1), ("float64", 1)]
    steps = [call("copy", [3, 0]), call("copy", [4, 0]), host(0, [3, 0, 1, 2, 4], [5])]
    made = machine(slots, [0, 1], [4, 5], steps, constants=[2], values=[np.arange(3.0)], hosts=[keep])
    f = bound(made, single=False)
    size = 20_000  # large enough that freed memory goes back to the system
    f(np.full(size, 7.0), 3.0)
    del made, f
    gc.collect()
    other = [np.full(size, -1.0) for _ in range(4)]
    sevens, threes, constants = (
        [k for k in kept if k.shape == (size,)],
        [k for k in kept if k.ndim == 0],
        kept[3],
    )
    assert len(sevens) == 6
    assert all((k == 7.0).all() for k in sevens)
    assert [float(t) for t in threes] == [3.0]
    np.testing.assert_array_equal(constants, [0.0, 1.0, 2.0])
    assert all((o == -1.0).all() for o in other)


def test_calls_are_reentrant() -> None:
    made = adder(1)
    inner = bound(made)

    def outer_host(x: np.ndarray) -> tuple[np.ndarray]:
        depth = int(x[0])
        return (inner(x, x) if depth == 0 else np.asarray(outer(x - 1.0)),)

    outer = bound(hosted(outer_host))
    np.testing.assert_array_equal(outer(np.full(2, 5.0)), [0.0, 0.0])


def test_a_host_function_may_rebind_what_is_running() -> None:
    f = Function()

    def rebind(x: np.ndarray) -> tuple[np.ndarray]:
        f._bind_slow(slow)
        gc.collect()
        return (x + 1.0,)

    hosted(rebind).bind(f, slow, True)
    np.testing.assert_array_equal(f(np.ones(2)), [2.0, 2.0])
    assert is_slow(f(np.ones(2)))


# ---- threads -------------------------------------------------------------------------------------


def in_threads(n: int, work: Any) -> None:
    failures = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # a thread's exception is the test's
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


def test_eight_threads_share_one_function() -> None:
    f = bound(adder(1))

    def work() -> None:
        for n in (0, 1, 100, 100_000):  # small calls keep the GIL, the large one gives it up
            x = np.arange(float(n))
            for _ in range(5):
                np.testing.assert_array_equal(f(x, x), 2 * x)

    in_threads(8, work)


def test_no_update_of_concurrent_calls_is_lost() -> None:
    cell = [np.zeros(1)]
    steps = [host(0, [1], [2]), nested(1, [3], [0, 2], ADD)]
    made = machine(
        [("float64", 1)] * 4,
        [0],
        [3],
        steps,
        shared=[1],
        hosts=[lambda x: (x + 0.0,)],
        cells=[cell],
        updates=[(0, cell)],
    )
    f, one = bound(made, single=False), np.ones(1)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        in_threads(4, lambda: [f(one) for _ in range(200)])
    finally:
        sys.setswitchinterval(interval)
    np.testing.assert_array_equal(cell[0], [800.0])


def test_a_large_call_lets_other_threads_run() -> None:
    """The kernel waits for a flag that only another thread sets, so it must not hold the GIL."""
    body = "volatile double *flag = (double *)f->arrays[1].data; while (*flag == 0) {}"
    copy = "static const int32_t s[] = {2, 1}; return f->api->copy(f, s, 0);"
    made = machine([("float64", 1)] * 3, [0, 1], [2], [body + copy])
    flag = np.zeros(1)
    timer = threading.Timer(0.05, flag.fill, [1.0])
    timer.start()
    np.testing.assert_array_equal(bound(made)(np.zeros(1 << 17), flag), [1.0])
    timer.join()


def test_host_functions_and_outputs_of_a_large_call_take_the_gil_back() -> None:
    made = hosted(lambda x: (x * 2.0,))
    f = bound(made)

    def work() -> None:
        x = np.arange(200_000.0)
        for _ in range(5):
            np.testing.assert_array_equal(f(x), x * 2.0)

    in_threads(3, work)


# ---- memory --------------------------------------------------------------------------------------


def test_calls_leave_no_references_behind() -> None:
    f = bound(counter([np.zeros(2)]))
    g = bound(hosted(lambda x: (x[::-1],)))
    plain, x, wrong = bound(adder(1)), np.ones(2), np.ones(3)

    def everything() -> None:
        f(x), g(x), plain(x, x), plain(x, wrong), plain(x), plain(x, [1.0])
        frame = counter([np.zeros(2)]).frame([x])
        frame.run_step(0)
        frame.value(2)

    everything()
    before = sys.getrefcount(x), sys.getrefcount(wrong)
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(200):
        everything()
    gc.collect()
    assert (sys.getrefcount(x), sys.getrefcount(wrong)) == before
    assert sys.getallocatedblocks() - blocks < 200


def test_temporaries_are_freed() -> None:
    import resource

    made = machine([("float64", 1)] * 3, [0], [1], [call("copy", [2, 0]), call("copy", [1, 2])])
    x = np.zeros(1 << 20)
    made.call([x])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(50):
        made.call([x])
        with pytest.raises(StepFailed):
            machine([("float64", 1)] * 2, [0], [0], [call("copy", [1, 0]), "return GL_ERROR_EMPTY;"]).call([x])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # in KiB
    assert grown < 100_000  # 50 leaks would be 400 MiB


def test_cycles_through_a_callable_are_collected() -> None:
    class Owner(Function):
        def _slow(self, *args: Any) -> Any:
            return self.answer

    f = Owner()
    f.answer, f.me = 42, f
    f.program = hosted(lambda x, f=f: (f.answer * x,))
    f.program.bind(f, f._slow, True)
    assert f() == 42
    gone = weakref.ref(f)
    code = weakref.ref(f.program)
    del f
    gc.collect()
    assert gone() is None
    assert code() is None


def test_keywords_go_with_the_callable() -> None:
    class Word(str):
        pass

    words = Word("one"), Word("two")
    gone = [weakref.ref(word) for word in words]
    f = Function()
    adder().bind(f, slow, True, names=words)
    del words
    assert f(two=2.0, one=1.0) == 3.0
    del f
    gc.collect()
    assert [word() for word in gone] == [None, None]


def test_a_subclass_has_attributes_weak_references_and_its_own_init() -> None:
    class Named(Function):
        def __init__(self, name: str) -> None:
            self.name = name

    f = Named("f")
    adder().bind(f, slow, True)
    assert (f.name, f.label, f(1.0, 2.0)) == ("f", "class attribute", 3.0)
    assert weakref.ref(f)() is f
    assert gc.is_tracked(f)
    assert isinstance(f, Callable)


def test_arguments_of_construction_are_checked() -> None:
    with pytest.raises(TypeError):
        NAMES["Frame"]()
    with pytest.raises(TypeError):
        NAMES["Code"]("path")
    with pytest.raises(TypeError):
        Function()._bind("no code", slow, True)


# ---- frames --------------------------------------------------------------------------------------


def test_a_frame_runs_one_step_at_a_time_and_keeps_every_value() -> None:
    cell = [np.zeros(2)]
    steps = [nested(1, [2], [0, 1], ADD), "f->api->release(f, 2); return 0;", nested(1, [3], [0, 2], ADD)]
    made = machine([("float64", 1)] * 4, [0], [3, 3], steps, shared=[1], cells=[cell], updates=[(1, cell)])
    frame = made.frame([np.ones(2)])
    assert frame.value(2) is None
    np.testing.assert_array_equal(frame.value(0), [1.0, 1.0])
    for k in range(3):
        frame.run_step(k)
    np.testing.assert_array_equal(frame.value(2), [1.0, 1.0])
    np.testing.assert_array_equal(frame.value(3), [2.0, 2.0])
    frame.run_step(0)  # a step may be run again
    value = frame.value(2)
    assert value is not None
    value[:] = 5.0
    np.testing.assert_array_equal(frame.value(2), [1.0, 1.0])
    np.testing.assert_array_equal(cell[0], [0.0, 0.0])
    frame.close()
    frame.close()
    with pytest.raises(RuntimeError, match="closed"):
        frame.value(0)


def test_a_frame_reports_what_went_wrong_and_can_go_on() -> None:
    steps = ["return GL_ERROR_EMPTY;", host(0, [0], [1]), call("copy", [2, 0])]
    made = machine([("float64", 1)] * 3, [0], [2], steps, hosts=[lambda x: 1 / 0])
    frame = made.frame([np.ones(2)])
    with pytest.raises(StepFailed, match="step 0: a reduction"):
        frame.run_step(0)
    with pytest.raises(ZeroDivisionError):
        frame.run_step(1)
    frame.run_step(2)
    np.testing.assert_array_equal(frame.value(2), [1.0, 1.0])
    for wrong in (-1, 3):
        with pytest.raises(IndexError, match="no step"):
            frame.run_step(wrong)
        with pytest.raises(IndexError, match="no slot"):
            frame.value(wrong)


# ---- pointers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("find", [native.bundled_blas, native.scipy_blas])
def test_products_are_right_with_either_blas(find: Any, dtype: str) -> None:
    addresses = find()
    if addresses is None:
        pytest.skip("SciPy brings no library along")
    x, y = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    product = graphlab.function([x, y], [x @ y, x @ y[:, 0], x[0] @ y[:, 0], x @ x.T])
    a, b = (np.arange(12.0).reshape(shape).astype(dtype) for shape in ((3, 4), (4, 3)))
    native.load_blas()
    native.NAMES["set_blas"](*addresses)
    try:
        got = product(a, b)
    finally:
        native.NAMES["set_blas"](*(native.bundled_blas() or native.scipy_blas()))
    for result, expected in zip(got, (a @ b, a @ b[:, 0], a[0] @ b[:, 0], a @ a.T), strict=True):
        np.testing.assert_array_equal(result, expected)


def test_special_functions_come_from_scipy() -> None:
    from scipy import special

    body = "*(double *)q[0] = gl_extern_psi(*(double *)q[1]);"
    made = machine([("float64", 1)] * 2, [0], [1], [nested(1, [1], [0], body)],
                   prelude="double (*gl_extern_psi)(double);\n", externs=("psi",))  # fmt: skip
    x = np.array([0.5, 1.0, 7.25])
    np.testing.assert_array_equal(made.call([x])[0], special.psi(x))


def test_a_special_function_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ImportError, match="no nonsense of doubles"):
        adder(externs=("nonsense",))
    with pytest.raises(ValueError, match="no pointer gl_extern_psi"):
        adder(externs=("psi",))
