"""What an elementwise operation is: a NumPy function of scalars, its C and its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from graphlab.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, is_float, promote
from graphlab.errors import GraphlabError, GraphShapeError, GraphTypeError, GraphValueError, Origin
from graphlab.graph.node import Apply, Constant, Variable, as_data_variable
from graphlab.graph.types import TensorType, broadcast_shape
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Along, Batching
from graphlab.ops.later import Later
from graphlab.ops.lowering import Host, Lowering, Pointwise

MOST_REMEMBERED = 4096  # pairs of an operation and the dtypes or types of its operands
Loop = tuple[tuple[str, ...], str]  # the dtypes a computation runs in, and the one it gives


class Zero:
    """Stands for a derivative that is zero everywhere: connected, but nothing flows."""

    def __repr__(self) -> str:
        return "ZERO"


ZERO = Zero()


@dataclass(frozen=True, slots=True)
class Undefined:
    """Stands for a derivative that no formula gives: an error for who asks for it, nothing to the others."""

    reason: str
    origin: Origin | None = None  # the line of the operation
    hint: str | None = None


Pull = Callable[..., Any]  # (g, y, *xs) -> the cotangent of one input, or ZERO


@dataclass(frozen=True, eq=False, slots=True)
class Elementwise(Op):
    """A scalar function applied to each element of its broadcast operands.

    `function` is its NumPy (or SciPy) meaning and decides the dtypes; `c`, `c_int`, `c_bool` and `c_complex`
    are C templates for float, integer, bool and complex loops ({x} {y} {z}: operands; {f}: "f" in single
    precision; {t}: the loop's dtype; `c_all` serves every dtype): where none fits NumPy computes it. `pull` holds one
    derivative per input, and `push` those of forward mode where they are others (complex functions that are not
    holomorphic). `domain` bounds the values that the generated tests draw for gradients. `compares`: its operands
    may be Python integers that the other's dtype does not hold. `host` says why NumPy must compute an
    application, for whose dtypes there is C, nevertheless.
    """

    name: str
    function: Callable[..., Any]
    arity: int = 1
    c: str | None = None
    c_int: str | None = None
    c_bool: str | None = None
    c_all: str | None = None
    c_complex: str | None = None
    pull: tuple[Pull | Undefined | None, ...] | None = None
    push: tuple[Pull, ...] | None = None
    resolve: Callable[..., Loop] | None = None
    domain: tuple[float, float] = (-3.0, 3.0)
    ulps: float = 4.0
    compares: bool = False
    host: Callable[[Apply, tuple[str, ...]], str | None] | None = None

    def loop(self, *dtypes: str) -> Loop:
        """The dtypes in which NumPy computes with operands of `dtypes`, and that of the result."""
        try:
            return self.resolve(*dtypes) if self.resolve else _ufunc_loop(self.function, dtypes)
        except TypeError:
            raise GraphTypeError(
                f"{self.name} is not defined for {' and '.join(dtypes)}",
                hint="a mask needs brackets: (x > 0) & (x < 1)"
                if self.name.startswith("bitwise")
                else "cast an operand first, for example x.astype('float64')",
            ) from None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        return _inferred(self, inputs)

    def numpy(self, *values: Array) -> Any:
        dtypes, out = self.loop(*(v.dtype.name for v in values))
        cast = [v.astype(d, copy=False) for v, d in zip(values, dtypes, strict=True)]
        return np.asarray(self.function(*cast)).astype(out, copy=False)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        (g,) = cotangents
        return [self._derivative(i, g, node) for i in range(self.arity)]

    def _derivative(self, i: int, g: Variable | None, node: Apply) -> Any:
        pull = self.pull[i] if self.pull else None
        if g is None or isinstance(node.inputs[i], Constant):
            return None
        if pull is None:
            reason = f"{self.name} has no derivative by its operand {i + 1}"
            return Undefined(reason) if is_float(node.inputs[i].dtype) else None
        return pull if isinstance(pull, Undefined) else pull(g, node.outputs[0], *node.inputs)

    def pushforward(self, node: Apply, tangents: Cotangents) -> Cotangents:
        # The Jacobian is diagonal, so a pullback of the tangent is the pushforward of it.
        terms = [
            self.push[i](t, node.outputs[0], *node.inputs) if self.push else self._derivative(i, t, node)
            for i, t in enumerate(tangents)
            if t is not None
        ]
        for term in terms:
            if isinstance(term, Undefined):
                raise GraphlabError(term.reason)
        if node.outputs[0].dtype not in COMPLEX:  # a real function of complex numbers moves by Re(f'(z) dz)
            terms = [t.real if isinstance(t, Variable) and t.dtype in COMPLEX else t for t in terms]
        flowing = [t for t in terms if t is not None and t is not ZERO]
        total = flowing[0] if flowing else None
        for term in flowing[1:]:
            total = total + term
        return [total]

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        return Along((0,) * self.arity)

    def lowering(self, node: Apply) -> Lowering:
        operands = tuple([v.dtype for v in node.inputs])
        if self.host and (reason := self.host(node, self.loop(*operands)[0])):
            return Host(reason)
        return _lowering(self, operands)

    def convert(self, *arguments: Any) -> tuple[Variable, ...]:
        """Python scalars are weak: they take the dtype that NumPy 2 gives them beside the others."""
        found = [None if type(a) in _WEAK else as_data_variable(a) for a in arguments]
        if None not in found:
            return tuple(found)  # type: ignore[arg-type]
        # The condition of `where` has no say in the dtype of its branches.
        voters = [v.type.dtype for v in found[self.name == "where" :] if v is not None]
        return tuple([
            _weak_constant(a, voters, compares=self.compares) if v is None else v
            for a, v in zip(arguments, found, strict=True)
        ])  # fmt: skip

    def __repr__(self) -> str:
        return self.name


_WEAK = (int, float, complex)


def _shape_text(t: TensorType) -> str:
    return "(" + ", ".join("?" if n is None else str(n) for n in t.shape) + ("," if t.ndim == 1 else "") + ")"


def _weak_constant(value: Any, voters: Sequence[str], *, compares: bool) -> Constant:
    if not voters:
        return Constant(value)
    dtype = _weak_dtype(tuple(voters), type(value))  # type: ignore[arg-type]
    if dtype in INTEGER:
        low, high = _limits(dtype)
        if not low <= value <= high:
            if compares:  # NumPy compares with any Python integer, whatever the array holds
                return Constant(value)
            raise GraphValueError(
                f"the Python integer {value} does not fit {dtype}",
                hint=f"write numpy.int64({value}) to compute in a wider dtype",
            )
    return Constant(np.asarray(value, dtype=dtype))


@cache
def _limits(dtype: str) -> tuple[int, int]:
    """The least and the largest integer of a dtype."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


@cache
def _weak_dtype(voters: tuple[str, ...], kind: type) -> str:
    """The dtype of a Python scalar of a kind beside others, whatever its value."""
    return promote(*voters, kind(1))


@lru_cache(MOST_REMEMBERED)
def _inferred(op: Elementwise, inputs: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
    if len(inputs) != op.arity:
        raise GraphTypeError(f"{op.name} takes {op.arity} operands, got {len(inputs)}")
    _, dtype = op.loop(*(t.dtype for t in inputs))
    try:
        shape = broadcast_shape([t.shape for t in inputs])
    except ValueError:
        raise GraphShapeError(
            f"{op.name}: shapes {' and '.join(_shape_text(t) for t in inputs)} do not broadcast together",
        ) from None
    return (TensorType(dtype, shape),)


@lru_cache(MOST_REMEMBERED)
def _lowering(op: Elementwise, operands: tuple[str, ...]) -> Lowering:
    """How `op` is computed for operands of these dtypes."""
    dtypes, out = op.loop(*operands)
    if len({d for d in dtypes if d in INTEGER}) > 1:
        return Host("mixed signed and unsigned 64-bit integers")
    kind = dtypes[-1]
    forms = ((INTEGER, op.c_int), (BOOL, op.c_bool), (COMPLEX, op.c_complex), (FLOAT, op.c))
    form = next(form for kinds, form in forms if kind in kinds) or op.c_all
    if form is None:
        return Host(f"{op.name} of {kind} has no C form")
    if kind == "float16":  # as NumPy: in float32, and each result is rounded
        dtypes, kind = tuple("float32" if d == kind else d for d in dtypes), "float32"
    single = "f" if kind in ("float32", "complex64") else ""
    return Pointwise(form.format(x="{0}", y="{1}", z="{2}", f=single, t=kind), dtypes, out)


@cache
def _ufunc_loop(function: Any, dtypes: tuple[str, ...]) -> Loop:
    if isinstance(function, Later):
        if len(set(dtypes)) == 1 and dtypes[0] in ("float32", "float64"):  # as all of SciPy's do
            return dtypes, dtypes[0]
        function = function.found
    if not isinstance(function, np.ufunc):
        raise TypeError("not a ufunc: its dtypes must be given by `resolve`")
    resolved = function.resolve_dtypes((*(np.dtype(d) for d in dtypes), *(None,) * function.nout))
    return tuple(d.name for d in resolved[: function.nin]), resolved[function.nin].name


def same_float(*dtypes: str) -> Loop:
    """Computed in the operands' float dtype; float64 for integers, as NumPy's exp does from int32 up."""
    dtype = promote(*dtypes)
    chosen = dtype if dtype in ("float32", "float64", "float16") else "float64"
    if dtype in COMPLEX:
        raise TypeError(dtype)
    return (chosen,) * len(dtypes), chosen
