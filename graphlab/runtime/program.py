"""The loaded program: call it, bind it to a callable, or run it one step at a time."""

from __future__ import annotations

import os
from collections.abc import Callable as Function
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlab.errors import CompilerError
from graphlab.loops.ir import LoopCall, Program, RuntimeCall, Step
from graphlab.loops.walk import every_step
from graphlab.options import options
from graphlab.runtime import native
from graphlab.runtime.build import Built, build
from graphlab.runtime.cache import private_folder
from graphlab.runtime.native import StepFailed
from graphlab.runtime.statistics import NUMBERS

Array = np.ndarray[Any, Any]
Cell = list[Array]
Keys = tuple[Any, ...]

# From so many bytes of operands on, a run gives up the GIL: about 100 us of work. Products do more per byte.
RELEASE_BYTES, RELEASE_BYTES_PRODUCTS = 1 << 19, 1 << 16


def available() -> bool:
    """Whether programs can be loaded here: the extension module is there and fits its headers."""
    return not native.MISSING


class SlowCallable:
    """What Callable is where there is no extension module: every call goes to the bound `slow`."""

    def _bind_slow(self, slow: Function[..., Any]) -> None:
        self._bound = slow

    def _pass(self, calls: int) -> int:
        return 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._bound(*args, **kwargs)


Callable: Any = native.NAMES.get("Callable", SlowCallable)


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array lies in memory: the address of its first element, its extents, its strides in bytes.

    `block` tells which arrays lie in one piece of memory that the run owns; 0: the memory was given.
    """

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    block: int = 0


class Frame:
    """One run of a program that stops after every step. Values stay until `close`; no update takes effect."""

    def __init__(self, code: Any, arrays: Sequence[Array]) -> None:
        self._frame = code.frame(arrays)

    def run_step(self, k: int) -> None:
        """Run step `k`; StepFailed, or what a host function raised."""
        self._frame.run_step(k)

    def value(self, slot: int) -> Array | None:
        """A copy of what `slot` holds; None if nothing was put there yet."""
        value: Array | None = self._frame.value(slot)
        return value

    def layout(self, slot: int) -> Layout | None:
        """Where what `slot` holds lies; None if nothing was put there yet."""
        found = self._frame.layout(slot)
        return None if found is None else Layout(*found)

    def drop(self, slot: int) -> None:
        """Give up what was computed into `slot`; its memory goes with the last view of it. What was given stays."""
        self._frame.drop(slot)

    def time_steps(self) -> tuple[float, ...]:
        """Run all steps from the first on, which release as a plain call does; the seconds that each took.

        Afterwards only `close` makes sense. StepFailed, or what a host function raised.
        """
        seconds: tuple[float, ...] = self._frame.time_steps()
        return seconds

    def close(self) -> None:
        """Give up all values."""
        self._frame.close()


@dataclass(frozen=True, slots=True)
class Facts:
    """What must be known of a program, beside its code, to run it; the slots are those of a Program.

    `products`: whether it calls BLAS; `externs`: the special functions of doubles whose addresses go to its
    gl_extern_ pointers.
    """

    dtypes: tuple[str, ...]
    ndims: tuple[int, ...]
    inputs: tuple[int, ...]
    shared: tuple[int, ...]
    constants: tuple[int, ...]
    outputs: tuple[int, ...]
    finishing: int = 0
    finishing_reads: tuple[int, ...] = ()
    products: bool = False
    externs: tuple[str, ...] = ()

    @classmethod
    def of(cls, program: Program, externs: Sequence[str] = ()) -> Facts:
        """Those of `program`."""
        last = program.steps[len(program.steps) - program.finishing :]
        return cls(
            program.dtypes, program.ndims, program.inputs, program.shared, program.constants, program.outputs,
            program.finishing, tuple(_reads(last)), _uses(program, "matmul"), tuple(externs),
        )  # fmt: skip


class Machine:
    """A program that is loaded: one of which `facts` are known, and whose code is `source`.

    `source` is C text, which is compiled if it is not in the cache, or code that is Built. `constants`, `hosts` and
    `cells` (one-element lists) belong to facts.constants, to the numbers of the program's HostCalls and to
    facts.shared; `updates` pairs an output position with the cell that it is the next value of. The first `visible`
    outputs are a call's results (default: those that are no update).
    `refuses_nan`: calls of what it is bound to fail, before any update, if one of their outputs has a NaN.
    CompilerError: it could not be built or loaded; OSError: what is Built could not be.
    """

    def __init__(
        self,
        facts: Facts,
        source: str | Built,
        *,
        constants: Sequence[Array] = (),
        hosts: Sequence[Function[..., tuple[Array, ...]]] = (),
        cells: Sequence[Cell] = (),
        updates: Sequence[tuple[int, Cell | int]] = (),
        visible: int | None = None,
        refuses_nan: bool = False,
    ) -> None:
        if not available():
            raise CompilerError(native.MISSING)
        self.refuses_nan = refuses_nan
        self._inputs = len(facts.inputs)
        all_cells = list(cells)
        targets = [_position(all_cells, cell) for _, cell in updates]
        self.built, self._code = _load(
            source,
            dtypes=tuple(np.dtype(name) for name in facts.dtypes),
            ndims=facts.ndims,
            inputs=facts.inputs,
            shared=facts.shared,
            constant_slots=facts.constants,
            outputs=facts.outputs,
            constants=tuple(_plain(a, facts.dtypes[k]) for a, k in zip(constants, facts.constants, strict=True)),
            hosts=tuple(hosts),
            cells=tuple(all_cells),
            update_outputs=tuple(position for position, _ in updates),
            update_cells=tuple(targets),
            visible=len(facts.outputs) - len(updates) if visible is None else visible,
            finishing=0 if refuses_nan else facts.finishing,  # new values must not take the place of old ones too soon
            finishing_reads=() if refuses_nan else facts.finishing_reads,
            release_bytes=RELEASE_BYTES_PRODUCTS if facts.products else RELEASE_BYTES,
        )
        for name in facts.externs:
            self._code.set_pointer(f"gl_extern_{name}", native.special_function(name))
        if facts.products:
            native.load_blas()

    def call(self, arrays: Sequence[Array]) -> list[Array]:
        """The visible outputs for `arrays`; updates take effect together, after success.

        StepFailed: a step failed. What a host function raises passes through unchanged.
        """
        results: list[Array] = self._code.call(arrays)
        return results

    def call_refusing(self, arrays: Sequence[Array]) -> list[Array]:
        """As `call`, or if this refuses NaN, StepFailed of the kind "nan" where an output has one."""
        results: list[Array] = self._code.call_without_nan(arrays) if self.refuses_nan else self._code.call(arrays)
        return results

    def call_watched(
        self, arrays: Sequence[Array], slots: Sequence[int], ends: Sequence[int], room: int = 0
    ) -> tuple[list[Array], Array, list[Array | None]]:
        """As `call_refusing`; also the NUMBERS (see statistics.py) of `slots`, and copies of them.

        The copies take at most `room` bytes. `ends[k]`: how many of `slots` are written by the steps up to k, right
        after which they are looked at. A count of -1: the slot was empty then. Without `room` there are no copies,
        else None for each that there is none of.
        """
        results, numbers, copies = self._code.call_watched(arrays, tuple(slots), tuple(ends), self.refuses_nan, room)
        return results, np.frombuffer(numbers, NUMBERS), copies

    def frame(self, arrays: Sequence[Array]) -> Frame:
        """A run that stops after every step."""
        return Frame(self._code, arrays)

    def bind(
        self, callable: Any, slow: Function[..., Any], single: bool,
        form: type[tuple[Any, ...]] | Keys | None = None, narrows: bool = False, names: Sequence[str | None] = (),
    ) -> None:  # fmt: skip
        """Let `callable`, a Callable, run this program.

        `single`: its result is the one visible output, else the list of them; with `form` the type tuple
        they come as a tuple, with a tuple of keys as a dict. `narrows`: Python's floats may become float32. `names`:
        the keyword of each input, if inputs have any. `slow(*args, **kwargs)` answers every call whose arguments are
        not arrays of just the right kind, or numbers, one for each input, or that fails.
        """
        keywords = tuple(names) or (None,) * self._inputs
        callable._bind(self._code, slow, single, keywords, form, narrows, self.refuses_nan)


def _position(cells: list[Cell], cell: Cell | int) -> int:
    """Where `cell` is in `cells`, by identity; appended if it is not there."""
    if isinstance(cell, int):
        return cell
    for k, known in enumerate(cells):
        if known is cell:
            return k
    cells.append(cell)
    return len(cells) - 1


def _plain(array: Array, dtype: str) -> Array:
    """A constant as a program reads it: a plain, aligned array of native byte order that stays as it is."""
    return np.array(array, dtype=dtype, order="C", copy=True, subok=False)


def _uses(program: Program, function: str) -> bool:
    actions = (step.action for step in every_step(program.steps))
    return any(isinstance(action, RuntimeCall) and action.function == function for action in actions)


def _reads(steps: Sequence[Step]) -> Iterator[int]:
    """The slots that finishing steps read."""
    for step in steps:
        match step.action:
            case LoopCall(inputs=inputs):
                yield from inputs
            case RuntimeCall(slots=(_, *inputs)):
                yield from inputs


def _load(source: str | Built, **facts: Any) -> tuple[Built, Any]:
    """Where the code of `source` is, and it, loaded; an entry that vanishes from the cache meanwhile is built again."""
    if isinstance(source, Built):
        return source, _opened(source, facts)
    built = build(source)
    try:
        return built, _opened(built, facts)
    except OSError as error:
        if os.path.exists(built.path):
            if "failed to map segment" not in str(error):  # that is what a noexec file system says
                raise CompilerError(f"built code can't be loaded: {error}") from error
            folder = private_folder(f"{built.path.parent}: nothing there may be executed")
            built = build(source, replace(options(), cache_dir=folder))
        else:
            built = build(source)
    try:
        return built, _opened(built, facts)
    except OSError as error:
        raise CompilerError(
            f"built code can't be loaded: {error}",
            hint="set GRAPHLAB_CACHE_DIR to a folder whose files may be executed",
        ) from error


def _opened(built: Built, facts: dict[str, Any]) -> Any:
    return native.NAMES["Code"](path=str(built.path), **facts)


__all__ = ["Array", "Callable", "Cell", "Facts", "Frame", "Layout", "Machine", "StepFailed", "available"]
