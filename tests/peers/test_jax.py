"""Gradients of random expressions agree with JAX's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

import graphlab
import graphlab.tensor as T
from graphlab.graph.node import Variable
from graphlab.graph.walk import ancestors
from tests.peers.translate import Array, Table, translated
from tests.random_graphs import RandomProgram, quiet, random_programs

jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)
jnp = jax.numpy

# Elementwise ops are called as in jax.numpy but for these.
_NAMES = {"sigmoid": jax.nn.sigmoid, "softplus": jax.nn.softplus}


def _transposed(op: Any, x: Any) -> Any:
    x = jnp.squeeze(x, op.dropped(x.ndim))
    order = np.argsort(np.argsort(op.kept()))
    return jnp.expand_dims(jnp.transpose(x, order), tuple(i for i, a in enumerate(op.pattern) if a == "x"))


def _extents(vector: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in vector)


def _fold(function: Any) -> Any:
    return lambda op, x: function(x, axis=op.axes, keepdims=op.keepdims)


TABLE: Table = {
    **{op.name: _NAMES.get(op.name) or getattr(jnp, op.name) for op in graphlab.ops.elementwise.TABLE
       if op.name in _NAMES or hasattr(jnp, op.name)},
    "Cast": lambda op, x: jnp.asarray(x).astype(op.dtype),
    "Sum": lambda op, x: jnp.sum(x, op.axes, keepdims=op.keepdims),
    "Prod": _fold(jnp.prod), "Any_": _fold(jnp.any), "All_": _fold(jnp.all),
    "Max": lambda op, x: jnp.max(x, op.axes, keepdims=op.keepdims, initial=op.initial),
    "Min": lambda op, x: jnp.min(x, op.axes, keepdims=op.keepdims, initial=op.initial),
    "Softmax": lambda op, x: jax.nn.softmax(x, op.axes),
    "LogSoftmax": lambda op, x: jax.nn.log_softmax(x, op.axes),
    "LogSumExp": lambda op, x: jax.nn.logsumexp(x, op.axes, keepdims=op.keepdims),
    "MatMul": lambda op, x, y: jnp.matmul(x, y),
    "Index": lambda op, x, *indices: jnp.asarray(x)[op.key.filled([int(i) for i in indices])],
    "Dimshuffle": _transposed,
    "ARange": lambda op, *bounds: np.arange(*_extents(bounds), dtype=op.dtype),
    "ShapeOf": lambda op, x: np.array(x.shape, "int64"),
    "StackScalars": lambda op, *xs: np.array(_extents(xs), "int64"),
    "Reshape": lambda op, x, shape: jnp.reshape(x, _extents(shape)),
    "BroadcastTo": lambda op, x, shape: jnp.broadcast_to(x, _extents(shape)),
}  # fmt: skip


def _cost(outputs: list[Variable]) -> Variable:
    """A scalar in which every element of every output has its own weight."""
    total: Variable = T.constant(0.0)
    for k, v in enumerate(outputs):
        flat = v.astype("float64").flatten()
        total = total + (flat * T.cos(T.arange(flat.shape[0]) + k)).sum()
    return total


def _slopes_by_jax(cost: Variable, inputs: list[Variable], values: list[Array], wrt: list[int]) -> list[Array]:
    def run(*chosen: Any) -> Any:
        given: dict[Variable, Any] = dict(zip(inputs, values, strict=True))
        given.update({inputs[i]: x for i, x in zip(wrt, chosen, strict=True)})
        return translated([cost], given, TABLE, lambda x, dtype: jnp.asarray(x).astype(dtype))[0]

    return [
        np.asarray(g) for g in jax.grad(run, argnums=tuple(range(len(wrt))))(*(jnp.asarray(values[i]) for i in wrt))
    ]


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(program=random_programs())
def test_gradients_of_random_expressions(program: RandomProgram) -> None:
    check(program)


def _differs_by_convention(program: RandomProgram) -> bool:
    """JAX has -1 for an integer divided by zero, where NumPy has 0."""
    pool = program.pool()
    for i in program.instructions:
        operands = np.broadcast_arrays(*(pool[k] for k in i.operands))
        if i.text in ("//", "%") and operands[0].dtype.kind in "biu" and np.any(operands[1] == 0):
            return True
    return False


def check(program: RandomProgram) -> None:
    wrt = [i for i, v in enumerate(program.values) if v.dtype.kind == "f"]
    assume(wrt and not program.overflows() and not _differs_by_convention(program))
    cost = _cost(program.graph())
    slopes = T.grad(cost, [program.inputs[i] for i in wrt], disconnected_inputs="ignore")
    f = graphlab.function(program.inputs, slopes, on_unused_input="ignore", mode="fast_compile")
    with quiet():
        got = f(*program.values)
        want = _slopes_by_jax(cost, program.inputs, program.values, wrt)
        eps = float(np.finfo("float32" if _single(cost) else "float64").eps)
        nudge = np.random.default_rng(0)
        assume(any(np.any(a != 0) for a in (*got, *want)))  # else there is little to compare
        near = [np.asarray(v * (1 + 16 * eps * nudge.uniform(-1, 1, v.shape)), v.dtype) if i in wrt else v
                for i, v in enumerate(program.values)]  # fmt: skip
        moved = _slopes_by_jax(cost, program.inputs, near, wrt)
    for a, b, m in zip(got, want, moved, strict=True):
        tolerance = 1e3 * eps * (1 + np.max(np.abs(b), initial=0)) + 64 * np.abs(m - b)
        assert a.shape == b.shape
        assert np.all((np.abs(a - b) <= tolerance) | (np.isnan(a) & np.isnan(b))), (
            f"{program}\n{a!r}\ninstead of\n{b!r}"
        )


def _single(cost: Variable) -> bool:
    return any(v.dtype == "float32" for v in ancestors([cost]))
