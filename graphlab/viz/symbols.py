"""How an op is shown: its family, which gives shape and colour, and its mathematical glyph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphlab.ops.base import Op

# Ops live in one module per family, so the module says what family an op is of.
FAMILIES = {
    **dict.fromkeys(("elementwise", "ufunc", "special", "conversion", "complex", "nnet"), "elementwise"),
    **dict.fromkeys(("reduce", "products", "cumulative", "recurrence", "pooling"), "reduction"),
    **dict.fromkeys(
        ("linalg", "convolution", "systems", "determinants", "decompositions", "singular", "eigen", "least_squares",
         "matrix_functions"), "linear algebra"),
    **dict.fromkeys(("shape", "index", "extents", "join", "windows", "ranges"), "shape"),
    **dict.fromkeys(("loop", "ifelse", "call"), "control"),
}  # fmt: skip

GLYPHS = {
    "shape": "n×m", "sum_to": "Σ",
    "add": "+", "subtract": "−", "multiply": "×", "true_divide": "÷", "floor_divide": "⌊÷⌋",
    "remainder": "mod", "power": "xʸ", "negative": "−x", "absolute": "|x|", "sign": "±",
    "reciprocal": "1/x", "square": "x²", "sqrt": "√", "cbrt": "∛", "exp": "eˣ", "exp2": "2ˣ",
    "expm1": "eˣ−1", "log": "ln", "log2": "log₂", "log10": "log₁₀", "log1p": "ln1+x", "equal": "=",
    "not_equal": "≠", "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥",
    "logical_and": "∧", "logical_or": "∨", "logical_xor": "⊻", "logical_not": "¬", "bitwise_and": "&",
    "bitwise_or": "|", "bitwise_xor": "^", "invert": "~", "left_shift": "≪", "right_shift": "≫",
    "where": "if", "floor": "⌊x⌋", "ceil": "⌈x⌉", "sigmoid": "σ", "softplus": "ζ", "digamma": "ψ",
    "gammaln": "lnΓ", "maximum": "max", "minimum": "min", "cast": "→", "sum": "Σ", "prod": "∏",
    "mean": "x̄", "any": "∃", "all": "∀", "dot": "·", "matmul": "@", "transpose": "ᵀ", "dimshuffle": "ᵀ",
    "reshape": "▭", "broadcast_to": "⇉", "concatenate": "⧺", "join": "⧺", "stack": "☰", "subtensor": "[ ]",
    "ifelse": "?:", "index": "[ ]", "arctan2": "atan", "conv1d": "∗", "conv2d": "∗", "conv3d": "∗",
    "windows": "⊞", "fold_windows": "⊟",
}  # fmt: skip


def family(op: Op) -> str:
    """The family of `op`: "elementwise", "reduction", "linear algebra", "shape", "control" or "other"."""
    return FAMILIES.get(type(op).__module__.rpartition(".")[2], "other")


def glyph(op: Op) -> str:
    """A short mathematical sign for `op`: ↻ for loops, ƒ for calls; the beginning of its name if it has none."""
    if op.name in GLYPHS:
        return GLYPHS[op.name]
    loops = type(op).__module__.endswith(".loop")
    return "↻" if loops else "ƒ" if op.graphs else op.name[:5]
