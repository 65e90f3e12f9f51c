"""The stable text of graphs: a tree (`debugprint`), mathematics, prefix form and LaTeX; deterministic and linear."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlab.errors import GraphTypeError, caller_origin
from graphlab.graph.means import mean_of
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
    if isinstance(scalar, np.floating) and float(scalar).is_integer() and abs(float(scalar)) < 1e16:
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
    """What distinguishes this op from its siblings: its dataclass fields that say something, but for its graphs."""
    if not dataclasses.is_dataclass(op) or hasattr(op, "arity"):
        return []
    pairs = [(f.name, getattr(op, f.name)) for f in dataclasses.fields(op) if f.repr and f.name != "name"]
    return [(n, v) for n, v in pairs if v is not None and v is not False and not isinstance(v, Graph)]


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


def written_out(node: Apply, operands: Sequence[tuple[str, int]]) -> str:
    """`node` as Python writes it, applied to operands that are given as text, each with its precedence."""
    return _python(node, operands)[0]


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


def _write(
    outputs: Sequence[Variable], style: _Style, limit: int, names: Names | None = None, means: bool = False
) -> tuple[list[str], list[str]]:
    """The lines that define long parts as t0, t1, ..., and the text of each output."""
    names, text, defined = names or Names(), dict[Variable, tuple[str, int]](), list[str]()

    def read(v: Variable) -> tuple[str, int]:
        if v not in text:
            written = style.leaf(v, names(v))
            text[v] = (written, UNARY if written.startswith("-") else ATOM)
        return text[v]

    for node, mean in _meant(toposort(outputs), outputs, means):
        if mean is not None:
            written, level = _call("mean", mean[1], [read(mean[0])]), ATOM
        else:
            written, level = style.apply(node, [read(v) for v in node.inputs])
        if len(written) > limit:
            defined.append(f"t{len(defined)} = {written}")
            written, level = f"t{len(defined) - 1}", ATOM
        for v in node.outputs:
            text[v] = (written if len(node.outputs) == 1 else f"{written}[{v.index}]", level)
    return defined, [read(v)[0] for v in outputs]


def _meant(
    nodes: Sequence[Apply], outputs: Sequence[Variable], means: bool
) -> list[tuple[Apply, tuple[Variable, Any] | None]]:
    """The nodes that are to be written, and which of them are means; what counts their elements is not written."""
    if not means:
        return [(node, None) for node in nodes]
    needed, found = set(outputs), list[tuple[Apply, tuple[Variable, Any] | None]]()
    for node in reversed(nodes):
        if needed.isdisjoint(node.outputs):
            continue
        mean = mean_of(node)
        needed.update(node.inputs if mean is None else mean[:1])
        found.append((node, mean))
    return found[::-1]


def variables_of(shown: Sequence[Any]) -> list[Variable]:
    """What a user wants to see, as variables: of graphs and compiled functions the outputs, of lists the items."""
    found: list[Variable] = []
    for item in shown:
        graph = getattr(item, "optimized", item)
        if isinstance(graph, Graph):
            found += graph.outputs
        elif isinstance(item, list | tuple):
            found += variables_of(item)
        elif isinstance(item, Variable):
            found.append(item)
        else:
            raise GraphTypeError(
                f"{item!r:.40} ({type(item).__name__}) is no graph to show", origin=caller_origin(),
                hint="pass variables, lists of them, a graph, or a function that graphlab.function made",
            )  # fmt: skip
    return found


def maths(*outputs: Any, limit: int = 240, inner: bool = False, means: bool = False) -> str:
    """The outputs as Python-like mathematics; parts longer than `limit` characters get lines of their own.

    With `inner`, the graphs that ops hold come first: `f(x, w) = tanh(x @ w)`. With `means`, a sum divided by how many
    elements it has is written as the mean that it is.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import add, multiply, power
    >>> x = Variable(TensorType("float64", ()), "x")
    >>> maths(add(multiply(2, x), power(x, 3)))
    '2*x + x**3'
    """
    roots = variables_of(outputs)
    defined, texts = _write(roots, _PYTHON, limit, means=means)
    held = [line for _, label, graph in inner_graphs(roots) for line in _definition(label, graph, limit)]
    return "\n".join([*(held if inner else ()), *defined, ", ".join(texts)])


def described(variable: Variable) -> str:
    """A variable in one line, in constant time: its name, its mathematics where that is short, and its type.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp
    >>> x = Variable(TensorType("float64", (None,)), "x")
    >>> print(described(x), described(exp(x)))
    <x: float64[?]> <exp(x): float64[?]>
    """
    node, shared = variable.owner, "shared " if isinstance(variable, Shared) else ""
    name = short(variable) if node is None or not variable.name else f"{variable.name} = {_formula(node, variable)}"
    return f"<{name}: {shared}{variable.type}>" if name else f"<{shared}{variable.type}>"


def short(variable: Variable) -> str:
    """A variable in a few words, in constant time: its name, else its mathematics where that is short.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp
    >>> short(exp(Variable(TensorType("float64", (None,)), "x")))
    'exp(x)'
    """
    if isinstance(variable, Constant):
        return constant_text(variable)
    return variable.name or ("" if variable.owner is None else _formula(variable.owner, variable))


def _formula(node: Apply, variable: Variable) -> str:
    text = maths(variable, means=True) if _is_small(variable) else "\n"
    return f"{node.op.name}(...)" if "\n" in text else text


def labelled(variable: Variable) -> str:
    """`name: type`, or `formula: type`, for messages."""
    if variable.owner is None and not isinstance(variable, Constant):
        return f"{variable.name or '(unnamed)'}: {variable.type}"
    return described(variable)[1:-1]


def _is_small(variable: Variable, most: int = 12) -> bool:
    """Whether it is made of at most so many variables."""
    seen, pending = {variable}, [variable]
    while pending and len(seen) <= most:
        owner = pending.pop().owner
        new = set() if owner is None else set(owner.inputs) - seen
        seen |= new
        pending += new
    return len(seen) <= most


def pp(*outputs: Any) -> str:
    """The outputs as mathematics, with the graphs that ops hold: Theano's pretty print.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp
    >>> pp(exp(Variable(TensorType("float64", (None,)), "x")))
    'exp(x)'
    """
    return maths(*outputs, inner=True)


def inner_graphs(outputs: Sequence[Variable]) -> Iterator[tuple[Apply, str, Graph]]:
    """The graphs that ops hold, those in them too: each once, with its first application and a name."""
    shown: set[Graph] = set()
    pending = deque([tuple(outputs)])
    while pending:
        for node in toposort(pending.popleft()):
            graphs = node.op.graphs
            for k, graph in enumerate(graphs):
                if graph not in shown:
                    shown.add(graph)
                    pending.append(graph.outputs)
                    yield node, f"{node.op.name}[{k}]" if len(graphs) > 1 else node.op.name, graph


def _definition(label: str, graph: Graph, limit: int) -> list[str]:
    """A graph as `label(inputs) = outputs`, the names of long parts before it."""
    names = Names()
    inputs = ", ".join(names(v) for v in graph.inputs)
    defined, texts = _write(graph.outputs, _PYTHON, limit, names)
    return [*(f"    {line}" for line in defined), f"{label}({inputs}) = {', '.join(texts)}"]


def prefix(*outputs: Any, limit: int = 240) -> str:
    """The outputs as nested calls: `add(mul(2, x), pow(x, 3))`."""
    defined, texts = _write(variables_of(outputs), _PREFIX, limit)
    return "\n".join([*defined, ", ".join(texts)])


def latex(*outputs: Any, limit: int = 2000) -> str:
    """The outputs as LaTeX mathematics: `2 \\, x + x^{3}`."""
    defined, texts = _write(variables_of(outputs), _LATEX, limit)
    return r" \\ ".join([*defined, ", ".join(texts)])


def _letters(number: int) -> str:
    text = ""
    while True:
        text = chr(ord("A") + number % 26) + text
        number = number // 26 - 1
        if number < 0:
            return text


_DEEPEST = 32  # a deeper part of the tree starts again at the left margin, so that the text stays linear in size


def debugprint(*outputs: Any, scopes: bool = False) -> str:
    """The graph as a tree: op, id, type, name and the user's line of every node; what was shown is only cited.

    `outputs` are variables, lists of them, graphs, or compiled functions (then it is the optimised graph).
    The graphs that ops hold follow, each once. With `scopes`, nodes are shown with their name scopes.

    >>> from graphlab.graph.types import TensorType
    >>> from graphlab.ops.elementwise import exp
    >>> print(debugprint(exp(Variable(TensorType("float64", (None,)), "x"))).split("  ")[0])
    exp [A] float64[?]
    """
    roots = variables_of(outputs)
    ids, names = dict[Variable, str](), Names()
    lines = list(_tree(roots, ids, names, scopes))
    for node, label, graph in inner_graphs(roots):
        lines += ["", f"inside {label} [{next(ids[v] for v in node.outputs if v in ids)}]:"]
        lines += (f"    → {_leaf_line(v, names, ids.setdefault(v, _letters(len(ids))))}" for v in graph.inputs)
        lines += (f"    {line}" for line in _tree(graph.outputs, ids, names, scopes))
    return "\n".join(lines)


def _tree(roots: Sequence[Variable], ids: dict[Variable, str], names: Names, scopes: bool) -> Iterator[str]:
    """The lines of the tree of `roots`; every variable gets an id."""
    shown: set[Apply] = set()
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
            yield lead + _leaf_line(variable, names, identity)
        elif node in shown:
            yield f"{lead}{op_text(node.op)} [{identity}] ⋯"
        elif depth >= _DEEPEST:
            yield f"{lead}{op_text(node.op)} [{identity}] ⋯ below"
            postponed.append(variable)
        else:
            shown.add(node)
            yield lead + _node_line(variable, identity, scopes)
            last = len(node.inputs) - 1
            for i in range(last, -1, -1):
                branch, below = (" └─ ", "    ") if i == last else (" ├─ ", " │  ")
                queue.append((node.inputs[i], rest + branch, rest + below, depth + 1))


def _node_line(variable: Variable, identity: str, scopes: bool) -> str:
    node = variable.owner
    assert node is not None
    part = f".{variable.index}" if len(node.outputs) > 1 else ""
    name = f"  '{variable.name}'" if variable.name else ""
    where = f"  {variable.origin.label}" if variable.origin else ""
    scope = f"  in {scope_text(node)}" if scopes and node.provenance.scope else ""
    return f"{op_text(node.op)}{part} [{identity}] {variable.type}{name}{where}{scope}"


def scope_text(node: Apply) -> str:
    """The scope of a node: `model/layer1`, or `model/layer1 (gradient)`; empty where it has none."""
    why = node.provenance
    return "/".join(why.scope) + (" (gradient)" if why.scope and why.grad_of is not None else "")


def _leaf_line(variable: Variable, names: Names, identity: str) -> str:
    if isinstance(variable, Constant):
        return f"{constant_text(variable)} [{identity}] {variable.type} constant"
    return f"{names(variable)} [{identity}] {variable.type}{' shared' if isinstance(variable, Shared) else ''}"
