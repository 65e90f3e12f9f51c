"""What an element is made of, by axes and by masks, is what changes it: NaN is put into single elements of operands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.debug.reach import parts, read_by
from graphlab.graph.node import Variable

CASES: dict[str, tuple[Callable[..., Variable], list[tuple[int, ...]]]] = {
    "broadcast": (lambda a, b: a * b, [(3, 1, 2), (4, 2)]),
    "stretched": (lambda a, b: a + b, [(1, 3), (2, 1)]),
    "sum": (lambda a: a.sum(axis=1), [(2, 3, 2)]),
    "keepdims": (lambda a: a.sum(axis=(0, 2), keepdims=True), [(2, 3, 2)]),
    "whole": (lambda a: a.sum(), [(2, 3)]),
    "matrix": (lambda a, b: a @ b, [(2, 3), (3, 4)]),
    "row": (lambda a, b: a @ b, [(3,), (3, 4)]),
    "column": (lambda a, b: a @ b, [(2, 3), (3,)]),
    "dot": (lambda a, b: a @ b, [(3,), (3,)]),
    "batch": (lambda a, b: T.matmul(a, b), [(2, 1, 2, 3), (4, 3, 2)]),
    "batch of vectors": (lambda a, b: T.matmul(a, b), [(2, 4, 3), (3,)]),
    "vector by batch": (lambda a, b: T.matmul(a, b), [(3,), (2, 3, 4)]),
    "transpose": (lambda a: a.T, [(2, 3)]),
    "reversed": (lambda a: a[::-1, 1], [(2, 3)]),
    "joined": (lambda a, b: T.concatenate([a, b], axis=1), [(2, 3), (2, 1)]),
    "softmax": (lambda a: T.softmax(a), [(2, 3)]),
}


@pytest.mark.parametrize("name", CASES)
def test_masks_and_parts_are_what_a_nan_reaches(name: str) -> None:
    build, shapes = CASES[name]
    inputs = [T.tensor("float64", (None,) * len(shape)) for shape in shapes]
    node = build(*inputs).owner
    assert node is not None
    values = [np.random.default_rng(k).uniform(1, 2, shape) for k, shape in enumerate(shapes)]
    known = dict(zip(inputs, values, strict=True))
    by_place = [known.get(v, getattr(v, "data", None)) for v in node.inputs]
    plain = node.op.evaluate(*by_place)[0]
    reached = [np.zeros((*a.shape, *plain.shape), bool) for a in values]
    for k, shape in enumerate(shapes):
        for at in np.ndindex(*shape):
            spoilt = [a.copy() for a in values]
            spoilt[k][at] = np.nan
            given = dict(zip(inputs, spoilt, strict=True))
            result = node.op.evaluate(*(given.get(v, getattr(v, "data", None)) for v in node.inputs))[0]
            reached[k][at] = np.isnan(result)
    places = [next(i for i, u in enumerate(node.inputs) if u is v) for v in inputs]
    for element in np.ndindex(*plain.shape):
        mask = np.zeros(plain.shape, bool)
        mask[element] = True
        masks = read_by(node, [mask], lambda v: known[v] if v in known else v.data)
        boxes = parts(node, by_place, element)
        for k, place in enumerate(places):
            want = reached[k][(..., *element)]
            np.testing.assert_array_equal(masks[place], want)
            if boxes is not None:
                box = np.zeros(shapes[k], bool)
                box[boxes[place]] = True
                np.testing.assert_array_equal(box, want)
    some = np.random.default_rng(0).random(plain.shape) < 0.5
    masks = read_by(node, [some], lambda v: known[v] if v in known else v.data)
    for k, place in enumerate(places):
        want = (reached[k] & some).any(axis=tuple(range(len(shapes[k]), reached[k].ndim)))
        mask = masks[place]
        np.testing.assert_array_equal(np.zeros_like(want) if mask is None else mask, want)


def test_elementwise_operations_folds_and_products_need_no_masks() -> None:
    direct = {name for name, (build, shapes) in CASES.items() if _boxes(build, shapes) is not None}
    assert direct == set(CASES) - {"transpose", "reversed", "joined", "softmax"}


def _boxes(build: Callable[..., Variable], shapes: list[tuple[int, ...]]) -> object:
    inputs = [T.tensor("float64", (None,) * len(shape)) for shape in shapes]
    out = build(*inputs)
    assert out.owner is not None
    return parts(out.owner, [np.ones(shape) for shape in shapes], (0,) * out.ndim)
