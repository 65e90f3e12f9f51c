"""The stable text of graphs: a tree (`debugprint`), mathematics, prefix form and LaTeX; deterministic and linear."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.graph.node import Apply, Constant, Graph, Shared, Variable
from graphlab.graph.walk import toposort

# Python's precedences: a larger number binds tighter.
COMPARE, OR, XOR, AND, SHIFT, SUM, PRODUCT, UNARY, POWER, ATOM = range(10)

# op name -> (precedence, Python infix, LaTeX infix)
INFIX: dict[str, tuple[int, str, str]] = {
    "add": (SUM, " + ", " + "), "subtract": (SUM, " - ", " - "), "multiply": (PRODUCT, "*", r" \, "),
    "true_divide": (PRODUCT, "/", "/"), "floor_divide": (PRODUCT, "//", r" \mathbin{//} "),
    "remainder": (PRODUCT, " % ", r" \bmod "), "power": (POWER, "**", "^"), "matmul": (PRODUCT, " @ ", r" \cdot "),
    "equal": (COMPARE, " == ", " = "), "not_equal": (COMPARE, " != ", r" \ne "), "less": (COMPARE, " < ", " < "),
    "less_equal": (COMPARE, " <= ", r" \le "), "greater": (COMPARE, " > ", " > "),
    "greater_equal": (COMPARE, " >= ", r" \ge "), "bitwise_and": (AND, " & ", r" \mathbin{\&} "),
    "bitwise_or": (OR, " | ", r" \mathbin{|} "), "bitwise_xor": (XOR, " ^ ", r" \oplus "),
    "left_shift": (SHIFT, " << ", r" \ll "), "right_shift": (SHIFT, " >> ", r" \gg "),
}  # fmt: skip
SHORT = {
    "multiply": "mul", "power": "pow", "subtract": "sub", "true_divide": "div", "negative": "neg", "absolute": "abs",
    "remainder": "mod", "equal": "eq", "not_equal": "neq", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "square": "sqr",
}  # fmt: skip
_LATEX_FUNCTIONS = {
    "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "max", "min",
}  # fmt: skip
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
}  # fmt: skip


def number_text(value: Any) -> str:
    """A scalar as short as it can be said: 2 for 2.0, 0.1 for float32(0.1).

    >>> number_text(np.float64(2.0)), number_text(np.float32(0.1)), number_text(np.bool_(True))
    ('2', '0.1', 'True')
    """
    scalar = np.asarray(value)[()]
    if isinstance(scalar, np.floating) and np.isfinite(scalar) and scalar == np.trunc(scalar) and abs(scalar) < 1e16:
        return f"-{-int(scalar)}" if np.signbit(scalar) else str(int(scalar))
    return str(scalar)


def constant_text(constant: Constant) -> str:
    """A constant: its number, its few numbers, or its type."""
    if constant.name:
        return constant.name
    if constant.ndim == 0:
        return number_text(constant.data)
    if constant.data.size == 1:
        return "[" * constant.ndim + number_text(constant.data.reshape(())) + "]" * constant.ndim
    if constant.ndim == 1 and constant.data.size <= 6:
        return "[" + ", ".join(number_text(v) for v in constant.data) + "]"
    return f"constant {constant.type}"


def parameters(op: Any) -> list[tuple[str, Any]]:
    """What distinguishes this op from its siblings: its dataclass fields that say something."""
    if not dataclasses.is_dataclass(op) or hasattr(op, "arity"):
        return []
    pairs = [(f.name, getattr(op, f.name)) for f in dataclasses.fields(op) if f.name != "name"]
    return [(n, v) for n, v in pairs if v is not None and v is not False]


def op_text(op: Any) -> str:
    """The op with its parameters: `sum{axes=(0,)}`."""
    inner = ", ".join(f"{n}={v}" for n, v in parameters(op))
    return f"{op.name}{{{inner}}}" if inner else str(op.name)


class Names:
    """Names for leaves: the user's, else v0, v1... in order of first mention."""

    def __init__(self) -> None:
        self._given: dict[Variable, str] = {}

    def __call__(self, variable: Variable) -> str:
        if isinstance(variable, Constant):
            return constant_text(variable)
        if variable.name:
            return variable.name
        return self._given.setdefault(variable, f"v{len(self._given)}")


@dataclass(frozen=True)
class _Style:
    """How one textual form writes a leaf and an application of (text, precedence) operands."""

    leaf: Callable[[Variable, str], str]
    apply: Callable[[Apply, Sequence[tuple[str, int]]], tuple[str, int]]


def _wrap(operand: tuple[str, int], least: int) -> str:
    return operand[0] if operand[1] >= least else f"({operand[0]})"


def _call(name: str, op: Any, operands: Sequence[tuple[str, int]]) -> str:
    return f"{name}({', '.join([*(t for t, _ in operands), *(f'{n}={v}' for n, v in parameters(op))])})"


def _python(node: Apply, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    name = node.op.name
    if name in INFIX and len(operands) == 2:
        level, sign, _ = INFIX[name]
        left, right = (level + 1, level) if name == "power" else (level, level + 1)
        return f"{_wrap(operands[0], left)}{sign}{_wrap(operands[1], right)}", level
    if name == "negative":
        return f"-{_wrap(operands[0], UNARY)}", UNARY
    if hasattr(node.op, "text"):
        return node.op.text(*(_wrap(o, ATOM) for o in operands)), ATOM
    return _call(name, node.op, operands), ATOM


def _prefix(node: Apply, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    return _call(SHORT.get(node.op.name, node.op.name), node.op, operands), ATOM


def _latex(node: Apply, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    name = node.op.name
    if name == "true_divide":
        return rf"\frac{{{operands[0][0]}}}{{{operands[1][0]}}}", PRODUCT
    if name == "power":
        return f"{_wrap(operands[0], ATOM)}^{{{operands[1][0]}}}", POWER
    if name == "square":
        return f"{_wrap(operands[0], ATOM)}^{{2}}", POWER
    if name == "sqrt":
        return rf"\sqrt{{{operands[0][0]}}}", ATOM
    if name in INFIX and len(operands) == 2:
        level, _, sign = INFIX[name]
        return f"{_wrap(operands[0], level)}{sign}{_wrap(operands[1], level + 1)}", level
    if name == "negative":
        return f"-{_wrap(operands[0], UNARY)}", UNARY
    if name == "absolute":
        return rf"\left|{operands[0][0]}\right|", ATOM
    if name == "sum":
        return rf"\sum {_wrap(operands[0], PRODUCT)}", UNARY
    word = rf"\{name}" if name in _LATEX_FUNCTIONS else rf"\operatorname{{{_latex_escape(name)}}}"
    return rf"{word}\left({', '.join(t for t, _ in operands)}\right)", ATOM


def _latex_escape(text: str) -> str:
    for char in "\\{}$&#^_%~":
        text = text.replace(char, " " if char in "\\^~" else f"\\{char}")
    return text


def _latex_leaf(variable: Variable, name: str) -> str:
    if isinstance(variable, Constant) and variable.ndim == 0:
        return name
    stem, _, digits = name.partition("_")
    word = rf"\{stem}" if stem in _GREEK else stem if len(stem) == 1 else rf"\mathrm{{{_latex_escape(stem)}}}"
    return f"{word}_{{{_latex_escape(digits)}}}" if digits else word


_PYTHON = _Style(lambda v, name: name, _python)
_PREFIX = _Style(lambda v, name: name, _prefix)
_LATEX = _Style(_latex_leaf, _latex)


def _write(outputs: Sequence[Variable], style: _Style, limit: int) -> tuple[list[str], list[str]]:
    """The lines that define long parts as t0, t1, ..., and the text of each output."""
    names, text, defined = Names(), dict[Variable, tuple[str, int]](), list[str]()

    def read(v: Variable) -> tuple[str, int]:
        if v not in text:
            written = style.leaf(v, names(v))
            text[v] = (written, UNARY if written.startswith("-") else ATOM)
        return text[v]

    for node in toposort(outputs):
        written, level = style.apply(node, [read(v) for v in node.inputs])
        if len(written) > limit:
            defined.append(f"t{len(defined)} = {written}")
            written, level = f"t{len(defined) - 1}", ATOM
        for v in node.outputs:
            text[v] = (written if len(node.outputs) == 1 else f"{written}[{v.index}]", level)
    return defined, [read(v)[0] for v in outputs]


def maths(*outputs: Variable, limit: int = 240) -> str:
    """The outputs as Python-like mathematics; parts longer than `limit` characters get lines of their own.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import add, multiply, power
    >>> x = Variable(TensorType("float64", ()), "x")
    >>> maths(add(multiply(2, x), power(x, 3)))
    '2*x + x**3'
    """
    defined, texts = _write(outputs, _PYTHON, limit)
    return "\n".join([*defined, ", ".join(texts)])


def prefix(*outputs: Variable, limit: int = 240) -> str:
    """The outputs as nested calls: `add(mul(2, x), pow(x, 3))`."""
    defined, texts = _write(outputs, _PREFIX, limit)
    return "\n".join([*defined, ", ".join(texts)])


def latex(*outputs: Variable, limit: int = 2000) -> str:
    """The outputs as LaTeX mathematics: `2 \\, x + x^{3}`."""
    defined, texts = _write(outputs, _LATEX, limit)
    return r" \\ ".join([*defined, ", ".join(texts)])


def _letters(number: int) -> str:
    text = ""
    while True:
        text = chr(ord("A") + number % 26) + text
        number = number // 26 - 1
        if number < 0:
            return text


_DEEPEST = 32  # a deeper part of the tree starts again at the left margin, so that the text stays linear in size


def debugprint(*outputs: Variable | Graph) -> str:
    """The graph as a tree: op, id, type, name and the user's line of every node; what was shown is only cited.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp
    >>> print(debugprint(exp(Variable(TensorType("float64", (None,)), "x"))).split("  ")[0])
    exp [A] float64[?]
    """
    roots = [v for o in outputs for v in (o.outputs if isinstance(o, Graph) else (o,))]
    ids: dict[Variable, str] = {}
    shown: set[Apply] = set()
    names = Names()
    lines: list[str] = []
    queue: list[tuple[Variable, str, str, int]] = [(v, "", "", 0) for v in reversed(roots)]
    postponed: list[Variable] = []
    while queue or postponed:
        if not queue:
            queue = [(v, "", "", 0) for v in reversed(postponed) if v.owner not in shown]
            postponed = []
            continue
        variable, lead, rest, depth = queue.pop()
        if not lead and variable.owner in shown:
            continue
        identity = ids.setdefault(variable, _letters(len(ids)))
        node = variable.owner
        if node is None:
            lines.append(lead + _leaf_line(variable, names, identity))
        elif node in shown:
            lines.append(f"{lead}{op_text(node.op)} [{identity}] ⋯")
        elif depth >= _DEEPEST:
            lines.append(f"{lead}{op_text(node.op)} [{identity}] ⋯ below")
            postponed.append(variable)
        else:
            shown.add(node)
            lines.append(lead + _node_line(variable, identity))
            last = len(node.inputs) - 1
            for i in range(last, -1, -1):
                branch, below = (" └─ ", "    ") if i == last else (" ├─ ", " │  ")
                queue.append((node.inputs[i], rest + branch, rest + below, depth + 1))
    return "\n".join(lines)


def _node_line(variable: Variable, identity: str) -> str:
    node = variable.owner
    assert node is not None
    part = f".{variable.index}" if len(node.outputs) > 1 else ""
    name = f"  '{variable.name}'" if variable.name else ""
    where = f"  {variable.origin.label}" if variable.origin else ""
    return f"{op_text(node.op)}{part} [{identity}] {variable.type}{name}{where}"


def _leaf_line(variable: Variable, names: Names, identity: str) -> str:
    if isinstance(variable, Constant):
        return f"{constant_text(variable)} [{identity}] {variable.type} constant"
    return f"{names(variable)} [{identity}] {variable.type}{' shared' if isinstance(variable, Shared) else ''}"
