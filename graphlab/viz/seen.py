"""Other parts of arrays than the first, which a page asks for one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.errors import GraphlabError
from graphlab.graph.node import Apply
from graphlab.viz.values import window

if TYPE_CHECKING:
    from graphlab.debug.session import Session
    from graphlab.viz.record import Recorder

BUDGET = 1_000_000  # characters of windows that a page holds
SLICES, PAGES = 40, 12  # of one value, that it may hold

# A node, the place where the session stands, the number of an output, a slice, and the first element.
_PART = re.compile(r"(\w{1,20})@[^@]{0,200}@(\d{1,4})@((?:\d{1,9},)*(?:\d{1,9})?)@(\d{1,18}),(\d{1,18})")


def part(recorder: Recorder, session: Session | None, key: str) -> dict[str, Any]:
    """Another window of a value, as in "n7@3@0@2@6,8": of output 0 of n7 slice 2, from row 6 and column 8 on.

    {"waiting": why} where there is no value; ValueError: there is no such place.
    """
    found = _PART.fullmatch(key)
    node = recorder.nodes.get(found[1]) if found else None
    if found is None or node is None or session is None:
        raise ValueError(f"there is no part {key[:40]!r}")
    outputs = node.outputs if isinstance(node, Apply) else (node,)
    if int(found[2]) >= len(outputs):
        raise ValueError(f"{found[1]} has no output {found[2]}")
    try:
        value = session.look(outputs[int(found[2])]).value
    except GraphlabError as error:
        return {"waiting": error.message}
    at = [int(k) for k in found[3].split(",") if k]
    return window(value, at, (int(found[4]), int(found[5])))


def held(recorder: Recorder, session: Session, values: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Answers for a page without Python: other windows of the `values` it has, within BUDGET."""
    answers, left = dict[str, Any](), BUDGET
    for name, outputs in values.items():
        node = recorder.nodes[name]
        for k, (v, output) in enumerate(
            zip(node.outputs if isinstance(node, Apply) else (node,), outputs, strict=True)
        ):
            places = [place for place in _places(output) if place != (output["at"], output["corner"])]
            value = session.value(v) if places else np.zeros(0)
            for at, corner in places:
                found = window(value, at, (corner[0], corner[1]))
                left -= len(str(found))
                if left < 0:
                    return answers
                answers[f"window:{name}@@{k}@{','.join(map(str, at))}@{corner[0]},{corner[1]}"] = found
    return answers


def _places(output: Mapping[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """The windows of a value that a page holds: its slices if they are few, and the pages of each if these are."""
    shape, (rows, columns), (down, across) = output["shape"], output["of"], output["page"]
    corners = [[i, j] for i in range(0, rows, down) for j in range(0, columns, across)]
    if len(corners) > PAGES:
        corners = [output["corner"], [0, 0]] if output["corner"] != [0, 0] else [[0, 0]]
    slices = [list(at) for at in product(*map(range, shape[:-2]))] if np.prod(shape[:-2], initial=1) <= SLICES else []
    yield from ((at, corner) for at in slices or [output["at"]] for corner in corners)
