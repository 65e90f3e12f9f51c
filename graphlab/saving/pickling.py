"""How graphs and functions are pickled and copied: as flat lists of what they are made of; code is built again.

A computed variable becomes the list of all applications behind it, each of which names its inputs by the
applications before it, so no depth is too deep. Applications keep their identity within one pickle, and
so do shared variables.
"""

from __future__ import annotations

import copyreg
from typing import Any

from graphlab.callable import Function, assembled
from graphlab.errors import GraphValueError, Origin, caller_origin
from graphlab.graph import flat
from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.ops.ufunc import Elementwise
from graphlab.saving import registry

PICKLED = 1  # which order of fields pickles of functions have
Reduced = tuple[Any, tuple[Any, ...]]


def install() -> None:
    """Tell pickle and copy: called once, by the package."""
    copyreg.pickle(Variable, _variable)
    copyreg.pickle(Constant, _constant)
    copyreg.pickle(Shared, _shared)
    copyreg.pickle(Apply, _apply)
    copyreg.pickle(Graph, _graph)
    copyreg.pickle(Function, _function)
    Elementwise.__reduce__ = _elementwise  # type: ignore[method-assign, assignment]  # subclasses inherit it


def _variable(v: Variable) -> Reduced:
    if v.owner is None:
        return flat.remade_input, (v.type, v.name, v.origin)
    return _output, (tuple(flat.history([v])), v.index)


def _output(behind: tuple[Apply, ...], index: int) -> Variable:
    return behind[-1].outputs[index]


def _constant(v: Constant) -> Reduced:
    return flat.remade_constant, (v.data, v.name, v.origin)


def _shared(v: Shared) -> Reduced:
    return flat.remade_shared, (v.type, v.cell, v.name, v.origin)


def _apply(node: Apply) -> Reduced:
    inputs = tuple(flat.reference(v) for v in node.inputs)
    types, names = tuple(v.type for v in node.outputs), tuple(v.name for v in node.outputs)
    return flat.remade_apply, (node.op, inputs, types, names, node.provenance)


def _graph(graph: Graph) -> Reduced:
    ends = (tuple(flat.reference(v) for v in side) for side in (graph.inputs, graph.outputs))
    return _between, (tuple(flat.history((*graph.inputs, *graph.outputs))), *ends)


def _between(
    behind: tuple[Apply, ...], inputs: tuple[flat.Reference, ...], outputs: tuple[flat.Reference, ...]
) -> Graph:
    return flat.remade_graph(inputs, outputs)


def _elementwise(op: Elementwise) -> Any:
    if registry.elementwise().get(op.name) is op:
        return _elementwise_named, (op.name,)
    # One of the user's own: as far as pickle can.
    return copyreg.__newobj__, (type(op),), op.__getstate__()  # type: ignore[attr-defined]


def _elementwise_named(name: str) -> Elementwise:
    return registry.elementwise()[name]


def _function(f: Function) -> Reduced:
    signature = (f.specs, f.graph, f.mode, f.structure, f.updated, f.downcast, f.name)
    return _compiled, (PICKLED, signature, f.origin, f.trust_input)


def _compiled(version: int, signature: tuple[Any, ...], origin: Origin | None, trust_input: bool) -> Function:
    if version != PICKLED:
        raise GraphValueError(
            f"this pickle of a function has version {version!r:.20}, this graphlab reads {PICKLED}",
            origin=caller_origin(), hint="pickle it anew with this graphlab, or read it with the one that wrote it",
        )  # fmt: skip
    f = assembled(*signature)
    f.origin, f.trust_input = origin, trust_input
    return f
