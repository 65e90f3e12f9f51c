"""vmap: a function of one example's variables becomes one of a batch, without a loop.

Arguments and results may be tuples, lists and dicts, nested at will.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Constant, Variable
from graphlab.ops.extents import normalized_axes
from graphlab.ops.join import as_tensor
from graphlab.ops.shape import batch_extent, moveaxis, over_batch
from graphlab.vectorize import vectorize_graph

# ---- containers ----------------------------------------------------------------------------------


def _mapped(function: Callable[[Any, Any], Any], tree: Any, axes: Any, what: str) -> Any:
    """`tree` with `function(leaf, axis)` for each leaf; `axes` is one axis for all in it, or has its structure."""
    if not isinstance(tree, tuple | list | dict):
        if axes is not None and not isinstance(axes, int):
            raise GraphTypeError(
                f"vmap: {what} must be an axis, None, or have the structure of what it belongs to, got {axes!r}",
                origin=caller_origin(),
            )
        return function(tree, axes)
    below = _below(tree, axes, what)
    if isinstance(tree, dict):
        return {key: _mapped(function, tree[key], below[key], what) for key in tree}
    made = [_mapped(function, part, axis, what) for part, axis in zip(tree, below, strict=True)]
    return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)


def _below(tree: Any, axes: Any, what: str) -> Any:
    """The axes of the parts of `tree`."""
    if axes is None or isinstance(axes, int):
        return dict.fromkeys(tree, axes) if isinstance(tree, dict) else [axes] * len(tree)
    fits = (
        isinstance(axes, dict) and axes.keys() == tree.keys()
        if isinstance(tree, dict)
        else isinstance(axes, tuple | list) and len(axes) == len(tree)
    )
    if not fits:
        kind = f"a {type(tree).__name__} of {len(tree)}"
        raise GraphTypeError(f"vmap: {what} {axes!r} does not have the structure of {kind}", origin=caller_origin())
    return axes


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple | list | dict):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _leaves(part)
    else:
        yield tree


# ---- vmap ----------------------------------------------------------------------------------------


@user_boundary
@user_boundary
def vmap(fn: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """The function that applies `fn` to each example of a batch, as jax.vmap: by operations on the whole batch.

    `in_axes`: along which axis of each argument the examples lie (one for all, or a sequence with one for each
    argument; None: the argument is the same for all). `out_axes`: along which axis of the results they shall lie
    (None: a result is the same for all). What does not depend on the examples is computed once, random numbers too:
    they are the same for all. Where an argument or the result is a container, its axis may be one
    of its structure. GraphTypeError: there is nothing to map over; GraphShapeError: batches differ in extent.

    >>> import graphlab.tensor as T
    >>> rows = vmap(lambda v, s: s * v / v.sum(), in_axes=(0, None))
    >>> rows(T.constant([[1.0, 3.0], [2.0, 2.0]]), 4.0).eval()
    array([[1., 3.],
           [2., 2.]])
    """
    if not callable(fn):
        raise GraphTypeError(f"vmap maps a function, got {type(fn).__name__}", origin=caller_origin(),
                             hint="vmap(f)(x), not vmap(f(x), x)")  # fmt: skip

    @user_boundary
    @functools.wraps(fn)
    def batched(*arguments: Any) -> Any:
        return _applied(fn, arguments, in_axes, out_axes)

    return batched


def _applied(fn: Callable[..., Any], arguments: tuple[Any, ...], in_axes: Any, out_axes: Any) -> Any:
    axes = tuple(in_axes) if isinstance(in_axes, list) else in_axes
    replace: dict[Variable, Variable] = {}

    def one_example(leaf: Any, axis: int | None) -> Any:
        if axis is None:
            return leaf
        x = as_tensor(leaf)
        if x.ndim == 0:
            raise GraphTypeError(f"vmap: {_called(x)} has no axis to map over", origin=caller_origin(),
                                 hint="give None for it in in_axes: it is then the same for all")  # fmt: skip
        whole = moveaxis(x, normalized_axes(axis, x.ndim, "vmap")[0], 0)
        example = Variable(whole.type.with_shape(whole.type.shape[1:]), x.name)
        replace[example] = whole
        return example

    examples = _mapped(one_example, arguments, axes, "in_axes")
    if not replace:
        raise GraphTypeError("vmap: no argument has an axis to map over", origin=caller_origin(),
                             hint="in_axes must name an axis for at least one argument")  # fmt: skip
    n = _count(list(replace.values()))
    results = fn(*examples)
    outputs = [as_tensor(leaf) for leaf in _leaves(results)]
    made: Iterator[tuple[Variable, Variable]] = zip(outputs, vectorize_graph(outputs, replace), strict=True)

    def result(_: Any, axis: int | None) -> Variable:
        one, whole = next(made)
        depends = whole.ndim > one.ndim
        if axis is None:
            if depends:
                raise GraphValueError("vmap: out_axes is None for a result that differs from example to example",
                                      origin=caller_origin())  # fmt: skip
            return whole
        (place,) = normalized_axes(axis, one.ndim + 1, "vmap")
        return moveaxis(whole if depends else over_batch(whole, n), 0, place)

    return _mapped(result, results, out_axes, "out_axes")


def _called(x: Variable) -> str:
    return f"{x.name or 'an argument'}: {x.type}"


def _count(batches: list[Variable]) -> Variable:
    """The number of examples, in which the known extents agree."""
    known = {int(v.type.shape[0]) for v in batches if v.type.shape[0] is not None}
    if len(known) > 1:
        listed = ", ".join(_called(v) for v in batches)
        raise GraphShapeError(f"vmap: the batches differ in extent: {listed}", origin=caller_origin(),
                              hint="check in_axes; None keeps an argument the same for all")  # fmt: skip
    return Constant(known.pop()) if known else batch_extent(batches, [True] * len(batches))
