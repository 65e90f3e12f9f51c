"""Which elements of its operands an element of a result depends on, by the shapes of operations, not by values.

A set of elements of an array is a mask of its shape. What an operation reads for a set of elements of its result is
told by how it is computed: elementwise it is the same element, stretched axes left out; a fold reads the axes that it
folds; what only moves elements is asked where numbers from 0 on would go. Of all others each result may read all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.walk import toposort
from graphlab.interpret import Environment, leaf_value, run_node
from graphlab.ops.base import Array
from graphlab.ops.lowering import Expand, Lowering, Pointwise, Reduction, Runtime

Mask = np.ndarray[Any, Any]
Value = Callable[[Variable], Array]

MOVES = ("transpose", "reshape", "broadcast_to", "index", "windows", "gather")  # elements of the first operand
JOINS = ("concatenate", "stack_scalars")  # elements of all


def read_by(node: Apply, masks: Sequence[Mask | None], value: Value) -> list[Mask | None]:
    """For each input of `node` the elements that those of its outputs in `masks` depend on; None for none."""
    wanted = masks[0]
    if all(m is None or not m.any() for m in masks):
        return [None] * len(node.inputs)
    shapes = [np.shape(value(v)) for v in node.inputs]
    lowering: Lowering | None = node.op.lowering(node) if len(node.outputs) == 1 else None
    if wanted is not None:
        match lowering:
            case Expand(build=build):
                return _expanded(node, build(*node.inputs)[0], wanted, value)
            case Pointwise(template=template):
                return [unstretched(wanted, s) if f"{{{k}}}" in template else None for k, s in enumerate(shapes)]
            case Reduction(axes=axes, keepdims=keepdims):
                whole = wanted if keepdims else np.expand_dims(wanted, tuple(sorted(a % len(shapes[0]) for a in axes)))
                return [np.array(np.broadcast_to(whole, shapes[0]))]
            case Runtime(function="sum_to"):
                return [np.array(np.broadcast_to(_padded(wanted, len(shapes[0])), shapes[0])),
                        *[None] * (len(shapes) - 1)]  # fmt: skip
            case Runtime(function="shape_of"):
                return [None] * len(shapes)
            case Runtime(function="matmul"):
                return _product(wanted, *shapes[:2])
            case Runtime(function=function) if function in MOVES or function in JOINS:
                return moved(node, wanted, range(len(shapes)) if function in JOINS else (0,), value)
    return [np.ones(s, bool) for s in shapes]


def unstretched(mask: Mask, shape: Sequence[int]) -> Mask:
    """The elements of an operand of `shape` that broadcasting puts at those of `mask`."""
    extra = tuple(range(mask.ndim - len(shape)))
    inner: Mask = np.any(mask, axis=extra)
    stretched = tuple(d for d, n in enumerate(shape) if n == 1 and inner.shape[d] != 1)
    return np.array(inner.any(axis=stretched, keepdims=True))


def _padded(mask: Mask, ndim: int) -> Mask:
    return mask.reshape((1,) * (ndim - mask.ndim) + mask.shape)


def _product(mask: Mask, left: Sequence[int], right: Sequence[int]) -> list[Mask | None]:
    """Row i of the left and column j of the right operand for element (i, j) of a matrix product."""
    whole = mask
    if len(right) == 1:
        whole = whole[..., None]
    if len(left) == 1:
        whole = whole[..., None, :]
    rows = np.broadcast_to(whole.any(-1, keepdims=True), (*whole.shape[:-1], left[-1]))
    inner = right[0] if len(right) == 1 else right[-2]
    columns = np.broadcast_to(whole.any(-2, keepdims=True), (*whole.shape[:-2], inner, whole.shape[-1]))
    a = rows[..., 0, :] if len(left) == 1 else rows
    b = columns[..., 0] if len(right) == 1 else columns
    return [unstretched(np.array(a), left), unstretched(np.array(b), right)]


def moved(node: Apply, mask: Mask, operands: Iterable[int], value: Value) -> list[Mask | None]:
    """As `read_by`, of what only moves elements of its `operands`: asked where numbers from 0 on go."""
    places, sizes = sources(node, operands, value), [np.shape(value(v)) for v in node.inputs]
    picked = places[mask]
    found: list[Mask | None] = [None] * len(sizes)
    first = 0
    for k in operands:
        count = int(np.prod(sizes[k], dtype=int))
        inside = picked[(picked >= first) & (picked < first + count)] - first
        flat = np.zeros(count, bool)
        flat[inside] = True
        found[k] = flat.reshape(sizes[k])
        first += count
    return found


def sources(node: Apply, operands: Iterable[int], value: Value) -> Array:
    """For each element of the output its place among all of the operands' elements, one operand after the other."""
    given = [np.asarray(value(v)) for v in node.inputs]
    first = 0
    for k in operands:
        size = given[k].size
        given[k] = np.arange(first, first + size, dtype="int64").reshape(given[k].shape)
        first += size
    (places,) = node.op.evaluate(*given)
    return np.asarray(places).astype("int64")


def _expanded(node: Apply, result: Variable, mask: Mask, value: Value) -> list[Mask | None]:
    """As `read_by`, of what is made of simpler operations, which give `result`."""
    nodes = toposort([result], node.inputs)
    known: Environment = {u: value(u) for u in node.inputs}
    for inner in nodes:
        run_node(inner, known)
    masks = reaching(result, mask, nodes, lambda u: leaf_value(u, known))
    return [masks.get(u) for u in node.inputs]


def reaching(v: Variable, mask: Mask, nodes: Sequence[Apply], value: Value) -> dict[Variable, Mask]:
    """The elements of all variables behind `v`, through `nodes` (inputs first), that those in `mask` depend on."""
    masks: dict[Variable, Mask] = {v: mask}
    for node in reversed(nodes):
        if not any(u in masks for u in node.outputs):
            continue
        for u, m in zip(node.inputs, read_by(node, [masks.get(o) for o in node.outputs], value), strict=True):
            if m is not None and m.any() and not isinstance(u, Constant):
                masks[u] = masks[u] | m if u in masks else m
    return masks


def described(name: str, mask: Mask) -> str:
    """`name` with the elements in `mask`: x[3, :] or "12 of 35 elements of x"."""
    if mask.ndim == 0:
        return name
    axes = [np.flatnonzero(mask.any(axis=tuple(e for e in range(mask.ndim) if e != d))) for d in range(mask.ndim)]
    if mask.all():
        return f"all of {name}"
    if int(np.prod([len(a) for a in axes])) == int(mask.sum()):
        return f"{name}[{', '.join(_axis(a, n) for a, n in zip(axes, mask.shape, strict=True))}]"
    return f"{int(mask.sum()):,} of {mask.size:,} elements of {name}"


def _axis(places: Array, extent: int) -> str:
    if len(places) == extent:
        return ":"
    if len(places) == 1:
        return str(places[0])
    if places[-1] - places[0] + 1 == len(places):
        return f"{places[0]}:{places[-1] + 1}"
    shown = [str(p) for p in places[:4]]
    return f"[{', '.join(shown)}{', ...' if len(places) > 4 else ''}]"
