"""What a user means: a variable, an application, a name, a step or its number, as a variable that has a value."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphlab.callable import Function
from graphlab.debug.kin import Kin
from graphlab.debug.levels import Found, Level
from graphlab.debug.questions import followed, roots
from graphlab.debug.schedule import StepView
from graphlab.errors import GraphIndexError, GraphTypeError, GraphValueError, caller_origin
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.text import described
from graphlab.graph.walk import ancestors, leaves
from graphlab.interpret import Environment, demand, leaf_value
from graphlab.rewrite.replay import histories

Array = np.ndarray[Any, Any]
Handle = Variable | Apply | StepView | str | int

AWAY = "optimised away: NumPy computed it from the graph as written"


@dataclass
class Written:
    """The graph as written, computed by NumPy where somebody asks for what the program has no step for."""

    function: Function
    given: Mapping[Variable, Array]  # inputs and shared variables
    room: int

    @cached_property
    def _environment(self) -> Environment:
        return dict(self.given)

    @cached_property
    def kin(self) -> Kin:
        """The variables of the graph as written."""
        return Kin(ancestors((*self.function.graph.outputs, *self.function.graph.inputs)))

    @cached_property
    def _there(self) -> set[Variable]:
        return set(ancestors(roots(self.function)))

    def forms(self, v: Variable) -> list[Variable]:
        """`v` and what it became: in the graph as written, after all rewrites, and in the program."""
        f = self.function
        forms = [v]
        written = self.kin.find(v)
        if written is not None and written is not v:
            forms.append(written)
        history = histories(f.trace.events)
        now, _ = followed(forms[-1], history, self._there)
        if now is not None and (now.dtype, now.ndim) == (v.dtype, v.ndim):
            forms.append(now)
        if f.lowered is not None:
            pairs = zip(f.optimized.outputs, f.lowered.graph.outputs, strict=True)
            forms += [lowered for optimized, lowered in pairs if optimized is forms[-1]][:1]
        return list(dict.fromkeys(forms))

    def compute(self, v: Variable) -> Found:
        """The value of `v` by NumPy; GraphValueError: it is made of what this function does not know."""
        written = self.kin.find(v)
        v = v if written is None else written
        known = {*self.function.inputs}
        strange = [u for u in leaves([v], known) if u not in known and not isinstance(u, Constant | Shared)]
        if strange:
            raise GraphValueError(f"{described(v)} is no part of this function", origin=caller_origin(),
                                  hint=_inner_hint(self.function, v))  # fmt: skip
        if sum(a.nbytes for u, a in self._environment.items() if u not in self.given) > self.room:
            del self.__dict__["_environment"]
        demand([v], self._environment)
        return Found(np.array(leaf_value(v, self._environment)), None, AWAY, True)


def _inner_hint(function: Function, v: Variable) -> str | None:
    """Where `v` is to be found: in a loop, a choice or a symbolic function that must be entered."""
    graphs = [g for n in _applications(function.graph) for g in n.op.graphs]
    inside = any(Kin(ancestors(g.outputs)).find(v) is not None for g in graphs)
    return "it is inside a loop, a branch or a symbolic function: s.enter() there" if inside else None


def _applications(graph: Graph) -> list[Apply]:
    return list(dict.fromkeys(v.owner for v in ancestors(graph.outputs) if v.owner is not None))


def variable_of(x: Handle, levels: Sequence[Level], written: Written) -> Variable:
    """The variable that `x` stands for, the innermost level first; errors say what there is."""
    match x:
        case Variable():
            return x
        case Apply(outputs=outputs):
            return outputs[0]
        case StepView(outputs=outputs, index=index):
            return _first(outputs, index)
        case str():
            return named(x, levels, written)
        case bool():
            pass
        case int():
            steps = levels[-1].steps
            if not -len(steps) <= x < len(steps):
                raise GraphIndexError(f"there is no step {x}: there are {len(steps)}", origin=caller_origin())
            return _first(steps[x].outputs, x)
    raise GraphTypeError(f"{x!r:.40} ({type(x).__name__}) is no value of a session", origin=caller_origin(),
                         hint="give a variable, its name, an application, a step or the number of one")  # fmt: skip


def _first(outputs: Sequence[Variable], index: int) -> Variable:
    if not outputs:
        raise GraphValueError(f"step {index} writes nothing: it checks what the others rely on", origin=caller_origin())
    return outputs[0]


def named(name: str, levels: Sequence[Level], written: Written) -> Variable:
    """The variable called `name`: of the innermost level that has one, else of the graph as written."""
    for kin in (*(level.kin for level in reversed(levels)), written.kin):
        found = kin.names.get(name) or [v for v in kin.own if v.name == name]  # names may come later
        if len(found) > 1:
            found = _latest(found)
        if len(found) == 1:
            return found[0]
        if found:
            lines = ", ".join(v.origin.label if v.origin else "?" for v in found)
            raise GraphValueError(f"{len(found)} variables are called {name!r}, of {lines}", origin=caller_origin(),
                                  hint="give the variable itself, or the number of its step")  # fmt: skip
    known = names_of(levels, written)
    near = difflib.get_close_matches(name, known, 5, 0.5)
    hint = f"near it: {', '.join(near)}" if near else f"the names are {', '.join(known[:12]) or 'none'}"
    raise GraphValueError(f"nothing is called {name!r}", origin=caller_origin(), hint=hint)


def _latest(found: list[Variable]) -> list[Variable]:
    """Of variables with one name those that nothing else of the name is made of: `x` of `x = x + 1` is the last."""
    before = {u for v in found if v.owner is not None for u in ancestors(v.owner.inputs)}
    return [v for v in found if v not in before] or found


def names_of(levels: Sequence[Level], written: Written) -> list[str]:
    """All names that a session knows, in order."""
    return sorted({name for kin in (*(level.kin for level in levels), written.kin) for name in kin.names})
