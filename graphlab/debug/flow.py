"""How gradients flow: their size from layer to layer, back from the output; whether they vanish or explode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphlab.control.loop import Scan
from graphlab.debug.inside import Array, Held, Scope
from graphlab.debug.places import finished, program, whole
from graphlab.dtypes import is_float
from graphlab.errors import GraphValueError, Origin, caller_origin
from graphlab.graph.node import Apply, Shared, Variable
from graphlab.graph.walk import toposort, users

if TYPE_CHECKING:
    from graphlab.debug.session import Session

FAR = 1e4  # between the first layer and the last: more than rounding, weights of all sizes and chance make

# ---- the answer ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """The size of some gradient's elements: their 2-norm, their root mean square, and how many of `size` are 0."""

    norm: float
    rms: float
    zeros: int
    size: int


@dataclass(frozen=True)
class Layer:
    """A layer of the forward graph: its name scope, or a line of the user's and the how-manieth time it was run.

    `flow` is the gradient that it hands on towards the inputs, `parameters` that of each parameter it has, by name;
    None and nothing where it has none. `nodes` are the applications of the gradient that belong to it.
    """

    name: str
    lines: tuple[Origin, ...]
    flow: Size | None
    parameters: tuple[tuple[str, Size], ...]
    nodes: tuple[Apply, ...]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Those of its flow and of its parameters' gradients."""
        return (*((self.flow,) if self.flow else ()), *(size for _, size in self.parameters))


@dataclass(frozen=True, repr=False)
class Flow:
    """The gradients of a run by layer, in the order of the forward graph, and in `verdict` what they do.

    "vanishing" and "exploding": from the last layer to the first the root mean square of what flows, or of the
    parameters' gradients, falls or grows by more than 10,000; "dead": a layer has nothing but zeros; "not finite":
    there is a NaN or infinity; else "steady". `series` is what the verdict is about, layer by layer: of the two what
    changes more. `turns` are the loops that gradients go through: of each the root mean square in the last turn and
    in the first.
    """

    layers: tuple[Layer, ...]
    verdict: str
    series: tuple[tuple[str, float], ...]
    turns: tuple[tuple[Apply, float, float], ...] = ()

    def __str__(self) -> str:
        rows = [("layer", "rms", "2-norm", "zeros", "parameters")]
        for layer in reversed(self.layers):
            size = layer.flow
            cells = (f"{size.rms:.2e}", f"{size.norm:.2e}", f"{size.zeros / size.size:.0%}") if size else ("", "", "")
            rows.append((layer.name, *cells, ", ".join(f"{name} {s.rms:.2e}" for name, s in layer.parameters)))
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        table = [
            "  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in (1, 2, 3)), row[4]]).rstrip()
            for row in rows
        ]
        return "\n".join([self.summary, *table])

    __repr__ = __str__

    @property
    def factor(self) -> float:
        """By how much the series changes from a layer to the one before it, as a geometric mean."""
        with np.errstate(all="ignore"):
            return float((np.float64(self.series[0][1]) / self.series[-1][1]) ** (1 / max(len(self.series) - 1, 1)))

    @property
    def summary(self) -> str:
        """The verdict in a sentence, for layers and for turns of loops."""
        said = [self._of_layers()]
        for node, last, first in self.turns:
            what = _trend(first, last)
            if what != "steady":
                said.append(f"{what} inside of {_label(node)}: {last:.1e} in its last turn, {first:.1e} in its first")
        return "\n".join(said)

    def _of_layers(self) -> str:
        (name, first), (later, last) = self.series[0], self.series[-1]
        if self.verdict == "not finite":
            where = next(layer.name for layer in reversed(self.layers) if not _is_finite(layer))
            return f"the gradient is not finite, from {where} on: s.origin() says where that arose"
        if self.verdict == "dead":
            where = next(layer.name for layer in reversed(self.layers) if _is_dead(layer))
            return f"the gradient is 0 from {where} on: nothing before it learns"
        text = f"the gradient is {self.verdict}: {last:.1e} in {later}, {first:.1e} in {name}"
        if self.verdict == "steady":
            return text
        return f"{text}, {self.factor:.3g} times as much in each layer as in the next"


def _is_finite(layer: Layer) -> bool:
    return all(np.isfinite(size.rms) for size in layer.sizes)


def _is_dead(layer: Layer) -> bool:
    return all(size.rms == 0 for size in layer.sizes)


def _trend(first: float, last: float) -> str:
    if not np.isfinite([first, last]).all():
        return "not finite"
    if first == 0 or last == 0:
        return "dead" if first == 0 and last != 0 else "steady"
    return "vanishing" if first / last < 1 / FAR else "exploding" if first / last > FAR else "steady"


# ---- measuring -----------------------------------------------------------------------------------


def gradient_flow(session: Session) -> Flow:
    """The size of the gradients of the run, by layer.

    A layer is a name scope of the forward graph (see `graphlab.name_scope`); what is in none counts by its line and, as
    layers are often written in a loop, by the how-manieth time that line was run. Measured is what the gradient of
    a layer hands on: to other layers, and as the gradient of parameters. GraphValueError: the function has no gradient.
    """
    with finished(session):
        return _flow(session)


def _flow(session: Session) -> Flow:
    graph, scope = program(session), whole(session)
    nodes = toposort(graph.outputs, graph.inputs)
    layer_of = {node: forward for node in nodes if (forward := forward_of(node)) is not None}
    if not layer_of:
        raise GraphValueError(f"{session.function.name} computes no gradient", origin=caller_origin(),
                              hint="T.grad(cost, parameters), and its results as outputs or in updates")  # fmt: skip
    names = _layers(list(dict.fromkeys(layer_of.values())), session)
    groups: dict[str, list[Apply]] = {name: [] for name in dict.fromkeys(names.values())}
    for node, forward in layer_of.items():
        groups[names[forward]].append(node)
    readers = users(graph)
    outputs = set(graph.outputs)
    layers = []
    for name, members in groups.items():
        flow, parameters = list[Array](), dict[str, list[Array]]()
        for node in members:
            for v in node.outputs:
                if not is_float(v.dtype):
                    continue
                others = [n for n, _ in readers.get(v, ()) if names.get(layer_of.get(n)) != name]  # type: ignore[arg-type]
                if any(n in layer_of for n in others):
                    flow.append(scope.read(v))
                elif others or v in outputs:
                    parameters.setdefault(_parameter(layer_of[node], v), []).append(scope.read(v))
        lines = tuple(dict.fromkeys(o for node in members for o in node.provenance.origins))
        sizes = tuple((k, _size(arrays)) for k, arrays in parameters.items())
        if flow or sizes:
            layers.append(Layer(name, lines, _size(flow) if flow else None, sizes, tuple(members)))
    turns = tuple(_turns(node, scope) for node in layer_of if isinstance(node.op, Scan) and node.op.recurrences)
    return _judged(tuple(layers), tuple(t for t in turns if t is not None))


def forward_of(node: Apply) -> Apply | None:
    """The forward application that `node` belongs to the gradient of; None if it belongs to none."""
    of = node.provenance.grad_of
    while of is not None and of.provenance.grad_of is not None:
        of = of.provenance.grad_of
    return of


def _layers(forward: Sequence[Apply], session: Session) -> dict[Apply, str]:
    """The name of the layer of each of the `forward` applications, in the order of the graph as written."""
    order = {node: k for k, node in enumerate(toposort(session.function.graph.outputs))}
    counts: Counter[object] = Counter()
    names: dict[Apply, str] = {}
    for node in sorted(forward, key=lambda n: order.get(n, len(order))):
        why = node.provenance
        if why.scope:
            names[node] = "/".join(why.scope)
            continue
        line = why.origins[0].label if why.origins else "no line"
        counts[line, node.op.name] += 1
        names[node] = f"{line} #{counts[line, node.op.name]}"
    last = Counter(name.rpartition(" #")[0] for name in dict.fromkeys(names.values()) if " #" in name)
    return {n: name.removesuffix(" #1") if last[name.rpartition(" #")[0]] == 1 else name for n, name in names.items()}


def _parameter(forward: Apply, gradient: Variable) -> str:
    """The name of the parameter that `gradient`, of `forward`, is by."""
    leaves = [v for v in forward.inputs if v.owner is None and v.ndim == gradient.ndim and v.name]
    return next((v.name for v in leaves if isinstance(v, Shared) and v.name), None) or next(
        (v.name for v in leaves if v.name), "a parameter"
    )


def _size(arrays: Sequence[Array]) -> Size:
    values = np.concatenate([np.abs(a.ravel()).astype("float64") for a in arrays])
    with np.errstate(all="ignore"):
        norm = float(np.sqrt(np.sum(values**2)))
    return Size(norm, norm / float(np.sqrt(max(values.size, 1))), int(np.count_nonzero(values == 0)), values.size)


def _turns(node: Apply, scope: Scope) -> tuple[Apply, float, float] | None:
    """The size of what a loop backwards carries after its first turn, the forward loop's last, and in its last."""
    op, held = node.op, Held(node, scope)
    assert isinstance(op, Scan)
    if len(held.given) < 2:
        return None
    carried = [k for taps in op.taps for k in range(taps.start, taps.stop) if is_float(held.graph.inputs[k].dtype)]
    if not carried:
        return None
    last, first = (_size([np.asarray(given[k]) for k in carried]).rms for given in (held.given[1], held.given[-1]))
    return node, last, first


def _judged(layers: tuple[Layer, ...], turns: tuple[tuple[Apply, float, float], ...]) -> Flow:
    flow = tuple((layer.name, layer.flow.rms) for layer in layers if layer.flow is not None)
    learning = tuple((layer.name, max(s.rms for _, s in layer.parameters)) for layer in layers if layer.parameters)
    series = max(filter(None, (learning, flow)), key=_change)
    if not all(map(_is_finite, layers)):
        return Flow(layers, "not finite", series, turns)
    verdict = "dead" if any(map(_is_dead, layers)) else _trend(series[0][1], series[-1][1])
    return Flow(layers, verdict, series, turns)


def _change(series: tuple[tuple[str, float], ...]) -> float:
    """How far a series falls or grows, in powers of e."""
    (_, first), (_, last) = series[0], series[-1]
    return abs(float(np.log(first / last))) if 0 < first < np.inf and 0 < last < np.inf else 0.0


def _label(node: Apply) -> str:
    where = next((f" at {o.label}" for o in node.provenance.origins), "")
    return f"{node.op.name}{where}"
