"""What makes a Variable feel like an array: its operators, attributes and methods, given here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops import elementwise as e
from graphlab.ops import index, linalg, reduce, shape


def _binary(op: e.Elementwise) -> Callable[[Variable, Any], Any]:
    def method(self: Variable, other: Any) -> Any:
        return op(self, other)

    return method


def _reflected(op: e.Elementwise) -> Callable[[Variable, Any], Any]:
    def method(self: Variable, other: Any) -> Any:
        return op(other, self)

    return method


def _unary(op: e.Elementwise) -> Callable[[Variable], Any]:
    def method(self: Variable) -> Any:
        return op(self)

    return method


_BINARY = {
    "add": e.add, "sub": e.subtract, "mul": e.multiply, "truediv": e.true_divide, "floordiv": e.floor_divide,
    "mod": e.remainder, "pow": e.power, "and": e.bitwise_and, "or": e.bitwise_or, "xor": e.bitwise_xor,
    "lshift": e.left_shift, "rshift": e.right_shift,
}  # fmt: skip
_UNARY = {"neg": e.negative, "abs": e.absolute, "invert": e.invert}
_COMPARE = {"lt": e.less, "le": e.less_equal, "gt": e.greater, "ge": e.greater_equal}


@user_boundary
def _refuse_bool(self: Variable) -> bool:
    raise GraphTypeError(
        f"{_called(self)} is symbolic: it has no truth value yet",
        origin=caller_origin(),
        hint="use T.where(condition, a, b) for a choice by value, T.eq(a, b) to compare, `is` to ask for the same node",
    )


@user_boundary
def _refuse_len(self: Variable) -> int:
    if self.ndim == 0:
        raise GraphTypeError(f"{_called(self)} is a scalar: it has no len()", origin=caller_origin())
    if (extent := self.type.shape[0]) is not None:
        return extent
    raise GraphTypeError(
        f"the length of {_called(self)} is not known before the run",
        origin=caller_origin(),
        hint="use x.shape[0], which is symbolic, or declare it: T.tensor(dtype, shape=(10, None))",
    )


@user_boundary
def _iterate(self: Variable) -> Iterator[Variable]:
    if self.ndim == 0 or self.type.shape[0] is None:
        raise GraphTypeError(
            f"{_called(self)} can't be iterated over: its length is not known before the run",
            origin=caller_origin(),
            hint="index it (x[0]), or compute on the whole array at once",
        )
    return iter([index.index(self, i) for i in range(self.type.shape[0])])


@user_boundary
def _refuse_number(self: Variable) -> Any:
    raise GraphTypeError(
        f"{_called(self)} is symbolic: it is no number yet",
        origin=caller_origin(),
        hint="compile it: graphlab.function([inputs], x), or x.eval({input: value})",
    )


@user_boundary
def _refuse_array(self: Variable, *_: Any, **__: Any) -> Any:
    raise GraphTypeError(
        f"{_called(self)} is symbolic: NumPy can't turn it into an array",
        origin=caller_origin(),
        hint="use the function of graphlab.tensor with the same name (T.exp(x), not numpy.exp(x))",
    )


def _called(v: Variable) -> str:
    return f"{v.name or 'the variable'}: {v.type}"


class _Methods:
    """Attributes and methods that `install` copies onto Variable, where each `self` is a Variable."""

    T = property(lambda self: shape.transpose(self), doc="The transpose: axes reversed.")
    shape = property(lambda self: shape.shape_of(self), doc="The extents as an int64 vector.")
    size = property(lambda self: shape.size(self), doc="The number of elements, as an int64 scalar.")

    def __pos__(self: Any) -> Any:
        return self

    def __matmul__(self: Any, other: Any) -> Any:
        return linalg.matmul(self, other)

    def __rmatmul__(self: Any, other: Any) -> Any:
        return linalg.matmul(other, self)

    def __divmod__(self: Any, other: Any) -> Any:
        return e.floor_divide(self, other), e.remainder(self, other)

    def __getitem__(self: Any, key: Any) -> Any:
        return index.index(self, key)

    def sum(self: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        """Sum over `axis` (None: all), as numpy.sum."""
        return reduce.sum(self, axis, dtype=dtype, keepdims=keepdims)

    def prod(self: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        """Product over `axis`."""
        return reduce.prod(self, axis, dtype=dtype, keepdims=keepdims)

    def mean(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Mean over `axis`."""
        return reduce.mean(self, axis, keepdims=keepdims)

    def var(self: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """Variance over `axis`: the squares are divided by n - `ddof`."""
        return reduce.var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(self: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """Standard deviation over `axis`."""
        return reduce.std(self, axis, ddof=ddof, keepdims=keepdims)

    def max(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Largest over `axis`; nan if there is one."""
        return reduce.max(self, axis, keepdims=keepdims)

    def min(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Smallest over `axis`; nan if there is one."""
        return reduce.min(self, axis, keepdims=keepdims)

    def any(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether any element over `axis` is true."""
        return reduce.any(self, axis, keepdims=keepdims)

    def all(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Whether all elements over `axis` are true."""
        return reduce.all(self, axis, keepdims=keepdims)

    def argmax(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Position of the first largest element over `axis`, as int64."""
        return reduce.argmax(self, axis, keepdims=keepdims)

    def argmin(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """Position of the first smallest element over `axis`, as int64."""
        return reduce.argmin(self, axis, keepdims=keepdims)

    def astype(self: Any, dtype: Any) -> Any:
        """The same values with element type `dtype`."""
        return e.cast(self, dtype)

    def clip(self: Any, low: Any, high: Any) -> Any:
        """Limited to [low, high]."""
        return e.clip(self, low, high)

    def round(self: Any) -> Any:
        """Rounded to whole numbers, half to even."""
        return e.round(self)

    def dot(self: Any, other: Any) -> Any:
        """Matrix product, as numpy.dot."""
        return linalg.dot(self, other)

    def reshape(self: Any, *extents: Any) -> Any:
        """The same elements in another shape; one extent may be -1."""
        return shape.reshape(self, extents[0] if len(extents) == 1 else extents)

    def transpose(self: Any, *axes: Any) -> Any:
        """Axes reversed, or permuted as `axes` says."""
        return shape.transpose(self, *axes)

    def dimshuffle(self: Any, *pattern: Any) -> Any:
        """Axes permuted; 'x' makes a new axis of extent 1; an axis left out must have extent 1."""
        return shape.dimshuffle(self, *pattern)

    def flatten(self: Any, ndim: int = 1) -> Any:
        """Trailing axes merged until `ndim` are left."""
        return shape.flatten(self, ndim)

    def ravel(self: Any) -> Any:
        """All elements in one dimension."""
        return shape.flatten(self, 1)

    def squeeze(self: Any, axis: Any = None) -> Any:
        """Without the axes of extent 1 (or just those of `axis`)."""
        return shape.squeeze(self, axis)

    def swapaxes(self: Any, a: int, b: int) -> Any:
        """Axes `a` and `b` exchanged."""
        return shape.swapaxes(self, a, b)

    def take(self: Any, indices: Any, axis: Any = None) -> Any:
        """The elements at `indices` along `axis` (None: of all, flattened)."""
        return index.take(self, indices, axis)


_REFUSED = {
    "__bool__": _refuse_bool, "__len__": _refuse_len, "__iter__": _iterate, "__array__": _refuse_array,
    "__float__": _refuse_number, "__int__": _refuse_number, "__index__": _refuse_number,
}  # fmt: skip


def install() -> None:
    """Give Variable its operators, attributes and methods."""
    given: dict[str, Any] = {**_REFUSED}
    for name, op in _BINARY.items():
        given |= {f"__{name}__": _binary(op), f"__r{name}__": _reflected(op)}
    given |= {f"__{name}__": _binary(op) for name, op in _COMPARE.items()}
    given |= {f"__{name}__": _unary(op) for name, op in _UNARY.items()}
    for name, method in vars(_Methods).items():
        if callable(method):
            given[name] = user_boundary(method)
        elif isinstance(method, property):
            given[name] = method
    for name, method in given.items():
        setattr(Variable, name, method)
