"""The loop language: its text, and the removal of locals that nobody uses."""

from __future__ import annotations

import pytest

from graphlab.graph.node import Graph
from graphlab.loops.ir import Accumulator, Assign, Element, For, Formula, Let, Literal, Name, Pointer
from graphlab.loops.text import expression, lines, program_text
from graphlab.loops.walk import used_names, without_unused
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from tests.lower.programs import var

ZERO, N = Literal(0, "int64"), Name("n0")


def element_of(array: str) -> Element:
    return Element(Name(array), Name("i"), "float64")


BODY = (
    Pointer(Name("row"), Name("p1"), ZERO, "float64"),
    Pointer(Name("idle"), Name("p2"), ZERO, "float64"),
    For(Name("i"), ZERO, N, (
        Let(Name("x"), "float64", element_of("row"), (0,)),
        Let(Name("y"), "float64", element_of("idle"), (1,)),
        Let(Name("z"), "float64", Formula("{0} + {0}", (Name("y"),), "float64"), (2,)),
        Assign(Name("out"), Name("x"), Name("i"), (0,)),
    )),
)  # fmt: skip


def test_locals_that_nobody_uses_go_and_what_only_they_used_too() -> None:
    row, loop = without_unused(BODY)
    assert row is BODY[0]
    assert isinstance(loop, For)
    assert [type(s).__name__ for s in loop.body] == ["Let", "Assign"]
    assert used_names(without_unused(BODY)) == {"p1", "row", "n0", "i", "x", "out"}


def test_a_local_goes_also_where_another_block_uses_one_of_its_name() -> None:
    near = Accumulator(Name("near"), "float64", None, 8)
    row = Pointer(Name("row"), Name("near"), ZERO, "float64")
    idle = For(Name("i"), ZERO, N, (near, row, Assign(Name("out"), ZERO, Name("i"))))
    reader = For(Name("i"), ZERO, N, (near, row, Assign(Name("out"), element_of("row"), Name("i"))))
    first, second = without_unused((idle, reader))
    assert isinstance(first, For)
    assert first.body == (idle.body[-1],)
    assert second == reader


def test_text_shows_loops_statements_and_node_numbers() -> None:
    assert list(lines(BODY[2])) == [
        "for i in range(0, n0):",
        "    x: float64 = row[i]  # 0",
        "    y: float64 = idle[i]  # 1",
        "    z: float64 = y + y  # 2",
        "    out[i] = x  # 0",
    ]


def test_a_program_as_text() -> None:
    x = var("float64")
    text = program_text(lower(Graph((x,), (e.negative(x), x))).program)
    assert text == (
        "inputs: [0]\n"
        "outputs: [1, 2]\n"
        "step 0\n"
        "    kernel_0: [0] -> [1] over 0 axes\n"
        "        x1: float64 = float64@(p1 + 0)  # 0\n"
        "        v0: float64 = (-x1)  # 0\n"
        "        float64@(p0 + 0) = v0  # 0\n"
        "step 1\n"
        "    copy_0: copy on [2, 0] with []\n"
    )


def test_what_has_no_text_says_so() -> None:
    with pytest.raises(TypeError, match="no text for int"):
        expression(3)  # type: ignore[arg-type]
