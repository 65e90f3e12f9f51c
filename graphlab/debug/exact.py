"""One element with as many digits as one likes: computed again by mpmath, from what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.debug.focus import behind_view
from graphlab.debug.inside import Element, Held, Place, outside
from graphlab.debug.places import finished, place_of
from graphlab.debug.reach import parts
from graphlab.dtypes import is_float
from graphlab.errors import GraphValueError, caller_origin
from graphlab.graph.cost import is_view
from graphlab.graph.node import Apply
from graphlab.graph.text import number_text, short
from graphlab.ops.conversion import Cast
from graphlab.ops.linalg import MatMul
from graphlab.ops.reduce import Max, Min, Reduce, Sum
from graphlab.ops.ufunc import Elementwise

if TYPE_CHECKING:
    from graphlab.debug.session import Session

MOST = 200_000  # elements that it may be made of
Key = tuple[Any, ...]

# What elementwise operations are, of numbers of mpmath; `m` is the module.
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": lambda m, x, y: x + y, "subtract": lambda m, x, y: x - y, "multiply": lambda m, x, y: x * y,
    "true_divide": lambda m, x, y: x / y, "power": lambda m, x, y: x**y, "negative": lambda m, x: -x,
    "square": lambda m, x: x * x, "absolute": lambda m, x: abs(x), "sqrt": lambda m, x: m.sqrt(x),
    "exp": lambda m, x: m.exp(x), "expm1": lambda m, x: m.expm1(x), "log": lambda m, x: m.log(x),
    "log1p": lambda m, x: m.log1p(x), "log2": lambda m, x: m.log(x, 2), "log10": lambda m, x: m.log10(x),
    "sin": lambda m, x: m.sin(x), "cos": lambda m, x: m.cos(x), "tan": lambda m, x: m.tan(x),
    "sinh": lambda m, x: m.sinh(x), "cosh": lambda m, x: m.cosh(x), "tanh": lambda m, x: m.tanh(x),
    "arcsin": lambda m, x: m.asin(x), "arccos": lambda m, x: m.acos(x), "arctan": lambda m, x: m.atan(x),
    "erf": lambda m, x: m.erf(x), "erfc": lambda m, x: m.erfc(x), "gammaln": lambda m, x: m.loggamma(x),
    "sigmoid": lambda m, x: 1 / (1 + m.exp(-x)), "softplus": lambda m, x: m.log1p(m.exp(x)),
    "maximum": lambda m, x, y: max(x, y), "minimum": lambda m, x, y: min(x, y),
    "where": lambda m, c, x, y: x if c else y, "cast": lambda m, x: x,
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Exact:
    """An element with more digits: `value` is the run's, `true` a number of mpmath, `shown` that as text, `error`
    the relative error.

    `taken` are operations that were taken as the run has them: they have no form with more digits here.
    """

    place: Place
    value: Any
    true: Any
    shown: str
    error: float
    taken: tuple[str, ...] = ()

    def __str__(self) -> str:
        at = f", element [{', '.join(map(str, self.place.element))}]" if self.place.element else ""
        name = f"{short(self.place.variable)}{at}"
        text = f"{name}: it is {number_text(self.value)} and should be {self.shown}; {self.error:.1e} off"
        return f"{text}\n  taken as the run has them: {', '.join(self.taken)}" if self.taken else text

    __repr__ = __str__


def exact(session: Session, x: Any, element: Element | None = None, digits: int = 50) -> Exact:
    """`element` of `x` computed by mpmath with so many decimal `digits`, from the same arguments.

    GraphValueError: mpmath is not installed, there is no such element, or it is made of too many others.
    """
    try:
        import mpmath
    except ImportError:
        raise GraphValueError("an element with more digits is computed by mpmath, which is not installed",
                              origin=caller_origin(), hint="pip install mpmath") from None  # fmt: skip
    with finished(session), mpmath.workdps(digits):
        start = place_of(session, x)
        chosen = tuple(element or ())
        shape = start.value.shape
        if len(chosen) != len(shape) or not all(-n <= k < n for k, n in zip(chosen, shape, strict=True)):
            raise GraphValueError(f"{short(start.variable)} has no element {chosen}: its shape is {shape}",
                                  origin=caller_origin(), hint="s.shadow(x, element=(...))")  # fmt: skip
        place = Place(start.scope, start.variable, tuple(k % n for k, n in zip(chosen, shape, strict=True)))
        work = _Work(mpmath)
        true = work.value(place)
        value = place.value[place.element]
        off = abs((mpmath.mpmathify(value.item()) - true) / true) if true else abs(mpmath.mpmathify(value.item()))
        return Exact(place, value, true, mpmath.nstr(true, 20), float(off), tuple(work.taken))


class _Work:
    """Values of elements by mpmath, each computed once."""

    def __init__(self, m: Any) -> None:
        self.m, self.known, self.taken = m, dict[Key, Any](), dict[str, None]()

    def value(self, place: Place) -> Any:
        """The value of `place`: without recursion, as chains are long."""
        stack = [place]
        while stack:
            top = stack[-1]
            needed = self._made_of(top)
            waiting = [p for p in needed or () if _key(p) not in self.known]
            if waiting:
                stack += waiting
                if len(self.known) + len(stack) > MOST:
                    raise GraphValueError(f"the element is made of more than {MOST:,} others", origin=caller_origin(),
                                          hint="s.shadow() runs everything in the next wider format")  # fmt: skip
                continue
            stack.pop()
            self.known[_key(top)] = self._computed(top, needed)
        return self.known[_key(place)]

    def _made_of(self, place: Place) -> list[Place] | None:
        """The elements that `place` is computed of; None where its value is the run's."""
        scope, v = place.scope, place.variable
        if v in scope.inputs:
            return [outside(place)] if scope.held is not None else None
        node = v.owner
        if node is None or not is_float(v.dtype) or not _is_known(node):
            return None
        if node.op.graphs:
            return [Held(node, scope).within(v.index, place.element)]
        if is_view(node):
            return [behind_view(node, place)]
        values = [np.asarray(scope.read(u)) for u in node.inputs]
        found = []
        for u, part, a in zip(node.inputs, parts(node, values, place.element) or [], values, strict=True):
            spans = [range(*s.indices(n)) for s, n in zip(part, a.shape, strict=True)]
            found += [Place(scope, u, tuple(s[i] for s, i in zip(spans, k, strict=True)))
                      for k in np.ndindex(*map(len, spans))]  # fmt: skip
        return found

    def _computed(self, place: Place, needed: list[Place] | None) -> Any:
        node = place.variable.owner
        if needed is None or node is None or place.variable in place.scope.inputs or node.op.graphs or is_view(node):
            return self._as_run(place) if needed is None else self.known[_key(needed[0])]
        values = [self.known[_key(p)] for p in needed]
        try:
            if isinstance(node.op, MatMul):
                half = len(values) // 2
                return self.m.fdot(values[:half], values[half:])
            if isinstance(node.op, Reduce):
                fold = {"sum": self.m.fsum, "max": max, "min": min}[node.op.name]
                return fold(values)
            return FUNCTIONS[node.op.name](self.m, *values)
        except (ZeroDivisionError, ValueError, TypeError):  # infinities, and arguments outside of the domain
            return self._as_run(place)

    def _as_run(self, place: Place) -> Any:
        node = place.variable.owner
        if node is not None and place.variable not in place.scope.inputs and is_float(place.variable.dtype):
            self.taken.setdefault(str(node.op.name))
        value = place.value[place.element]
        return bool(value) if value.dtype == bool else self.m.mpmathify(value.item())


def _is_known(node: Apply) -> bool:
    if isinstance(node.op, Elementwise | Cast):
        return node.op.name in FUNCTIONS
    return isinstance(node.op, Sum | Max | Min | MatMul) or bool(node.op.graphs) or is_view(node)


def _key(place: Place) -> Key:
    return (place.scope.path, place.variable, place.element)
