"""What is known of the extents of parts: they are certainly those of the arrays that they come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import graphlab.tensor as T
from graphlab.graph.node import Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.lower.expand import expand, lowerings
from graphlab.lower.extents import Extent, SymbolicShapes


def extents(inputs: Sequence[Variable], *outputs: Variable) -> list[tuple[Extent, ...]]:
    graph = expand(Graph(tuple(inputs), outputs))
    nodes = tuple(toposort(graph.outputs, graph.inputs))
    shapes = SymbolicShapes(nodes, lowerings(nodes))
    return [shapes[v] for v in (*graph.inputs, *graph.outputs)]


def test_axes_that_stay_whole_keep_their_extents() -> None:
    x, i = T.dtensor3("x"), T.lscalar("i")
    (a, b, c), _, column, turned, part = extents([x, i], x[:, i, None], x[::-1, ..., ::1], x[1:, i])
    assert column == (a, 1, c)
    assert turned == (a, b, c)
    assert part[1] == c
    assert part[0] not in (a, b, c)


def test_axes_of_index_arrays_have_the_extents_of_the_arrays() -> None:
    x, i, j = T.dtensor3("x"), T.lmatrix("i"), T.lvector("j")
    (a, b, c), (m, n), (k,), rows, inside, apart = extents([x, i, j], x[i], x[:, j], x[j, :, j])
    assert rows == (m, n, b, c)
    assert inside == (a, k, c)
    assert apart == (k, b)


def test_a_range_over_an_axis_has_its_extent() -> None:
    p, t = T.dmatrix("p"), T.lvector("t")
    _, (n,), picked, counted, other = extents(
        [p, t], p[T.arange(t.shape[0]), t], T.arange(t.shape[0]), T.arange(1, t.shape[0])
    )
    assert picked == counted == (n,)
    assert other != (n,)


def test_an_array_that_is_written_into_or_summed_along_keeps_its_shape() -> None:
    x = T.dmatrix("x")
    shape, written, summed, found, kept = extents(
        [x], T.set_subtensor(x[1:, 0], np.pi), T.cumsum(x, 0), T.argmax(x, 0), T.argmax(x, 1, keepdims=True)
    )
    assert written == summed == shape
    assert found == shape[1:]
    assert kept == (shape[0], 1)


def test_what_is_stretched_has_the_extents_that_the_shape_lists() -> None:
    x, c, n = T.dmatrix("x"), T.dscalar("c"), T.lscalar("n")
    (a, b), _, _, like, listed, other = extents(
        [x, c, n], T.broadcast_to(c, x.shape), T.broadcast_to(c, (3, x.shape[1], 1)), T.broadcast_to(c, (n, x.shape[0]))
    )
    assert like == (a, b)
    assert listed == (3, b, 1)
    assert other[0] not in (a, b)
    assert other[1] == a
