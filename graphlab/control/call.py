"""The op of a symbolic function's application: its graph, and its derivatives, which are such applications too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from graphlab.autodiff import grad, jvp
from graphlab.dtypes import is_float
from graphlab.errors import GraphTypeError, NullGradientError
from graphlab.graph.closure import close
from graphlab.graph.node import Apply, Graph, Provenance, Shared, Variable, as_data_variable, provenance, tracing
from graphlab.graph.types import TensorType
from graphlab.graph.walk import instantiate, rebuild, toposort
from graphlab.interpret import interpret
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.lowering import Inline, Lowering
from graphlab.ops.shape import zeros_like
from graphlab.ops.ufunc import Undefined
from graphlab.streams import thread

Gradient = Callable[[tuple[Variable, ...], tuple[Variable, ...], tuple[Variable, ...]], Sequence[Any]]

# ---- the op --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call(Op):
    """The application of a symbolic function, or of its derivative (`role`), whose body is `graph`.

    The first `arguments` inputs are the caller's, the others what the body takes from outside.
    `gradient` is the user's own, if there is one. The body of a call that draws random numbers also gives
    the states of the streams after it (see `advances`), and then those before it.
    """

    function: str = field(repr=False)
    graph: Graph = field(repr=False)
    arguments: int = field(repr=False)
    gradient: Gradient | None = field(default=None, repr=False)
    role: str = field(default="", repr=False)
    advances: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    number: int = field(default=0, repr=False)

    @property
    def name(self) -> str:
        """The function's name, with "gradient" or "derivative" behind it."""
        return f"{self.function} {self.role}".rstrip()

    @property
    def results(self) -> int:
        """How many of the outputs the function returned."""
        return len(self.graph.outputs) - 2 * len(self.advances)

    def inputs_again(self, node: Apply) -> list[Variable]:
        """The inputs for computing the body of `node` once more: with the states that it found, wherever that was."""
        inputs = list(node.inputs)
        for i, after in self.advances:
            inputs[i] = node.outputs[after + len(self.advances)]
        return inputs

    @property
    def graphs(self) -> tuple[Graph, ...]:
        return (self.graph,)

    def with_graphs(self, graphs: Sequence[Graph]) -> Call:
        return replace(self, graph=graphs[0])

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if inputs == tuple(v.type for v in self.graph.inputs):
            return tuple(v.type for v in self.graph.outputs)
        for v, given in zip(self.graph.inputs, inputs, strict=True):
            if (v.dtype, v.ndim) != (given.dtype, given.ndim):
                raise GraphTypeError(f"{self.name}: {v.name or 'an argument'} is {v.type} in its graph, got {given}")
        return tuple(v.type for v in instantiate(self.graph, [Variable(t) for t in inputs]))

    def numpy(self, *values: Array) -> Any:
        return tuple(interpret(self.graph, values))

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        if self.gradient is not None:
            return _custom(self, node, cotangents)
        given = tuple(g is not None for g in cotangents)
        op, reached, reasons = _reverse(self, given)
        given_by = (*self.inputs_again(node), *(g for g in cotangents if g is not None))
        found = iter(op.apply(*given_by).outputs if op else ())
        return [
            next(found) if known else Undefined(reason) if reason else None  # type: ignore[misc]
            for known, reason in zip(reached, reasons, strict=True)
        ]

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents | None:
        if self.gradient is not None:
            return None  # the user's pullback is linear: it is differentiated instead
        derivative: Call = _forward(self, tuple(t is not None for t in tangents))
        return derivative.apply(*self.inputs_again(node), *(t for t in tangents if t is not None)).outputs

    def lowering(self, node: Apply) -> Lowering:
        return Inline(self.function, self.graph)


def call_of(
    function: str, outputs: Sequence[Variable], inputs: Sequence[Variable], made: Collection[Apply], **more: Any
) -> tuple[Call, tuple[Variable, ...]]:
    """The call of a body that computes `outputs`, and what it takes from outside beside `inputs`."""
    graph, lifted = close(outputs, inputs, made)
    draws = [node.op.number for node in toposort(graph.outputs, graph.inputs) if node.op.advances]
    if not draws:
        return Call(function, graph, len(inputs), **more), lifted
    outside = {v: s for v, s in zip(graph.inputs[len(inputs) :], lifted, strict=True) if isinstance(s, Shared)}
    inside: dict[Variable, Variable] = {s: v for v, s in outside.items()}
    roots, latest = thread(rebuild(graph.outputs, outside))  # the draws of a stream follow one another
    after = rebuild([*roots, *latest.values()], inside)
    before = [inside[s] for s in latest]
    advances = tuple((graph.inputs.index(v), len(roots) + k) for k, v in enumerate(before))
    graph = Graph(graph.inputs, (*after, *before))
    return Call(function, graph, len(inputs), advances=advances, number=max(draws), **more), lifted


# ---- derivatives ---------------------------------------------------------------------------------

Reverse = tuple[Call | None, tuple[bool, ...], tuple[str, ...]]
_derivatives: WeakKeyDictionary[Call, dict[tuple[str, tuple[bool, ...]], Any]] = WeakKeyDictionary()


def _remembered(build: Callable[[Call, tuple[bool, ...]], Any]) -> Callable[[Call, tuple[bool, ...]], Any]:
    """Every call of a function has the same derivative, which is built once."""

    def derivative(op: Call, given: tuple[bool, ...]) -> Any:
        known = _derivatives.setdefault(op, {})
        key = (build.__name__, given)
        if key not in known:
            result = op.graph.outputs[0]
            origins = result.owner.provenance.origins if result.owner else ()
            with provenance(Provenance(origins, grad_of=result.owner)):
                known[key] = build(op, given)
        return known[key]

    return derivative


def _like(variables: Sequence[Variable], given: Sequence[bool], prefix: str) -> list[Variable]:
    """A new input for the cotangent or tangent of each of `variables` that has one."""
    chosen = [v for v, g in zip(variables, given, strict=True) if g]
    return [Variable(v.type, f"{prefix}{v.name or k}") for k, v in enumerate(chosen)]


@_remembered
def _reverse(op: Call, given: tuple[bool, ...]) -> Reverse:
    """The gradient of `op` as a call; by which inputs there is one, and why there is none by others."""
    graph = op.graph
    seeds = _like(graph.outputs, given, "d")
    known: dict[Variable, Variable] = {}
    for v, g in zip([v for v, has in zip(graph.outputs, given, strict=True) if has], seeds, strict=True):
        known[v] = known[v] + g if v in known else g
    found, reasons = _slopes(known, graph.inputs)
    outputs = tuple(v for v in found if v is not None)
    closed = Graph((*graph.inputs, *seeds), outputs)
    made = Call(op.function, closed, len(closed.inputs), None, f"{op.role} gradient".lstrip()) if outputs else None
    return made, tuple(v is not None for v in found), reasons


def _slopes(
    known: Mapping[Variable, Variable], inputs: Sequence[Variable]
) -> tuple[Sequence[Variable | None], tuple[str, ...]]:
    """The gradient by each of `inputs`, None where there is none, and the reasons where it is not defined."""
    floats = [v for v in inputs if is_float(v.dtype)]
    slopes, reasons = dict[Variable, Variable | None](), dict[Variable, str]()

    def pull(wrt: list[Variable]) -> None:
        found = grad(None, wrt, known_grads=known, disconnected_inputs="ignore", return_disconnected="none")
        slopes.update(zip(wrt, found, strict=True))

    try:
        pull(floats)
    except NullGradientError:  # by one of them: the others' are still wanted
        for v in floats:
            try:
                pull([v])
            except NullGradientError as error:
                reasons[v] = error.message
    return [slopes.get(v) for v in inputs], tuple(reasons.get(v, "") for v in inputs)


@_remembered
def _forward(op: Call, given: tuple[bool, ...]) -> Call:
    """The forward derivative of `op` as a call."""
    tangents = _like(op.graph.inputs, given, "d")
    moving = [v for v, has in zip(op.graph.inputs, given, strict=True) if has]
    outputs = jvp(list(op.graph.outputs), moving, tangents)
    closed = Graph((*op.graph.inputs, *tangents), tuple(outputs))
    return Call(op.function, closed, len(closed.inputs), None, f"{op.role} derivative".lstrip())


def _custom(op: Call, node: Apply, cotangents: Cotangents) -> Cotangents:
    """The user's own gradient, as a call of its own."""
    assert op.gradient is not None
    arguments, captured = node.inputs[: op.arguments], op.graph.inputs[op.arguments :]
    if outside := [v.name or str(v.type) for v in captured if is_float(v.dtype)]:
        raise GraphTypeError(
            f"{op.name} has a gradient of its own, so all that it depends on must be arguments: {', '.join(outside)}"
            " is not",
            hint=f"pass it to {op.function} as an argument",
        )
    results = node.outputs[: op.results]
    seeds = [zeros_like(v) if g is None else g for v, g in zip(results, cotangents, strict=False)]
    inputs = (*arguments, *results, *seeds)
    inner = [Variable(v.type, v.name) for v in inputs]
    n, m = len(arguments), len(results)
    with tracing() as made:
        slopes = tuple(op.gradient(tuple(inner[:n]), tuple(inner[n : n + m]), tuple(inner[n + m :])))
    if len(slopes) != n:
        raise GraphTypeError(f"the gradient of {op.name} gives {len(slopes)} results for {n} arguments")
    found = [as_data_variable(s) for s in slopes if s is not None]
    if not found:
        return [None] * len(node.inputs)
    call, lifted = call_of(op.function, found, inner, made, role="gradient")
    given = iter(call.apply(*inputs, *lifted).outputs)
    return [*(None if s is None else next(given) for s in slopes), *(None for _ in captured)]
