"""How an op is shown: its family, which gives shape and colour, and its mathematical glyph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphlab.ops.base import Op

# Ops live in one module per family, so the module says what family an op is of.
FAMILIES = {
    "elementwise": "elementwise",
    "nnet": "elementwise",
    "pooling": "reduction",
    "convolution": "linear algebra",
    "windows": "shape",
    "reduce": "reduction",
    "linalg": "linear algebra",
    "shape": "shape",
    "index": "shape",
    "extents": "shape",
    "join": "shape",
}

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
    "index": "[ ]", "arctan2": "atan", "conv1d": "∗", "conv2d": "∗", "conv3d": "∗", "windows": "⊞", "fold_windows": "⊟",
}  # fmt: skip


def family(op: Op) -> str:
    """The family of `op`: "elementwise", "reduction", "linear algebra", "shape" or "other"."""
    return FAMILIES.get(type(op).__module__.rpartition(".")[2], "other")


def glyph(op: Op) -> str:
    """A short mathematical sign for `op`: ƒ for what holds a graph; the beginning of its name if it has none."""
    return GLYPHS.get(op.name) or ("ƒ" if op.graphs else op.name[:5])
