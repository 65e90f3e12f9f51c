"""Functions compiled in the background: callable at once, right before and after, and alive when compiling fails."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import In, background
from graphlab.compiled import Recalled, compile_anew
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.graph.events import Event, listen
from graphlab.graph.types import TensorType
from graphlab.ops.base import Op
from graphlab.options import using


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A compiler that waits until the file that is given exists."""
    script, go = tmp_path / "slow-cc", tmp_path / "go"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo slow && exit\nuntil [ -e {go} ]; do sleep 0.02; done; exec gcc "$@"\n'
    )
    script.chmod(0o755)
    with using(cc=(str(script),), cache_dir=tmp_path / "cache"):
        yield go
    go.touch()


def test_compiling_begins_when_the_first_call_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = threading.Event()

    def told(*given: Any) -> Any:
        began.set()
        return compile_anew(*given)

    monkeypatch.setattr(background, "compile_anew", told)
    monkeypatch.setattr(background, "FIRST_CALL", 60.0)
    x = T.dvector("x")
    with using(cache_dir=tmp_path / "cache"):
        f = graphlab.function([x], T.exp(x), compile="background")
        assert not began.wait(0.2)
        np.testing.assert_allclose(f([0.0, 1.0]), [1.0, np.e])
        assert began.wait(30)
        assert f.wait(60)
        monkeypatch.setattr(background, "FIRST_CALL", 0.01)  # nobody calls
        began.clear()
        graphlab.function([x], T.exp(-x), compile="background")
        assert began.wait(30)


def test_a_program_that_the_cache_has_is_there_at_once(tmp_path: Path) -> None:
    x = T.dvector("x")
    with using(cache_dir=tmp_path / "cache"):
        graphlab.function([x], T.exp(x).sum())
        f = graphlab.function([x], T.exp(x).sum(), compile="background")
    assert f.ready
    assert isinstance(f.compiled, Recalled)
    np.testing.assert_allclose(f([0.0, 1.0]), 1.0 + np.e)


def test_it_is_called_before_and_after_it_is_compiled(held: Path) -> None:
    x = T.dmatrix("x")
    f = graphlab.function([x], T.exp(x).sum(axis=0), compile="background")
    at = np.arange(6.0).reshape(2, 3)
    assert not f.ready
    assert "background" in repr(f)
    np.testing.assert_allclose(f(at), np.exp(at).sum(axis=0))
    assert not f.ready
    assert f.wait(0.01) is False
    held.touch()
    assert f.wait() is True
    assert f.ready
    np.testing.assert_allclose(f(at), np.exp(at).sum(axis=0))
    assert f.machine is not None
    assert "kernel" in repr(f)


def test_the_first_call_after_it_is_done_runs_the_program(held: Path) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x + 1, compile="background")
    f([1.0])
    held.touch()
    assert f._pending is not None
    f._pending.wait()
    ran: list[Event] = []
    f([1.0])
    assert f._pending is None
    with listen(ran.append):
        assert f(np.ones(2)).tolist() == [2.0, 2.0]


@dataclass(frozen=True)
class Turns(Op):
    """Gives back its operand, and keeps how long the threads' turns are in the meantime."""

    name = "turns"
    seen: ClassVar[list[float]] = []

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        return (x,)

    def numpy(self, x: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
        self.seen.append(sys.getswitchinterval())
        if x[0] < 0:
            raise ValueError("negative")
        return (x,)


def test_calls_take_short_turns_with_the_compiling_thread(held: Path) -> None:
    usual, x = sys.getswitchinterval(), T.dvector("x")
    f = graphlab.function([x], Turns()(x) + 1, compile="background")
    f([1.0])
    assert Turns.seen.pop() <= background.TURN < usual == sys.getswitchinterval()
    with pytest.raises(ValueError, match="negative"):
        f([-1.0])
    assert Turns.seen.pop() <= background.TURN < usual == sys.getswitchinterval()
    held.touch()
    assert f.wait()
    f([1.0])
    assert Turns.seen.pop() == usual


def test_updates_and_shared_variables_go_on_across_the_change(held: Path) -> None:
    x, w = T.dvector("x"), graphlab.shared(np.zeros(2), "w")
    f = graphlab.function([x], w * 2, updates={w: w + x}, compile="background")
    for k in range(3):
        assert f([1.0, 2.0]).tolist() == [2.0 * k, 4.0 * k]
    w.set_value(np.array([10.0, 10.0]))
    held.touch()
    f.wait()
    assert f([1.0, 2.0]).tolist() == [20.0, 20.0]
    assert w.get_value().tolist() == [11.0, 12.0]


def test_random_streams_draw_the_same_numbers(held: Path) -> None:
    now = graphlab.function([], graphlab.RandomStream(5).normal(size=(3,)), mode="interpret")
    later = graphlab.function([], graphlab.RandomStream(5).normal(size=(3,)), compile="background")
    np.testing.assert_array_equal(now(), later())
    held.touch()
    later.wait()
    for _ in range(2):
        np.testing.assert_array_equal(now(), later())


def test_results_and_arguments_are_those_of_any_function(held: Path) -> None:
    x, y = T.dvector("x"), T.dvector("y")
    f = graphlab.function([x, In(y, value=np.ones(2))], {"sum": x + y, "same": x}, compile="background")
    at = np.array([1.0, 2.0])
    for _ in range(2):
        found = f(at)
        assert list(found) == ["sum", "same"]
        assert found["same"] is not at
        assert not np.shares_memory(found["same"], at)
        with pytest.raises(GraphTypeError, match="missing"):
            f()
        with pytest.raises(ValueError, match="test_background"):
            f(at, np.ones(3))
        held.touch()
        f.wait()


def test_what_looks_into_it_waits_for_it() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.exp(x) + 1, compile="background")
    assert "kernel_0" in f.c_source
    assert f.debug([1.0]).finish().findings == ()
    assert f.profile([1.0]).rows[0].kind == "kernel"
    other = graphlab.function([x], T.exp(x) + 2, compile="background")
    assert pickle.loads(pickle.dumps(other))([0.0]).tolist() == [3.0]
    assert other.copy()([0.0]).tolist() == [3.0]


def test_a_compiler_that_fails_is_a_warning_once_and_numpy_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "broken-cc"
    script.write_text('#!/bin/sh\n[ "$1" = --version ] && echo broken && exit\necho "error: broken" >&2\nexit 1\n')
    script.chmod(0o755)
    x = T.dvector("x")
    with using(cc=(str(script),), cache_dir=tmp_path / "cache"):
        f = graphlab.function([x], x + 1, name="unlucky", compile="background")
        assert f._pending is not None
        f._pending.wait()
    with pytest.warns(RuntimeWarning, match="unlucky goes on in NumPy.*broken"):
        assert f([1.0]).tolist() == [2.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f([1.0]).tolist() == [2.0]
    assert f.ready
    assert f.machine is None


def test_a_pass_that_breaks_is_a_warning_too() -> None:
    def broken(graph: graphlab.graph.node.Graph, name: str) -> graphlab.graph.node.Graph:
        raise ZeroDivisionError("inside the pass")

    x = T.dvector("x")
    mode = graphlab.mode("fast_run").including(graphlab.Pass("it breaks", function=broken))
    f = graphlab.function([x], T.sin(x), mode=mode, compile="background")
    with pytest.warns(RuntimeWarning, match="inside the pass"):
        f.wait()
    assert f([0.0]).tolist() == [0.0]


def test_the_thread_uses_the_options_of_who_asked_and_tells_nobody(tmp_path: Path) -> None:
    x = T.dvector("x")
    heard: list[Event] = []
    with using(cache_dir=tmp_path / "mine"), listen(heard.append):
        f = graphlab.function([x], x * 3, compile="background")
    f.wait()
    assert list((tmp_path / "mine").glob("*.so"))
    assert heard == []
    assert f.trace.build is not None


def test_many_threads_may_call_it_while_it_changes(held: Path) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x * x, compile="background")
    wrong = list[float]()

    def work(k: float) -> None:
        for _ in range(200):
            if f(np.full(3, k)).tolist() != [k * k] * 3:
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(4)]
    for thread in threads:
        thread.start()
    held.touch()
    for thread in threads:
        thread.join()
    f.wait()
    work(9.0)
    assert wrong == []


def test_the_child_of_a_fork_compiles_it_for_itself(held: Path) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x - 1, compile="background")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of forks beside threads
        child = os.fork()
    if child == 0:
        held.touch()
        os._exit(0 if f.wait(60) and f([3.0]).tolist() == [2.0] and f.machine is not None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    f.wait()
    assert f([3.0]).tolist() == [2.0]


def test_an_unknown_word_names_those_there_are() -> None:
    with pytest.raises(GraphValueError, match="'now', 'background'"):
        graphlab.function([], T.constant(1.0), compile="later")
