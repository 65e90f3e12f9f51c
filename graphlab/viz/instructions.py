"""What the C compiler made of a kernel, as HTML: its instructions by their line of C, and what it said of the loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from graphlab.callable import Function
from graphlab.debug.kernels import Assembly, Kernel, Remarks, kernels
from graphlab.errors import GraphlabError
from graphlab.viz.escape import clip, escape

if TYPE_CHECKING:
    from graphlab.viz.record import Recorder

MOST = 4000  # instructions of a kernel that are listed
_PACKED = re.compile(r"[yz]mm\d|^v?\w+p[sdh] ")  # several numbers at once
_REPEATED = re.compile(r"(not vectorized: |loop vectorized using )")  # the kind says it


def build(function: Function) -> dict[str, Any]:
    """How the C came about: the compiler, and whether it ran or the program was in the cache; times are of this run."""
    built = function.trace.build
    if built is None:
        return {"text": "NumPy runs this function: nothing was built."}
    how = "taken from the cache" if built.cached else f"built in {built.seconds:.2f} s"
    return {"text": f"{PurePath(built.command[0]).name}, {how}", "lines": function.c_source.count("\n")}


def assembly(function: Function, recorder: Recorder, key: str) -> dict[str, Any]:
    """The instructions and the remarks of the kernel called `key`; the program is compiled once more for them.

    {"waiting": why} where there is no disassembler; ValueError: there is no such kernel.
    """
    kernel = next((k for k in kernels(function) if k.name == key), None)
    if kernel is None:
        raise ValueError(f"there is no kernel {key[:40]!r}")
    try:
        found, said = kernel.assembly, kernel.remarks
    except GraphlabError as error:
        return {"waiting": error.message}
    return {**listed(found, kernel, recorder), "remarks": remarks(said)}


def listed(found: Assembly, kernel: Kernel, recorder: Recorder) -> dict[str, Any]:
    """Instructions as list items that know their line of C and their nodes; `showing` says how many there are."""
    shown = found[:MOST]
    html = "<ol>" + "".join(_items(Assembly(shown), recorder)) + "</ol>"
    return {"kernel": kernel.name, "html": html, "showing": f"showing {len(shown):,} of {len(found):,} instructions"}


def _items(shown: Assembly, recorder: Recorder) -> Iterator[str]:
    function, before = "", -1
    for instruction in shown:
        if instruction.function != function:
            function, before = instruction.function, -1
            yield f'<li class="gl-function" data-line=""><code>{escape(function)}:</code></li>'
        line = instruction.line
        number = line.number if line is not None else 0
        ids = recorder.names(line.nodes) if line is not None else []
        nodes = f' data-nodes="{escape(" ".join(ids))}"' if ids else ""
        label = str(number) if number and number != before else ""
        before = number
        yield (f'<li data-line="{label}" data-c="{number}"{nodes} tabindex="-1" title="{instruction.address:x}">'
               f"<code>{_coloured(instruction.text)}</code></li>")  # fmt: skip


def _coloured(text: str) -> str:
    """Mnemonics of packed arithmetic stand out: that is where the compiler vectorized."""
    word, _, rest = text.partition(" ")
    name = "gl-t" if _PACKED.search(text) else "gl-k"
    return f'<span class="{name}">{escape(word)}</span> {escape(clip(rest, 200))}'


def remarks(said: Remarks) -> list[list[Any]]:
    """Each remark as [line of C, kind, message]; of a line that has several of a kind, all in one."""
    found = dict[tuple[int, str], list[str]]()
    for remark in said:
        messages = found.setdefault((remark.line.number, remark.kind), [])
        text = _REPEATED.sub("", remark.message).rstrip(".")
        if text not in messages:
            messages.append(text)
    return [[number, kind, clip(", ".join(messages), 240)] for (number, kind), messages in found.items()]
