"""The names that real programs for Theano use have a name here, or an entry that says what to use instead.

theano_names.csv counts the uses in some twenty programs: libraries, tutorials, research code. `here` is the name in
graphlab, or "-: " and a reason or a way.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import graphlab
import graphlab.tensor as T

ROWS = list(csv.DictReader((Path(__file__).parent / "theano_names.csv").read_text().splitlines()))
NAMED = [row for row in ROWS if not row["here"].startswith("-: ")]


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row["name"])
def test_a_name_of_theano_is_here(row: dict[str, str]) -> None:
    root, *path = row["here"].removesuffix("()").replace("()", "").split(".")
    thing: Any = {"graphlab": graphlab, "T": T}[root]
    for name in path:
        thing = thing() if thing is graphlab.options else thing
        assert hasattr(thing, name), f"{row['name']} should be {row['here']}"
        thing = getattr(thing, name)


def test_what_is_left_out_is_told_why() -> None:
    left_out = [row for row in ROWS if row["here"].startswith("-")]
    assert all(len(row["here"]) > len("-: a") for row in left_out)
    assert len({row["name"] for row in ROWS}) == len(ROWS)


def test_most_uses_are_of_names_that_are_here() -> None:
    uses = sum(int(row["count"]) for row in ROWS)
    here = sum(int(row["count"]) for row in NAMED)
    assert here / uses > 0.9
    tensor = [row for row in ROWS if row["name"].startswith("theano.tensor.")]
    missing = [row["name"] for row in tensor if row not in NAMED]
    assert len(missing) < 0.05 * len(tensor), missing


def test_theanos_own_spellings_compute_the_same() -> None:
    x = T.dmatrix("x")
    for theano, numpy in (("sqr", "square"), ("inv", "reciprocal"), ("neq", "not_equal"), ("psi", "digamma"),
                          ("abs_", "absolute"), ("round_half_to_even", "rint"), ("sgn", "sign")):  # fmt: skip
        assert getattr(T, theano) is getattr(T, numpy)
    assert T.alloc(1.0, 2, 3).eval().shape == (2, 3)
    assert T.fill(x, 7).eval({x: [[1.0, 2.0]]}).tolist() == [[7, 7]]
