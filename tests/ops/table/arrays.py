"""Shapes, joins, indices, grids, and elements in other places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import graphlab.tensor as T
from graphlab.ops import extents, index
from tests.ops.table.case import NUMERIC, REAL, Array, Case, Operand, Shape


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
    for label, counts in (("each", [2, 0, 1]), ("all", [2])):
        yield Case(
            f"repeat by a vector, {label}",
            lambda x, n: T.repeat(x, n, 1),
            lambda x, n: np.repeat(x, n, 1),
            (Operand(), Operand(dtype="int32", values=counts)),
            (((2, 3), (len(counts),)), ((0, 3), (len(counts),))),
            exact_shape=False,
        )
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
