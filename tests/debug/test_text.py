"""What a session says: where it stands, the user's lines, the source, the C, and its command line."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.debug.session import Session
from graphlab.errors import GraphValueError


@pytest.fixture
def s() -> Session:
    x, w = T.matrix("x"), T.vector("w")
    z = x @ w
    z.name = "z"
    loss = (T.tanh(z) ** 2).sum()
    slope = T.grad(loss, w)  # asked here
    return graphlab.function([x, w], [loss, slope], name="f").debug(np.ones((3, 2)), [0.5, 1.0])


def test_ten_lines_around_the_position(s: Session) -> None:
    first = str(s).splitlines()
    assert first[0] == f"> f: before step 0 of {len(s.steps)}"
    assert sum(line.startswith("->") for line in first) == 1
    s.run(until="z")
    assert "z: float64[3] = [1.5 1.5 1.5]" in str(s)
    assert "test_text.py" in str(s)
    x = T.vector("x")
    y = x
    for _ in range(30):
        y = T.dot(T.exp(-y), y) * x
    many = graphlab.function([x], y).debug([0.1, 0.2])
    for position in (0, 11, 20, len(many.steps)):
        lines = str(many.goto(position)).splitlines()
        assert len([line for line in lines if not line.startswith(">")]) == 10
    assert "-> " not in str(many)
    assert "at the end" in str(many)


def test_where_shows_both_lines_of_a_gradient(s: Session) -> None:
    gradients = [k for k, step in enumerate(s.steps) if any(n.provenance.grad_of for n in step.nodes)]
    told = s.goto(gradients[-1]).where()
    assert "asked for the gradient of" in told
    assert "slope = T.grad(loss, w)  # asked here" in told
    assert "(gradient of matmul)" in told
    assert repr(told) == told  # a prompt shows it as it is
    assert "z = x @ w" in s.where("z")
    assert "x is given" in s.where("x")
    assert "->" in s.source("z")
    assert "z = x @ w" in s.source("z")


def test_c_has_values_beside(s: Session) -> None:
    k = next(step.index for step in s.steps if step.kind == "kernel")
    before = s.goto(k).c()
    assert "not computed yet" in before
    after = s.enter().finish().c()
    assert "gl_tanh" in after or "tanh" in after
    assert "// " in after
    assert "0.90515" in after  # tanh of 1.5


def test_without_c_it_says_so() -> None:
    x = T.vector("x")
    s = graphlab.function([x], T.exp(x), mode="interpret").debug([1.0])
    assert s.c() == "there is no C: NumPy runs this function"
    empty = graphlab.function([x], x, mode="interpret").debug([1.0])
    with pytest.raises(GraphValueError, match="no steps"):
        empty.where()


def play(s: Session, *commands: str) -> list[str]:
    said: list[str] = []
    feed: Iterator[str] = iter(commands)

    def read(prompt: str) -> str:
        assert prompt == "(graphlab) "
        try:
            return next(feed)
        except StopIteration:
            raise EOFError from None

    s.interact(read, said.append)
    return said


def test_the_command_line(s: Session) -> None:
    said = play(
        s, "n", "", "p", "c z", "p z.sum() + 1", "z", "w z.max()", "w", "b tanh", "b", "c", "d", "n", "u", "?", "q", "n"
    )
    shown, nexts, again, back = said[:4]
    assert shown == nexts.replace("step 1 of", "step 0 of") or "before step 0" in shown
    assert "before step 1 of" in nexts
    assert "before step 2 of" in again
    assert "before step 1 of" in back
    assert "stopped: z is computed" in said[4]
    assert said[5] == "5.5"
    assert said[6] == "[1.5 1.5 1.5]"
    assert said[7].startswith("z.max()")
    assert said[9].startswith("0: tanh")
    assert "stopped: breakpoint 0: tanh" in said[11]
    assert "kernel" in said[12].splitlines()[0]
    assert "before step 1 of" in said[13]
    assert said[14].startswith("> f:")
    assert "the next step" in said[15]
    assert len(said) == 16  # q leaves


def test_mistakes_at_the_command_line_are_told(s: Session) -> None:
    said = play(
        s,
        "p nothing",
        "b sinh",
        "b -7",
        "g 99",
        "e 1,2",
        "nonsense here",
        "c z",
        "e 1",
        "b nan",
        "b z.max() > 3",
        "b -0",
        "s",
        "k",
    )
    assert "nothing is called 'nothing'" in said[1]
    assert "'sinh'" in said[2]
    assert "no breakpoint 7" in said[3]
    assert "no position" in said[4]
    assert "of which variable" in said[5] or "no element" in said[5]
    assert "it is no expression" in said[6]
    assert said[8].startswith("z[1] = ")
    assert said[9].startswith("0: anywhere when nan")
    assert said[10].startswith("1: anywhere if z.max() > 3")
    assert said[11].startswith("1:")
    assert "->" in said[12]
    assert said[13]
