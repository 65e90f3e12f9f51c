"""Recorded calls: the statistics are NumPy's of the same values, results and updates are those of plain calls."""

from __future__ import annotations

import sys
import threading
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from graphlab.debug.record import FREE, Log, Series
from graphlab.errors import GraphTypeError, GraphValueError, NaNError

MODES = pytest.mark.parametrize("mode", ["fast_run", "fast_compile", "debug"])


def assert_are_of(series: Series, values: list[np.ndarray[Any, Any]], rtol: float = 1e-9) -> None:
    """Each element of `series` is what NumPy says of the value of that call."""
    assert series.calls.tolist() == list(range(len(values)))
    for k, value in enumerate(values):
        finite = value[np.isfinite(value)]
        for name in ("min", "max", "mean", "std"):
            wanted = getattr(finite, name)() if finite.size else np.nan
            np.testing.assert_allclose(getattr(series, name)[k], wanted, rtol=rtol, atol=rtol)
        counts = (series.nan[k], series.inf[k], series.zero[k], series.size[k])
        assert counts == (np.isnan(value).sum(), np.isinf(value).sum(), (value == 0).sum(), value.size)


def training(mode: str = "fast_run", **options: Any) -> tuple[Function, list[graphlab.Shared]]:
    """A step of training a small network, with a random draw in it."""
    rng = np.random.default_rng(0)
    w = graphlab.shared(rng.standard_normal((8, 30)), "w")
    v = graphlab.shared(rng.standard_normal(30), "v")
    x, target = T.dmatrix("x"), T.dvector("target")
    hidden = T.tanh(x @ w)
    noise = graphlab.RandomStream(3).normal(size=hidden.shape[0])
    loss = T.square(hidden @ v - target + 0.01 * noise).mean()
    updates = {p: p - 0.01 * g for p, g in zip((w, v), T.grad(loss, [w, v]), strict=True)}
    return graphlab.function([x, target], loss, updates=updates, mode=mode, **options), [w, v]


# ---- what is recorded ----------------------------------------------------------------------------


@MODES
def test_outputs_have_the_statistics_of_their_values(mode: str) -> None:
    x = T.dmatrix("x")
    y, z = T.log(x) / x, x @ x.T
    f = graphlab.function([x], [y, z], mode=mode)
    results = []
    with graphlab.record(f) as log:
        for k in range(5):
            value = np.random.default_rng(k).standard_normal((20, 30))
            value[k] = 0
            results.append(f(value))
    assert (log.calls, log.looked) == (5, 5)
    assert_are_of(log[y], [r[0] for r in results])
    assert_are_of(log[z], [r[1] for r in results])
    assert isinstance(log, Log)
    assert "nan" in str(log)


@pytest.mark.parametrize("expression", ["exp", "softmax", "sum", "columns", "outer", "float32"])
def test_large_results_that_are_looked_at_in_pieces(expression: str, rng: np.random.Generator) -> None:
    dtype = "float32" if expression == "float32" else "float64"
    x = T.matrix("x", dtype=dtype)
    y = {"exp": lambda: T.exp(x), "softmax": lambda: T.nnet.softmax(x), "sum": lambda: T.exp(x).sum(1) + 1,
         "columns": lambda: x - x.mean(0), "outer": lambda: T.exp(x[:, :, None] + x[:, None, :8]),
         "float32": lambda: T.tanh(x) * 3}[expression]()  # fmt: skip
    f = graphlab.function([x], y)
    value = rng.standard_normal((700, 900)).astype(dtype)
    value[3, 5] = np.nan
    with graphlab.record(f, every=1) as log:
        result = f(value)
    np.testing.assert_array_equal(result, f(value))
    assert_are_of(log[y], [result], 1e-5 if dtype == "float32" else 1e-9)


def test_numbers_do_not_depend_on_the_threads(rng: np.random.Generator) -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.exp(x) + x.T)
    value, found, before = rng.standard_normal((600, 600)), [], graphlab.num_threads()
    try:
        for threads in (1, 2, 3):
            graphlab.set_num_threads(threads)
            with graphlab.record(f, every=1) as log:
                f(value)
            series = log[f.graph.outputs[0]]
            found.append([getattr(series, n)[0] for n in ("min", "max", "mean", "std")])
    finally:
        graphlab.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("keep", ["stats", "values"])
@MODES
def test_training_goes_on_bit_by_bit_as_without(mode: str, keep: str, rng: np.random.Generator) -> None:
    (plain, parameters), (recorded, same) = training(mode), training(mode)
    batches = [(rng.standard_normal((12, 8)), rng.standard_normal(12)) for _ in range(8)]
    losses = [plain(*batch) for batch in batches]
    again, weights = [], []
    with graphlab.record(recorded, keep=keep) as log:
        for batch in batches:
            again.append(recorded(*batch))
            weights.append(same[0].get_value())
    np.testing.assert_array_equal(again, losses)
    for p, q in zip(parameters, same, strict=True):
        np.testing.assert_array_equal(p.get_value(), q.get_value())
    assert_are_of(log["w"], weights)
    assert_are_of(log[recorded.graph.outputs[0]], [np.asarray(loss) for loss in losses])
    if keep == "values":
        np.testing.assert_array_equal(log.value("w", 3), weights[3])
        np.testing.assert_array_equal(log.value("w"), weights[-1])
    assert recorded(*batches[0]) == plain(*batches[0])


def test_updates_in_place_are_recorded_too(rng: np.random.Generator) -> None:
    w, g = graphlab.shared(rng.standard_normal((600, 700)), "w"), T.dmatrix("g")
    f = graphlab.function([g], [], updates={w: w - 0.1 * g})
    for keep in ("stats", "values"):
        values = []
        with graphlab.record(f, keep=keep, every=1) as log:
            for _ in range(3):
                f(rng.standard_normal((600, 700)))
                values.append(w.get_value())
        assert_are_of(log["w"], values)
    np.testing.assert_array_equal(log.value("w", 1), values[1])


def test_the_first_nan_is_told_with_call_step_and_line() -> None:
    x = T.dvector("x")
    total = x.cumsum()
    root = T.sqrt(total)
    f = graphlab.function([x], root.cumsum() @ x)
    with graphlab.record(f) as log:
        for k in range(6):
            f(np.array([1.0, 2.0 - k, 1.0]))
    first = log.first("nan")
    assert first is not None
    assert (first.call, first.count, first.size, first.before) == (4, 1, 3, 3)
    assert any(o.text == "root = T.sqrt(total)" for o in first.origins)
    assert "call 4" in str(first)
    assert "test_record.py:" in str(first)
    assert log.first("inf") is None
    assert log.first("nan", total) is None
    later = log.first("nan", f.graph.outputs[0])
    assert later is not None
    assert later.step > first.step
    assert "first nan" in str(log)


def test_what_is_inside_a_kernel_is_computed_again_if_it_is_asked_for(rng: np.random.Generator) -> None:
    x, w = T.dvector("x"), graphlab.shared(2.0, "w")
    inside = T.exp(x * w)
    f = graphlab.function([x], T.log(inside + 1).sum(), updates={w: w + 1})
    values = rng.standard_normal((4, 50))
    with graphlab.record(f) as log:
        f(values[0])
    with pytest.raises(GraphValueError, match=r"(?s)no array of its own.*also="):
        log[inside]
    w.set_value(2.0)
    with graphlab.record(f, also=[inside], keep="values") as log:
        for value in values:
            f(value)
    assert_are_of(log[inside], [np.exp(v * (2.0 + k)) for k, v in enumerate(values)])
    np.testing.assert_allclose(log.value(inside, 2), np.exp(values[2] * 4))


def test_loops_and_branches_are_recorded_by_their_results() -> None:
    x, c = T.dvector("x"), T.bscalar("c")
    out, _ = graphlab.scan(lambda e, total: total + e, sequences=x, outputs_info=T.constant(0.0))
    chosen = graphlab.ifelse(c, T.exp(out), out @ out + T.zeros_like(out))
    f = graphlab.function([x, c], chosen)
    with graphlab.record(f) as log:
        results = [f([1.0, 2.0], 1), f([1.0, 2.0, 3.0], 0)]
    assert_are_of(log[chosen], results)
    assert_are_of(log[out], [np.array([1.0, 3.0]), np.array([1.0, 3.0, 6.0])])


def test_calls_of_the_general_program_are_in_the_same_log() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    gx, gy = T.grad(T.exp(x * y).sum(), [x, y])
    f = graphlab.function([x, y], [gx, gy])
    with graphlab.record(f) as log:
        results = [f(np.ones((2, 3)), np.ones((2, 3))), f(np.ones((2, 3)), np.ones((1, 3)))]
    series = log[f.graph.outputs[1]]
    assert_are_of(series, [r[1] for r in results])


# ---- how much is kept ----------------------------------------------------------------------------


def test_values_are_kept_within_the_budget() -> None:
    x = T.dvector("x")
    y = x + 1
    f = graphlab.function([x], y)
    with graphlab.record(f, keep="values", budget=3 * 8000) as log:
        for k in range(7):
            f(np.full(1000, float(k)))
    assert log.value(y)[0] == 7.0
    assert [log.value(y, k)[0] for k in (4, 5, 6)] == [5.0, 6.0, 7.0]
    with pytest.raises(GraphValueError, match="call 3 is not there: those of calls 4 to 6"):
        log.value(y, 3)
    assert len(log[y]) == 7


def test_statistics_beyond_the_budget_are_thinned_and_the_first_nan_is_not_forgotten() -> None:
    x = T.dscalar("x")
    y = T.log(x)
    f = graphlab.function([x], y)
    with graphlab.record(f, budget=64 * 100) as log:
        for k in range(1000):
            f(-1.0 if k == 501 else 1.0)
    series = log[y]
    assert 25 <= len(series) <= 100
    assert (series.calls[0], series.calls[-1], log.calls) == (0, 999, 1000)
    first = log.first("nan")
    assert first is not None
    assert first.call == 501


def test_where_looking_takes_too_long_some_calls_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x + 1)
    value = np.ones(4 * FREE)
    monkeypatch.setattr(sys.modules[Log.__module__], "pace", lambda: 1e3)  # as if a look took an hour
    with graphlab.record(f) as log:
        for _ in range(40):
            f(value)
    assert (log.calls, log.looked) == (40, 1)
    monkeypatch.setattr(sys.modules[Log.__module__], "pace", lambda: 1e-18)
    with graphlab.record(f) as log:
        for _ in range(5):
            f(value)
    assert (log.calls, log.looked) == (5, 5)
    with graphlab.record(f, every=7) as log:
        for _ in range(20):
            f(value)
    assert log[f.graph.outputs[0]].calls.tolist() == [0, 7, 14]


def test_calls_that_are_passed_over_go_straight_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    x, count = T.dvector("x"), graphlab.shared(0.0, "count")
    f = graphlab.function([x], x + 1, updates={count: count + 1})
    slow, plain = list[int](), Log.run

    def counted(log: Log, *args: Any) -> Any:
        slow.append(log.calls)
        return plain(log, *args)

    monkeypatch.setattr(Log, "run", counted)
    with graphlab.record(f, every=10) as log:
        for k in range(25):
            np.testing.assert_array_equal(f(np.full(3, float(k))), np.full(3, k + 1.0))
            f(x=np.zeros(3))
        assert log.calls == 50
        f([1, 2, 3])  # a list is no array: the slow way, which looks only where it should
    assert slow == [0, 10, 20, 30, 40, 50]
    assert (log.calls, log.looked, count.get_value()) == (51, 6, 51.0)
    assert log["count"].mean.tolist() == [1.0, 11.0, 21.0, 31.0, 41.0, 51.0]
    f(np.zeros(3))
    assert log.calls == 51


# ---- the block -----------------------------------------------------------------------------------


def test_only_calls_inside_the_block_are_recorded() -> None:
    x = T.dscalar("x")
    f = graphlab.function([x], x * 2)
    f(1.0)
    log = graphlab.record(f)
    with pytest.raises(GraphTypeError), log:  # noqa: PT012
        f(2.0)
        f("text")
    f(3.0)
    assert log[f.graph.outputs[0]].mean.tolist() == [4.0]
    assert f.watched is None
    with log:
        f(5.0)
    assert log[f.graph.outputs[0]].mean.tolist() == [4.0, 10.0]


def test_calls_that_fail_are_not_recorded_and_fail_as_ever() -> None:
    x, w = T.dvector("x"), graphlab.shared(1.0, "w")
    f = graphlab.function([x], T.log(x[0]), updates={w: w + 1}, nan_policy="raise")
    with graphlab.record(f) as log:
        f([1.0])
        with pytest.raises(IndexError):
            f([])
        with pytest.raises(NaNError):
            f([-1.0])
    assert log.calls == 1
    assert w.get_value() == 2.0


def test_threads_may_call_a_recorded_function() -> None:
    w = graphlab.shared(0.0, "w")
    f = graphlab.function([], [], updates={w: w + 1})
    with graphlab.record(f) as log:
        threads = [threading.Thread(target=lambda: [f() for _ in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert w.get_value() == log.calls == 800
    assert sorted(log["w"].mean) == list(range(1, 801))


def test_mistakes_say_what_to_do() -> None:
    x = T.dscalar("x")
    f = graphlab.function([x], x * 2)
    with pytest.raises(GraphTypeError, match="compiled function"):
        graphlab.record(lambda: 0)  # type: ignore[arg-type]
    with pytest.raises(GraphValueError, match="keep"):
        graphlab.record(f, keep="all")
    with pytest.raises(GraphValueError, match="greater than 0"):
        graphlab.record(f, every=0)
    with pytest.raises(GraphValueError, match="no part of"):
        graphlab.record(f, also=[T.dscalar("stranger")])
    with graphlab.record(f) as log:
        with pytest.raises(GraphValueError, match="already"), graphlab.record(f):
            pass
        with pytest.raises(GraphValueError, match="not called"):
            log["x*2"]
        f(1.0)
    with pytest.raises(GraphValueError, match="no array of its own"):
        log["y"]
    with pytest.raises(GraphTypeError, match="name or a variable"):
        log[3]  # type: ignore[index]
    with pytest.raises(GraphValueError, match="kind"):
        log.first("zero")
    with pytest.raises(GraphValueError, match="statistics alone"):
        log.value(f.graph.outputs[0])


# ---- pictures ------------------------------------------------------------------------------------


def test_a_plot_is_an_svg_with_a_line_a_range_and_marks(tmp_path: Any) -> None:
    x = T.dvector("x")
    y = T.log(x)
    y.name = "<y & script>"
    f = graphlab.function([x], y)
    with graphlab.record(f) as log:
        for k in range(50):
            f([1.0, 2.0 + k, -1.0 if k == 20 else 1.0])
    picture = log.plot(y)  # type: ignore[attr-defined]
    root = ElementTree.fromstring(picture.svg)
    kinds = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert kinds.count("polyline") == 1
    assert kinds.count("polygon") == 1
    assert "nan in call 20" in "".join(root.itertext())
    assert "<y & script>" in "".join(root.itertext())
    assert "<y" not in picture.svg
    assert picture.save(tmp_path / "y.svg").read_text() == picture.svg
    assert picture._repr_svg_() == picture.svg
    assert log.plot(y).svg == picture.svg  # type: ignore[attr-defined]
    with pytest.raises(GraphValueError, match="median"):
        log.plot(y, "median")  # type: ignore[attr-defined]


def test_plots_of_nothing_of_one_call_and_of_many() -> None:
    x = T.dvector("x")
    y = x / x
    f = graphlab.function([x], y)
    with graphlab.record(f) as log:
        f([])
        ElementTree.fromstring(log.plot(y).svg)  # type: ignore[attr-defined]
        f([0.0])
        ElementTree.fromstring(log.plot(y, "nan").svg)  # type: ignore[attr-defined]
        for k in range(2000):
            f([float(k)])
    assert len(log.plot(y).svg) < 60_000  # type: ignore[attr-defined]
