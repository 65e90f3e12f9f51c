"""One table of ops: for each how to build it, what NumPy or SciPy gives, and what it may be fed.

tests/ops/test_table.py generates its tests from here: types, values by interpreter and by compiled code,
gradients. A new op needs a line here, or a test fails.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

import graphlab.tensor as T
from graphlab.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from graphlab.graph.node import Variable
from graphlab.ops import elementwise as e
from graphlab.ops import extents, index, reduce

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Rng = np.random.Generator

REAL = ("float64", "float32")
NUMERIC = (*REAL, "int64", "int8", "uint8")
MOST = (*NUMERIC, "bool")
EVERY = (*BOOL, *INTEGER, "float32", "float64")  # what the C back end computes


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
    dtypes: tuple[str, ...] = MOST
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


def _numpy_meaning(op: e.Elementwise) -> Callable[..., Any]:
    """What the name of `op` means in NumPy or SciPy, found by the name."""
    if op.name == "sigmoid":
        return lambda x: special.expit(_at_least_single(x))
    if op.name == "polygamma":  # always in float64: SciPy loses digits that it could keep
        return lambda n, x: special.polygamma(np.asarray(n, "float64"), np.asarray(x, "float64"))
    if op.name == "softplus":
        return lambda x: np.logaddexp(_at_least_single(x), np.zeros((), _at_least_single(x).dtype))
    found: Callable[..., Any] = getattr(np, op.name, None) or getattr(special, op.name)
    return found


def _at_least_single(x: Array) -> Array:
    return x if x.dtype.name in FLOAT else x.astype("float64")


def takes(function: Callable[..., Any], dtypes: Sequence[str]) -> bool:
    """Whether NumPy computes `function` of operands of `dtypes`."""
    try:
        with np.errstate(all="ignore"):
            function(*(np.ones((1,), d) for d in dtypes))
    except TypeError:
        return False
    return True


# By arity; the last of each has room for every edge value, and with two operands for every pair of them.
_BROADCASTS: dict[int, tuple[tuple[Shape, ...], ...]] = {
    1: (((2, 3),), ((3, 0),), ((8, 9),)),
    2: (((2, 3), (2, 3)), ((2, 1), (1, 3)), ((0, 3), (1, 3)), ((64, 1), (1, 64))),
    3: (((2, 3), (1, 3), (2, 1)), ((0, 3), (1, 3), (1, 1)), ((8, 9), (8, 9), (8, 9))),
}


def elementwise_cases() -> Iterator[Case]:
    """One case for each elementwise op, in every dtype that NumPy takes."""
    for op in e.TABLE:
        meaning = _numpy_meaning(op)
        low, high = op.domain
        operands = tuple(Operand(low, high) for _ in range(op.arity))
        shapes = _BROADCASTS[op.arity]
        if op.name == "where":
            operands = (Operand(dtype="bool"), *operands[1:])
        first = operands[0].dtype
        dtypes = tuple(d for d in EVERY if takes(meaning, [first or d, *(d,) * (op.arity - 1)]))
        yield Case(
            op.name,
            op,
            meaning,
            operands,
            shapes,
            dtypes,
            ulps=op.ulps,
            differentiable=op.pull is not None and op.name != "polygamma",
            scale=1.0 if op.name in ("gammaln", "digamma") else 0.0,  # they cross 0 where they are not exact
            # Which zero is the larger one depends on the vector instructions that NumPy was built for.
            signed_zeros=op.name not in ("maximum", "minimum", "fmax", "fmin"),
            # SciPy's gammaln is infinite for subnormal numbers, where that of C is right.
            edges={"polygamma": "none", "power": "floats", "gammaln": "floats"}.get(op.name, "all"),
        )


def conversion_cases() -> Iterator[Case]:
    """Casts between dtypes, and what is composed of elementwise ops."""
    for target in ("bool", "int8", "uint8", "int32", "int64", "uint64", "float32", "float64"):
        # Out of range, float to int is undefined in C and in NumPy: the domain stays inside.
        low = 0.0 if target.startswith("u") else -3.0
        yield Case(
            f"cast {target}",
            lambda x, t=target: T.cast(x, t),
            lambda x, t=target: x.astype(t),
            (Operand(low),),
            dtypes=EVERY,
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
        ("prod", T.prod, np.prod, {"ulps": 32, "dtypes": NUMERIC, "edges": "order"}),
        ("max", T.max, np.max, {"signed_zeros": False}),
        ("min", T.min, np.min, {"signed_zeros": False}),
        ("mean", T.mean, np.mean, {"ulps": 16, "scale": 4.0, "signed_zeros": False, "edges": "floats"}),
        ("var", T.var, np.var, {"ulps": 64, "scale": 4.0, "signed_zeros": False, "edges": "floats"}),
        ("std", T.std, np.std, {"ulps": 64, "scale": 4.0, "signed_zeros": False, "edges": "floats"}),
        ("any", T.any, np.any, {}),
        ("all", T.all, np.all, {}),
    )
    for name, build, meaning, more in kinds:
        settings: dict[str, Any] = {"dtypes": MOST, "differentiable": name not in ("any", "all"), **more}
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
    three = {"shapes": (((2, 3, 4),), ((0, 3, 1),)), "dtypes": MOST}
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
    )
    return tuple(case for family in families for case in family())


CASES = _table()
