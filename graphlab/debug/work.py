"""What the steps of a run had to do: bytes read and written, arithmetic operations, from the extents of that run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphlab.errors import GraphlabError
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.types import TensorType
from graphlab.loops.ir import Branch, HostCall, Loop, LoopCall, RuntimeCall, SameExtents, Step, Turns
from graphlab.loops.walk import every_step
from graphlab.lower import Lowered
from graphlab.runtime.program import Frame, Layout


@dataclass(frozen=True, slots=True)
class Work:
    """Bytes read, bytes written and arithmetic operations."""

    read: int = 0
    written: int = 0
    flops: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.read + other.read, self.written + other.written, self.flops + other.flops)

    def times(self, n: int) -> Work:
        """All of it `n` times."""
        return Work(n * self.read, n * self.written, n * self.flops)


class Meter:
    """Reads the work of steps off a frame in which they have run: ask for a step right after it ran.

    An array counts once for each step that reads it, elements that a stride of 0 repeats once; views count nothing.
    An operation counts for each element as `Op.flops` says, whatever its formula. A loop counts what its last turn
    did once for each turn.
    """

    def __init__(self, lowered: Lowered, frame: Frame) -> None:
        self.lowered, self.frame = lowered, frame
        self._kernels = {kernel.name: kernel for kernel in lowered.kernels}

    def work(self, step: Step) -> Work:
        """What `step` did."""
        match step.action:
            case LoopCall(_, outputs, inputs) | HostCall(_, inputs, outputs):
                return Work(self._bytes(inputs), self._bytes(outputs), self._flops(step))
            case RuntimeCall("shape_of", (out, *_)):
                return Work(0, self._bytes((out,)))
            case RuntimeCall(_, (out, *inputs)):
                if any(self._inside(out, k) for k in inputs):
                    return Work()
                return Work(self._bytes(inputs), self._bytes((out,)), self._flops(step))
            case Loop(turns, body=body, made=made):
                return self._sum(body).times(self._count(turns if made is None else made))
            case Turns(_, turns, stacks, carried, sequences, constants, nodes, made=made):
                finals = [final for _, _, final in carried if final is not None]
                starts = [start for start, _, _ in carried]
                flops = sum(_flops_of(self.lowered.nodes[n], {}) for n in nodes)
                moved = Work(self._bytes((*starts, *sequences, *constants)),
                             self._bytes((*(s.stack for s in stacks), *finals)))  # fmt: skip
                return moved + Work(flops=flops).times(self._count(turns if made is None else made))
            case Branch(condition, then, otherwise):
                chosen = self.frame.value(condition)
                return self._sum(then if chosen is not None and chosen else otherwise)
            case SameExtents():
                return Work()
            case _:
                raise TypeError(type(step.action).__name__)

    def _sum(self, steps: Sequence[Step]) -> Work:
        return sum(map(self.work, steps), Work())

    def _count(self, slot: int) -> int:
        """The number of turns that `slot` holds."""
        count = self.frame.value(slot)
        return 0 if count is None else max(int(count), 0)

    def _bytes(self, slots: Sequence[int]) -> int:
        layouts = ((slot, self.frame.layout(slot)) for slot in dict.fromkeys(slots))
        return sum(_distinct(found) * self._itemsize(slot) for slot, found in layouts if found is not None)

    def _itemsize(self, slot: int) -> int:
        return np.dtype(self.lowered.program.dtypes[slot]).itemsize

    def _inside(self, view: int, base: int) -> bool:
        """Whether what the slot `view` holds lies in the memory of `base`."""
        a, b = self.frame.layout(view), self.frame.layout(base)
        if a is None or b is None:
            return False
        first, end = _span(b, self._itemsize(base))
        return first <= a.address < end

    # -- operations --

    def _flops(self, step: Step) -> int:
        types = {v: TensorType(v.dtype, found.shape)
                 for v, slot in self._slots(step) if (found := self.frame.layout(slot)) is not None}  # fmt: skip
        return sum(_flops_of(self.lowered.nodes[n], types) for n in step.nodes)

    def _slots(self, step: Step) -> Iterator[tuple[Variable, int]]:
        """The variables that `step` reads and writes, each with its slot."""
        if isinstance(step.action, LoopCall):
            kernel = self._kernels[step.name]
            yield from zip(kernel.outputs, step.action.outputs, strict=True)
            yield from zip(kernel.inputs, step.action.inputs, strict=True)
            return
        slots = step.action.slots if isinstance(step.action, RuntimeCall) else ()
        if isinstance(step.action, HostCall):
            slots = (*step.action.outputs, *step.action.inputs)
        for n in step.nodes:  # a copy has none
            node = self.lowered.nodes[n]
            yield from zip((*node.outputs, *node.inputs), slots, strict=False)


def _flops_of(node: Apply, types: dict[Variable, TensorType]) -> int:
    """What `node` takes where its variables have the `types` of a run; those of its outputs are added."""
    inputs = [v if isinstance(v, Constant) else Variable(types.get(v, v.type)) for v in node.inputs]
    try:
        found: Sequence[TensorType] = node.op.infer(*(v.type for v in inputs))
    except GraphlabError:  # extents that only the values tell
        found = [v.type for v in node.outputs]
    for v, type in zip(node.outputs, found, strict=True):
        types.setdefault(v, type)
    known = [types[v] for v in node.outputs]
    if all(0 in type.shape for type in known):
        return 0
    return node.op.flops(Apply(node.op, inputs, known, node.provenance))


def _distinct(layout: Layout) -> int:
    return math.prod(n for n, stride in zip(layout.shape, layout.strides, strict=True) if stride or n == 0)


def _span(layout: Layout, itemsize: int) -> tuple[int, int]:
    """The first address of an array and the one behind its last."""
    steps = [(n - 1) * stride for n, stride in zip(layout.shape, layout.strides, strict=True) if n > 0]
    first = layout.address + sum(s for s in steps if s < 0)
    empty = 0 in layout.shape
    return first, first if empty else layout.address + sum(s for s in steps if s > 0) + itemsize


class Alive:
    """Counts the bytes of all arrays that are there while a step runs: arguments, constants, and what steps have made.

    Memory that a view shares counts once. What lives only inside a loop or a branch is not seen.
    """

    def __init__(self, lowered: Lowered, frame: Frame) -> None:
        self.lowered, self.frame = lowered, frame
        self._spans: dict[int, tuple[int, int]] = {}
        program = lowered.program
        self._read((*program.inputs, *program.shared, *program.constants))

    def during(self, step: Step, written: Sequence[Variable]) -> int:
        """The bytes while `step` runs, which has just written these; ask for each step in turn."""
        self._read([self.lowered.slots[v] for v in written if v in self.lowered.slots])
        total, end = 0, 0
        for first, last in sorted(self._spans.values()):
            total += max(last - max(first, end), 0)
            end = max(end, last)
        for slot in step.release:
            self._spans.pop(slot, None)
        return total

    def _read(self, slots: Sequence[int]) -> None:
        for slot in slots:
            found = self.frame.layout(slot)
            if found is not None:
                self._spans[slot] = _span(found, np.dtype(self.lowered.program.dtypes[slot]).itemsize)


def nodes_of(step: Step, lowered: Lowered) -> Iterator[Apply]:
    """The applications that `step` and the steps inside it compute."""
    for inner in every_step((step,)):
        yield from (lowered.nodes[n] for n in inner.nodes)
