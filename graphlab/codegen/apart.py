"""A program's C cut into several texts, which as many compilers can work on at the same time.

Nearly all of a compiler's time goes into kernels, and a kernel that is only run by its address can be compiled
anywhere. Each text begins as the program does and has its kernels in the lines where they were, so that what
compilers say of a line, and tables of lines, are right for the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LEAST = 150  # lines of kernels that are worth a compiler of their own, which takes some 25 ms before it begins

_PARAMETERS = "(const int64_t *extent, const int64_t *stride, char *const *data)"
_HIDDEN = '__attribute__((visibility("hidden")))'


@dataclass(frozen=True)
class _Part:
    """A function of the text: its name, and where it stands, from its first line to the end of its last."""

    name: str
    start: int
    end: int
    lines: int

    @property
    def blank(self) -> str:
        return "\n" * self.lines


def apart(text: str, most: int) -> tuple[str, ...]:
    """At most `most` texts that are, compiled and linked, what `text` is; `text` alone where more are not worth it."""
    kernels = list(_functions(text, _PARAMETERS))
    free = [kernel for kernel in kernels if _is_only_run(kernel, text)]
    groups = _shared_out(free, min(most, sum(kernel.lines for kernel in free) // LEAST))
    if len(groups) < 2 or "gl_extern_" in text:  # pointers that are set once for the whole program
        return (text,)
    end = max(kernel.end for kernel in kernels)
    others = [*_functions(text[:end], "(gl_frame *f, "), *(kernel for kernel in kernels if kernel not in free)]
    texts = []
    for number, group in enumerate(groups):
        changes = [(kernel, _changed(text, kernel, kernel in group)) for kernel in free]
        if number:
            changes += [(other, other.blank) for other in others if other.name.startswith(("run_", "kernel_"))]
        texts.append(_replaced(text if number == 0 else text[:end], changes))
    return tuple(texts)


def _functions(text: str, parameters: str) -> Iterator[_Part]:
    """The functions `static int name` with these parameters."""
    place = text.find(parameters)
    while place >= 0:
        start = text.rfind("\n", 0, place) + 1
        head = text[start:place]
        if head.startswith("static int "):
            end = text.index("\n}\n", place) + 3
            yield _Part(head.removeprefix("static int "), start, end, text.count("\n", start, end))
            place = end
        place = text.find(parameters, place + 1)


def _is_only_run(kernel: _Part, text: str) -> bool:
    """Whether nothing calls the kernel by its name: only its address is taken."""
    return text.count(f"{kernel.name}(") == 1 + text.count(f"run_{kernel.name}(")


def _shared_out(kernels: Sequence[_Part], groups: int) -> list[list[_Part]]:
    """The kernels in so many groups, of about equal length; fewer where a group would be too short to be worth it."""
    while groups > 1:
        found: list[list[_Part]] = [[] for _ in range(groups)]
        for kernel in sorted(kernels, key=lambda kernel: kernel.lines, reverse=True):
            min(found, key=_length).append(kernel)
        if all(_length(group) >= LEAST for group in found):
            return found
        groups -= 1
    return [list(kernels)]


def _length(group: Sequence[_Part]) -> int:
    return sum(kernel.lines for kernel in group)


def _changed(text: str, kernel: _Part, is_here: bool) -> str:
    """The kernel as the texts have it: visible to each other, in one of them; in the others its declaration."""
    written = text[kernel.start : kernel.end].removeprefix("static ")
    return f"{_HIDDEN} {written}" if is_here else f"{_HIDDEN} int {kernel.name}{_PARAMETERS};{kernel.blank}"


def _replaced(text: str, changes: Sequence[tuple[_Part, str]]) -> str:
    parts, place = [], 0
    for part, new in sorted(changes, key=lambda change: change[0].start):
        parts += [text[place : part.start], new]
        place = part.end
    return "".join([*parts, text[place:]])
