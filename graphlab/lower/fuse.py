"""Which applications share a kernel, and why, and why not.

Applications are placed from the outputs back to the inputs, so that all users of a value have their
place before it. One joins the kernel of its users where nothing is computed twice by that and no cycle of
kernels arises. For the latter every group has a height, and whoever reads from another group is lower
than it: a group may take in a value that lower groups read as well. Such a value is stored, unless it is made of
smaller arrays by a few cheap operations: then the lower groups compute it again. What a group's loops look like, and
how each value lies in them, is in space.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import users
from graphlab.lower.extents import Axis, Extent, SymbolicShapes
from graphlab.lower.space import Alias, Map, Space, alias_of, common, fold_space, renumbered, within, without_reduced
from graphlab.ops.lowering import Host, Lowering, Pointwise, Reduction, Runtime

MOST_NODES = 200  # the C compiler's time must stay linear
MOST_OPERANDS = 60
MOST_STEPS = 20  # from a value back to the reduction that it is made from
MOST_AGAIN = 4  # operations that are computed again rather than stored


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """What one step computes: a kernel's applications, or one that is called (`space` None).

    `inputs` are the arrays that it reads, `outputs` those that it writes, `apart` the inputs that
    another step computes, each with why it is not computed here. `maps` says along which loops each value
    lies; `rows` are the applications computed once for each row.
    """

    nodes: tuple[Apply, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    space: Space | None = None
    maps: Mapping[Variable, Map] = field(default_factory=dict)
    rows: frozenset[Apply] = frozenset()
    apart: tuple[tuple[Variable, str], ...] = ()

    @property
    def kernel(self) -> bool:
        """Whether its code is generated."""
        return self.space is not None

    @property
    def reason(self) -> str:
        """Why these applications share a step, and why others do not, as text."""
        names = ", ".join(node.op.name for node in self.nodes)
        if not self.kernel:
            first = f"{names} is called by itself"
        elif len(self.nodes) == 1:
            first = f"{names} has a kernel of its own"
        else:
            first = f"{names} share one loop: what passes between them is not needed as an array"
        whys = dict.fromkeys(f"{v.owner.op.name}: {why}" for v, why in self.apart if v.owner is not None)
        return "; ".join([first, *(f"apart from {why}" for why in whys)])


@dataclass(eq=False, slots=True)
class _Group:
    """A unit in the making. `space` None: a call, which nothing can join."""

    height: int
    space: Space | None
    nodes: list[Apply] = field(default_factory=list)
    rows: set[Apply] = field(default_factory=set)
    maps: dict[Variable, Map] = field(default_factory=dict)
    inputs: dict[Variable, None] = field(default_factory=dict)
    outputs: dict[Variable, None] = field(default_factory=dict)
    merged_into: _Group | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """How an application joins a group: the space afterwards, and the maps of its operands in it.

    `row`: it is computed once for each row. `lift`: where the axes of the group's space lie in the new one,
    if that is another: then what the group computes is computed for each row.
    """

    space: Space | None
    maps: Mapping[Variable, Map]
    row: bool = False
    lift: Map | None = None

    def lifted(self, group: _Group) -> dict[Variable, Map]:
        """The maps of the group's values in the new space."""
        return group.maps if self.lift is None else renumbered(group.maps, self.lift)

    def agrees(self, group: _Group) -> bool:
        """Whether what is read by the group already is read in one way."""
        before = self.lifted(group)
        return all(before.get(v, map) == map for v, map in self.maps.items())


def is_scalar_constant(variable: Variable) -> bool:
    """Whether kernels write `variable` as a number instead of reading an array."""
    return isinstance(variable, Constant) and variable.data.size == 1


def fuse(
    graph: Graph,
    nodes: Sequence[Apply],
    lowerings: Mapping[Apply, Lowering],
    given: Mapping[Axis, Extent] | None = None,
) -> tuple[Unit, ...]:
    """The units that compute `graph`, whose applications are `nodes` in topological order, in an order to run in.

    `given`: extents of inputs' axes that may be relied on.
    """
    fusion = _Fusion(graph, nodes, lowerings, given)
    for node in reversed(nodes):
        fusion.place(node)
    return fusion.units(nodes)


class _Fusion:
    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[Apply],
        lowerings: Mapping[Apply, Lowering],
        given: Mapping[Axis, Extent] | None,
    ) -> None:
        self.lowerings = lowerings
        self.shapes = SymbolicShapes(nodes, lowerings, given)
        self.users = users(graph)
        self.wanted = set(graph.outputs)
        self.place_of: dict[Apply, _Group] = {}
        self.copies: dict[Apply, list[_Group]] = {}  # the groups that compute it again
        self.length: dict[Variable, int] = {}
        self.why_apart: dict[Variable, str] = {}

    def group(self, node: Apply) -> _Group:
        """Where `node` was placed, and stores what others read."""
        found = self.place_of[node] = _final(self.place_of[node])
        return found

    def groups(self, node: Apply) -> list[_Group]:
        """All groups that compute `node`."""
        return [self.group(node), *map(_final, self.copies.get(node, ()))]

    def readers(self, node: Apply) -> list[_Group]:
        """The groups that read an output of `node`, each once."""
        reading = (group for v in node.outputs for user, _ in self.users.get(v, ()) for group in self.groups(user))
        return list(dict.fromkeys(reading))

    # ---- placing -----------------------------------------------------------------------------------

    def place(self, node: Apply) -> None:
        """Put `node` into its users' group, or into a new one."""
        readers = self.readers(node)
        lowering = self.lowerings[node]
        alias = alias_of(node, self.lowerings)
        if alias is not None or isinstance(lowering, Pointwise | Reduction):
            height = max((g.height for g in readers), default=0)
            top = [g for g in readers if g.height == height]
            copies = self.again(node, lowering, [g for g in readers if g.height < height])
            stored = node.output in self.wanted or len(top) + len(copies) < len(readers)
            place = self.place_in(node, lowering, alias, top, stored)
            if isinstance(place, _Place):
                self.join(node, _merged(top), place, stored)
                for group, other in copies.items():
                    self.join(node, group, other, stored=False)
                return
            self.why_apart[node.output] = place
        else:
            self.why_apart.update(dict.fromkeys(node.outputs, _kind(lowering)))
        self.found(node, lowering, alias, readers)

    def place_in(
        self, node: Apply, lowering: Lowering, alias: Alias | None, top: Sequence[_Group], stored: bool
    ) -> _Place | str:
        """How `node` joins the groups `top` that read it, merged into one; as text why it cannot."""
        if not top:
            return "it is an output and nothing else reads it"
        spaces = [g.space for g in top if g.space is not None]
        if len(spaces) < len(top):
            return f"{_names(g for g in top if g.space is None)} needs it as an array"
        space, map = common(spaces), _agreed(g.maps.get(node.output) for g in top)
        if space is None or map is None or not _consistent(top):
            return "several kernels read it"
        if sum(len(g.nodes) for g in top) >= MOST_NODES:
            return f"the kernel is full ({MOST_NODES} operations)"
        operands = set(node.inputs).union(*(g.inputs for g in top), *(g.outputs for g in top))
        if len(operands) > MOST_OPERANDS:
            return f"the kernel is full ({MOST_OPERANDS} operands)"
        rows = set[Apply]().union(*(g.rows for g in top))
        inside = [u for u, _ in self.users.get(node.output, ()) if not set(top).isdisjoint(self.groups(u))]
        used_inside, used_by_rows = any(u not in rows for u in inside), any(u in rows for u in inside)
        match lowering:
            case Pointwise():
                place = self.pointwise(node, lowering, space, map, stored, used_inside, used_by_rows)
            case Reduction():
                place = self.reduction(node, lowering, space, map, self.is_awaited(node, top, rows))
            case _:
                assert alias is not None
                place = self.alias(node, alias, space, map, stored, used_inside)
        if isinstance(place, _Place) and not all(place.agrees(g) for g in top):
            return "the kernel reads it in another way too"
        return place

    def pointwise(
        self,
        node: Apply,
        lowering: Pointwise,
        space: Space,
        map: Map,
        stored: bool,
        used_inside: bool,
        used_by_rows: bool,
    ) -> _Place | str:
        extents = self.shapes[node.output]
        maps = {v: within(map, v.ndim) for v in node.inputs if not is_scalar_constant(v)}
        space = space if space.reduce else self.by_rows(node, space, map)
        repeated = node.output.ndim == 0 or self.cheap(node, lowering)
        row = space.fills_rows(extents, map) or (used_by_rows and repeated and space.is_row(extents, map))
        if row and (not used_inside or (space.in_rows and space.folds)):
            if stored and not space.same_rows(extents, map):
                return "it is needed elsewhere too, and may differ in shape"
            return _Place(space, maps, row=True)
        if used_by_rows and not (node.output.ndim == 0 and space.kept):
            return "broadcasting would compute it again and again"
        if stored and (map != space.whole or extents != space.extents):
            return "it is needed elsewhere too, and may differ in shape"
        if stored and space.reduce and not space.in_rows:
            return "it is needed elsewhere too, and the kernel folds columns"
        if not (repeated or space.fills(extents, map)):
            return "broadcasting would compute it again and again"
        return _Place(space, maps)

    def is_awaited(self, node: Apply, top: Sequence[_Group], rows: set[Apply]) -> bool:
        """Whether elements in the groups `top` are made of the result of `node`, perhaps by way of rows' values."""
        seen, queue = {node}, [node]
        for found in queue:
            for user in dict.fromkeys(user for user, _ in self.users.get(found.output, ())):
                if user in seen or set(top).isdisjoint(self.groups(user)):
                    continue
                if user not in rows:
                    return True
                seen.add(user)
                queue.append(user)
        return False

    def reduction(self, node: Apply, lowering: Reduction, space: Space, map: Map, awaited: bool) -> _Place | str:
        operand, axes = node.inputs[0], lowering.axes
        extents = self.shapes[operand]
        around = fold_space(extents, operand.type.shape, axes)
        maps = {operand: around.whole}
        form = around.whole if lowering.keepdims else around.kept
        if not space.reduce and map == space.whole and space.extents == self.shapes[node.output]:
            return _Place(around, maps, lift=form)  # what follows is computed for each row
        if space.reduce == axes and not space.folds and map == form and space.of_row == around.of_row:
            return _Place(around, maps)
        if space.reduce not in ((), axes) or space.extents != extents or map != form:
            return "a reduction of other elements ends its kernel"
        if awaited and not around.many_rows:
            return "all elements are needed before the first is used"
        if awaited and not around.in_rows:
            return "it folds columns, and whole rows are needed before the first element is used"
        return _Place(around, maps)

    def alias(self, node: Apply, alias: Alias, space: Space, map: Map, stored: bool, used_inside: bool) -> _Place | str:
        """A view within a kernel is another name for the value of a row."""
        operand, view = node.inputs[0], "it is a view of what is in memory"
        extents = self.shapes[operand]
        if alias.dropped:
            if any(extents[a] != 1 for a in alias.dropped):
                return view
            if not space.reduce and map == space.whole and space.extents == self.shapes[node.output]:
                around = Space(extents, operand.type.shape, alias.dropped)
                return _Place(around, {operand: around.whole}, row=True, lift=around.kept)
            if space.reduce == alias.dropped and map == space.kept and space.same_rows(self.shapes[node.output], map):
                return _Place(space, {operand: space.whole}, row=True)
            return view
        around = fold_space(space.extents, space.static, alias.added) if not space.reduce else space
        fits = around.reduce == alias.added and map == around.whole and around.fills_rows(self.shapes[node.output], map)
        if not fits or (used_inside and not (around.in_rows and around.many_rows)):
            return view
        if stored and not around.same_rows(self.shapes[node.output], map):
            return view
        return _Place(around, {operand: around.kept}, row=True)

    def by_rows(self, node: Apply, space: Space, map: Map) -> Space:
        """`space` as rows, if `node` has an element for each and is made from a reduction of their elements."""
        extents = self.shapes[node.output]
        if map != space.whole:
            return space
        axes = tuple(d for d in space.whole if extents[d] == 1 != space.extents[d])
        around = fold_space(space.extents, space.static, axes)
        if not (axes and around.in_rows and around.many_rows and around.same_rows(extents, map)):
            return space
        seen, queue = {node}, [node]
        for found in queue:
            lowering = self.lowerings[found]
            if isinstance(lowering, Reduction):
                if lowering.axes == axes and self.shapes[found.inputs[0]] == space.extents:
                    return around
            elif isinstance(lowering, Pointwise) and len(queue) < MOST_STEPS and self.shapes[found.output] == extents:
                fresh = [v.owner for v in found.inputs if v.owner in self.lowerings and v.owner not in seen]
                seen.update(owner for owner in fresh if owner is not None)
                queue += [owner for owner in fresh if owner is not None]
        return space

    def again(self, node: Apply, lowering: Lowering, lower: Sequence[_Group]) -> dict[_Group, _Place]:
        """How each of the `lower` groups computes `node` for itself, if all of them can and had better."""
        if not lower or node.output in self.wanted or not 0 < self.steps_from_smaller(node.output) <= MOST_AGAIN:
            return {}
        places = {group: self.place_in(node, lowering, None, [group], stored=False) for group in lower}
        found = {group: place for group, place in places.items() if isinstance(place, _Place)}
        return found if len(found) == len(lower) else {}

    def steps_from_smaller(self, v: Variable) -> int:
        """How many operations make `v` of arrays that lack axes of it, or are 1 long there; 0: it isn't made so.

        Only of a few operators, and such arrays as are in memory or in a kernel of their own.
        """
        if v not in self.length:
            self.length[v] = self._steps_from_smaller(v)
        return self.length[v]

    def _steps_from_smaller(self, v: Variable) -> int:
        lowering = None if v.owner is None else self.lowerings.get(v.owner)
        if v.owner is None or not isinstance(lowering, Pointwise) or is_costly(lowering) or not v.ndim:
            return 0
        steps = 1
        for u in dict.fromkeys(v.owner.inputs):
            long, whole = ([d for d, e in enumerate(self.shapes[w]) if e != 1] for w in (u, v))
            if u.ndim == v.ndim and long == whole:
                further = self.steps_from_smaller(u)
                if not further:
                    return 0
                steps += further
        return steps

    def cheap(self, node: Apply, lowering: Pointwise) -> bool:
        """Whether computing `node` again costs no more than reading it: an operator on arrays that exist."""
        exist = all(v.owner is None or not isinstance(self.lowerings.get(v.owner), Pointwise) for v in node.inputs)
        return exist and not is_costly(lowering)

    def join(self, node: Apply, group: _Group, place: _Place, stored: bool) -> None:
        """Put `node` into `group`, which also stores its output if someone else needs it."""
        if node in self.place_of:
            self.copies.setdefault(node, []).append(group)
        else:
            self.place_of[node] = group
        if place.lift is not None:
            group.maps = place.lifted(group)
            group.rows.update(group.nodes)
        group.space = place.space
        group.nodes.append(node)
        if place.row:
            group.rows.add(node)
        group.maps.update(place.maps)
        for output in node.outputs:
            group.inputs.pop(output, None)
        group.inputs.update(dict.fromkeys(v for v in node.inputs if not is_scalar_constant(v)))
        if stored:
            group.outputs[node.output] = None

    def found(self, node: Apply, lowering: Lowering, alias: Alias | None, readers: Sequence[_Group]) -> None:
        """A new group that starts with `node`."""
        group = _Group(1 + max((g.height for g in readers), default=-1), None)
        place, form = self.alone(node, lowering, alias)
        if place.space is not None:
            group.maps[node.output] = form
        self.join(node, group, place, stored=False)
        group.outputs.update(dict.fromkeys(node.outputs))

    def alone(self, node: Apply, lowering: Lowering, alias: Alias | None) -> tuple[_Place, Map]:
        """How `node` begins a group, and the map of its result."""
        match lowering:
            case Pointwise():
                space = Space(self.shapes[node.output], node.output.type.shape)
                maps = {v: within(space.whole, v.ndim) for v in node.inputs if not is_scalar_constant(v)}
                return _Place(space, maps), space.whole
            case Reduction(axes, keepdims):
                (operand,) = node.inputs
                space = fold_space(self.shapes[operand], operand.type.shape, axes)
                return _Place(space, {operand: space.whole}), space.whole if keepdims else space.kept
        if alias is not None and alias.dropped:
            (operand,) = node.inputs
            space = Space(self.shapes[operand], operand.type.shape, alias.dropped)
            if all(space.extents[a] == 1 for a in alias.dropped):
                return _Place(space, {operand: space.whole}, row=True), space.kept
        return _Place(None, {}), ()

    # ---- the result --------------------------------------------------------------------------------

    def units(self, nodes: Sequence[Apply]) -> tuple[Unit, ...]:
        """The groups in an order to run in: each after those that it reads from, depth first."""
        number = {node: k for k, node in enumerate(nodes)}
        groups = dict.fromkeys(group for node in nodes for group in self.groups(node))
        for group in groups:
            group.nodes = sorted(set(group.nodes), key=number.__getitem__)
        order: list[_Group] = []
        begun: set[_Group] = set()
        for start in groups:
            stack = [] if start in begun else [(start, iter(self.sources(start)))]
            begun.add(start)
            while stack:
                group, pending = stack[-1]
                source = next((g for g in pending if g not in begun), None)
                if source is None:
                    order.append(group)
                    stack.pop()
                else:
                    begun.add(source)
                    stack.append((source, iter(self.sources(source))))
        return tuple(self.unit(group) for group in order)

    def sources(self, group: _Group) -> list[_Group]:
        """The groups that `group` reads from."""
        inside = set(group.nodes)
        owners = (v.owner for node in group.nodes for v in node.inputs if v.owner not in inside)
        return list(dict.fromkeys(self.group(owner) for owner in owners if owner in self.place_of))

    def unit(self, group: _Group) -> Unit:
        """`group`, finished."""
        inside = set(group.nodes)
        read = dict.fromkeys(v for node in group.nodes for v in node.inputs if v.owner not in inside)
        made = [v for node in group.nodes for v in node.outputs if v in group.outputs]
        space, maps, rows = group.space, group.maps, self.rows(group)
        if len(group.nodes) == 1 and not isinstance(self.lowerings[group.nodes[0]], Pointwise | Reduction):
            space = None  # a view that no computation joined
        inputs = tuple(v for v in read if not (space is not None and is_scalar_constant(v)))
        apart = tuple((v, self.why_apart[v]) for v in inputs if v in self.why_apart)
        if space is not None and space.reduce and not space.folds:
            space, maps = without_reduced(space, maps)
            rows = frozenset()
        return Unit(tuple(group.nodes), inputs, tuple(made), space, maps, rows, apart)

    def rows(self, group: _Group) -> frozenset[Apply]:
        """What is computed for each row: as placed, and numbers made of such, placed when there were no rows yet."""
        rows = set(group.rows)
        for node in group.nodes:
            if node.outputs[0].ndim == 0 and isinstance(self.lowerings[node], Pointwise):
                rows.update([node] if any(v.owner in rows for v in node.inputs) else [])
        return frozenset(rows)


def _merged(groups: Sequence[_Group]) -> _Group:
    """One group of all of `groups`, which are equally high: so none of them reads from another."""
    largest = max(groups, key=lambda g: len(g.nodes))
    for group in groups:
        if group is not largest:
            largest.nodes += group.nodes
            largest.rows |= group.rows
            largest.maps |= group.maps
            largest.inputs |= group.inputs
            largest.outputs |= group.outputs
            group.merged_into = largest
    return largest


def _final(group: _Group) -> _Group:
    """The group that `group` has become part of."""
    while group.merged_into is not None:
        group = group.merged_into
    return group


def _agreed(maps: Iterable[Map | None]) -> Map | None:
    """The one map among `maps`, if they are all the same."""
    first, *others = maps
    return first if all(m == first for m in others) else None


def _consistent(groups: Sequence[_Group]) -> bool:
    """Whether no value lies along the loops of one of `groups` in another way than in others."""
    known: dict[Variable, Map] = {}
    return len(groups) == 1 or all(known.setdefault(v, map) == map for g in groups for v, map in g.maps.items())


def is_costly(lowering: Lowering) -> bool:
    """Whether a pointwise operation costs more than reading a value: it calls a function, or divides."""
    return isinstance(lowering, Pointwise) and re.search(r"\w\(|/", lowering.template) is not None


def _names(groups: Iterable[_Group]) -> str:
    return ", ".join(dict.fromkeys(node.op.name for group in groups for node in group.nodes))


def _kind(lowering: Lowering) -> str:
    match lowering:
        case Runtime(function):
            return f"the runtime's {function} computes it"
        case Host(reason):
            return f"NumPy computes it: {reason}"
        case _:
            return "it is computed elsewhere"
