"""The loop language: scalar statements in counted loops over strided memory, and the program that calls them.

A kernel sees raw pointers and strides, never arrays or ops. Names are generated from positions; no
text of the user's is in here. Each statement may carry `nodes`: which of the graph nodes of its kernel it
computes, by their positions in the step's `nodes`, from which the C printer makes its line map. So kernels that
do the same are equal, whichever nodes they compute, and many steps share one.
"""

from __future__ import annotations

from dataclasses import dataclass

Nodes = tuple[int, ...]

# ---- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Name:
    """A local variable of the kernel."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A number of dtype `dtype`; `value` is a Python bool, int, float or complex (nan and inf allowed).

    Equal are those of equal text: -0.0 is not 0.0, and nan is nan.
    """

    value: bool | int | float | complex
    dtype: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Literal):
            return NotImplemented
        return self.dtype == other.dtype and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash((self.value if self.value == self.value else None, self.dtype))


@dataclass(frozen=True, slots=True)
class Load:
    """The element of type `dtype` that lies `offset` bytes after `pointer`."""

    pointer: Name
    offset: Expr
    dtype: str


@dataclass(frozen=True, slots=True)
class Element:
    """`array[index]`: an element of a Pointer's memory, or of an Accumulator with lanes."""

    array: Name
    index: Expr
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


Expr = Name | Literal | Load | Element | Formula | Cast

# ---- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Let:
    """`const dtype name = value`."""

    name: Name
    dtype: str
    value: Expr
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Pointer:
    """`name` = the memory `offset` bytes after `base`, as elements of `dtype` (as bytes where that is None)."""

    name: Name
    base: Name
    offset: Expr
    dtype: str | None
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Accumulator:
    """`dtype name = value`, a local that Assign changes; with `lanes` an array of that many, all `value`."""

    name: Name
    dtype: str
    value: Expr | None = None
    lanes: int | None = None
    nodes: Nodes = ()


@dataclass(frozen=True, slots=True)
class Assign:
    """`name = value`, or `name[lane] = value` for an Accumulator with lanes or a writable Pointer."""

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
class Gather:
    """`name` = elements that begin `offset` bytes after `base`: `rows` of `count`, all side by side.

    In a row they lie `stride` bytes apart, the rows `step`. They are used in place if they are neighbours in memory,
    else in the Accumulator `buffer`. If `writable`, they are only to be written, and Scatter then puts them where they
    belong.
    """

    name: Name
    base: Name
    offset: Expr
    stride: Expr
    count: Expr
    step: Expr
    rows: Expr
    dtype: str
    buffer: Name
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Scatter:
    """Put the elements that were written to the Gather `strip` where they belong, unless they are there."""

    strip: Gather


@dataclass(frozen=True, slots=True)
class Stretch:
    """`name` = where the first of `several` Gathers like `strip`, `along` bytes apart, has its elements to be read.

    `step` = bytes to those of the next. Those copied have `width` elements each in the buffer of `strip`.
    `held` is the address of those that are there already, and are used again; they stay for later if `holds`.
    """

    name: Name
    step: Name
    strip: Gather
    along: Expr
    several: Expr
    width: int
    held: Name
    holds: Expr


@dataclass(frozen=True, slots=True)
class Columns:
    """`name` = `count` elements for each index along some axes, those of one index side by side.

    In memory they begin `offset` bytes after `base` and lie `stride` bytes apart; along the axes, with `extents`, they
    have `strides`. They are used in place if they are neighbours, else copied to the Accumulator `buffer`, `length`
    elements for each index (the same along an axis without a stride). `steps` = the byte strides along the axes then.
    """

    name: Name
    base: Name
    offset: Expr
    stride: Expr
    count: Expr
    extents: tuple[Expr, ...]
    strides: tuple[Expr, ...]
    dtype: str
    buffer: Name
    length: int
    steps: Name


@dataclass(frozen=True, slots=True)
class For:
    """Run `body` for index = start, start + step, ... while index < stop; `simd`: iterations are independent.

    `unroll`: the C compiler is asked to write out so many turns.
    """

    index: Name
    start: Expr
    stop: Expr
    body: tuple[Stmt, ...]
    step: int = 1
    simd: bool = False
    unroll: int = 0


@dataclass(frozen=True, slots=True)
class If:
    """Run `then` where `condition` holds, else `otherwise`."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """Leave the kernel with an error: `kind` is a name of gl_abi.h's gl_error_kind."""

    kind: str


@dataclass(frozen=True, slots=True)
class Return:
    """Leave a Function with `value`."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Comment:
    """A line for the reader of the C."""

    text: str


Moves = Gather | Scatter | Stretch | Columns
Stmt = Let | Pointer | Accumulator | Assign | Store | Moves | For | If | Fail | Return | Comment

# ---- the program ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nest:
    """The loop nest of a kernel over the broadcast of its inputs, which are `inputs` many, as outputs are `outputs`.

    The runtime broadcasts the inputs over `ndim` axes, allocates the outputs, and hands the
    kernel extents, byte strides and pointers. `axes[k]` says for each axis of operand k (outputs, then
    inputs) along which of the `ndim` it lies; -1: along none, its extent is 1. Axes are reordered: those
    kept first, then those of `reduce`, and neighbours are merged within each group where every operand
    allows it (merged axes keep extent 1). `sorts`: the axes of `reduce` may come in any order, so those with the
    shortest strides come last. `few`: with at most so many elements along the last of `reduce`, and 1 along the others,
    the kept axes may come in any order, so the longest comes last where the last is short.

    `beside`: the kernel is given one extent, `n0`, and operands whose elements are side by side, each as often as it is
    needed (but for operands without axes, of which there is one); the runtime brings them together where they are not.
    """

    ndim: int
    outputs: int
    inputs: int
    reduce: tuple[int, ...] = ()
    axes: tuple[tuple[int, ...], ...] = ()
    sorts: bool = False
    few: int = 0
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a Function takes: a number of dtype `dtype`, or an array of them that it reads."""

    name: Name
    dtype: str
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A piece of kernels with a name of its own, called by Formulas: runs `body`, gives `result`.

    It is for one application, whichever: its statements' `nodes` are (0,), or none.
    """

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Stmt, ...]
    result: Expr
    dtype: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """A C function over one nest, which any number of steps call.

    In `body` these names are defined: `n0`..: the extents; `p0`..: the operands' pointers, outputs
    first; `s{k}_{d}`: the byte stride of operand k along axis d (int64). `title` names its ops, and
    `functions` are those that the body uses, each after those that it uses itself, with the positions of the
    applications that it uses them for. `scratch`: how many bytes of memory, for each element of a row, `scratch`
    points to. `rows`: along the last two of the kept axes, also those of parts of the nest that this run leaves out.

    A kernel that can fold in parts (lower/parts.py) has so many `folds`, in blocks of `block` elements. In it
    `part_rows`, `part_count`, `part_level`, `part_elements` and `part_memory` are defined, the fields of a gl_parts
    (csrc/gl_abi.h).
    """

    name: str
    nest: Nest
    body: tuple[Stmt, ...]
    title: str = ""
    functions: tuple[tuple[Function, Nodes], ...] = ()
    scratch: int = 0
    folds: int = 0
    block: int = 0


@dataclass(frozen=True, slots=True)
class LoopCall:
    """Plan the kernel's nest over the arrays in the slots `inputs`, allocate those in `outputs`, run it.

    `takes`, where there are any: for each output the position of the input that dies here and whose memory it may
    have, -1 for none.
    """

    kernel: Kernel
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    takes: tuple[int, ...] = ()


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


@dataclass(frozen=True, slots=True)
class SameExtents:
    """Check that in each of `groups` all (slot, axis) have one extent; `known[k]`: that of group k, where not None."""

    groups: tuple[tuple[tuple[int, int], ...], ...]
    known: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A value that a Loop carries on: it begins as `start`, `past[k]` holds it as it was k + 1 turns ago.

    Each turn makes it anew in `new`, which waits in `next` until all are made. A `start` for more than
    one past value has them stacked, oldest first; `final`, where wanted, gets them in the same form.
    """

    start: int
    past: tuple[int, ...]
    new: int
    next: int
    final: int | None = None


@dataclass(frozen=True, slots=True)
class Stack:
    """The slot `stack` collects what turns make in `value`: of the last `keep` turns, None: of all.

    The value of the first of these turns comes first; if `backwards`, the last.
    """

    stack: int
    value: int
    keep: int | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """Run `body` as often as the slot `turns` says.

    `elements` pairs each sequence with the slot for its element of this turn.
    Without any turn, `dry` makes the body run once on zeros to know what the extents would be. `until`: the slot
    that ends the loop, `made` gets the number of turns.
    """

    turns: int
    elements: tuple[tuple[int, int], ...]
    carried: tuple[Carried, ...]
    stacks: tuple[Stack, ...]
    body: tuple[Step, ...]
    dry: bool = False
    until: int | None = None
    made: int | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """A Loop over single elements that is one kernel: what is carried on is in local variables of it.

    `carried`: for each such value the slot of its start, how many past values there are, and the slot of the last
    ones, if they are wanted; the values of `stacks` are in no slot, -1; `until`: whether a turn may end the loop,
    `made` gets the number of turns. The kernel runs n0 turns, as many as it is told. Its outputs are an element of
    each stack; its inputs the past values, which it leaves as the next turns need them, then (if `until`) where to
    put whether the loop ended and after how many turns, an element of each sequence, and the constants. `nodes` are
    the kernel's.
    """

    kernel: Kernel
    turns: int
    stacks: tuple[Stack, ...]
    carried: tuple[tuple[int, int, int | None], ...]
    sequences: tuple[int, ...]
    constants: tuple[int, ...]
    nodes: Nodes = ()
    until: bool = False
    made: int | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """Run `then` if the slot `condition` holds, else `otherwise`.

    `results`: for each output its slot, and those of the values that it is then, and otherwise.
    """

    condition: int
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    results: tuple[tuple[int, int, int], ...]


Action = LoopCall | RuntimeCall | HostCall | SameExtents | Loop | Turns | Branch


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

    `inputs`, `shared` and `constants` are filled by the caller before, `outputs` are read after. The last `finishing`
    steps only make new values of shared variables, and may do so in the memory of the old ones.
    """

    dtypes: tuple[str, ...]
    ndims: tuple[int, ...]
    inputs: tuple[int, ...]
    shared: tuple[int, ...]
    constants: tuple[int, ...]
    outputs: tuple[int, ...]
    steps: tuple[Step, ...]
    finishing: int = 0
