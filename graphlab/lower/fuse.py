"""Which applications share a kernel, and why, and why not.

Applications are placed from the outputs back to the inputs, so that all users of a value have their
place before it. A pointwise application joins the kernel of its users where nothing is computed twice
by that and no cycle of kernels arises. For the latter every group has a height, and whoever reads from
another group is lower than it: a group may take in a value that lower groups read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import users
from graphlab.lower.extents import Axis, Extent, Extents, SymbolicShapes
from graphlab.ops.lowering import Host, Lowering, Pointwise, Reduction, Runtime

MOST_NODES = 200  # the C compiler's time must stay linear
MOST_OPERANDS = 60


@dataclass(frozen=True, slots=True)
class Unit:
    """What one step computes: a kernel's applications, or one that is called (`kernel` False).

    `inputs` are the arrays that it reads, `outputs` those that it writes, `apart` the inputs that
    another step computes, each with why it is not computed here.
    """

    nodes: tuple[Apply, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    kernel: bool
    apart: tuple[tuple[Variable, str], ...] = ()

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
    """A unit in the making. `space` is the shape of its loops; None: a call, which nothing can join."""

    height: int
    space: Extents | None
    reduces: bool = False
    nodes: list[Apply] = field(default_factory=list)
    inputs: dict[Variable, None] = field(default_factory=dict)
    outputs: dict[Variable, None] = field(default_factory=dict)
    merged_into: _Group | None = None


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
        self.why_apart: dict[Variable, str] = {}

    def group(self, node: Apply) -> _Group:
        """Where `node` was placed."""
        found = self.place_of[node]
        while found.merged_into is not None:
            found = found.merged_into
        self.place_of[node] = found
        return found

    def readers(self, node: Apply) -> list[_Group]:
        """The groups that read an output of `node`, each once."""
        reading = (self.group(user) for v in node.outputs for user, _ in self.users.get(v, ()))
        return list(dict.fromkeys(reading))

    # ---- placing -----------------------------------------------------------------------------------

    def place(self, node: Apply) -> None:
        """Put `node` into its users' group, or into a new one."""
        readers = self.readers(node)
        lowering = self.lowerings[node]
        if isinstance(lowering, Pointwise):
            height = max((g.height for g in readers), default=0)
            top = [g for g in readers if g.height == height]
            stored = len(top) < len(readers) or node.output in self.wanted
            reason = self.obstacle(node, lowering, top, stored)
            if reason is None:
                self.join(node, _merged(top), stored)
                return
            self.why_apart[node.output] = reason
        else:
            self.why_apart.update(dict.fromkeys(node.outputs, _kind(lowering)))
        self.found(node, lowering, readers)

    def obstacle(self, node: Apply, lowering: Pointwise, top: Sequence[_Group], stored: bool) -> str | None:
        """Why `node` cannot join the groups `top` that read it (merged into one); None if it can."""
        if not top:
            return "it is an output and nothing else reads it"
        group, extents = top[0], self.shapes[node.output]
        if any(g.space is None for g in top):
            return f"{_names(g for g in top if g.space is None)} needs it as an array"
        if len(top) > 1 and any(g.reduces or g.space != extents for g in top):
            return "several kernels read it"
        if stored and group.reduces:
            return "it is needed elsewhere too, and a reduction's kernel stores only its result"
        if stored and group.space != extents:
            return "it is needed elsewhere too, and may differ in shape"
        if sum(len(g.nodes) for g in top) >= MOST_NODES:
            return f"the kernel is full ({MOST_NODES} operations)"
        operands = set(node.inputs).union(*(g.inputs for g in top), *(g.outputs for g in top))
        if len(operands) > MOST_OPERANDS:
            return f"the kernel is full ({MOST_OPERANDS} operands)"
        if not (node.output.ndim == 0 or _pattern(extents) == _pattern(group.space) or self.cheap(node, lowering)):
            return "broadcasting would compute it again and again"
        return None

    def cheap(self, node: Apply, lowering: Pointwise) -> bool:
        """Whether computing `node` again costs no more than reading it: an operator on arrays that exist."""
        exist = all(v.owner is None or not isinstance(self.lowerings.get(v.owner), Pointwise) for v in node.inputs)
        return exist and not re.search(r"\w\(|/", lowering.template)

    def join(self, node: Apply, group: _Group, stored: bool) -> None:
        """Put `node` into `group`, which also stores its output if someone else needs it."""
        self.place_of[node] = group
        group.nodes.append(node)
        for output in node.outputs:
            group.inputs.pop(output, None)
        group.inputs.update(dict.fromkeys(v for v in node.inputs if not is_scalar_constant(v)))
        if stored:
            group.outputs[node.output] = None

    def found(self, node: Apply, lowering: Lowering, readers: Sequence[_Group]) -> None:
        """A new group that starts with `node`."""
        height = 1 + max((g.height for g in readers), default=-1)
        match lowering:
            case Pointwise():
                group = _Group(height, self.shapes[node.output])
            case Reduction():
                group = _Group(height, self.shapes[node.inputs[0]], reduces=True)
            case _:
                group = _Group(height, None)
        self.join(node, group, stored=False)
        group.outputs.update(dict.fromkeys(node.outputs))

    # ---- the result --------------------------------------------------------------------------------

    def units(self, nodes: Sequence[Apply]) -> tuple[Unit, ...]:
        """The groups in an order to run in: each after those that it reads from, depth first."""
        number = {node: k for k, node in enumerate(nodes)}
        groups = dict.fromkeys(self.group(node) for node in nodes)
        for group in groups:
            group.nodes.sort(key=number.__getitem__)
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
        owners = (v.owner for node in group.nodes for v in node.inputs)
        found = dict.fromkeys(self.group(owner) for owner in owners if owner is not None and owner in self.place_of)
        return [g for g in found if g is not group]

    def unit(self, group: _Group) -> Unit:
        """`group`, finished."""
        inside = set(group.nodes)
        read = dict.fromkeys(v for node in group.nodes for v in node.inputs if v.owner not in inside)
        made = [v for node in group.nodes for v in node.outputs if v in group.outputs]
        kernel = group.space is not None
        inputs = tuple(v for v in read if not (kernel and is_scalar_constant(v)))
        apart = tuple((v, self.why_apart[v]) for v in inputs if v in self.why_apart)
        return Unit(tuple(group.nodes), inputs, tuple(made), kernel, apart)


def _merged(groups: Sequence[_Group]) -> _Group:
    """One group of all of `groups`, which are equally high: so none of them reads from another."""
    largest = max(groups, key=lambda g: len(g.nodes))
    for group in groups:
        if group is not largest:
            largest.nodes += group.nodes
            largest.inputs |= group.inputs
            largest.outputs |= group.outputs
            group.merged_into = largest
    return largest


def _pattern(extents: Extents | None) -> tuple[bool, ...]:
    """Along which axes a value is certainly broadcast."""
    return tuple(extent == 1 for extent in extents or ())


def _names(groups: Iterable[_Group]) -> str:
    return ", ".join(dict.fromkeys(node.op.name for group in groups for node in group.nodes))


def _kind(lowering: Lowering) -> str:
    match lowering:
        case Reduction():
            return "a reduction ends its kernel"
        case Runtime(function):
            return f"the runtime's {function} computes it"
        case Host(reason):
            return f"NumPy computes it: {reason}"
        case _:
            return "it is computed elsewhere"
