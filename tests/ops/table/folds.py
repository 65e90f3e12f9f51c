"""Reductions, running folds, and what is found by order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import graphlab.tensor as T
from graphlab.dtypes import COMPLEX
from graphlab.ops.unbroadcast import sum_to
from tests.ops.table.case import MOST, NUMERIC, REAL, WIDE, Case, Operand

_AXES: tuple[tuple[str, Any], ...] = (
    ("all", None),
    ("first", 0),
    ("last", -1),
    ("outer two", (0, 2)),
    ("none", ()),
)


_THREE = (((2, 3, 4),), ((1, 3, 1),), ((9, 3, 8),))


_EMPTY = (((0, 3, 4),), ((2, 3, 0),))


_ZEROS = Operand(values=[[2.0, 0.0, 3.0, -1.0], [0.0, 1.5, 0.0, 2.0], [1.0, 0.5, -2.0, 0.0]])


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
    for name, build, meaning, more in kinds:
        yield Case(
            f"{name} of a scalar",
            build,
            meaning,
            shapes=(((),),),
            **{**more, "differentiable": name not in ("var", "std", "any", "all")},
        )
    for label, axis in _AXES[:3]:
        yield Case(
            f"prod with zeros over {label}",
            lambda x, a=axis: T.prod(x, a),
            lambda x, a=axis: np.prod(x, a),
            (_ZEROS,),
            dtypes=(*REAL, "complex128"),
            shapes=(((3, 4),),),
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
            sum_to,
            meaning,
            (Operand(), Operand()),
            (((2, 3), like),),
            REAL,
            ulps=8,
            edges="order",
            scale=8.0,
            signed_zeros=False,
        )


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
            # The derivatives of products by elements that are 0 are not.
            yield Case(
                f"{name} with zeros, {label}",
                lambda x, b=build, a=axis: b(x, a),
                lambda x, m=meaning, a=axis: m(x, a),
                (_ZEROS,),
                dtypes=(*REAL, "complex128"),
                shapes=(((3, 4),),),
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


def comparison_cases() -> Iterator[Case]:
    """Whole arrays compared."""
    two = (Operand(), Operand())
    for label, shapes in (("alike", ((2, 3), (2, 3))), ("unlike", ((2, 3), (3, 3)))):
        yield Case(f"array_equal, {label}", T.array_equal, np.array_equal, two, (shapes,), differentiable=False)
    yield Case("array_equal to itself", lambda x: T.array_equal(x, x), lambda x: np.array_equal(x, x),
               differentiable=False)  # fmt: skip
