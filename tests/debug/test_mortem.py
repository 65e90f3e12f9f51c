"""Calls that fail: NaN that is not to be, errors that name the step, and the session on the last of them."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import faults
from graphlab.errors import GraphIndexError, GraphTypeError, GraphValueError, NaNError


@pytest.fixture(autouse=True)
def nothing_before() -> Iterator[None]:
    faults.forget("no call of a compiled function has failed so far")
    yield
    faults.forget("no call of a compiled function has failed so far")


MODES = pytest.mark.parametrize("mode", ["fast_run", "fast_compile", "interpret", "debug"])

# ---- nan_policy ----------------------------------------------------------------------------------


@MODES
def test_a_nan_is_an_error_that_names_the_step_the_operands_and_the_line(mode: str) -> None:
    x, w = T.dvector("x"), T.dmatrix("w")
    hidden = w @ x
    loud = T.log(hidden)
    f = graphlab.function([x, w], (loud * 2).sum() + 1, mode=mode, nan_policy="raise")
    assert f(np.ones(3), np.eye(3)) == 1.0
    with pytest.raises(
        NaNError, match=r"output 0 .* has a NaN, which arose in step \d+ .*log: .*1 of 3.*at \[1\]"
    ) as caught:
        f([1.0, -1.0, 1.0], np.eye(3))
    error = caught.value
    assert isinstance(error, FloatingPointError)
    assert error.origin is not None
    assert error.origin.text == "loud = T.log(hidden)"
    assert "float64[3]" in str(error.hint)
    assert "post_mortem" in str(error.hint)


def test_without_the_policy_nan_is_a_value() -> None:
    x = T.dscalar("x")
    assert np.isnan(graphlab.function([x], T.log(x))(-1.0))
    with graphlab.using(nan_policy="raise"):
        f = graphlab.function([x], T.log(x))
    with pytest.raises(NaNError):
        f(-1.0)
    assert np.isnan(graphlab.function([x], T.log(x))(-1.0))
    with pytest.raises(GraphValueError, match="nan_policy"):
        graphlab.function([x], x, nan_policy="warn")
    with pytest.raises(GraphValueError, match="nan_policy"):
        graphlab.using(nan_policy="warn")


@MODES
def test_what_makes_a_nan_updates_nothing(mode: str) -> None:
    x, w, n = T.dvector("x"), graphlab.shared(np.ones(40), "w"), graphlab.shared(0, "n")
    f = graphlab.function([x], w.sum(), updates={w: w - T.sqrt(x), n: n + 1}, mode=mode, nan_policy="raise")
    for _ in range(3):
        f(np.full(40, 4.0))
    before = w.get_value()
    with pytest.raises(NaNError, match=r"output 1 .* sqrt"):  # of the update: its own result is fine
        f(np.linspace(-1, 1, 40))
    np.testing.assert_array_equal(w.get_value(), before)
    assert n.get_value() == 3
    np.testing.assert_array_equal(before, 1 - 3 * 2.0)
    assert f(np.full(40, 4.0)) == before.sum()
    assert n.get_value() == 4


def test_a_nan_of_an_argument_or_a_shared_variable_is_called_that() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.array([1.0, np.nan]), "w")
    f = graphlab.function([x], x + 1, nan_policy="raise")
    with pytest.raises(NaNError, match=r"was in the argument x: .*at \[2\]"):
        f([1.0, 2.0, np.nan])
    with pytest.raises(NaNError, match="was in the shared variable w"):
        graphlab.function([x], x * w, nan_policy="raise")([1.0, 2.0])


def test_the_operand_that_had_it_first_is_found_over_steps_and_kernels() -> None:
    x = T.dmatrix("x")
    y = T.sqrt(x)
    z = T.exp(y @ y).sum(0)
    f = graphlab.function([x], T.tanh(z) @ z, nan_policy="raise")
    value = np.ones((4, 4))
    value[2, 3] = -1
    with pytest.raises(NaNError, match=r"sqrt: .*at \[2, 3\]") as caught:
        f(value)
    assert caught.value.origin is not None
    assert caught.value.origin.text == "y = T.sqrt(x)"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_every_dtype_that_has_nan_is_looked_through(dtype: str) -> None:
    x = T.tensor(dtype, shape=(None, None), name="x")
    f = graphlab.function([x], [x.T, x[::2, ::-1]], nan_policy="raise")
    value = np.ones((7, 300), dtype)
    for wanted, got in zip((value.T, value[::2, ::-1]), f(value), strict=True):
        np.testing.assert_array_equal(got, wanted)
    value[6, 150] = complex(1, np.nan) if dtype[0] == "c" else np.nan
    with pytest.raises(NaNError):
        f(value)
    f(np.ones((2, 0), dtype))


def test_the_policy_is_copied_pickled_and_saved_with_the_function(tmp_path: Any) -> None:
    x = T.dscalar("x")
    f = graphlab.function([x], T.log(x), nan_policy="raise")
    graphlab.save(tmp_path / "f", f)
    for other in (f.copy(), pickle.loads(pickle.dumps(f)), graphlab.load(tmp_path / "f")):
        assert other(1.0) == 0
        with pytest.raises(NaNError):
            other(-1.0)


def test_the_general_program_has_the_policy_too() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = graphlab.function([x, y], T.grad(T.log(x * y).sum(), [x, y]), nan_policy="raise")
    stretched = np.ones((1, 3))
    f(np.ones((2, 3)), stretched)
    with pytest.raises(NaNError):
        f(np.full((2, 3), np.nan), stretched)


# ---- post_mortem ---------------------------------------------------------------------------------


def test_with_nothing_to_look_at_it_says_so() -> None:
    with pytest.raises(GraphValueError, match="nothing to look at: no call"):
        graphlab.post_mortem()
    x = T.dvector("x")
    f = graphlab.function([x], x)
    with pytest.raises(GraphTypeError):
        f("text")
    with pytest.raises(GraphValueError, match=r"nothing to look at: .*did not begin"):
        graphlab.post_mortem()


@MODES
def test_it_stands_before_the_step_that_raised(mode: str) -> None:
    x, i = T.dvector("x"), T.lscalar("i")
    squares = (x * x).cumsum()
    f = graphlab.function([x, i], T.exp(squares)[i] + 1, mode=mode)
    with pytest.raises(GraphIndexError) as caught:
        f([1.0, 2.0], 7)
    assert ("it was step" in str(caught.value)) == (mode == "fast_run")
    assert "post_mortem" in str(caught.value)
    s = graphlab.post_mortem()
    assert s.here is not None
    assert "index" in [n.op.name for n in s.here.nodes]
    np.testing.assert_array_equal(s.value(x), [1.0, 2.0])
    np.testing.assert_array_equal(s.value(squares), [1.0, 5.0])
    with pytest.raises(Exception, match="7"):
        s.step()


@MODES
def test_it_stands_before_the_step_that_made_the_nan(mode: str) -> None:
    x = T.dvector("x")
    total = (x * 2).cumsum()
    y = T.log(total)
    f = graphlab.function([x], y.cumsum(), mode=mode, nan_policy="raise")
    with pytest.raises(NaNError):
        f([1.0, -5.0])
    s = graphlab.post_mortem()
    assert s.here is not None
    assert any(n.op.name == "log" for n in s.here.nodes)
    np.testing.assert_array_equal(s.value(total), [2.0, -8.0])
    s.finish()
    assert np.isnan(s.outputs[0]).tolist() == [False, True]


def test_it_has_the_values_of_the_call_whatever_happened_since() -> None:
    x, w = T.dvector("x"), graphlab.shared(np.full(3, -1.0), "w")
    f = graphlab.function([x], T.sqrt(x * w), updates={w: w + 1}, nan_policy="raise")
    argument = np.ones(3)
    with pytest.raises(NaNError):
        f(argument)
    argument[:] = 100
    w.set_value(np.full(3, 9.0))
    s = graphlab.post_mortem()
    np.testing.assert_array_equal(s.value(x), 1.0)
    np.testing.assert_array_equal(s.value(w), -1.0)
    np.testing.assert_array_equal(w.get_value(), 9.0)
    assert not s.findings


def test_large_arguments_are_not_kept_alive_and_changes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "COPIED_BYTES", 100)
    x = T.dvector("x")
    f = graphlab.function([x], T.log(x), nan_policy="raise")
    argument = np.linspace(-1, 1, 1000)
    with pytest.raises(NaNError):
        f(argument)
    assert not graphlab.post_mortem().findings
    argument[5] = 3
    assert any("x was written to" in finding for finding in graphlab.post_mortem().findings)
    alive = weakref.ref(argument)
    del argument
    gc.collect()  # the frames of the traceback
    assert alive() is None
    with pytest.raises(GraphValueError, match="gone: x"):
        graphlab.post_mortem()


def test_what_python_raises_inside_a_call_is_a_failure_too() -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.linalg.inv(x + x).sum())
    with pytest.raises(GraphValueError, match=r"(?s)Singular.*post_mortem"):
        f(np.zeros((2, 2)))
    s = graphlab.post_mortem()
    assert s.here is not None
    assert [n.op.name for n in s.here.nodes] == ["inv"]


def test_the_last_failure_is_the_one() -> None:
    x = T.dscalar("x")
    f, g = (graphlab.function([x], op(x), nan_policy="raise", name=op.name) for op in (T.log, T.sqrt))
    for h in (f, g):
        with pytest.raises(NaNError):
            h(-1.0)
    assert graphlab.post_mortem().function is g
    f(1.0)  # what works changes nothing
    assert graphlab.post_mortem().function is g
