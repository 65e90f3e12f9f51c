"""docs/ops.md: every operation as a table, written from the operations themselves.

python -m graphlab.ops.document > docs/ops.md
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np

from graphlab.dtypes import ALL, BOOL, COMPLEX, FLOAT, INTEGER
from graphlab.errors import GraphlabError
from graphlab.graph.node import Apply, Constant, Variable
from graphlab.graph.text import INFIX, maths
from graphlab.graph.walk import rebuild, toposort
from graphlab.ops import elementwise, special
from graphlab.ops.base import Op
from graphlab.ops.examples import ELEMENTWISE, FAMILIES, call, symbol
from graphlab.ops.lowering import Choose, Expand, Host, Inline, Pointwise, Reduction, Repeat, Runtime
from graphlab.ops.ufunc import ZERO, Elementwise, Undefined

LAST = "More of them"  # the elementwise ops that no title above names

INTRODUCTION = """\
# Operations

Written by `python -m graphlab.ops.document` from the operations themselves; a test holds it current. All are
names of `graphlab.tensor`, which also has other spellings of them (`T.neg`, `T.eq`, `T.switch`, ...). Variables
have the usual operators and methods too: `x + y`, `x[1:]`, `x.sum(axis=0)`. What NumPy has a function of the same
name for means what that function means, in dtype, shape and value.

How to read the tables:

- **gradient**: what flows back to each operand. `g` is what comes back to the result `r` (`g0` to `r0`, ... where
  there are several); 0 says that the
  derivative is zero wherever there is one; of ops that have none, `grad` is an error.
- **dtypes**: what it takes, and what it gives for that. "integer -> float" is NumPy's choice of float.
- **becomes**: `code` is C that fuses with its neighbours into one loop, here for float64; *runtime* a function of
  the C runtime ([csrc](../csrc)); *fold* a generated loop of C that accumulates in `a`; *NumPy* computes the rest
  inside the compiled program, and it says why. float16 is computed in float32, and
  every result is rounded; complex numbers have C of their own where the reals have it.
"""

COMPOSED = """\
## Of one op and of several

A function whose gradient is given is one op. The others are made of simpler ones, shown as they stand in a graph;
their gradients are those of their parts. There `x` and `y` are 3 by 3 matrices (or scalars), `v` and `w` vectors of
3 numbers, `i` one of positions, `n` a number, and `axis` is 0.
"""


def document() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION, *(_elementwise(title, ops) for title, ops in _groups()), COMPOSED]
    parts += [_family(title, list(rows)) for title, rows in groupby(FAMILIES, key=lambda family: family[0])]
    return "\n".join([*parts, _control(), _graph_ops()])


def _groups() -> Iterator[tuple[str, list[Elementwise]]]:
    named = {op.name: op for op in (*elementwise.TABLE, *special.TABLE)}
    for title, names in ELEMENTWISE:
        yield title, [named.pop(name) for name in names.split()]
    if named:
        yield LAST, list(named.values())


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


# ---- elementwise ---------------------------------------------------------------------------------

_NAMES = {1: "x", 2: "xy", 3: "xyz"}
_MEANINGS = {"sigmoid": "1 / (1 + exp(-x))", "softplus": "log(1 + exp(x))", "complex": "x + 1j y"}


def _elementwise(title: str, ops: Sequence[Elementwise]) -> str:
    lines = [f"## {title}", "", "| operation | as | gradient | dtypes | becomes |", "|---|---|---|---|---|"]
    for op in ops:
        operands = _symbols(op)
        applied = f"{op.name}({', '.join(_names(op))})"
        written = maths(op(*operands)) if op.name in INFIX or op.name == "negative" else ""
        lines.append(
            _row(
                _code(applied) + (f" {_code(written)}" if written else ""),
                _meaning(op),
                _pulls(op, operands),
                _dtypes(partial(_result, op)),
                _forms(op),
            )
        )
    return "\n".join([*lines, ""])


def _names(op: Elementwise) -> str:
    return "cxy" if op is elementwise.where else _NAMES[op.arity]


def _for_operand(op: Elementwise, k: int, dtype: str) -> str:
    return "bool" if op is elementwise.where and k == 0 else dtype


def _result(op: Elementwise, dtype: str) -> str:
    return op.loop(*(_for_operand(op, k, dtype) for k in range(op.arity)))[1]


def _symbols(op: Elementwise) -> list[Variable]:
    """Operands in float64, in complex128 for their parts, or in int64 for an op on integers."""
    of_parts = op in (elementwise.conjugate, elementwise.real, elementwise.imag)
    floats = "complex128" if of_parts else "float64"
    dtype = floats if _outcome(partial(_result, op), floats) else "int64"
    return [symbol(s, _for_operand(op, k, dtype)) for k, s in enumerate(_names(op))]


def _meaning(op: Elementwise) -> str:
    return _code(_MEANINGS.get(op.name) or f"{'numpy' if hasattr(np, op.name) else 'scipy.special'}.{op.name}")


def _pulls(op: Elementwise, operands: Sequence[Variable]) -> str:
    """The mathematics of each pullback, applied to symbols."""
    if op.pull is None:
        return "none"
    g, r = symbol("g"), symbol("r")
    results = [pull(g, r, *operands) if callable(pull) else pull for pull in op.pull]
    if all(result is ZERO for result in results):
        return "0"
    shown = [
        f"d{v.name} = {'0' if result is ZERO else 'undefined' if isinstance(result, Undefined) else maths(result)}"
        for v, result in zip(operands, results, strict=True)
        if result is not None and v.name != "c"
    ]
    return "<br>".join(map(_code, shown))


def _forms(op: Elementwise) -> str:
    """What it becomes in float64, and for integers and bools where that is another thing."""
    forms: dict[str, str] = {}
    for dtype in ("float64", "int64", "bool"):
        operands = [symbol(s, _for_operand(op, k, dtype)) for k, s in enumerate(_names(op))]
        try:
            node = op.apply(*operands)
            text = _becomes(node)
        except GraphlabError:
            continue
        if node.outputs[0].dtype != "float16":  # NumPy's exp(bool) and its like
            forms.setdefault(re.sub(r" of \w+ has", " has", text), dtype)
    first, *others = forms.items()
    return "<br>".join([first[0], *(f"{dtype}: {text}" for text, dtype in others)])


# ---- dtypes in words -----------------------------------------------------------------------------

_KINDS = (("bool", BOOL), ("integer", INTEGER), ("float", FLOAT), ("complex", COMPLEX))
_WORDS = {
    "bool, integer, float, complex": "any", "integer, float, complex": "number", "bool, integer, float": "real or bool",
    "integer, float": "real",
}  # fmt: skip


def _dtypes(result: Callable[[str], str]) -> str:
    """What `result` takes and gives, kind by kind: "integer -> float; float, complex -> same"."""
    given: dict[str, list[str]] = {}
    every = {_outcome(result, d) for d in ALL} - {None}
    for kind, dtypes in _KINDS:
        outcomes = {d: _outcome(result, d) for d in dtypes}
        taken = {d: r for d, r in outcomes.items() if r is not None}
        if not taken:
            continue
        same = len(every) > 1 and all(d == r for d, r in taken.items())
        kinds = {next(k for k, of in _KINDS if r in of) for r in taken.values()}
        exact = set(taken.values()).pop() if len(set(taken.values())) == 1 else None
        word = "same" if same else exact or ", ".join(sorted(kinds))
        given.setdefault(word, []).append(kind)
    texts = {word: ", ".join(kinds) for word, kinds in given.items()}
    return "; ".join(f"{_WORDS.get(kinds, kinds)} -> {word}" for word, kinds in texts.items())


def _outcome(result: Callable[[str], str], dtype: str) -> str | None:
    try:
        return result(dtype)
    except GraphlabError:
        return None


# ---- the others ----------------------------------------------------------------------------------

_TOO_LONG = 160  # characters of mathematics in a cell


def _family(title: str, families: Sequence[tuple[str, ModuleType, str]]) -> str:
    head = [f"### {title}", "", "| function | is | gradient | dtypes | becomes |", "|---|---|---|---|---|"]
    rows = [_function(getattr(module, name), name) for _, module, names in families for name in names.split()]
    return "\n".join([*head, *rows, ""])


def _function(function: Callable[..., Any], name: str) -> str:
    def made(dtype: str) -> list[Variable]:
        result = function(*call(function, name, dtype))
        return list(result) if isinstance(result, tuple) else [result]

    outputs = made("float64")
    nodes = toposort(outputs)
    single = nodes[0] if len(nodes) == 1 else None
    return _row(
        _code(f"{name}{_signature(function)}"),
        _first_sentence(function),
        "" if single is None else _pullback(single),
        _dtypes(lambda dtype: made(dtype)[0].dtype),
        _parts(outputs, nodes) if single is None else _becomes(single),
    )


def _signature(function: Callable[..., Any]) -> str:
    shown = [p.replace(annotation=p.empty) for p in inspect.signature(function).parameters.values()]
    return str(inspect.Signature(shown))


def _first_sentence(thing: Any) -> str:
    paragraph = inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=\.)\s(?=[A-Z`])", paragraph)[0].rstrip(".")


def _pullback(node: Apply) -> str:
    """The mathematics of the op's pullback, applied to symbols."""
    number = [""] if len(node.outputs) == 1 else map(str, range(len(node.outputs)))
    both = [[symbol(f"{s}{k}", v.dtype, v.type.shape) for s in "gr"] for k, v in zip(number, node.outputs, strict=True)]
    g, r = zip(*both, strict=True)
    results: Any
    try:
        results = node.op.pullback(node, g)
    except GraphlabError:
        return "none"
    lines: list[str] = []
    for v, result in zip(node.inputs, results, strict=True):
        if isinstance(result, Variable) and not isinstance(v, Constant):
            (shown,) = rebuild([result], dict(zip(node.outputs, r, strict=True)))
            *before, last = maths(shown, limit=_TOO_LONG).split("\n")
            if before and re.fullmatch(r"t\d+", last):
                last = before.pop().removeprefix(f"{last} = ")
            lines += [*before, f"d{v.name} = {last}"]
    if sum(map(len, lines)) > _TOO_LONG * 3:
        return "yes, but too long for a table"
    return "<br>".join(map(_code, lines)) or ("0" if any(result is ZERO for result in results) else "none")


def _parts(outputs: Sequence[Variable], nodes: Sequence[Apply]) -> str:
    """What the function is made of: as mathematics, or by name where that is too long."""
    if not nodes:
        return "a constant" if any(isinstance(v, Constant) for v in outputs) else "`x` itself"
    text = maths(*outputs, limit=10 * _TOO_LONG)
    if len(text) <= _TOO_LONG:
        return _code(text)
    return ", ".join(map(_code, dict.fromkeys(node.op.name for node in nodes)))


def _becomes(node: Apply) -> str:
    match node.op.lowering(node):
        case Pointwise(template):
            return _code(template.format(*map(maths, node.inputs)))
        case Reduction(accumulate=accumulate):
            return f"fold {_code(accumulate.format(a='a', x='x'))}"
        case Runtime(function, _, view):
            return f"runtime {_code(function)}{', a view' if view else ''}"
        case Expand(build):
            return _parts(build(*node.inputs), toposort(build(*node.inputs)))
        case Host(reason):
            return f"NumPy: {reason}"
        case Inline() | Repeat() | Choose():
            return "the graphs that it holds"


# ---- control flow --------------------------------------------------------------------------------

_CONTROL = "scan map reduce foldl foldr while_loop until ifelse symbolic"


def _control() -> str:
    """The functions of graphlab itself, which hold graphs; they stand floors above, so they are asked for by name."""
    package = import_module("graphlab")
    lines = ["## Control flow", "", "Names of `graphlab` itself; [control flow](control_flow.md) has their rules.", "",
             "| function | is |", "|---|---|"]  # fmt: skip
    for name in _CONTROL.split():
        function = getattr(package, name)
        lines.append(_row(_code(f"{name}{_signature(function)}"), _first_sentence(function)))
    return "\n".join([*lines, ""])


# ---- the ops that stand in graphs ----------------------------------------------------------------


def _graph_ops() -> str:
    """The ops by the names that `debugprint` and the explorer show, module by module."""
    lines = ["## What stands in a graph", "", "The ops by the names that `debugprint` and the explorer show, beside",
             "the elementwise ones.", "", "| op | fields | is | file |", "|---|---|---|---|"]  # fmt: skip
    control = [import_module(f"graphlab.control.{name}") for name in ("loop", "ifelse")]
    modules = dict.fromkeys([*(module for _, module, _ in FAMILIES), *control])
    found = [(op, module) for module in modules for op in _op_classes(module)]
    for op, module in found:
        name = op.name if isinstance(op.name, str) else _first_sentence(op.name)
        fields = ", ".join(f.name for f in dataclasses.fields(op) if f.repr and f.name != "name")
        path = f"{module.__name__.replace('.', '/')}.py"
        link = f"[{path.rsplit('/', 1)[-1]}](../{path})"
        lines.append(_row(f"`{name}` {op.__name__}", _code(fields), _first_sentence(op), link))
    return "\n".join([*lines, ""])


def _op_classes(module: ModuleType) -> Iterator[Any]:
    """The ops of `module` that can stand in a graph: those with a name."""
    for thing in vars(module).values():
        if isinstance(thing, type) and issubclass(thing, Op) and thing.__module__ == module.__name__:
            if "name" in vars(thing) and thing not in (Elementwise, special.Special):
                yield thing


if __name__ == "__main__":
    print(document(), end="")
