"""Random numbers as an op: from the state of a stream and parameters to numbers and the state afterwards.

The numbers are those of numpy.random.Generator over numpy.random.Philox, bit for bit. A state is a uint64
vector of all that NumPy's Philox holds, so that drawing is a function of its inputs like any other op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from graphlab.dtypes import is_float
from graphlab.errors import GraphShapeError, GraphTypeError
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import Shape, TensorType, broadcast_shape
from graphlab.ops.base import Array, Cotangents, Op
from graphlab.ops.batching import Batching, Built
from graphlab.ops.distributions import DISTRIBUTIONS, Distribution
from graphlab.ops.elementwise import multiply
from graphlab.ops.join import concatenate, stack
from graphlab.ops.lowering import Host, Lowering, Runtime
from graphlab.ops.shape import aligned, batch_extent
from graphlab.ops.ufunc import Undefined

# ---- the state of a stream -----------------------------------------------------------------------

_FIELDS = (("counter", 4), ("key", 2), ("buffer", 4), ("buffer_pos", 1), ("has_uint32", 1), ("uinteger", 1))
STATE = TensorType("uint64", (sum(words for _, words in _FIELDS),))


def packed(state: Mapping[str, Any]) -> Array:
    """NumPy's `Philox.state` as the words of a stream's state."""
    flat = {**state, **state["state"]}
    return np.concatenate([np.atleast_1d(np.asarray(flat[name], "uint64")) for name, _ in _FIELDS])


def unpacked(words: Array) -> dict[str, Any]:
    """The words of a stream's state as NumPy's `Philox.state`."""
    parts = np.split(np.asarray(words), np.cumsum([n for _, n in _FIELDS])[:-1])
    flat = {name: part if n > 1 else int(part[0]) for (name, n), part in zip(_FIELDS, parts, strict=True)}
    inner = {name: flat.pop(name) for name in ("counter", "key")}
    return {"bit_generator": "Philox", "state": inner, **flat}


def generator_at(words: Array) -> np.random.Generator:
    """NumPy's generator where a stream's state is."""
    philox: Any = np.random.Philox(key=0)  # a key given spares the making of a seed
    philox.state = unpacked(words)
    return np.random.Generator(philox)


# ---- the op --------------------------------------------------------------------------------------

# The distributions that the runtime draws, in the order of gl_distribution in csrc/gl_abi.h; _f: as float32.
IN_C = tuple(
    "random random_f bernoulli uniform uniform_f standard_normal standard_normal_f normal normal_f "
    "standard_exponential standard_exponential_f exponential exponential_f standard_gamma standard_gamma_f "
    "gamma gamma_f beta chisquare f gumbel laplace logistic lognormal pareto power rayleigh standard_cauchy "
    "standard_t vonmises wald weibull binomial geometric poisson int8 int16 int32 int64 uint8 uint16 uint32".split()
)


@dataclass(slots=True)
class _Numbers:
    """Numbers the draws of this process, also beside those that were numbered elsewhere and unpickled."""

    last: int = 0

    def next(self) -> int:
        """A number that no draw of this process has."""
        self.last += 1
        return self.last

    def seen(self, number: int) -> None:
        """There is a draw of this number."""
        self.last = max(self.last, number)


numbers = _Numbers()


@dataclass(frozen=True, slots=True)
class Draw(Op):
    """Numbers of the distribution `name`.

    Inputs: a stream's state, the size (a vector) if `sized`, the parameters; outputs: the state afterwards, the
    numbers. `number` tells draws apart, which would otherwise be equal, and says in which order they were written.
    `extents` is what is known of the size, None where the parameters alone give the shape; `flags` are the
    switches of NumPy's method that are on.
    """

    name: str
    number: int = field(repr=False)
    dtype: str
    extents: Shape | None = None
    flags: tuple[str, ...] = field(default=(), repr=False)
    advances = ((0, 0),)

    def __post_init__(self) -> None:
        numbers.seen(self.number)

    def __reduce__(self) -> tuple[Any, ...]:
        return Draw, (self.name, self.number, self.dtype, self.extents, self.flags)

    @property
    def distribution(self) -> Distribution:
        """What is drawn."""
        return DISTRIBUTIONS[self.name]

    @property
    def sized(self) -> bool:
        """Whether the second input is the size."""
        return self.extents is not None

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        if not STATE.accepts(inputs[0]):
            raise GraphTypeError(f"{self.name}: the state of a stream is {STATE}, got {inputs[0]}")
        if self.extents is not None and (inputs[1].dtype, inputs[1].ndim) != ("int64", 1):
            raise GraphTypeError(f"{self.name}: the size must be an int64 vector, got {inputs[1]}")
        types = inputs[1 + self.sized :]
        for t, parameter in zip(types, self.distribution.parameters, strict=False):
            deeper = t.ndim > parameter.core and not parameter.batched
            if t.dtype != parameter.dtype or t.ndim < parameter.core or deeper:
                wanted = f"{parameter.dtype} of rank {parameter.core}{' or more' if parameter.batched else ''}"
                raise GraphTypeError(f"{self.name}: {parameter.name} must be {wanted}, got {t}")
        return STATE, TensorType(self.dtype, (*self._batch(types), *self.distribution.event(*types)))

    def _batch(self, types: Sequence[TensorType]) -> Shape:
        """The static shape of the independent draws."""
        cores = [p.core for p in self.distribution.parameters]
        shapes = [t.shape[: t.ndim - core] for t, core in zip(types, cores, strict=False)]
        try:
            together = broadcast_shape(shapes)
            fits = self.extents is None or broadcast_shape([self.extents, together]) == self.extents
        except ValueError as error:
            raise GraphShapeError(f"{self.name}: the parameters' {error}") from None
        if not fits and self.extents is not None and None not in self.extents:
            raise GraphShapeError(f"{self.name}: parameters of shape {together} do not fit the size {self.extents}")
        return together if self.extents is None else self.extents

    def numpy(self, *values: Array) -> Any:
        generator = generator_at(values[0])
        size = tuple(int(n) for n in values[1]) if self.sized else None
        switches = dict.fromkeys(self.flags, True)
        drawn = self.distribution.draw(generator, size, self.dtype, *values[1 + self.sized :], **switches)
        return packed(generator.bit_generator.state), np.asarray(drawn, self.dtype)

    def pullback(self, node: Apply, cotangents: Cotangents) -> Cotangents:
        g, parameters = cotangents[1], node.inputs[1 + self.sized :]
        if g is None or not is_float(self.dtype):
            return [None] * len(node.inputs)
        slopes = self.distribution.slopes(node.outputs[1], *parameters) if self.distribution.slopes else ()
        results: list[Any] = [None] * (1 + self.sized)
        for k, (parameter, v) in enumerate(zip(self.distribution.parameters, parameters, strict=False)):
            slope = slopes[k] if k < len(slopes) else None
            known = multiply(g, slope) if slope is not None else self._undefined(parameter.name)
            results.append(known if is_float(v.dtype) else None)
        return results

    def _undefined(self, parameter: str) -> Undefined:
        return Undefined(
            f"numbers drawn by {self.name} have no derivative by {parameter}: there is no formula for how they move"
            f" with it; disconnected_grad({parameter}) treats it as a constant"
        )

    def batching(self, node: Apply, batched: tuple[bool, ...]) -> Batching:
        first = 1 + self.sized
        if any(batched[:first]) or not all(p.batched for p in self.distribution.parameters):
            raise GraphTypeError(
                f"{self.name} takes no batch of {'sizes or states' if any(batched[:first]) else 'parameters'}",
                hint="draw once for all examples, outside of what is mapped over",
            )
        cores = [p.core for p in self.distribution.parameters]
        ranks = tuple(v.ndim - core for v, core in zip(node.inputs[first:], cores, strict=False))
        wanted = max(ranks) if self.extents is None else len(self.extents)
        return Built(partial(self._of_batch, ranks=(*ranks, wanted), batched=(*batched[first:], False)))

    def _of_batch(self, *inputs: Variable, ranks: tuple[int, ...], batched: tuple[bool, ...]) -> Sequence[Variable]:
        """One draw for the whole batch: every example has numbers of its own."""
        state, *size = inputs[: 1 + self.sized]
        parameters = aligned((*inputs[1 + self.sized :], state), ranks, batched)[:-1]
        if self.extents is None:
            return self.apply(state, *parameters).outputs
        examples = batch_extent(parameters, batched[:-1])
        known = int(examples.data) if isinstance(examples, Constant) else None
        whole = concatenate([stack([examples]), *size])
        return replace(self, extents=(known, *self.extents)).apply(state, whole, *parameters).outputs

    def lowering(self, node: Apply) -> Lowering:
        single = {"float32": f"{self.name}_f"}.get(self.dtype, self.name)
        word = self.dtype if self.name == "integers" else single
        if word not in IN_C:
            return Host(f"NumPy draws {self.name} of {self.dtype}")
        count = len(node.inputs) - 1 - self.sized
        ndim, closed = node.outputs[1].ndim, "endpoint" in self.flags
        return Runtime("draw", (IN_C.index(word), int(self.sized), ndim, count, int(closed)))


def draw(
    state: Variable, name: str, dtype: str, size: tuple[Variable, Shape] | None, parameters: Sequence[Variable],
    flags: tuple[str, ...] = (),
) -> Apply:  # fmt: skip
    """A new draw from `state`, different from all others."""
    vector, extents = size or (None, None)
    op = Draw(name, numbers.next(), dtype, extents, flags)
    return op.apply(state, *(() if vector is None else (vector,)), *parameters)
