"""What a turn computes for nobody in the loop is computed after it, for all turns at once.

The outputs y[t] = dot(h[t], v) of a recurrent network are one large product dot(H, v) of the stacked states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphlab.control.loop import Scan
from graphlab.control.values import by_value, read_by_value
from graphlab.graph.cost import elements
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.walk import rebuild
from graphlab.rewrite.loops.outside import Body, all_turns, fits, is_heavy, is_open
from graphlab.rewrite.loops.taken import Loop, Mapped, place_of
from graphlab.rewrite.rule import ROUNDING, NodeRule


def _after(node: Apply) -> Sequence[Variable] | None:
    loop = Loop.of(node)
    if not is_open(loop) or not any(m.keep is None for m in loop.maps):
        return None
    plan = _Plan.of(loop)
    moved = [(m, extra) for m in loop.maps if (extra := plan.extra(m)) is not None]
    if not moved:
        return None
    stacks = {v: Mapped(v, place_of(v)) for _, extra in moved for v in extra}
    rest = [m for m in loop.maps if not any(m is gone for gone, _ in moved)]
    left = replace(loop, maps=(*rest, *stacks.values())).trimmed()
    if not left.carried and not left.maps:  # what elements alone decide is computed before the loop
        return None
    known = plan.stacks | {v: m.stack for v, m in stacks.items()}
    made = all_turns(loop, [m.new for m, _ in moved], known)
    result = left.built()
    result |= zip((m.stack for m, _ in moved), rebuild(made, dict(result)), strict=True)
    return [result[v] for v in node.outputs]


@dataclass(frozen=True, slots=True)
class _Plan:
    """`late`: the applications that may be computed after the loop; `stacks`: what is stacked in any case."""

    body: Body
    late: frozenset[Apply]
    stacks: dict[Variable, Variable]

    @staticmethod
    def of(loop: Loop) -> _Plan:
        """What of `loop` may be computed after it."""
        body = Body.of(loop)
        stays = by_value([c.new for c in loop.carried] + [m.new for m in loop.maps if m.keep], loop.inputs)
        needed, late = by_value(loop.outputs, loop.inputs), set[Apply]()
        for node in reversed(loop.nodes):
            if not any(v in needed for v in node.outputs):
                continue
            if node not in body.batched or any(v in stays for v in node.outputs):
                stays.update(read_by_value(node))
            else:
                late.add(node)
        stacks = {f.inner: f.outer for f in loop.sequences}
        stacks |= {m.new: m.stack for m in loop.maps if m.keep is None and m.new in stays}
        stacks |= {c.new: c.whole for c in loop.carried if c.whole is not None}
        return _Plan(body, frozenset(late), stacks)

    def extra(self, m: Mapped) -> list[Variable] | None:
        """What must be stacked so that `m` can be made after the loop; None where it had better stay."""
        if m.keep is not None or self.stacks.get(m.new) is m.stack:
            return None
        edge, heavy = self._cone(m.new)
        extra = [v for v, valued in edge.items() if not self._is_there(v, valued)]
        if not extra:
            return []
        size = sum(elements(v.type) for v in extra)
        worth = heavy and fits(size, elements(m.new.type)) and all(v in self.body.steady for v in extra)
        return extra if worth and m.new not in extra else None

    def _cone(self, root: Variable) -> tuple[dict[Variable, bool], bool]:
        """What the late applications below `root` read (whether by value), and whether one of them is heavy."""
        edge, heavy = dict[Variable, bool](), False
        seen, pending = set[tuple[Variable, bool]](), [(root, True)]
        while pending:
            v, valued = pending.pop()
            if (v, valued) in seen or isinstance(v, Constant):
                continue
            seen.add((v, valued))
            if v in self.stacks or v.owner is None or v.owner not in self.late:
                edge[v] = edge.get(v, False) or valued
            else:
                heavy = heavy or (valued and is_heavy(v.owner))
                read = read_by_value(v.owner)
                pending += [(u, valued and u in read) for u in v.owner.inputs]
        return edge, heavy

    def _is_there(self, v: Variable, valued: bool) -> bool:
        """Whether a stack of `v` is there, or cheap to be had; its shape is cheap."""
        made = v in self.body.early and not (valued and v in self.body.heavy)
        return made or v in self.stacks or v not in self.body.varying


AFTER = NodeRule(
    "y = scan(g(h[t])) -> y = g(h), h = scan(h[t])", ROUNDING, _after, (Scan,),
    because="a product of all turns is added up in another order than those of each",
)  # fmt: skip
