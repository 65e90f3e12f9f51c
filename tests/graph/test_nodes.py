"""Nodes: immutable, identity-compared, and each knows where it came from."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab import shared
from graphlab.errors import GraphTypeError
from graphlab.graph.node import Apply, Constant, Graph, Provenance, Variable, provenance
from graphlab.graph.types import TensorType, broadcast_shape
from graphlab.graph.walk import ancestors, free_inputs, leaves, rebuild, toposort, users


def test_nodes_refuse_assignment_and_variables_take_only_a_name() -> None:
    x = T.scalar("x")
    y = x + 1
    with pytest.raises(AttributeError, match="immutable"):
        y.owner.op = None
    with pytest.raises(AttributeError, match="immutable"):
        y.type = TensorType("int8")
    y.name = "y"
    assert y.name == "y"


def test_a_node_knows_the_users_line() -> None:
    x = T.scalar("x")
    y = T.exp(x) * 2
    assert y.origin is not None
    assert y.origin.text == "y = T.exp(x) * 2"
    assert y.origin.function == "test_a_node_knows_the_users_line"
    assert x.origin is not None
    assert x.origin.text == 'x = T.scalar("x")'


def test_provenance_in_force_is_given_to_new_nodes() -> None:
    x = T.scalar("x")
    why = Provenance(rule="a -> b")
    with provenance(why):
        y = x + 1
    assert y.owner.provenance is why
    assert (x + 1).owner.provenance is not why


def test_a_constant_is_a_read_only_copy_and_its_key_tells_bits() -> None:
    data = np.ones(3)
    c = Constant(data)
    data[0] = 5
    assert c.data[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        c.data[0] = 2
    assert Constant(0.0).key != Constant(-0.0).key
    assert Constant(np.float32(1)).key != Constant(1.0).key
    assert Constant([1, 2]).key == Constant([1, 2]).key


def test_shared_values_are_copied_in_and_out() -> None:
    start = np.zeros(2)
    s = shared(start, "s")
    start[0] = 9
    s.get_value()[1] = 9
    np.testing.assert_array_equal(s.get_value(), [0, 0])
    s.set_value([1, 2, 3])
    np.testing.assert_array_equal(s.get_value(), [1, 2, 3])
    with pytest.raises(GraphTypeError, match="s: expected"):
        s.set_value([[1.0]])
    with pytest.raises(GraphTypeError):
        shared(np.zeros(2, "float32")).set_value(1j * np.ones(2))


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [([(3,), (None,)], (3,)), ([(1,), (None,)], (None,)), ([(2, 1), (3,)], (2, 3)), ([()], ()),
     ([(None, 4), (1,)], (None, 4))],
)  # fmt: skip
def test_static_broadcasting(shapes: list[tuple[int | None, ...]], expected: tuple[int | None, ...]) -> None:
    assert broadcast_shape(shapes) == expected


def test_static_broadcasting_refuses_a_clash() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        broadcast_shape([(2,), (3,)])


def test_walks_are_in_order_and_each_node_once() -> None:
    x, y = T.scalars("x", "y")
    s = x + y
    z = s * s
    order = toposort([z, s])
    assert [n.op.name for n in order] == ["add", "multiply"]
    assert ancestors([z]) == [x, y, s, z]
    assert leaves([z]) == [x, y]
    assert free_inputs([z * 2]) == [x, y]
    assert [(n.op.name, i) for n, i in users(Graph((x, y), (z,)))[s]] == [("multiply", 0), ("multiply", 1)]


def test_rebuild_replaces_all_at_once_and_shares_the_rest() -> None:
    x, y = T.scalars("x", "y")
    kept = T.exp(y)
    z = x * kept + y
    (swapped,) = rebuild([z], {x: y, y: x})
    assert swapped.eval({x: 2.0, y: 0.0}) == 0.0 * np.exp(2.0) + 2.0
    (other,) = rebuild([z], {x: y})
    assert other.owner.inputs[0].owner.inputs[1] is kept


def test_a_deep_graph_needs_no_recursion() -> None:
    x: Variable = T.scalar("x")
    h = x
    for _ in range(100_000):
        h = T.sin(h)
    assert len(toposort([h])) == 100_000
    assert isinstance(rebuild([h], {x: T.scalar("y")})[0].owner, Apply)
