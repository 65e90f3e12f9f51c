"""What makes a Variable feel like an array: its operators, attributes and methods, given here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphlab.errors import GraphTypeError, caller_origin, user_boundary
from graphlab.graph.node import Variable
from graphlab.graph.text import labelled
from graphlab.ops import choices as choices_
from graphlab.ops import (
    cumulative,
    extents,
    grids,
    index,
    join,
    linalg,
    matrix_functions,
    norms,
    ordering,
    products,
    reduce,
    shape,
)
from graphlab.ops import elementwise as e
from graphlab.ops.conversion import cast
from graphlab.ops.ufunc import Elementwise


def _binary(op: Elementwise) -> Callable[[Variable, Any], Any]:
    def method(self: Variable, other: Any) -> Any:
        return op(self, other)

    return method


def _reflected(op: Elementwise) -> Callable[[Variable, Any], Any]:
    def method(self: Variable, other: Any) -> Any:
        return op(other, self)

    return method


def _unary(op: Elementwise) -> Callable[[Variable], Any]:
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
        f"{labelled(self)} is symbolic: it has no truth value yet",
        origin=caller_origin(),
        hint="T.where(condition, a, b) or graphlab.ifelse choose by value; `and` of masks is (x > 0) & (x < 1),"
        " == of values T.eq(a, b)",
    )


@user_boundary
def _refuse_len(self: Variable) -> int:
    if self.ndim == 0:
        raise GraphTypeError(
            f"{labelled(self)} is a scalar: it has no len()",
            origin=caller_origin(),
            hint="only what has an axis has one: declare it as T.vector or T.matrix",
        )
    if (extent := self.type.shape[0]) is not None:
        return extent
    raise GraphTypeError(
        f"the length of {labelled(self)} is not known before the run",
        origin=caller_origin(),
        hint="use x.shape[0], which is symbolic, or declare it: T.tensor(dtype, shape=(10, None))",
    )


@user_boundary
def _iterate(self: Variable) -> Iterator[Variable]:
    if self.ndim == 0 or self.type.shape[0] is None:
        why = "its length is not known before the run" if self.ndim else "it is a scalar"
        raise GraphTypeError(
            f"{labelled(self)} can't be iterated over: {why}",
            origin=caller_origin(),
            hint="compute on the whole array at once, index it (x[0]), or loop with graphlab.scan",
        )
    return iter([index.index(self, i) for i in range(self.type.shape[0])])


@user_boundary
def _refuse_number(self: Variable) -> Any:
    raise GraphTypeError(
        f"{labelled(self)} is symbolic: it is no number yet",
        origin=caller_origin(),
        hint="for its value compile it: graphlab.function([inputs], x), or x.eval({input: value}); functions of"
        " variables are in graphlab.tensor (T.sin(x), not math.sin(x)), loops graphlab.scan(..., n_steps=n)",
    )


@user_boundary
def _refuse_setting(self: Variable, key: Any, value: Any = None) -> None:
    raise GraphTypeError(
        f"{labelled(self)} never changes: its elements can't be set",
        origin=caller_origin(),
        hint="x = x[key].set(value) makes a new variable, and so does x = x[key].inc(value) for +=",
    )


@user_boundary
def _refuse_contains(self: Variable, value: Any) -> bool:
    raise GraphTypeError(
        f"{labelled(self)} is symbolic: what is in it is not known before the run",
        origin=caller_origin(),
        hint="T.any(T.eq(x, value)) is symbolic too",
    )


def _formatted(self: Variable, form: str) -> str:
    return format(_refuse_number(self), form) if form else str(self)


@user_boundary
def _refuse_array(self: Variable, *_: Any, **__: Any) -> Any:
    raise _not_for_numpy(
        self,
        "NumPy can't make an array of it",
        "T.stack([x, y]) makes one variable of several, T.exp(x) computes with one",
    )


_NUMPY_OPERATORS = {op.function: op for op in (*_BINARY.values(), *_COMPARE.values())} | {np.matmul: linalg.matmul}


@user_boundary
def _from_numpy(self: Variable, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
    """NumPy's operators come here: array + x is add(array, x); all other ufuncs are refused."""
    if ufunc in (np.equal, np.not_equal):  # as between variables: whether it is the same node
        return ufunc is np.not_equal
    if "out" in keywords:
        raise _not_for_numpy(self, "an array can't be changed in place by it", "write a = a + x: a variable")
    if method != "__call__" or keywords or ufunc not in _NUMPY_OPERATORS:
        raise _not_for_numpy(self, f"numpy.{ufunc.__name__} can't compute with it", _instead(ufunc.__name__))
    return _NUMPY_OPERATORS[ufunc](*inputs)


@user_boundary
def _from_numpy_function(self: Variable, function: Any, types: Any, args: Any, keywords: Any) -> Any:
    """NumPy's functions of arrays come here, and are refused but for the rank."""
    if function is np.ndim:
        return self.ndim
    name = f"{function.__module__}.{function.__name__}"
    raise _not_for_numpy(self, f"{name} can't compute with it", _instead(name.removeprefix("numpy.")))


def _instead(name: str) -> str:
    return f"functions of variables are in graphlab.tensor: T.{name}(...)"


def _not_for_numpy(v: Variable, why: str, hint: str) -> GraphTypeError:
    return GraphTypeError(f"{labelled(v)} is symbolic: {why}", origin=caller_origin(), hint=hint)


class _Methods:
    """Attributes and methods that `install` copies onto Variable, where each `self` is a Variable."""

    T = property(lambda self: shape.transpose(self), doc="The transpose: axes reversed.")
    shape = property(lambda self: shape.shape_of(self), doc="The extents as an int64 vector.")
    size = property(lambda self: shape.size(self), doc="The number of elements, as an int64 scalar.")
    broadcastable = property(
        lambda self: tuple(n == 1 for n in self.type.shape),
        doc="Which extents are known to be 1, as in Theano; whatever is 1 when it runs broadcasts.",
    )
    real = property(lambda self: e.real(self), doc="The real parts.")
    imag = property(lambda self: e.imag(self), doc="The imaginary parts: zeros of real numbers.")

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
        return products.prod(self, axis, dtype=dtype, keepdims=keepdims)

    def mean(self: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        """Mean over `axis`."""
        return reduce.mean(self, axis, dtype=dtype, keepdims=keepdims)

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

    def ptp(self: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The largest less the smallest over `axis`."""
        return ordering.ptp(self, axis, keepdims)

    def norm(self: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
        """The norm of the vectors or matrices along `axis`, as numpy.linalg.norm."""
        return norms.norm(self, ord, axis, keepdims)

    def trace(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The sum along a diagonal."""
        return matrix_functions.trace(self, offset, axis1, axis2)

    def cumsum(self: Any, axis: Any = None, dtype: Any = None) -> Any:
        """The running sum along `axis` (None: of all in a row)."""
        return cumulative.cumsum(self, axis, dtype)

    def cumprod(self: Any, axis: Any = None, dtype: Any = None) -> Any:
        """The running product along `axis` (None: of all in a row)."""
        return cumulative.cumprod(self, axis, dtype)

    def diff(self: Any, n: int = 1, axis: int = -1) -> Any:
        """Each element less the one before it along `axis`, `n` times over."""
        return cumulative.diff(self, n, axis)

    def sort(self: Any, axis: Any = -1) -> Any:
        """Sorted along `axis`: a new variable, where NumPy's method sorts in place."""
        return ordering.sort(self, axis)

    def argsort(self: Any, axis: Any = -1) -> Any:
        """The positions that sort along `axis`."""
        return ordering.argsort(self, axis)

    def searchsorted(self: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """Where in this ascending vector each element of `v` belongs."""
        return ordering.searchsorted(self, v, side, sorter)

    def nonzero(self: Any) -> Any:
        """The positions of the elements that are not 0, one vector for each axis."""
        return ordering.nonzero(self)

    def choose(self: Any, choices: Any, mode: str = "raise") -> Any:
        """For each element, a number k, that of `choices[k]`."""
        return choices_.choose(self, choices, mode)

    def compress(self: Any, condition: Any, axis: Any = None) -> Any:
        """What stands where the vector `condition` is true along `axis` (None: of all in a row)."""
        return index.take(self, ordering.flatnonzero(condition), axis)

    def astype(self: Any, dtype: Any) -> Any:
        """The same values with element type `dtype`."""
        return cast(self, dtype)

    def cast(self: Any, dtype: Any) -> Any:
        """The same values with element type `dtype`."""
        return cast(self, dtype)

    def copy(self: Any) -> Any:
        """The variable itself: it is never written to."""
        return self

    def fill(self: Any, value: Any) -> Any:
        """`value` in this shape and dtype: a new variable, where NumPy's method writes."""
        return extents.full_like(self, value)

    def zeros_like(self: Any, dtype: Any = None) -> Any:
        """Zeros in this shape."""
        return extents.zeros_like(self, dtype)

    def ones_like(self: Any, dtype: Any = None) -> Any:
        """Ones in this shape."""
        return extents.ones_like(self, dtype)

    def repeat(self: Any, repeats: Any, axis: Any = None) -> Any:
        """Each element `repeats` times along `axis` (None: all in a row)."""
        return join.repeat(self, repeats, axis)

    def diagonal(self: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The elements on a diagonal."""
        return grids.diagonal(self, offset, axis1, axis2)

    def set(self: Any, values: Any) -> Any:
        """Of an indexed variable, x[i].set(v): x with `values` there; T.set_subtensor."""
        return index.set_subtensor(self, values)

    def inc(self: Any, values: Any) -> Any:
        """Of an indexed variable, x[i].inc(v): x with `values` added there; T.inc_subtensor."""
        return index.inc_subtensor(self, values)

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

    def conj(self: Any) -> Any:
        """The complex conjugates."""
        return e.conjugate(self)

    def take(self: Any, indices: Any, axis: Any = None) -> Any:
        """The elements at `indices` along `axis` (None: of all, flattened)."""
        return index.take(self, indices, axis)


_REFUSED = {
    "__bool__": _refuse_bool, "__len__": _refuse_len, "__iter__": _iterate, "__array__": _refuse_array,
    "__float__": _refuse_number, "__int__": _refuse_number, "__index__": _refuse_number, "__format__": _formatted,
    "__setitem__": _refuse_setting, "__delitem__": _refuse_setting, "__contains__": _refuse_contains,
    "__array_ufunc__": _from_numpy, "__array_function__": _from_numpy_function,
}  # fmt: skip


def install() -> None:
    """Give Variable its operators, attributes and methods."""
    given: dict[str, Any] = {**_REFUSED}
    for name, op in _BINARY.items():
        given |= {f"__{name}__": _binary(op), f"__r{name}__": _reflected(op)}
    given |= {f"__{name}__": _binary(op) for name, op in _COMPARE.items()}
    given |= {f"__{name}__": _unary(op) for name, op in _UNARY.items()}
    given |= {name: user_boundary(method) for name, method in given.items()}
    for name, method in vars(_Methods).items():
        if callable(method):
            given[name] = user_boundary(method)
        elif isinstance(method, property):
            given[name] = method
    for name, method in given.items():
        setattr(Variable, name, method)
