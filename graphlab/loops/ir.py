"""The loop language: scalar statements in counted loops over strided memory, and the program that calls them.

A kernel sees raw pointers and strides, never arrays or ops. Names are generated from positions; no
text of the user's is in here. Each statement may carry `nodes`: the numbers of the graph nodes that
it computes, from which the C printer makes its line map.
"""

from __future__ import annotations

from dataclasses import dataclass

Nodes = tuple[int, ...]

# ---- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A local variable of the kernel."""

    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number of dtype `dtype`; `value` is a Python bool, int or float (nan and inf allowed)."""

    value: bool | int | float
    dtype: str


@dataclass(frozen=True, slots=True)
class Load:
    """The element of type `dtype` that lies `offset` bytes after `pointer`."""

    pointer: Name
    offset: Expr
    dtype: str


@dataclass(frozen=True, slots=True)
class Formula:
    """A C expression: `template` with {0}, {1}, ... standing for `arguments`; its value has `dtype`."""

    template: str
    arguments: tuple[Expr, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Cast:
    """`value` of dtype `source` converted to `dtype`, as NumPy's astype does."""

    value: Expr
    source: str
    dtype: str


Expr = Name | Literal | Load | Formula | Cast

# ---- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Let:
    """`const dtype name = value`."""

    name: Name
    dtype: str
    value: Expr
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Accumulator:
    """`dtype name = value`, a local that Assign changes; with `lanes` > 1 an array of that many."""

    name: Name
    dtype: str
    value: Expr
    lanes: int = 1
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = value`, or `name[lane] = value`."""

    name: Name
    value: Expr
    lane: Expr | None = None
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Store:
    """Put `value` where `pointer` + `offset` bytes points."""

    pointer: Name
    offset: Expr
    dtype: str
    value: Expr
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class For:
    """Run `body` for index = start, start + step, ... while index < stop; `simd`: iterations are independent."""

    index: Name
    start: Expr
    stop: Expr
    body: tuple[Stmt, ...]
    step: int = 1
    simd: bool = False


@dataclass(frozen=True, slots=True)
class If:
    """Run `then` where `condition` holds, else `otherwise`."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Comment:
    """A line for the reader of the C."""

    text: str


Stmt = Let | Accumulator | Assign | Store | For | If | Comment

# ---- the program ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nest:
    """The loop nest of a kernel over the broadcast of its inputs.

    The runtime broadcasts the inputs (slots) over `ndim` axes, allocates the outputs, and hands the
    kernel extents, byte strides and pointers. Axes are reordered: those kept first, then those of
    `reduce`, and neighbours are merged within each group where every operand allows it (merged axes
    keep extent 1). `reduced[k]`: output k lacks the reduced axes (`keepdims[k]`: has them with extent 1).
    """

    ndim: int
    outputs: tuple[int, ...]
    output_dtypes: tuple[str, ...]
    inputs: tuple[int, ...]
    input_dtypes: tuple[str, ...]
    reduce: tuple[int, ...] = ()
    reduced: tuple[bool, ...] = ()
    keepdims: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Kernel:
    """A C function over one nest.

    In `body` these names are defined: `n0`..: the extents; `p0`..: the operands' pointers, outputs
    first; `s{k}_{d}`: the byte stride of operand k along axis d (int64).
    """

    name: str
    nest: Nest
    body: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class LoopCall:
    """Plan the kernel's nest, allocate its outputs, run it."""

    kernel: Kernel


@dataclass(frozen=True, slots=True)
class RuntimeCall:
    """Call the C runtime's `function(frame, slots, params)`: views, BLAS, copies, shapes."""

    function: str
    slots: tuple[int, ...]
    params: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostCall:
    """Ask Python for host function number `index`: NumPy computes `outputs` from `inputs` (slots)."""

    index: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


Action = LoopCall | RuntimeCall | HostCall


@dataclass(frozen=True, slots=True)
class Step:
    """What one call of the stepper does: an action, then the slots that nobody needs any more are released."""

    name: str
    action: Action
    release: tuple[int, ...] = ()
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Program:
    """Steps over a table of array slots; slot k holds an array of `dtypes[k]` and `ndims[k]`.

    `inputs`, `shared` and `constants` are filled by the caller before, `outputs` are read after.
    """

    dtypes: tuple[str, ...]
    ndims: tuple[int, ...]
    inputs: tuple[int, ...]
    shared: tuple[int, ...]
    constants: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
