"""One table of ops: for each how to build it, what NumPy or SciPy gives, and what it may be fed.

tests/ops/test_table.py generates its tests from here: types, values by interpreter and by compiled code,
gradients. A new op needs a line here, or a test fails.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning
from scipy import linalg as scipy_linalg
from scipy import special

import graphlab.tensor as T
from graphlab.dtypes import ALL, BOOL, COMPLEX, FLOAT, INTEGER
from graphlab.graph.node import Variable
from graphlab.ops import check, extents, index, reduce
from graphlab.ops import elementwise as e
from graphlab.ops import special as sp
from graphlab.ops.ufunc import Elementwise, Undefined

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Rng = np.random.Generator

REAL = ("float64", "float32")
NUMERIC = (*REAL, "int64", "int8", "uint8")
MOST = (*NUMERIC, "bool")
WIDE = (*MOST, "float16", *COMPLEX)


@dataclass(frozen=True)
class Operand:
    """An operand of the case's dtype (or a fixed one), floats drawn from `low` to `high`, or fixed `values`."""

    low: float = -3.0
    high: float = 3.0
    dtype: str | None = None
    values: Any = None

    def draw(self, rng: Rng, shape: Shape, dtype: str) -> Array:
        """Values of `shape`; `dtype` is the case's."""
        chosen = self.dtype or dtype
        if self.values is not None:
            return np.asarray(self.values, dtype=chosen)
        if chosen == "bool":
            return rng.random(shape) < 0.5
        if chosen in INTEGER:
            low = 0 if chosen.startswith("u") or self.low >= 0 else -9
            return rng.integers(low, 10, shape).astype(chosen)
        drawn = rng.uniform(self.low, self.high, shape)
        return (drawn + 1j * rng.uniform(self.low, self.high, shape) if chosen in COMPLEX else drawn).astype(chosen)


@dataclass(frozen=True)
class Case:
    """One use of an op.

    `build` maps variables, `reference` arrays of the same values, to the result. `shapes` lists sets of
    operand shapes of the same ranks. Results may differ by `ulps`, counted at max(|value|, `scale`).
    `edges`: which values at which programs go wrong are fed too: "all" of them; not the extreme floats, where
    the "order" of rounding matters; only "floats" that are not extreme; or "none". `exact_shape`: known input
    shapes give a known result.
    """

    name: str
    build: Callable[..., Variable]
    reference: Callable[..., Any]
    operands: tuple[Operand, ...] = (Operand(),)
    shapes: tuple[tuple[Shape, ...], ...] = (((2, 3),),)
    dtypes: tuple[str, ...] = WIDE
    ulps: float = 0.0
    scale: float = 0.0
    differentiable: bool = True
    edges: str = "all"
    signed_zeros: bool = True
    exact_shape: bool = True

    def __str__(self) -> str:
        return self.name

    def arguments(self, dtype: str, which: int = 0) -> list[Array]:
        """Operands for shape set `which`, the same in every run."""
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {which}".encode()))
        return [o.draw(rng, s, dtype) for o, s in zip(self.operands, self.shapes[which], strict=True)]

    def inputs(self, dtype: str, which: int | None = None) -> list[Variable]:
        """Variables for the operands: of known extents for shape set `which`, else only of known rank."""
        return [
            T.tensor(o.dtype or dtype, s if which is not None else (None,) * len(s), f"x{i}")
            for i, (o, s) in enumerate(zip(self.operands, self.shapes[which or 0], strict=True))
        ]


# ---- elementwise: generated from the ops' own table -----------------------------------------------


def _numpy_meaning(op: Elementwise) -> Callable[..., Any]:
    """What the name of `op` means in NumPy or SciPy, found by the name."""
    if op.name == "complex":
        return _with_parts
    if op.name == "sigmoid":
        return lambda x: special.expit(_at_least_single(x)).astype(_at_least_single(x).dtype)
    if op.name == "polygamma":  # always in float64: SciPy loses digits that it could keep
        return lambda n, x: special.polygamma(np.asarray(n, "float64"), np.asarray(x, "float64"))
    if op.name == "sinc":  # NumPy's is a function that takes complex too
        return lambda x: np.sinc(_at_least_single(x))
    if op.name == "softplus":
        return lambda x: np.logaddexp(_at_least_single(x), np.zeros((), _at_least_single(x).dtype))
    found: Callable[..., Any] = getattr(special if isinstance(op, sp.Special) else np, op.name)
    return found


def _with_parts(re: Array, im: Array) -> Array:
    if np.iscomplexobj(re) or np.iscomplexobj(im):
        raise TypeError
    made = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re, im, "complex64"))
    made.real, made.imag = re, im
    return made


def _at_least_single(x: Array) -> Array:
    if np.iscomplexobj(x):
        raise TypeError
    return x if x.dtype.name in FLOAT else x.astype("float64")


def takes(function: Callable[..., Any], dtypes: Sequence[str]) -> bool:
    """Whether NumPy computes `function` of operands of `dtypes`."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)  # what drops imaginary parts does not take them
            function(*(np.ones((1,), d) for d in dtypes))
    except (TypeError, ComplexWarning):
        return False
    return True


# By arity; the last of each has room for every edge value, and with two operands for every pair of them.
_BROADCASTS: dict[int, tuple[tuple[Shape, ...], ...]] = {
    1: (((2, 3),), ((3, 0),), ((8, 9),)),
    2: (((2, 3), (2, 3)), ((2, 1), (1, 3)), ((0, 3), (1, 3)), ((64, 1), (1, 64))),
    3: (((2, 3), (1, 3), (2, 1)), ((0, 3), (1, 3), (1, 1)), ((8, 9), (8, 9), (8, 9))),
}


# SciPy's gammaln is infinite for subnormal numbers, its kv in float32 nan where that in float64 is 0.
_EDGES = {"polygamma": "none", **dict.fromkeys(("power", "gammaln", "sinc", "kv"), "floats")}


def elementwise_cases() -> Iterator[Case]:
    """One case for each elementwise op, in every dtype that NumPy takes."""
    for op in (*e.TABLE, *sp.TABLE):
        meaning = _numpy_meaning(op)
        low, high = op.domain
        operands = tuple(Operand(low, high) for _ in range(op.arity))
        shapes = _BROADCASTS[op.arity]
        if op.name == "where":
            operands = (Operand(dtype="bool"), *operands[1:])
        first = operands[0].dtype
        dtypes = tuple(d for d in ALL if takes(meaning, [first or d, *(d,) * (op.arity - 1)]))
        yield Case(
            op.name,
            op,
            meaning,
            operands,
            shapes,
            dtypes,
            ulps=op.ulps,
            # Where a derivative is undefined, that by the other operands has a test of its own.
            differentiable=op.pull is not None and not any(isinstance(p, Undefined) for p in op.pull),
            # These cross 0 where they are not exact.
            scale=1.0 if op.name in ("gammaln", "digamma", "logit", "sinc") else 0.0,
            # Which zero is the larger one depends on the vector instructions that NumPy was built for.
            signed_zeros=op.name not in ("maximum", "minimum", "fmax", "fmin"),
            edges=_EDGES.get(op.name, "all"),
        )


def conversion_cases() -> Iterator[Case]:
    """Casts between dtypes, and what is composed of elementwise ops."""
    for target in ("bool", "int8", "uint8", "int32", "int64", "uint64", *FLOAT, *COMPLEX):
        # Out of range, float to int is undefined in C and in NumPy: the domain stays inside.
        low = 0.0 if target.startswith("u") else -3.0
        yield Case(
            f"cast {target}",
            lambda x, t=target: T.cast(x, t),
            lambda x, t=target: x.astype(t),
            (Operand(low),),
            dtypes=ALL if target in (*COMPLEX, *BOOL) else (*BOOL, *INTEGER, *FLOAT),
            edges="none",
            differentiable=target == "float64",
        )
    yield Case("clip", lambda x: T.clip(x, 1, 2), lambda x: np.clip(x, 1, 2), dtypes=NUMERIC)


# ---- the others ----------------------------------------------------------------------------------

_AXES: tuple[tuple[str, Any], ...] = (
    ("all", None),
    ("first", 0),
    ("last", -1),
    ("outer two", (0, 2)),
    ("none", ()),
)
_THREE = (((2, 3, 4),), ((1, 3, 1),), ((9, 3, 8),))
_EMPTY = (((0, 3, 4),), ((2, 3, 0),))


def reduction_cases() -> Iterator[Case]:
    """Every reduction over several axes, with and without keepdims."""
    kinds: tuple[tuple[str, Any, Any, dict[str, Any]], ...] = (
        ("sum", T.sum, np.sum, {"ulps": 8, "scale": 8.0, "signed_zeros": False, "edges": "order"}),
        ("prod", T.prod, np.prod, {"ulps": 32, "dtypes": (*NUMERIC, *COMPLEX), "edges": "order"}),
        ("max", T.max, np.max, {"signed_zeros": False}),
        ("min", T.min, np.min, {"signed_zeros": False}),
        ("mean", T.mean, np.mean, {"ulps": 16, "scale": 4.0, "signed_zeros": False, "edges": "floats"}),
        ("var", T.var, np.var, {"ulps": 64, "scale": 4.0, "signed_zeros": False, "edges": "floats"}),
        ("std", T.std, np.std, {"ulps": 64, "scale": 4.0, "signed_zeros": False, "edges": "floats"}),
        ("any", T.any, np.any, {}),
        ("all", T.all, np.all, {}),
    )
    for name, build, meaning, more in kinds:
        settings: dict[str, Any] = {"dtypes": WIDE, "differentiable": name not in ("any", "all"), **more}
        # An empty max or min is an error, and that of var and std is NaN by way of a warning.
        shapes = _THREE if name in ("max", "min") else (*_THREE, *_EMPTY)
        for label, axis in _AXES:
            if name == "std" and axis == ():
                settings["differentiable"] = False  # the square root of 0
            for keepdims in (False, True) if axis in (0, (0, 2)) else (False,):
                yield Case(
                    f"{name} over {label}{', kept' if keepdims else ''}",
                    lambda x, b=build, a=axis, k=keepdims: b(x, axis=a, keepdims=k),
                    lambda x, m=meaning, a=axis, k=keepdims: m(x, axis=a, keepdims=k),
                    shapes=shapes,
                    **settings,
                )
    for name, build, meaning in (("argmax", T.argmax, np.argmax), ("argmin", T.argmin, np.argmin)):
        for label, axis in (("all", None), ("first", 0), ("last", -1)):
            yield Case(
                f"{name} over {label}",
                lambda x, b=build, a=axis: b(x, axis=a),
                lambda x, m=meaning, a=axis: m(x, axis=a),
                shapes=_THREE,
                differentiable=False,
            )
        yield Case(
            f"{name} kept",
            lambda x, b=build: b(x, axis=1, keepdims=True),
            lambda x, m=meaning: m(x, axis=1, keepdims=True),
            shapes=_THREE,
            differentiable=False,
        )
    yield Case(
        "var, ddof 1", lambda x: T.var(x, 0, ddof=1), lambda x: np.var(x, 0, ddof=1), ulps=64, scale=4.0, edges="floats"
    )
    yield Case(
        "sum as float32",
        lambda x: T.sum(x, 0, dtype="float32"),
        lambda x: np.sum(x, 0, dtype="float32"),
        dtypes=MOST,
        edges="floats",
        ulps=8,
        scale=8.0,
        signed_zeros=False,
        differentiable=False,
    )
    for name, like, meaning in (
        ("sum_to rows", (1, 3), lambda g, _: g.sum(axis=0, keepdims=True)),
        ("sum_to vector", (3,), lambda g, _: g.sum(axis=0)),
        ("sum_to scalar", (), lambda g, _: g.sum()),
        ("sum_to itself", (2, 3), lambda g, _: g),
    ):
        yield Case(
            name,
            reduce.sum_to,
            meaning,
            (Operand(), Operand()),
            (((2, 3), like),),
            REAL,
            ulps=8,
            edges="order",
            scale=8.0,
            signed_zeros=False,
        )


def shape_cases() -> Iterator[Case]:
    """Shapes as values, and axes arranged otherwise."""
    yield Case("shape", lambda x: T.shape_of(x), lambda x: np.array(x.shape), differentiable=False)
    yield Case("size", lambda x: T.size(x), lambda x: np.array(x.size), differentiable=False)
    yield Case(
        "shape of three",
        lambda x: extents.shape_vector((T.shape_of(x)[1], 3)),
        lambda x: np.array([x.shape[1], 3]),
        differentiable=False,
    )
    three = {"shapes": (((2, 3, 4),), ((0, 3, 1),))}
    views: tuple[tuple[str, Any, Any], ...] = (
        ("transpose", T.transpose, np.transpose),
        ("transpose axes", lambda x: T.transpose(x, (1, 2, 0)), lambda x: np.transpose(x, (1, 2, 0))),
        ("swapaxes", lambda x: T.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1)),
        ("moveaxis", lambda x: T.moveaxis(x, (0, 2), (-1, 0)), lambda x: np.moveaxis(x, (0, 2), (-1, 0))),
        ("expand_dims", lambda x: T.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
        ("dimshuffle", lambda x: T.dimshuffle(x, 2, "x", 0, 1), lambda x: x.transpose(2, 0, 1)[:, None]),
        ("atleast_2d", T.atleast_2d, np.atleast_2d),
        ("ravel", T.ravel, np.ravel),
        ("flatten 2", lambda x: T.flatten(x, 2), lambda x: x.reshape(x.shape[0], int(np.prod(x.shape[1:])))),
        (
            "reshape",
            lambda x: T.reshape(x, (T.shape_of(x)[1], T.shape_of(x)[0] * T.shape_of(x)[2])),
            lambda x: x.reshape(x.shape[1], -1) if x.size else x.reshape(x.shape[1], 0),
        ),
    )
    for name, build, meaning in views:
        yield Case(name, build, meaning, exact_shape=name != "reshape", **three)
    yield Case("reshape -1", lambda x: T.reshape(x, (2, -1)), lambda x: x.reshape(2, -1), shapes=(((4, 3),), ((1, 6),)))
    yield Case("squeeze", lambda x: T.squeeze(x, 1), lambda x: np.squeeze(x, 1), shapes=(((2, 1, 3),), ((0, 1, 2),)))
    yield Case(
        "broadcast_to",
        lambda x: T.broadcast_to(x, (2, 3, 4)),
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        shapes=(((3, 1),), ((1, 4),)),
    )
    yield Case("full_like", lambda x: T.full_like(x, 1), lambda x: np.full_like(x, 1), differentiable=False)
    yield Case(
        "zeros", lambda x: T.zeros(T.shape_of(x), "int8"), lambda x: np.zeros(x.shape, "int8"), differentiable=False
    )


def join_cases() -> Iterator[Case]:
    """Arrays put together and taken apart."""
    two = (Operand(), Operand())
    uneven = (((2, 3), (2, 1)), ((0, 3), (0, 2)), ((1, 0), (1, 2)))
    same = (((2, 3), (2, 3)), ((0, 3), (0, 3)))
    yield Case(
        "concatenate", lambda x, y: T.concatenate([x, y], 1), lambda x, y: np.concatenate([x, y], 1), two, uneven
    )
    yield Case(
        "concatenate mixed",
        lambda x, y: T.concatenate([x, y], -1),
        lambda x, y: np.concatenate([x, y], -1),
        (Operand(), Operand(dtype="float32")),
        uneven,
        differentiable=False,
    )
    yield Case(
        "concatenate flat",
        lambda x, y: T.concatenate([x, y], None),
        lambda x, y: np.concatenate([x, y], None),
        two,
        uneven,
    )
    yield Case("stack", lambda x, y: T.stack([x, y], -1), lambda x, y: np.stack([x, y], -1), two, same)
    yield Case(
        "as_tensor of a list",
        lambda x, y: T.as_tensor([x, [y, 2.0]][1:]),
        lambda x, y: np.array([[y, 2.0]]),
        two,
        (((), ()),),
        REAL[:1],
    )
    yield Case("split", lambda x: T.split(x, [1, 2], 1)[1], lambda x: np.split(x, [1, 2], 1)[1])
    yield Case("repeat", lambda x: T.repeat(x, 2, 0), lambda x: np.repeat(x, 2, 0), exact_shape=False)
    yield Case("tile", lambda x: T.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), exact_shape=False)
    yield Case(
        "arange",
        lambda n: T.arange(1, n, 2),
        lambda n: np.arange(1, n, 2),
        (Operand(dtype="int64", values=7),),
        (((),),),
        ("int64",),
        differentiable=False,
        edges="none",
        exact_shape=False,
    )
    yield Case(
        "eye",
        lambda n: T.eye(n, 3, 1),
        lambda n: np.eye(int(n), 3, 1),
        (Operand(dtype="int64", values=4),),
        (((),),),
        ("int64",),
        differentiable=False,
        edges="none",
        exact_shape=False,
    )


def index_cases() -> Iterator[Case]:
    """Indexing, and writing into what is indexed."""
    basic: tuple[tuple[str, Any], ...] = (
        ("[1]", 1),
        ("[-1]", -1),
        ("[1:]", slice(1, None)),
        ("[::-1]", slice(None, None, -1)),
        ("[..., 0]", (..., 0)),
        ("[:, None, 2:0:-1]", (slice(None), None, slice(2, 0, -1))),
        ("[-9:9:2, ..., 1:1]", (slice(-9, 9, 2), ..., slice(1, 1))),
        ("[0, 1, 2]", (0, 1, 2)),
    )
    shape = (((2, 3, 4),),)
    for name, key in basic:
        yield Case(f"index {name}", lambda x, k=key: index.index(x, k), lambda x, k=key: x[k], shapes=shape)
    rows = np.array([1, 0, 1])
    mask = np.array([[True, False, True], [False, False, True]])
    gathering: tuple[tuple[str, Any], ...] = (
        ("[rows]", rows),
        ("[:, rows, 1:]", (slice(None), rows, slice(1, None))),
        ("[rows, rows]", (rows, rows)),
        ("[rows, :, rows]", (rows, slice(None), rows)),
        ("[0, :, rows]", (0, slice(None), rows)),
        ("[:, 0, rows]", (slice(None), 0, rows)),
        ("[rows[:, None], [0, 2]]", (rows[:, None], [0, 2])),
        ("[:, rows, ..., rows]", (slice(None), rows, ..., rows)),
        ("[..., []]", (..., [])),
    )
    for name, key in gathering:
        yield Case(f"index {name}", lambda x, k=key: index.index(x, k), lambda x, k=key: x[k], shapes=shape)
    yield Case("index [mask]", lambda x: index.index(x, mask), lambda x: x[mask], shapes=shape, exact_shape=False)
    yield Case(
        "index [i:j, k]",
        lambda x, i, j: index.index(x, (slice(i, j), j)),
        lambda x, i, j: x[int(i) : int(j), int(j)],
        (Operand(), Operand(dtype="int32", values=-2), Operand(dtype="int64", values=1)),
        (((3, 4), (), ()),),
        exact_shape=False,
    )
    yield Case("take", lambda x: T.take(x, rows, 1), lambda x: np.take(x, rows, 1), shapes=shape)
    yield Case("take of all", lambda x: T.take(x, [5, 0]), lambda x: np.take(x, [5, 0]))
    writes: tuple[tuple[str, Any, Shape], ...] = (
        ("[1:]", slice(1, None), (1, 3)),
        ("[0]", 0, ()),
        ("[rows]", (slice(None), rows), (2, 3)),
        ("[:, ::-1]", (slice(None), slice(None, None, -1)), (3,)),
        ("[mask]", mask, ()),
    )
    for name, key, values in writes:
        for mode, build in (("set", T.set_subtensor), ("inc", T.inc_subtensor)):
            yield Case(
                f"{mode}_subtensor {name}",
                lambda x, y, k=key, b=build: b(index.index(x, k), y),
                lambda x, y, k=key, m=mode: _written(x, k, y, m),
                (Operand(), Operand()),
                (((2, 3), values),),
                ulps=2,
                edges="order",
                scale=4.0,
            )


def _written(x: Array, key: Any, y: Array, mode: str) -> Array:
    result = x.copy()
    if mode == "set":
        result[key] = y
    else:
        np.add.at(result, key, y)
    return result


def product_cases() -> Iterator[Case]:
    """Products of matrices, vectors and batches."""
    two = (Operand(), Operand())
    close: dict[str, Any] = {"ulps": 16, "scale": 16.0, "signed_zeros": False, "edges": "order"}
    fits: tuple[tuple[str, tuple[tuple[Shape, Shape], ...]], ...] = (
        ("1, 1", (((3,), (3,)), ((0,), (0,)))),
        ("1, 2", (((3,), (3, 4)), ((0,), (0, 4)))),
        ("2, 1", (((2, 3), (3,)), ((2, 0), (0,)))),
        ("2, 2", (((2, 3), (3, 4)), ((2, 0), (0, 3)), ((1, 1), (1, 1)))),
        ("3, 2", (((2, 3, 4), (4, 2)),)),
        ("1, 3", (((4,), (2, 4, 3)),)),
        ("3, 1", (((2, 3, 4), (4,)),)),
        ("3, 4", (((2, 3, 4), (3, 1, 4, 2)), ((1, 3, 0), (3, 1, 0, 2)))),
    )
    for name, shapes in fits:
        yield Case(f"matmul {name}", T.matmul, np.matmul, two, shapes, **close)
    yield Case(
        "matmul mixed",
        T.matmul,
        np.matmul,
        (Operand(), Operand(dtype="float32")),
        (((2, 3), (3, 2)),),
        NUMERIC,
        differentiable=False,
        **close,
    )
    yield Case("dot scalar", T.dot, np.dot, two, (((), (2, 3)),), NUMERIC, **close)
    yield Case("dot 3, 3", T.dot, np.dot, two, (((2, 3, 4), (2, 4, 3)),), NUMERIC, **close)
    yield Case("outer", T.outer, np.outer, two, (((2,), (3,)),), NUMERIC)
    yield Case("inner", T.inner, np.inner, two, (((2, 4), (3, 4)),), NUMERIC, **close)
    for axes in (1, 2, ([0, 2], [1, 0])):
        shapes = (((4, 3, 2), (2, 4, 3)),) if isinstance(axes, tuple) else (((5, 2, 4), (2, 4, 3)),)
        shapes = (((5, 2, 4), (4, 2, 3)),) if axes == 1 else shapes
        yield Case(
            f"tensordot {axes}",
            lambda a, b, x=axes: T.tensordot(a, b, x),
            lambda a, b, x=axes: np.tensordot(a, b, x),
            two,
            shapes,
            NUMERIC,
            **close,
        )


def _softmax(x: Array, axis: int | None) -> Array:
    """SciPy's, but beside +inf what the formula as written gives: 0 for a finite element."""
    written = np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)
    return np.where(np.any(x == np.inf, axis=axis, keepdims=True), written, special.softmax(x, axis))


def network_cases() -> Iterator[Case]:
    """Softmax and its kin, relu and cross-entropies."""
    rows = (((2, 3),), ((30, 3),), ((3, 30),))
    for label, axis in (("last", -1), ("first", 0), ("all", None)):
        yield Case(
            f"softmax {label}",
            lambda x, a=axis: T.softmax(x, a),
            lambda x, a=axis: _softmax(_at_least_single(x), a),
            shapes=rows,
            dtypes=NUMERIC,
            ulps=8,
        )
        yield Case(
            f"log_softmax {label}",
            lambda x, a=axis: T.log_softmax(x, a),
            lambda x, a=axis: special.log_softmax(_at_least_single(x), a),
            shapes=rows,
            dtypes=NUMERIC,
            ulps=8,
            scale=1.0,
        )
        yield Case(
            f"logsumexp {label}",
            lambda x, a=axis: T.logsumexp(x, a),
            lambda x, a=axis: special.logsumexp(_at_least_single(x), a),
            shapes=rows,
            dtypes=NUMERIC,
            ulps=8,
            scale=1.0,
        )
    yield Case(
        "logsumexp kept",
        lambda x: T.logsumexp(x, 0, keepdims=True),
        lambda x: special.logsumexp(x, 0, keepdims=True),
        dtypes=REAL,
        ulps=8,
        scale=1.0,
    )
    for name, steer in (
        ("disconnected_grad", T.disconnected_grad),
        ("zero_grad", T.zero_grad),
        ("grad_clip", lambda x: T.grad_clip(x, -1, 1)),
    ):
        yield Case(name, steer, lambda x: x, dtypes=NUMERIC, differentiable=False)  # the gradient is not the value's
    yield Case("print", check.Print("", ()), lambda x: x, dtypes=ALL)
    yield Case("check", lambda x: check.check(x, x.size >= 0), lambda x: x, dtypes=ALL)
    yield Case("relu", T.nnet.relu, lambda x: np.maximum(x, x.dtype.type(0)), dtypes=NUMERIC, signed_zeros=False)
    yield Case(
        "leaky relu", lambda x: T.nnet.relu(x, 0.25), lambda x: np.where(x > 0, x, x * x.dtype.type(0.25)), dtypes=REAL
    )
    chances, classes = Operand(0.1, 0.9), Operand(dtype="int64", values=[2, 0])
    yield Case(
        "categorical_crossentropy of classes",
        T.nnet.categorical_crossentropy,
        lambda p, t: -np.log(p[np.arange(2), t]),
        (chances, classes),
        (((2, 3), (2,)),),
        REAL,
        ulps=4,
    )
    yield Case(
        "categorical_crossentropy of distributions",
        T.nnet.categorical_crossentropy,
        lambda p, t: -np.sum(t * np.log(p), axis=-1),
        (chances, chances),
        (((2, 3), (2, 3)),),
        REAL,
        ulps=8,
        edges="order",
        scale=1.0,
    )
    yield Case(
        "categorical_crossentropy of three",
        T.nnet.categorical_crossentropy,
        lambda p, t: -np.log(np.take_along_axis(p, t[..., None], -1)[..., 0]),
        (chances, Operand(dtype="int32", values=[[2, 0], [1, 1]])),
        (((2, 2, 3), (2, 2)),),
        REAL,
        ulps=4,
        exact_shape=False,
    )
    yield Case(
        "binary_crossentropy",
        T.nnet.binary_crossentropy,
        lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
        (chances, chances),
        (((2, 3), (2, 3)),),
        REAL,
        ulps=8,
        scale=1.0,
    )


def ordering_cases() -> Iterator[Case]:
    """What is put in order, and what is found by order."""
    some = (((3, 4),), ((0, 3),), ((9, 8),))
    for label, axis in (("last", -1), ("first", 0), ("all", None)):
        yield Case(
            f"sort {label}",
            lambda x, a=axis: T.sort(x, a),
            lambda x, a=axis: np.sort(x, a),
            shapes=some,
            signed_zeros=False,
            exact_shape=axis is not None,
        )
        yield Case(
            f"argsort {label}",
            lambda x, a=axis: T.argsort(x, a),
            lambda x, a=axis: np.argsort(x, a, kind="stable"),
            shapes=some,
            differentiable=False,
        )
    yield Case(
        "topk",
        lambda x: T.topk(x, 2),
        lambda x: np.sort(x)[:, ::-1][:, :2],
        shapes=some,
        signed_zeros=False,
    )
    yield Case(
        "argtopk",
        lambda x: T.argtopk(x, 2, 0),
        lambda x: (len(x) - 1 - np.argsort(x[::-1], 0, kind="stable"))[::-1][:2],
        shapes=(((3, 4),), ((2, 0),), ((9, 8),)),
        differentiable=False,
    )
    middle = (((3, 4),), ((4, 3),), ((2, 0),))
    for label, axis, kept in (("last", -1, True), ("first", 0, False), ("all", None, False), ("all, kept", None, True)):
        yield Case(
            f"median over {label}",
            lambda x, a=axis, k=kept: T.median(x, a, keepdims=k),
            lambda x, a=axis, k=kept: np.median(x, a, keepdims=k),
            shapes=middle,
            dtypes=NUMERIC,
            ulps=2,
            signed_zeros=False,
            edges="order",
        )
        yield Case(
            f"ptp over {label}",
            lambda x, a=axis, k=kept: T.ptp(x, a, keepdims=k),
            lambda x, a=axis, k=kept: np.ptp(x, a, keepdims=k),
            shapes=middle[:2],
            dtypes=NUMERIC,
        )
    for side in ("left", "right"):
        yield Case(
            f"searchsorted {side}",
            lambda a, v, s=side: T.searchsorted(a, v, s),
            lambda a, v, s=side: np.searchsorted(a, v, s),
            (Operand(values=[0, 1, 1, 3, 5]), Operand()),
            (((5,), (3, 4)), ((5,), (0, 2))),
            differentiable=False,
        )
    yield Case("unique", T.unique, np.unique, shapes=some, signed_zeros=False, exact_shape=False)
    yield Case(
        "nonzero", lambda x: T.nonzero(x)[1], lambda x: np.nonzero(x)[1], shapes=some, differentiable=False,
        exact_shape=False,
    )  # fmt: skip
    yield Case(
        "flatnonzero", T.flatnonzero, np.flatnonzero, shapes=some, differentiable=False, exact_shape=False
    )  # fmt: skip


def cumulative_cases() -> Iterator[Case]:
    """Running folds, differences and counts."""
    some = (((3, 4),), ((0, 3),), ((9, 8),))
    for name, build, meaning in (("cumsum", T.cumsum, np.cumsum), ("cumprod", T.cumprod, np.cumprod)):
        for label, axis in (("last", -1), ("first", 0), ("all", None)):
            yield Case(
                f"{name} {label}",
                lambda x, b=build, a=axis: b(x, a),
                lambda x, m=meaning, a=axis: m(x, a),
                shapes=some,
            )
        yield Case(
            f"{name} as float32",
            lambda x, b=build: b(x, 0, "float32"),
            lambda x, m=meaning: m(x, 0, "float32"),
            dtypes=MOST,
            shapes=some,
            differentiable=False,
        )
    for n, axis in ((1, -1), (2, 0), (5, 1), (0, 0)):
        yield Case(
            f"diff {n} along {axis}",
            lambda x, n=n, a=axis: T.diff(x, n, a),
            lambda x, n=n, a=axis: np.diff(x, n, a),
            shapes=some,
        )
    numbers = Operand(dtype="int32", values=[3, 0, 3, 5])
    yield Case(
        "bincount", T.bincount, np.bincount, (numbers,), (((4,),),), ("int64",), differentiable=False,
        exact_shape=False,
    )  # fmt: skip
    yield Case(
        "bincount of weights",
        lambda x, w: T.bincount(x, w, 8),
        lambda x, w: np.bincount(x, w, 8),
        (numbers, Operand()),
        (((4,), (4,)),),
        dtypes=MOST,
        exact_shape=False,
    )
    for label, axis, kept in (("all", None, False), ("first", 0, True)):
        yield Case(
            f"count_nonzero over {label}",
            lambda x, a=axis, k=kept: T.count_nonzero(x, a, keepdims=k),
            lambda x, a=axis, k=kept: np.count_nonzero(x, a, keepdims=k),
            shapes=some,
            differentiable=False,
        )


def rearrange_cases() -> Iterator[Case]:
    """Elements in other places."""
    some = (((3, 4),), ((0, 3),))
    for axis in (None, 0, (0, -1)):
        yield Case(f"flip {axis}", lambda x, a=axis: T.flip(x, a), lambda x, a=axis: np.flip(x, a), shapes=some)
    rolls: tuple[tuple[Any, Any], ...] = (
        (2, None), (-1, 1), (7, 0), (4, 1), ((1, -2), (0, 1)), (1, (0, 1)), ((1, 2), 0),
    )  # fmt: skip
    for shift, axis in rolls:
        yield Case(
            f"roll {shift} along {axis}",
            lambda x, s=shift, a=axis: T.roll(x, s, a),
            lambda x, s=shift, a=axis: np.roll(x, s, a),
            shapes=some,
        )
    yield Case(
        "roll by a variable",
        lambda x, s: T.roll(x, s, 1),
        lambda x, s: np.roll(x, int(s), 1),
        (Operand(), Operand(dtype="int32", values=-3)),
        (((2, 4), ()), ((3, 0), ())),
        exact_shape=False,
    )
    for width in (1, (0, 2), ((1, 0), (0, 3)), ((1, 2),)):
        for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
            yield Case(
                f"pad {width} {mode}",
                lambda x, w=width, m=mode: T.pad(x, w, m),
                lambda x, w=width, m=mode: np.pad(x, w, m),
                shapes=(((3, 4),), ((1, 2),), ((2, 1),), *((((0, 3),),) if mode == "constant" else ())),
            )
    yield Case(
        "pad with 2", lambda x: T.pad(x, 1, constant_values=2), lambda x: np.pad(x, 1, constant_values=2), shapes=some
    )
    along = (Operand(), Operand(dtype="int64", values=[[1, 0, 1], [0, 0, -1]]))
    yield Case(
        "take_along_axis 0",
        lambda x, i: T.take_along_axis(x, i, 0),
        lambda x, i: np.take_along_axis(x, i, 0),
        along,
        (((2, 3), (2, 3)), ((4, 1), (2, 3))),
    )
    yield Case(
        "take_along_axis -1",
        T.take_along_axis,
        lambda x, i: np.take_along_axis(x, i, -1),
        along,
        (((2, 3), (2, 3)), ((1, 5), (2, 3))),
    )
    yield Case(
        "take_along_axis of all",
        lambda x: T.take_along_axis(x, [3, 3, -1], None),
        lambda x: np.take_along_axis(x, np.array([3, 3, -1]), None),
    )


def grid_cases() -> Iterator[Case]:
    """Evenly spaced numbers, grids, diagonals and triangles."""
    two = (Operand(), Operand())
    for label, more in (
        ("5", {"num": 5}),
        ("4, open", {"num": 4, "endpoint": False}),
        ("1", {"num": 1}),
        ("0", {"num": 0}),
    ):
        yield Case(
            f"linspace {label}",
            lambda a, b, m=more: T.linspace(a, b, **m),
            lambda a, b, m=more: np.linspace(a, b, **m),
            two,
            (((), ()),),
            NUMERIC,
            ulps=4,
            scale=4.0,
            signed_zeros=False,
            edges="floats",
        )
    yield Case(
        "linspace of arrays",
        lambda a, b: T.linspace(a, b, 3),
        lambda a, b: np.linspace(a, b, 3),
        two,
        (((3,), (2, 1)), ((1,), (2, 3)), ((0,), (2, 1))),
        REAL,
        ulps=4,
        scale=4.0,
        signed_zeros=False,
        edges="none",
    )
    yield Case(
        "linspace of integers",
        lambda a, b: T.linspace(a, b, 7, dtype="int32"),
        lambda a, b: np.linspace(a, b, 7, dtype="int32"),
        two,
        (((), ()),),
        ("int64",),
        edges="none",
        differentiable=False,
    )
    for which in (0, 1):
        for more in ({}, {"indexing": "ij"}, {"sparse": True}):
            yield Case(
                f"meshgrid {which} {more}",
                lambda x, y, w=which, m=more: T.meshgrid(x, y, **m)[w],
                lambda x, y, w=which, m=more: np.meshgrid(x, y, **m)[w],
                two,
                (((3,), (2,)), ((0,), (2,))),
            )
    for k in (0, 1, -1, 9, -9):
        for name, build, meaning in (("tril", T.tril, np.tril), ("triu", T.triu, np.triu)):
            yield Case(
                f"{name} {k}",
                lambda x, b=build, k=k: b(x, k),
                lambda x, m=meaning, k=k: m(x, k),
                shapes=(((2, 3, 4),), ((0, 3, 2),)),
            )
        yield Case(
            f"diagonal {k}",
            lambda x, k=k: T.diagonal(x, k, 2, 0),
            lambda x, k=k: np.diagonal(x, k, 2, 0),
            shapes=(((2, 3, 4),), ((3, 0, 2),), ((0, 2, 3),)),
        )
        yield Case(f"diag of a matrix {k}", lambda x, k=k: T.diag(x, k), lambda x, k=k: np.diag(x, k))
        yield Case(
            f"diag of a vector {k}",
            lambda x, k=k: T.diag(x, k),
            lambda x, k=k: np.diag(x, k),
            shapes=(((3,),), ((0,),)),
        )
    yield Case("tril of a vector", T.tril, np.tril, shapes=(((3,),),))


_REGULAR = np.array([[3.0, 1.0, -0.5], [0.5, -2.0, 1.0], [1.0, 0.25, 4.0]])
_SYMMETRIC = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 5.0]])
_TALL = np.array([[1.0, 2.0, -1.0], [0.5, -1.0, 3.0], [2.0, 1.0, 0.25], [-1.0, 4.0, 1.0]])


def _batch(matrix: Array) -> Array:
    """Two matrices: `matrix`, and twice it with a larger diagonal."""
    return np.stack([matrix, 2 * matrix + np.eye(*matrix.shape)])


def linear_algebra_cases() -> Iterator[Case]:
    """Equations, determinants, decompositions and functions of matrices, one and in batches."""
    lin, np_lin = T.linalg, np.linalg
    regular, tall, wide = _REGULAR, _TALL, np.ascontiguousarray(_TALL.T)
    spd, four = _SYMMETRIC, 4 * _SYMMETRIC
    unary: tuple[tuple[str, Any, Any, Array], ...] = (
        ("inv", lin.inv, np_lin.inv, regular),
        ("det", lin.det, np_lin.det, regular),
        ("slogdet, the sign", lambda x: lin.slogdet(x)[0], lambda x: np_lin.slogdet(x)[0], regular),
        ("slogdet", lambda x: lin.slogdet(x)[1], lambda x: np_lin.slogdet(x)[1], regular),
        ("cholesky", lin.cholesky, np_lin.cholesky, spd),
        ("cholesky upper", lambda x: lin.cholesky(x, lower=False), lambda x: np_lin.cholesky(x, upper=True), spd),
        ("qr, Q", lambda x: lin.qr(x)[0], lambda x: np_lin.qr(x)[0], tall),
        ("qr, R", lambda x: lin.qr(x, "r"), lambda x: np_lin.qr(x)[1], tall),
        ("qr of wide, Q", lambda x: lin.qr(x)[0], lambda x: np_lin.qr(x)[0], wide),
        ("qr of wide, R", lambda x: lin.qr(x)[1], lambda x: np_lin.qr(x)[1], wide),
        ("svdvals", lin.svdvals, lambda x: np_lin.svd(x, compute_uv=False), tall),
        ("eigh, w", lambda x: lin.eigh(x)[0], lambda x: np_lin.eigh(x)[0], spd),
        ("eigh, V", lambda x: lin.eigh(x)[1], lambda x: np_lin.eigh(x)[1], spd),
        ("eigh upper, V", lambda x: lin.eigh(x, "U")[1], lambda x: np_lin.eigh(x, "U")[1], spd),
        ("eigvalsh", lin.eigvalsh, np_lin.eigvalsh, spd),
        ("eigvalsh upper", lambda x: lin.eigvalsh(x, "U"), lambda x: np_lin.eigvalsh(x, "U"), spd),
        ("pinv", lin.pinv, np_lin.pinv, tall),
        ("pinv of wide", lin.pinv, np_lin.pinv, wide),
        ("expm", lambda x: lin.expm(x / 4), lambda x: scipy_linalg.expm(x / x.dtype.type(4)), four),
        ("matrix_power -2", lambda x: lin.matrix_power(x, -2), lambda x: np_lin.matrix_power(x, -2), regular),
        ("matrix_power 0", lambda x: lin.matrix_power(x, 0), lambda x: np_lin.matrix_power(x, 0), regular),
        ("matrix_power 5", lambda x: lin.matrix_power(x, 5), lambda x: np_lin.matrix_power(x, 5), regular),
        ("trace 1", lambda x: lin.trace(x, 1), lambda x: np_lin.trace(x, offset=1), tall),
    )
    for i, part in enumerate(("U", "s", "Vh")):
        for kind, matrix in (("tall", tall), ("wide", wide), ("square", regular)):
            unary += (
                (
                    f"svd of {kind}, {part}",
                    lambda x, i=i: lin.svd(x, full_matrices=False)[i],
                    lambda x, i=i: np_lin.svd(x, full_matrices=False)[i],
                    matrix,
                ),
            )
    for name, build, meaning, matrix in unary:
        no_slope = name in ("slogdet, the sign", "matrix_power 0")
        # The formulas of derivatives are the same, so those of the batch are enough.
        yield _of_matrices(name, build, meaning, matrix, differentiable=False)
        yield _of_matrices(f"{name}, batch", build, meaning, _batch(matrix), differentiable=not no_slope)
    for part, name in enumerate(("w", "V")):
        yield Case(
            f"eig, {name}",
            lambda x, i=part: lin.eig(x)[i],
            lambda x, i=part: np_lin.eig(x)[i].astype("complex64" if x.dtype == "float32" else "complex128"),
            (Operand(values=regular),),
            (((3, 3),),),
            REAL,
            ulps=64,
            differentiable=False,
            edges="none",
        )


def _of_matrices(name: str, build: Any, meaning: Any, *values: Array, **settings: Any) -> Case:
    """A case of an op on the given matrices."""
    settings = {"ulps": 256, "scale": 8.0, "signed_zeros": False, "edges": "none", "dtypes": REAL, **settings}
    operands = tuple(Operand(values=v) for v in values)
    return Case(name, build, meaning, operands, (tuple(v.shape for v in values),), **settings)


def equation_cases() -> Iterator[Case]:
    """Systems of equations with one right side, several, and batches."""
    right = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 4.0]])
    sides = (("vector", right[:, 0]), ("matrix", right), ("batch", np.stack([right, -right])))
    for label, b in sides:
        yield _of_matrices(f"solve {label}", T.linalg.solve, np.linalg.solve, _REGULAR, b)
        for lower, trans, unit in ((True, "N", False), (False, "N", True), (True, "T", True), (False, "T", False)):
            how = {"lower": lower, "trans": trans, "unit_diagonal": unit}
            yield _of_matrices(
                f"solve_triangular {label}, {'lower' if lower else 'upper'}, {trans}",
                lambda a, b, how=how: T.linalg.solve_triangular(a, b, **how),
                lambda a, b, how=how: _each_solved(a, b, how),
                _REGULAR,
                b,
            )
    yield _of_matrices("solve batches", T.linalg.solve, np.linalg.solve, _batch(_REGULAR)[:, None], sides[2][1])
    yield _of_matrices("solve integers", T.linalg.solve, np.linalg.solve, 2 * _REGULAR, right, dtypes=NUMERIC[:3])
    problems = (("tall", _TALL, np.ones((4, 2))), ("wide", _TALL.T, right), ("vector", _TALL.T, right[:, 0]))
    for label, a, b in problems:
        yield _of_matrices(f"lstsq {label}", T.linalg.lstsq, lambda a, b: np.linalg.lstsq(a, b)[0], a, b)
    yield _of_matrices(
        "lstsq batch",
        T.linalg.lstsq,
        lambda a, b: np.stack([np.linalg.lstsq(one, b)[0] for one in a]),
        _batch(_TALL),
        np.ones((4, 2)),
    )


def _each_solved(a: Array, b: Array, how: dict[str, Any]) -> Array:
    """SciPy's solve_triangular of one problem after the other."""
    if b.ndim < 3:
        return np.asarray(scipy_linalg.solve_triangular(a, b, **how))
    return np.stack([scipy_linalg.solve_triangular(a, one, **how) for one in b])


def norm_cases() -> Iterator[Case]:
    """Norms of vectors and matrices, of every order."""
    kinds: tuple[tuple[tuple[Any, ...], Any, Shape], ...] = (
        ((None,), None, (2, 3, 2)),
        ((None, 0, 1, 2, 3, -1, np.inf, -np.inf), 1, (2, 3)),
        (("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf), (0, -1), (4, 2, 3)),
    )
    for orders, axis, shape in kinds:
        for order in orders:
            for keepdims in (False, True) if order in (None, 2, -1, "nuc") else (False,):
                yield Case(
                    f"norm {order} over {axis}{', kept' if keepdims else ''}",
                    lambda x, o=order, a=axis, k=keepdims: T.norm(x, o, a, k),
                    lambda x, o=order, a=axis, k=keepdims: np.linalg.norm(x, o, a, k),
                    shapes=((shape,),),
                    dtypes=(*(NUMERIC if axis is None else REAL), *COMPLEX),
                    ulps=64,
                    scale=4.0,
                    edges="none",
                    differentiable=order != 0,
                )


def contraction_cases() -> Iterator[Case]:
    """einsum, kron and trace."""
    forms: tuple[tuple[str, tuple[Shape, ...]], ...] = (
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij,jk", ((2, 3), (3, 4))),
        ("bij,bjk->bik", ((5, 2, 3), (5, 3, 2))),
        ("bij,jk->kbi", ((5, 2, 3), (3, 2))),
        ("...ij,...jk", ((5, 1, 2, 3), (4, 3, 2))),
        ("i...,i->...", ((3, 2, 4), (3,))),
        ("i,j->ji", ((2,), (3,))),
        ("i,i", ((3,), (3,))),
        ("i,i->i", ((3,), (1,))),
        ("ii", ((3, 3),)),
        ("ii->i", ((3, 3),)),
        ("ijij->j", ((2, 3, 2, 3),)),
        ("ba", ((2, 3),)),
        ("ij->", ((2, 3),)),
        ("ij,kj,kl->il", ((2, 3), (4, 3), (4, 2))),
        ("ab,cb,db->acd", ((2, 3), (2, 3), (2, 3))),
        ("ij,ikj", ((2, 3), (2, 4, 3))),
        ("ij,ij->", ((2, 3), (2, 3))),
        (",i", ((), (3,))),
    )
    close: dict[str, Any] = {"ulps": 64, "scale": 32.0, "signed_zeros": False, "edges": "none"}
    close["dtypes"] = (*REAL, *COMPLEX, "int8")
    for form, shapes in forms:
        yield Case(
            f"einsum {form}",
            lambda *xs, f=form: T.einsum(f, *xs),
            lambda *xs, f=form: np.einsum(f, *xs),
            tuple(Operand() for _ in shapes),
            (shapes,),
            **close,
        )
    for label, shapes in (("matrices", ((2, 3), (3, 2))), ("vector", ((2,), (3, 2))), ("empty", ((0, 2), (2, 1)))):
        yield Case(f"kron {label}", T.kron, np.kron, (Operand(), Operand()), (shapes,), ulps=2)
    for axes in ((0, 1), (2, 0)):
        yield Case(
            f"trace {axes}",
            lambda x, a=axes: T.trace(x, -1, *a),
            lambda x, a=axes: np.trace(x, -1, *a),
            shapes=(((2, 3, 4),), ((3, 2, 1),)),
            signed_zeros=False,
            edges="order",
            ulps=4,
            scale=8.0,
        )


def comparison_cases() -> Iterator[Case]:
    """Whole arrays compared."""
    two = (Operand(), Operand())
    for label, shapes in (("alike", ((2, 3), (2, 3))), ("unlike", ((2, 3), (3, 3)))):
        yield Case(f"array_equal, {label}", T.array_equal, np.array_equal, two, (shapes,), differentiable=False)
    yield Case("array_equal to itself", lambda x: T.array_equal(x, x), lambda x: np.array_equal(x, x),
               differentiable=False)  # fmt: skip


def window_cases() -> Iterator[Case]:
    """Windows over the last axes, and what is made of them."""
    seen = np.lib.stride_tricks.sliding_window_view
    yield Case(
        "windows",
        lambda x: T.nnet.windows(x, (2, 2), (1, 2)),
        lambda x: seen(x, (2, 2), (-2, -1))[..., ::2, :, :],
        shapes=(((2, 3, 4),), ((0, 4, 5),)),
    )
    yield Case(
        "fold_windows",
        lambda g: T.nnet.fold_windows(g, (4,), 2),
        lambda g: g.reshape(-1, 4),
        shapes=(((3, 2, 2),), ((0, 2, 2),)),
        dtypes=NUMERIC,
        signed_zeros=False,
    )
    yield Case(
        "conv2d",
        T.nnet.conv2d,
        lambda x, w: np.einsum("ncijkl,fckl->nfij", seen(x, w.shape[2:], (2, 3)), w[:, :, ::-1, ::-1]),
        (Operand(), Operand()),
        (((2, 2, 4, 4), (3, 2, 2, 3)), ((0, 2, 3, 3), (1, 2, 3, 3))),
        REAL,
        ulps=32,
        scale=32.0,
        edges="none",
        signed_zeros=False,
    )
    pooled = {"shapes": (((2, 4, 6),), ((0, 4, 6),)), "dtypes": NUMERIC, "signed_zeros": False}
    yield Case(
        "max_pool",
        lambda x: T.nnet.max_pool(x, (2, 3)),
        lambda x: x.reshape(-1, 2, 2, 2, 3).max((-3, -1)),
        **pooled,  # type: ignore[arg-type]
    )
    yield Case(
        "sum_pool",
        lambda x: T.nnet.pool_2d(x, (2, 3), mode="sum"),
        lambda x: x.reshape(-1, 2, 2, 2, 3).sum((-3, -1), dtype=x.dtype),
        ulps=8,
        scale=8.0,
        edges="order",
        **pooled,  # type: ignore[arg-type]
    )


def _table() -> tuple[Case, ...]:
    families = (
        elementwise_cases,
        conversion_cases,
        reduction_cases,
        shape_cases,
        join_cases,
        index_cases,
        product_cases,
        network_cases,
        ordering_cases,
        cumulative_cases,
        rearrange_cases,
        grid_cases,
        linear_algebra_cases,
        equation_cases,
        norm_cases,
        contraction_cases,
        comparison_cases,
        window_cases,
    )
    return tuple(case for family in families for case in family())


CASES = _table()
