"""Factorisations are shared: what the graph has factorised, or reads only the values of, is not factorised again.

A rule can't see what else the graph computes; so here the rules are made for one graph, with what was seen
in it. They add no error and drop none: a Cholesky factor that is there says by itself that its matrix is
positive definite, so neither singular nor without a logarithm of its determinant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphlab.dtypes import COMPLEX
from graphlab.graph.node import Apply, Graph, Variable
from graphlab.graph.walk import toposort
from graphlab.ops.base import Op
from graphlab.ops.decompositions import Cholesky
from graphlab.ops.determinants import Det, SLogDet
from graphlab.ops.eigen import Eigh, EigvalsH
from graphlab.ops.elementwise import exp, log, multiply, sign
from graphlab.ops.grids import diagonal
from graphlab.ops.join import eye
from graphlab.ops.products import Prod
from graphlab.ops.reduce import Sum
from graphlab.ops.shape import extent
from graphlab.ops.singular import SVD, SingularValues
from graphlab.ops.systems import Inv, Solve, SolveTriangular
from graphlab.rewrite.driver import apply_rules
from graphlab.rewrite.rule import ROUNDING, NodeRule
from graphlab.rewrite.structure import symmetric, untransposed

Made = Variable | Sequence[Variable] | None


@dataclass(frozen=True)
class Seen:
    """What a graph computes: the Cholesky factors of symmetric matrices, the slogdet of matrices, what is read."""

    factors: dict[Variable, Variable]
    logarithms: dict[Variable, Apply]
    read: frozenset[Variable]

    @classmethod
    def of(cls, nodes: Iterable[Apply], outputs: Iterable[Variable]) -> Seen:
        """What `nodes` compute and read, `outputs` being read too."""
        factors, logarithms, read = {}, {}, set(outputs)
        for node in nodes:
            read.update(node.inputs)
            if isinstance(node.op, SLogDet):
                logarithms[node.inputs[0]] = node
            if isinstance(node.op, Cholesky) and node.inputs[0].dtype not in COMPLEX and symmetric(node.inputs[0]):
                factors[node.inputs[0]] = node.outputs[0]
        for a, factor in list(factors.items()):
            source = untransposed(a)
            if source is not None:
                factors.setdefault(source, factor)
        return cls(factors, logarithms, frozenset(read))

    def factor(self, a: Variable) -> Variable | None:
        """The factor of the matrices `a`, if there is one; of symmetric matrices it is that of their transposes."""
        source = untransposed(a)
        return self.factors.get(a if source is None or a in self.factors else source)


# ---- by a factor that is there -------------------------------------------------------------------


def solved(node: Apply, seen: Seen) -> Made:
    """L L^T X = B is solved from the left and from the right of L."""
    a, b = node.inputs
    factor = seen.factor(a)
    return None if factor is None else _solved_by(factor, b)


def inverted(node: Apply, seen: Seen) -> Made:
    """The inverse is the X of L L^T X = I."""
    factor = seen.factor(node.inputs[0])
    return None if factor is None else _solved_by(factor, eye(extent(factor, -1), dtype=factor.dtype))


def _solved_by(factor: Variable, b: Variable) -> Variable:
    solution: Variable = SolveTriangular(True, "T")(factor, SolveTriangular(True)(factor, b))
    return solution


def slogdet(node: Apply, seen: Seen) -> Made:
    """The determinant of L L^T is the square of that of L."""
    factor = seen.factor(node.inputs[0])
    if factor is None:
        return None
    d = diagonal(factor, 0, -2, -1)
    over = (d.ndim - 1,)
    return Prod(over)(sign(d)), multiply(2, Sum(over)(log(d)))


def det(node: Apply, seen: Seen) -> Made:
    """As NumPy has it, the sign times exp of the logarithm."""
    (a,) = node.inputs
    if a in seen.logarithms:
        side, logarithm = seen.logarithms[a].outputs
    else:
        pieces = slogdet(node, seen)
        if pieces is None or isinstance(pieces, Variable):
            return None
        side, logarithm = pieces
    result: Variable = multiply(side, exp(logarithm))
    return result if a.dtype not in COMPLEX else None


# ---- what nobody reads ---------------------------------------------------------------------------


def values_alone(node: Apply, seen: Seen) -> Made:
    """The singular values, or eigenvalues, where nothing reads the vectors."""
    at, values = (0, EigvalsH(node.op.lower)) if isinstance(node.op, Eigh) else (1, SingularValues())
    others = [v for i, v in enumerate(node.outputs) if i != at]
    if node.outputs[at] not in seen.read or any(v in seen.read for v in others) or node.provenance.rule == VALUES:
        return None
    unread = list(node.op.apply(*node.inputs).outputs)
    unread[at] = values(*node.inputs)
    return unread


VALUES = "svd(a) -> svdvals(a)"
TABLE: tuple[tuple[str, Callable[[Apply, Seen], Made], tuple[type[Op], ...], str], ...] = (
    ("solve(a, b) -> by cholesky(a)", solved, (Solve,), "where the graph has it, and a is symmetric"),
    ("inv(a) -> by cholesky(a)", inverted, (Inv,), "where the graph has it, and a is symmetric"),
    ("slogdet(a) -> by cholesky(a)", slogdet, (SLogDet,), "where the graph has it, and a is symmetric"),
    ("det(a) -> by slogdet(a)", det, (Det,), "where the graph has it, or cholesky(a) of a symmetric a"),
    (VALUES, values_alone, (SVD, Eigh), "where nothing reads the vectors; also eigh"),
)


def rules_for(graph: Graph) -> list[NodeRule]:
    """The rules for `graph`; none if it has no matrices of which two things are asked."""
    nodes = toposort(graph.outputs, graph.inputs)
    concerned = tuple(kind for _, _, kinds, _ in TABLE for kind in kinds)
    if not any(isinstance(node.op, concerned) for node in nodes):
        return []
    seen = Seen.of(nodes, graph.outputs)
    return [
        NodeRule(name, ROUNDING, lambda node, make=make: make(node, seen), kinds, because=because)  # type: ignore[misc]
        for name, make, kinds, because in TABLE
    ]


def share_factors(graph: Graph, pass_name: str = "factors") -> Graph:
    """`graph` with each matrix factorised as seldom as may be; what stands behind a rewrite gets another turn."""
    while rules := rules_for(graph):
        after = apply_rules(graph, rules, pass_name=pass_name)
        if all(a is b for a, b in zip(after.outputs, graph.outputs, strict=True)):
            break
        graph = after
    return graph
