"""The kernels of a function: which nodes, which C, which instructions, what the compiler said, and what it costs.

All but names, nodes and C is found out when it is asked for: compiling does not wait for any of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphlab.callable import Function
from graphlab.codegen.c import Source
from graphlab.debug.profile import time_text
from graphlab.errors import Origin, user_boundary
from graphlab.graph.cost import elements
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.lower import Lowered
from graphlab.runtime.hardware import Hardware, machine
from graphlab.runtime.listing import VECTORIZED, attempts, listing

# ---- what is told --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A line of C: its number in `f.c_source`, its text, and the nodes of the graph that it computes."""

    number: int
    text: str
    nodes: tuple[Apply, ...]

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The user's lines that these nodes come from."""
        return tuple(dict.fromkeys(o for node in self.nodes for o in node.provenance.origins))

    def __str__(self) -> str:
        where = f"  // {_where(self)}" if self.nodes else ""
        return f"{self.number:5} {self.text}{where}"


def _where(line: Line) -> str:
    ops = ", ".join(dict.fromkeys(node.op.name for node in line.nodes))
    return f"{ops}: {', '.join(o.label for o in line.origins)}" if line.origins else ops


class Lines(tuple[Line, ...]):
    """Lines of C; printed, side by side with what they compute."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))


@dataclass(frozen=True, slots=True)
class Instruction:
    """A machine instruction, and the line of the kernel's C that it is for (None: of the function's frame)."""

    address: int
    text: str
    function: str
    line: Line | None


class Assembly(tuple[Instruction, ...]):
    """The instructions of a kernel in the order of their addresses; printed, under the lines of C they are for."""

    @property
    def ranges(self) -> dict[int, tuple[tuple[int, int], ...]]:
        """For each line of C (its number in `f.c_source`) the ranges, first to last, of its instructions in this."""
        found: dict[int, list[tuple[int, int]]] = {}
        for k, instruction in enumerate(self):
            if instruction.line is None:
                continue
            spans = found.setdefault(instruction.line.number, [])
            if spans and spans[-1][1] == k - 1:
                spans[-1] = (spans[-1][0], k)
            else:
                spans.append((k, k))
        return {number: tuple(spans) for number, spans in sorted(found.items())}

    def __str__(self) -> str:
        return "\n".join(self._text())

    def _text(self) -> Iterator[str]:
        function, line = "", 0
        for instruction in self:
            if instruction.function != function:
                function, line = instruction.function, 0
                yield f"{function}:"
            if instruction.line is not None and instruction.line.number != line:
                line = instruction.line.number
                yield str(instruction.line)
            yield f"{instruction.address:10x}:  {instruction.text}"


@dataclass(frozen=True, slots=True)
class Remark:
    """What the C compiler says of a line.

    `kind`: "vectorized"; "missed" (a loop that is marked as independent, and yet); "untried" (a loop that is not
    marked as that: what the compiler would say if it tried).
    """

    line: Line
    kind: str
    message: str

    def __str__(self) -> str:
        return f"{self.line.number:5} {self.kind}: {self.message}: {self.line.text.strip()}"


class Remarks(tuple[Remark, ...]):
    """Remarks by line; printed, one to a line."""

    def __str__(self) -> str:
        return "\n".join(map(str, self))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a kernel takes, estimated before any: operations, and bytes read and written.

    Operations count as in `f.profile`: one for each element of an elementwise operation, whatever its formula.
    `estimated`: some extents are for a call to decide, and count as 1000 each; `f.profile(*args)` has the true ones.
    """

    flops: int
    read: int
    written: int
    estimated: bool

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return self.read + self.written

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.flops / self.bytes if self.bytes else 0.0

    def __str__(self) -> str:
        how = " (extents that a call decides count as 1000)" if self.estimated else ""
        what = f"{self.flops:,} operations, {self.read:,} bytes read, {self.written:,} written"
        return f"{what}, {self.intensity:.3g} operations a byte{how}"


@dataclass(frozen=True, slots=True)
class Roofline:
    """How fast this machine can run a kernel at most, and what stops it: S. Williams et al., "Roofline", 2009.

    `bound` is "memory" or "compute"; `seconds` the least time for the work of `cost`; `bandwidth` (GB/s, of the
    smallest cache that holds all it touches, or the memory) and `peak` (GFLOP/s, that of BLAS) are the machine's,
    `gflops` is the rate that these two allow.
    """

    cost: Cost
    bandwidth: float
    peak: float

    @property
    def bound(self) -> str:
        """Which limit is met first."""
        return "memory" if self.cost.intensity * self.bandwidth <= self.peak else "compute"

    @property
    def seconds(self) -> float:
        """The least time."""
        return 1e-9 * max(self.cost.bytes / self.bandwidth, self.cost.flops / self.peak)

    @property
    def gflops(self) -> float:
        """The rate that can be had."""
        return min(self.peak, self.cost.intensity * self.bandwidth)

    def __str__(self) -> str:
        machine = f"{self.bandwidth:.1f} GB/s and {self.peak:.1f} GFLOP/s at most"
        reached = f"{self.gflops:.2f} GFLOP/s can be had, {time_text(self.seconds)} for this work"
        return f"bound by {self.bound}: {self.cost.intensity:.3g} operations a byte, {machine}; {reached}"


# ---- a kernel ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """One fused loop nest of a function: its nodes, what it reads and writes, its C, and why it is one."""

    name: str
    nodes: tuple[Apply, ...]
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    c: str
    reason: str
    _lowered: Lowered = field(repr=False, compare=False)
    _source: Source = field(repr=False, compare=False)

    @property
    def lines(self) -> Lines:
        """Its lines of C with the nodes and the user's lines behind each.

        >>> import graphlab, graphlab.tensor as T
        >>> x = T.dvector("x")
        >>> f = graphlab.function([x], T.exp(x) + 1)
        >>> line = next(line for line in f.kernels[0].lines if "gl_exp" in line.text)
        >>> line.text.strip(), [node.op.name for node in line.nodes]
        ('const double v0 = gl_exp_float64(x1);', ['exp'])
        """
        text, own = self._source.text.splitlines(), set(self.nodes)
        return Lines(
            Line(k, text[k - 1], tuple(n for i in self._source.lines[k - 1] if (n := self._lowered.nodes[i]) in own))
            for first, last in sorted(self._source.spans[self.name])
            for k in range(first, last + 1)
        )

    @property
    def assembly(self) -> Assembly:
        """Its instructions, each with the line of its C that it is for; what is expanded in place is at its call.

        The program is compiled once more for it, in about the time of the first; CompilerError without objdump.
        """
        known = {line.number: line for line in self.lines}
        own = [(i, line) for i in listing(self._source.text).instructions
               if (line := next((known[k] for k in i.lines if k in known), None)) is not None]  # fmt: skip
        return Assembly(Instruction(i.address, i.text, i.function, line) for i, line in own)

    @property
    def remarks(self) -> Remarks:
        """What the compiler vectorized, what not, and why not; the program is compiled again to hear it."""
        known = {line.number: line for line in self.lines}
        said = [n for n in listing(self._source.text).notes if n.line in known]
        done = {note.line for note in said if note.kind == VECTORIZED}
        found = [Remark(known[n.line], n.kind, n.message) for n in said if n.kind == VECTORIZED or n.line not in done]
        heard = {note.line for note in said}
        for n in attempts(self._source.text):
            if n.line in known and n.line not in heard:
                would = f"would be: {n.message}" if n.kind == VECTORIZED else n.message
                found.append(Remark(known[n.line], "untried", would))
        return Remarks(sorted(found, key=lambda remark: remark.line.number))

    @property
    def cost(self) -> Cost:
        """What a run takes, by the extents that the types tell."""
        inputs = [v for v in self.inputs if not (isinstance(v, Constant) and v.data.size == 1)]
        known = (*inputs, *self.outputs, *(v for node in self.nodes for v in node.outputs))
        flops = sum(node.op.flops(node) for node in self.nodes)
        return Cost(flops, _bytes(inputs), _bytes(self.outputs), any(None in v.type.shape for v in known))

    @property
    @user_boundary
    def roofline(self) -> Roofline:
        """What this machine allows for the work of `cost`; it is measured the first time (see `graphlab.machine`)."""
        return roofline(self.cost, self.outputs[0].dtype, machine())


def roofline(cost: Cost, dtype: str, here: Hardware) -> Roofline:
    """The limits of `here` for work of `cost` in the precision of `dtype`."""
    return Roofline(cost, here.bandwidth(cost.bytes), here.gflops(dtype))


def _bytes(variables: Iterable[Variable]) -> int:
    return sum(elements(v.type) * np.dtype(v.dtype).itemsize for v in dict.fromkeys(variables))


def kernels(function: Function) -> tuple[Kernel, ...]:
    """The fused loop nests of `function`, in the order in which they run; none where NumPy runs it."""
    lowered, source = function.compiled.lowered, function.compiled.source
    if lowered is None or source is None:
        return ()
    text = source.text.splitlines()
    return tuple(
        Kernel(k.name, k.nodes, k.inputs, k.outputs, _excerpt(text, source.spans[k.name]), k.reason, lowered, source)
        for k in lowered.kernels
    )


def _excerpt(lines: Sequence[str], spans: Iterable[tuple[int, int]]) -> str:
    return "\n\n".join("\n".join(lines[first - 1 : last]) for first, last in spans)
