"""Symbolic extents: which variables certainly have the same shape, whatever the run brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.ops.lowering import Lowering, Pointwise, Reduction, Repeat, Runtime

# A known extent is its number. An unknown one is a set of atoms, each an extent that a leaf or an
# opaque op brings in: the broadcast of several unknown extents is the union of their sets, because the
# result's extent is a function of that set alone. (n,) and (m,) may differ although both are "?".
Extent = int | frozenset[int]
Extents = tuple[Extent, ...]
Axis = tuple[Variable, int]
_WHOLE = ((0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 1, 1), (0, 0, 0, 0, 1, -1))  # the slices of all elements
_MOST_ATOMS = 16  # beyond it a broadcast gets an atom of its own, so that sets stay small


class SymbolicShapes:
    """The symbolic extents of every variable of a graph; ask for variables in topological order.

    Shape equality is sound, not complete: equal extents are equal in every run (in which each axis of
    `given` has the extent that it is given).
    """

    def __init__(
        self, nodes: Sequence[Apply], lowerings: Mapping[Apply, Lowering], given: Mapping[Axis, Extent] | None = None
    ) -> None:
        self.leaf: dict[int, Axis] = {}  # the atoms that an axis of an input or a shared variable brings in
        self._given = given or {}
        self._known: dict[Variable, Extents] = {}
        self._atoms = 0
        self._lowerings = lowerings
        for node in nodes:
            for variable in node.outputs:
                self._known[variable] = self._of_output(node, variable, lowerings[node])

    def __getitem__(self, variable: Variable) -> Extents:
        if variable not in self._known:
            self._known[variable] = self._fresh(variable)
        return self._known[variable]

    def _fresh(self, variable: Variable) -> Extents:
        if variable.owner is None:
            return tuple(self._of_axis((variable, d)) if n is None else n for d, n in enumerate(variable.type.shape))
        return tuple(self._atom() if n is None else n for n in variable.type.shape)

    def _of_axis(self, axis: Axis) -> Extent:
        if axis in self._given:
            return self._given[axis]
        extent = self._atom()
        self.leaf[self._atoms] = axis
        return extent

    def _atom(self) -> Extent:
        self._atoms += 1
        return frozenset((self._atoms,))

    def _of_output(self, node: Apply, variable: Variable, lowering: Lowering) -> Extents:
        match lowering:
            case Pointwise():
                return self._broadcast(node, variable)
            case Reduction(axes, keepdims):
                kept = [
                    1 if d in axes else extent
                    for d, extent in enumerate(self[node.inputs[0]])
                    if keepdims or d not in axes
                ]
                return self._typed(variable, kept)
            case Runtime("broadcast_to"):
                return self._typed(variable, self._described(node.inputs[1], self._fresh(variable)))
            case Runtime("draw", (_, 1, *_)) if variable.index == 1:  # the other output is the state
                return self._typed(variable, self._described(node.inputs[1], self._fresh(variable)))
            case Runtime("sum_to"):
                return self._typed(variable, self[node.inputs[1]])
            case Runtime("scatter" | "accumulate"):
                return self._typed(variable, self[node.inputs[0]])
            case Runtime("arg_extreme", (_, _, axis, keepdims)):
                source = self[node.inputs[0]]
                return self._typed(variable, (*source[:axis], *(1,) * keepdims, *source[axis + 1 :]))
            case Runtime("index", (_, _, entries, *words)):
                return self._typed(variable, self._selected(node, variable, entries, iter(words)))
            case Runtime("gather", (at, rank, _, _, entries, *words)):
                return self._typed(variable, self._selected(node, variable, entries, iter(words), at, rank))
            case Runtime("arange") if [_scalar(v) for v in node.inputs[::2]] == [0, 1]:
                return (self._counted(node.inputs[1]) or self._fresh(variable)[0],)
            case Runtime("transpose", (_, *axes)):
                return self._typed(variable, [1 if a < 0 else self[node.inputs[0]][a] for a in axes])
            case Runtime("matmul"):
                return self._typed(variable, self._product(*(self[v] for v in node.inputs)))
            case Runtime("windows", (rank, *_)):
                fresh = self._fresh(variable)
                return self._typed(variable, [*self[node.inputs[0]][:-rank], *fresh[-2 * rank :]])
            case Runtime("max_pool", (rank, *_)):
                return self._typed(variable, [*self[node.inputs[0]][:-rank], *self._fresh(variable)[-rank:]])
            case Runtime("max_pool_input"):
                return self._typed(variable, self[node.inputs[0]])
            case Runtime("convolve"):
                batch, count = (self[v][0] for v in node.inputs)
                return self._typed(variable, [batch, count, *self._fresh(variable)[2:]])
            case Repeat():
                return self._typed(variable, self._of_loop(node, variable, lowering))
        return self._fresh(variable)

    def _selected(
        self, node: Apply, variable: Variable, entries: int, words: Iterator[int], at: int = 0, rank: int = 0
    ) -> Sequence[Extent]:
        """The part that a key (ops/index.py, _runtime_params) selects: axes that stay whole keep their extents."""
        source, fresh = iter(self[node.inputs[0]]), self._fresh(variable)
        own, kept = [*fresh[:at], *fresh[at + rank :]], list[Extent]()
        for _ in range(entries):
            entry = next(words)
            if entry == 0:
                kept.append(1)
                continue
            extent, numbers = next(source), tuple(islice(words, (0, 2, 6, 1)[entry]))
            if entry == 2:
                kept.append(extent if numbers in _WHOLE else own[len(kept)])
        arrays = [padded(self[v], rank) for v in node.inputs[1:] if v.ndim]
        kept += source
        return [*kept[:at], *(self._joined([a[d] for a in arrays]) for d in range(rank)), *kept[at:]]

    def _counted(self, scalar: Variable) -> Extent | None:
        """The extent that `scalar` is, if it is one of an array's."""
        match scalar.owner and self._lowerings.get(scalar.owner):
            case Runtime("index", (1, 0, 1, 1, 1, axis)) if scalar.owner is not None:
                like = self._shape_source(scalar.owner.inputs[0])
                return None if like is None else self[like][axis]
        return None

    def _of_loop(self, node: Apply, variable: Variable, loop: Repeat) -> Sequence[Extent]:
        """What a value is carried on from has its extents; a whole stack has a row for each element of a sequence."""
        starts = node.inputs[1 + loop.sequences :]
        traced = [k for k, r in enumerate(loop.recurrences) if r.traced]
        finals = [k for k, r in enumerate(loop.recurrences) if r.final]
        at, fresh = variable.index, self._fresh(variable)
        if len(traced) <= at < len(traced) + len(finals):
            return self[starts[finals[at - len(traced)]]]
        if loop.until or at >= len(traced) + len(finals) + loop.maps:
            return fresh
        whole = loop.sequences and loop.keep[at if at < len(traced) else at - len(finals)] is None
        first = self[node.inputs[1]][0] if whole else fresh[0]
        if at >= len(traced):
            return [first, *fresh[1:]]
        start, depth = self[starts[traced[at]]], loop.recurrences[traced[at]].depth
        return [first, *(start if depth == 1 else start[1:])]

    def _product(self, a: Extents, b: Extents) -> Extents:
        depth = max(len(a), len(b)) - 2
        batch = [self._joined(pair) for pair in zip(*(padded(e[:-2], depth) for e in (a, b)), strict=True)]
        return (*batch, *a[-2:-1], *b[-1:]) if len(b) > 1 else (*batch, *a[-2:-1])

    def _shape_source(self, vector: Variable) -> Variable | None:
        """The array whose shape `vector` is."""
        lowering = None if vector.owner is None else self._lowerings.get(vector.owner)
        if vector.owner is not None and isinstance(lowering, Runtime) and lowering.function == "shape_of":
            return vector.owner.inputs[0]
        return None

    def _described(self, vector: Variable, otherwise: Extents) -> Extents:
        """The extents that `vector` lists; those of `otherwise` where it does not tell."""
        like = self._shape_source(vector)
        if like is not None and like.ndim == len(otherwise):
            return self[like]
        match vector.owner and self._lowerings.get(vector.owner):
            case Runtime("stack_scalars") if vector.owner is not None and len(vector.owner.inputs) == len(otherwise):
                counted = map(self._counted, vector.owner.inputs)
                return tuple(n if c is None else c for c, n in zip(counted, otherwise, strict=True))
        return otherwise

    def _typed(self, variable: Variable, extents: Sequence[Extent]) -> Extents:
        return tuple(e if n is None else n for e, n in zip(extents, variable.type.shape, strict=True))

    def _broadcast(self, node: Apply, variable: Variable) -> Extents:
        operands = [padded(self[v], variable.ndim) for v in node.inputs]
        return self._typed(variable, [self._joined([o[d] for o in operands]) for d in range(variable.ndim)])

    def _joined(self, extents: Sequence[Extent]) -> Extent:
        known = [e for e in extents if isinstance(e, int) and e != 1]
        if known:
            return known[0]
        atoms = frozenset[int]().union(*(e for e in extents if not isinstance(e, int)))
        if not atoms:
            return 1
        return atoms if len(atoms) <= _MOST_ATOMS else self._atom()


def _scalar(variable: Variable) -> float | None:
    return variable.data.item() if isinstance(variable, Constant) else None


def padded(extents: Extents, ndim: int) -> Extents:
    """`extents` with axes of extent 1 in front, as broadcasting aligns them."""
    return (1,) * (ndim - len(extents)) + extents
