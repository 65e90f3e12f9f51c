"""Estimates of the work of linear algebra and convolutions: the counts of the textbook."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort

A = Variable(TensorType("float64", (30, 30)), "a")
B = Variable(TensorType("float64", (30, 4)), "b")
TALL = Variable(TensorType("float64", (50, 10)), "tall")
L = T.linalg


@pytest.mark.parametrize(("output", "flops"), [
    (L.cholesky(A), 30**3 // 3), (L.solve(A, B), 2 * 30**3 // 3 + 2 * 30 * 30 * 4), (L.inv(A), 8 * 30**3 // 3),
    (L.solve_triangular(A, B), 30 * 30 * 4), (L.det(A), 2 * 30**3 // 3), (L.slogdet(A)[1], 2 * 30**3 // 3),
    (L.eigh(A)[0], 9 * 30**3), (L.eigvalsh(A), 4 * 30**3 // 3), (L.eig(A)[0], 25 * 30**3),
    (L.qr(TALL)[0], 4 * 50 * 100 - 4 * 1000 // 3), (L.svd(TALL, compute_uv=False), 4 * 50 * 100 - 4 * 1000 // 3),
    (L.svd(TALL, full_matrices=False)[0], 6 * 50 * 100 + 20 * 1000), (L.pinv(TALL), 8 * 50 * 100 + 20 * 1000),
    (L.lstsq(A, B), 12 * 30**3 + 2 * 30 * 30 * 4), (T.dot(A, B), 2 * 30 * 30 * 4),
])  # fmt: skip
def test_linear_algebra(output: Variable, flops: int) -> None:
    assert output.owner is not None
    assert output.owner.op.flops(output.owner) == flops


def test_each_matrix_of_a_batch_counts_and_unknown_extents_count_as_1000() -> None:
    batch = L.inv(Variable(TensorType("float64", (7, 30, 30)), "a")).owner
    assert batch.op.flops(batch) == 7 * 8 * 30**3 // 3
    unknown = L.cholesky(T.dmatrix("a")).owner
    assert unknown.op.flops(unknown) == 1000**3 // 3


def test_convolutions_count_each_tap_at_each_place() -> None:
    images, filters = np.ones((2, 3, 8, 8)), Variable(TensorType("float64", (4, 3, 3, 3)), "w")
    made = T.nnet.conv2d(images, filters)
    (forward,) = [n for n in toposort([made]) if n.op.name == "conv2d"]
    assert forward.op.flops(forward) == 2 * (2 * 4 * 6 * 6) * (3 * 3 * 3)
    backward = toposort([T.grad(T.sum(made), filters)])
    assert [n.op.flops(n) for n in backward if n.op.name == "conv2d_filters"] == [forward.op.flops(forward)]
