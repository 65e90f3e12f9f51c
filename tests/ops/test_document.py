"""docs/ops.md is what the operations say of themselves, and leaves none of them out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np

import graphlab.tensor as T
from graphlab.ops.document import document

PAGE = Path(__file__).parents[2] / "docs" / "ops.md"


@cache
def page() -> str:
    """The page as the operations now write it."""
    return document()


def row(text: str) -> list[str]:
    """The cells of the row that starts with the code `text`."""
    (line,) = [line for line in page().splitlines() if re.match(rf"\| `{re.escape(text)}", line)]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m graphlab.ops.document > docs/ops.md"


def test_every_public_operation_has_a_row() -> None:
    text = page()
    public = {getattr(T, name) for name in T.__all__}
    ops = [f for f in public if str(getattr(f, "__module__", "")).startswith("graphlab.ops.") and callable(f)]
    names = {getattr(f, "name", None) or f.__name__ for f in ops}
    assert len(names) > 150
    assert {name for name in names if f"`{name}(" not in text} == set()


def test_a_gradient_is_written_by_the_op_itself() -> None:
    assert row("exp(x)")[2] == "`dx = g*r`"
    assert row("multiply(x, y)")[2] == "`dx = g*y`<br>`dy = g*x`"
    assert row("floor(x)")[2] == "0"
    assert row("cumsum(x")[2] == "`dx = cumsum(g[::-1, :], axis=0)[::-1, :]`"


def test_dtypes_are_those_of_numpy() -> None:
    assert row("less(x, y)")[3] == "any -> bool"
    assert row("subtract(x, y)")[3] == "number -> same"
    assert row("true_divide(x, y)")[3] == "bool, integer -> float64; float, complex -> same"
    assert np.sum(np.ones(1, "bool")).dtype == np.int64
    assert row("sum(x")[3].startswith("bool -> int64;")


def test_it_says_what_an_op_becomes() -> None:
    assert row("add(x, y)")[4] == r"`(x + y)`<br>bool: `(x \| y)`"
    assert row("sum(x")[4] == "fold `a + x`"
    assert row("sort(x")[4].startswith("NumPy: ")


def test_a_table_has_as_many_cells_in_each_row_as_in_its_head() -> None:
    width = 0
    for line in page().splitlines():
        cells = len(re.split(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert cells in (0, width) or width == 0, line
        width = cells
