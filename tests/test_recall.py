"""Programs recalled by the graph as written: the same program, only for the same graph, with all behind it to see."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import graphlab
import graphlab.tensor as T
from graphlab import Rule, compiled, recall
from graphlab.callable import Function
from graphlab.compiled import Recalled
from graphlab.errors import GraphlabError, NaNError
from graphlab.fingerprint import fingerprint
from graphlab.graph.events import RewriteApplied, listen
from graphlab.graph.node import Graph, Variable
from graphlab.ops.base import Op
from graphlab.ops.ufunc import Elementwise
from graphlab.options import using
from graphlab.runtime import build, cache
from graphlab.runtime.cache import CacheWarning
from tests.random_graphs import RandomProgram, random_programs

ROOT = Path(__file__).resolve().parent.parent
AT = np.linspace(-1.0, 2.0, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with using(cache_dir=tmp_path / "cache"):
        yield tmp_path / "cache"


def is_recalled(f: Function) -> bool:
    return isinstance(f.compiled, Recalled)


def soft(name: str = "x") -> tuple[Variable, Variable]:
    x = T.dvector(name)
    return x, T.log(1 + T.exp(x)) / x.sum()


def text(inputs: list[Variable], *outputs: Variable) -> str:
    found = fingerprint(Graph(tuple(inputs), outputs))
    assert found is not None
    return found.text


# ---- the same program ----------------------------------------------------------------------------


def test_the_second_time_nothing_is_rewritten_lowered_or_built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = soft()
    first = graphlab.function([x], y)
    assert not is_recalled(first)

    def never(*_: Any) -> Any:
        raise AssertionError("it is compiled again")

    for name in ("optimize", "lower", "emit"):
        monkeypatch.setattr(compiled, name, never)
    monkeypatch.setattr(build, "_compile", never)
    z, w = soft("another name")  # and another line
    second = graphlab.function([z], w)
    assert is_recalled(second)
    np.testing.assert_array_equal(second(AT), first(AT))
    np.testing.assert_allclose(second(AT), np.log1p(np.exp(AT)) / AT.sum(), rtol=1e-14)


def test_a_new_process_recalls_it(folder: Path) -> None:
    code = """
import numpy as np, graphlab, graphlab.tensor as T
from graphlab.compiled import Recalled
x, w = T.dvector("x"), graphlab.shared(np.ones((3, 4), "float32"), "w")
loss = (T.tanh(T.dot(w, x)) ** 2).sum()
f = graphlab.function([x], loss, updates={w: (w - 0.1 * T.grad(loss, w)).astype("float32")})
print(isinstance(f.compiled, Recalled), float(f(np.arange(4.0))), float(f(np.arange(4.0))), f.trace.build.cached)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRAPHLAB_CACHE_DIR": str(folder)}
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
            for _ in range(2)]  # fmt: skip
    (was, *values, built), (recalled, *again, found) = (run.stdout.split() for run in runs)
    assert (was, recalled, built, found) == ("False", "True", "False", "True")
    assert values == again


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=random_programs())
def test_random_graphs_are_recalled_with_the_program_that_compiling_makes(
    tmp_path_factory: pytest.TempPathFactory, program: RandomProgram
) -> None:
    with using(cache_dir=tmp_path_factory.mktemp("cache")):
        first, second = (graphlab.function(program.inputs, program.graph(), on_unused_input="ignore") for _ in range(2))
        assert first.lowered is not None
        assert is_recalled(second) == (not first.lowered.hosts)
        for one, other in zip(first(*program.values), second(*program.values), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        if isinstance(second.compiled, Recalled):
            known = second.machine
            assert second.c_source == first.c_source
            assert second.machine is known


def test_each_function_has_its_own_shared_variables(folder: Path) -> None:
    def counter(start: float) -> tuple[Any, Function]:
        count, step = graphlab.shared(np.float64(start)), graphlab.shared(np.float64(0.5))
        return count, graphlab.function([], count * 2, updates={count: count + step})

    one, f = counter(1.0)
    other, g = counter(10.0)
    assert (is_recalled(f), is_recalled(g)) == (False, True)
    assert (f(), g(), g(), f()) == (2.0, 20.0, 21.0, 3.0)
    assert (one.get_value(), other.get_value()) == (2.0, 11.0)


def test_constants_are_in_the_plan(folder: Path) -> None:
    table = np.arange(12.0).reshape(4, 3)
    table[1, 2], table[0, 0] = np.nan, -0.0
    for expected in (False, True):
        i = T.lvector("i")
        f = graphlab.function([i], T.constant(table)[i] * 2)
        assert is_recalled(f) is expected
        np.testing.assert_array_equal(f([0, 1, 3]), 2 * table[[0, 1, 3]])


def test_many_constants_are_not_kept_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MOST_CONSTANTS", 100)
    for _ in range(2):
        i = T.lvector("i")
        f = graphlab.function([i], T.constant(np.arange(100.0))[i])
        assert not is_recalled(f)
        np.testing.assert_array_equal(f([7]), [7.0])


@pytest.mark.parametrize("recalled", [False, True])
def test_where_its_assumptions_fail_the_general_program_runs(folder: Path, recalled: bool) -> None:
    def made() -> Function:
        x, y = T.dmatrix("x"), T.dmatrix("y")
        return graphlab.function([x, y], T.grad(((x + y) ** 2).sum(), [x, y]))

    if recalled:
        made()
    f = made()
    assert is_recalled(f) is recalled
    a, b = np.arange(6.0).reshape(2, 3), np.ones((1, 3))
    for got, want in zip(f(a, b), (2 * (a + b), 2 * (a + b).sum(0, keepdims=True)), strict=True):
        np.testing.assert_allclose(got, want)
    np.testing.assert_allclose(f(a, a)[0], 4 * a)


def test_loops_branches_and_random_numbers(folder: Path) -> None:
    def made() -> Function:
        x, n = T.dvector("x"), T.lscalar("n")
        stream = T.random.RandomStream(3) if hasattr(T, "random") else graphlab.RandomStream(3)
        states, _ = graphlab.scan(lambda s: T.tanh(s) + x, outputs_info=[T.zeros_like(x)], n_steps=n)
        last = graphlab.ifelse(n > 2, states[-1], -states[-1])
        return graphlab.function([x, n], [last, T.grad((last**2).sum(), x), stream.normal(size=(3,))])

    first, second = made(), made()
    assert is_recalled(second)
    for n in (1, 4):
        for one, other in zip(first(AT, n), second(AT, n), strict=True):
            np.testing.assert_array_equal(one, other)


# ---- only for the same graph ---------------------------------------------------------------------


def test_graphs_that_differ_have_other_fingerprints() -> None:
    x, y, m, f = T.dvector("x"), T.dvector("y"), T.dmatrix("m"), T.fvector("f")
    s, t = graphlab.shared(AT), graphlab.shared(AT)
    different = [
        text([x], x + 1), text([x], x + 2), text([x], x - 1), text([f], f + 1), text([m], m + 1), text([x, y], x + 1),
        text([y, x], x + 1), text([x], x + 1, x + 1), text([x, y], x + y), text([x, y], y + x), text([x], x + x),
        text([x], x * 0.0), text([x], x * -0.0), text([x], x * np.nan), text([x], x + T.constant(AT)),
        text([x], x + T.constant(2 * AT)), text([x], x + s), text([x, s], x + s), text([x], x + s + t),
        text([x], x + s + s), text([m], m.sum(0)), text([m], m.sum(1)), text([m], m.sum(0, keepdims=True)),
        text([x], x[1:]), text([x], x[:1]), text([x], x[1]), text([x], x[None]), text([x], x.astype("float32")),
        text([x], graphlab.scan(lambda a: a + 1, outputs_info=[x], n_steps=3)[0]),
        text([x], graphlab.scan(lambda a: a + 2, outputs_info=[x], n_steps=3)[0]),
        text([x], graphlab.scan(lambda a: a + s, outputs_info=[x], n_steps=3)[0]),
    ]  # fmt: skip
    assert len(set(different)) == len(different)


def test_names_lines_and_values_of_shared_variables_do_not_count() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    s, t = graphlab.shared(AT, "s"), graphlab.shared(3 * AT, "t")
    with graphlab.name_scope("layer"):
        one = text([x], T.exp(x) * s)
    assert one == text([y], T.exp(y) * t)
    assert text([x], s + t + s) == text([x], t + s + t)


def test_of_the_numbers_of_draws_only_their_order_counts() -> None:
    def drawn(first: int) -> str:
        streams = [graphlab.RandomStream(k) for k in (1, 2)]
        draws = [0.0, 0.0]
        for k in (first, 1 - first):
            draws[k] = streams[k].normal(size=3)
        return text([], draws[0] + draws[1])

    assert drawn(0) == drawn(0) != drawn(1)


def test_what_compiling_depends_on_is_in_the_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = soft()
    cell = graphlab.shared(AT)
    graph, fast = Graph((x,), (y, y + cell)), graphlab.mode("fast_run")

    def key(mode: Any = fast, updated: Any = ()) -> str:
        mark = recall.mark(graph, mode, updated)
        assert mark is not None
        return mark.key

    keys = {key(), key(graphlab.mode("fast_run", fast_math=True)), key(fast.excluding("stable")), key(updated=[cell])}
    keys |= {key(graphlab.mode("fast_run").including("stable"))}
    with using(floatX="float32"):
        keys.add(key())
    with using(cc=("gcc", "-O0")):
        keys.add(key())
    monkeypatch.setattr(recall, "_package", lambda: "another graphlab")
    keys.add(key())
    assert len(keys) == 8
    monkeypatch.setattr(recall, "_package", lambda: None)
    assert recall.mark(graph, fast, ()) is None


def test_a_package_that_was_changed_since_it_was_imported_recalls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recall._package.__wrapped__() == recall._package.__wrapped__() is not None
    monkeypatch.setattr(recall, "_STARTED", 0.0)
    assert recall._package.__wrapped__() is None


@dataclass(frozen=True)
class Twice(Op):
    """An op of the user's: what it does may change while its name does not."""

    name = "twice"

    def infer(self, *inputs: Any) -> Any:
        return inputs

    def numpy(self, *values: Any) -> Any:
        return 2 * values[0]


def test_ops_and_rules_of_the_users_have_no_plan(folder: Path) -> None:
    x = T.dvector("x")
    own = Elementwise("own", np.sin, c="sin({x})")
    rule = Rule("sin(x) -> cos(x)", "exact", find=lambda x: T.sin(x), make=lambda x: T.cos(x))
    wrong = graphlab.mode("fast_run").including(rule)
    for _ in range(2):
        for f, want in (
            (graphlab.function([x], T.exp(Twice()(x))), np.exp(2 * AT)),
            (graphlab.function([x], own(x) + 1), np.sin(AT) + 1),
            (graphlab.function([x], T.sin(x), mode=wrong), np.cos(AT)),
        ):
            assert not is_recalled(f)
            np.testing.assert_allclose(f(AT), want)
    graphlab.function([x], T.sin(x))
    assert is_recalled(graphlab.function([x], T.sin(x)))


def test_whoever_listens_hears_everything(folder: Path) -> None:
    x, y = soft()
    graphlab.function([x], y)
    heard: list[Any] = []
    with listen(heard.append):
        assert not is_recalled(graphlab.function([x], y))
    assert any(isinstance(event, RewriteApplied) for event in heard)


# ---- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "swapped", "pickle", "json", "link", "gone"])
def test_a_damaged_plan_is_as_if_it_were_not_there(folder: Path, damage: str) -> None:
    x, y = soft()
    graphlab.function([x], y)
    (path,) = folder.glob("*.plan")
    whole = path.read_bytes()
    if damage == "swapped":
        graphlab.function([x], y + 1)
        (other,) = set(folder.glob("*.plan")) - {path}
        path.write_bytes(other.read_bytes())
    elif damage == "link":
        path.rename(folder.parent / "elsewhere")
        path.symlink_to(folder.parent / "elsewhere")
    elif damage == "gone":
        path.unlink()
    else:
        middle = len(whole) // 2
        path.write_bytes({
            "empty": b"", "cut": whole[:middle], "pickle": b"cos\nsystem\n(S'true'\ntR.", "json": b"{}",
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        }[damage])  # fmt: skip
    f = graphlab.function([x], y)
    assert not is_recalled(f)
    np.testing.assert_allclose(f(AT), np.log1p(np.exp(AT)) / AT.sum())
    assert path.read_bytes() == whole
    assert is_recalled(graphlab.function([x], y))


@pytest.mark.parametrize("suffix", [".so", ".json"])
def test_a_plan_whose_program_is_gone_is_made_anew(folder: Path, suffix: str) -> None:
    x, y = soft()
    graphlab.function([x], y)
    (program,) = folder.glob(f"*{suffix}")
    program.unlink()
    damaged = pytest.warns(CacheWarning) if suffix == ".so" else contextlib.nullcontext()
    with damaged:
        f = graphlab.function([x], y)
    assert not is_recalled(f)
    np.testing.assert_allclose(f(AT), np.log1p(np.exp(AT)) / AT.sum())
    assert is_recalled(graphlab.function([x], y))


def test_where_nothing_can_be_written_there_is_no_plan(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    x, y = soft()
    with monkeypatch.context() as patched:
        patched.setattr(cache, "_digest", full)
        assert not is_recalled(graphlab.function([x], y))
    assert not list(folder.glob("*.plan"))
    assert not list(folder.glob("tmp-*"))


def test_plans_go_when_there_is_no_room(folder: Path) -> None:
    x = T.dvector("x")
    for k in range(3):
        graphlab.function([x], T.exp(x) + k)
    assert len(list(folder.glob("*.plan"))) == 3
    with using(cache_bytes=1):
        graphlab.function([x], T.exp(x) + 3)
    assert len(list(folder.glob("*.so"))) == len(list(folder.glob("*.plan"))) == 1


# ---- all to be seen behind it --------------------------------------------------------------------


def test_all_that_compiling_shows_is_there_when_somebody_looks(folder: Path) -> None:
    x, y = soft()
    first, second = graphlab.function([x], y), graphlab.function([x], y)
    assert is_recalled(second)
    assert [str(r) for r in second.trace.rewrites] == [str(r) for r in first.trace.rewrites] != []
    assert graphlab.maths(*second.optimized.outputs) == graphlab.maths(*first.optimized.outputs)
    assert (second.c_source, str(second.lowered)) == (first.c_source, str(first.lowered))
    assert [[n.op.name for n in line] for line in second.lines] == [[n.op.name for n in line] for line in first.lines]
    assert "(cached)" in str(second)
    np.testing.assert_array_equal(second.debug(AT).finish().value(y), first(AT))
    assert second.profile(AT).rows
    second.start_profile()
    np.testing.assert_array_equal(second(AT), first(AT))
    assert second.recorded is not None
    assert second.recorded.calls == 1


def test_looking_happens_as_it_was_asked_for_then(folder: Path) -> None:
    x, y = soft()
    first, second = graphlab.function([x], y), graphlab.function([x], y)
    assert is_recalled(second)
    heard: list[Any] = []
    with using(cache_dir=folder.parent / "other"), listen(heard.append), graphlab.name_scope("here"):
        assert second.c_source == first.c_source
    assert not heard
    assert not (folder.parent / "other").exists()
    assert all("here" not in node.provenance.scope for node in second.lowered.nodes)  # type: ignore[union-attr]


def test_errors_of_a_recalled_function_name_the_users_line(folder: Path) -> None:
    for expected in (False, True):
        x, y = T.dmatrix("x"), T.dmatrix("y")
        f = graphlab.function([x, y], T.exp(x) @ y)
        assert is_recalled(f) is expected
        with pytest.raises(GraphlabError, match=r"test_recall\.py:\d+") as caught:
            f(np.ones((2, 3)), np.ones((4, 5)))
        assert "T.exp(x) @ y" in str(caught.value)


def test_a_recalled_function_refuses_nan(folder: Path) -> None:
    for expected in (False, True):
        x, total = T.dvector("x"), graphlab.shared(0.0, "total")
        f = graphlab.function([x], T.log(x), updates={total: total + x.sum()}, nan_policy="raise")
        assert is_recalled(f) is expected
        np.testing.assert_allclose(f([1.0, 2.0]), np.log([1.0, 2.0]))
        with pytest.raises(NaNError, match="log"):
            f([-1.0, 2.0])
        assert total.get_value() == 3.0


def test_if_compiling_should_make_another_program_that_one_is_shown_and_stepped(folder: Path) -> None:
    x, y = soft()
    f = graphlab.function([x], y)
    again = graphlab.function([x], y)
    assert isinstance(again.compiled, Recalled)
    again.compiled._asked = (Graph((x,), (y + 1,)), *again.compiled._asked[1:])
    before = again.machine
    assert again.c_source != f.c_source
    assert again.machine is not before
    assert again.machine is not None
    np.testing.assert_allclose(again.machine.call([AT])[0], f(AT) + 1)
