"""Constants brought together, so that (x + 1) + 2 is one addition, where that is no further from the true value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from graphlab.dtypes import INTEGER
from graphlab.graph.node import Constant, Variable
from graphlab.ops.elementwise import bitwise_and, bitwise_or, bitwise_xor, left_shift, maximum, minimum, right_shift
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.rule import EXACT, FLOAT, REAL, ROUNDING, AnyRule, Rule

# ---- guards --------------------------------------------------------------------------------------


def joins_small(c: Constant, d: Constant) -> bool:
    """Whether a constant of both, broadcast together, is no larger than the larger of them."""
    return bool(np.prod(np.broadcast_shapes(c.data.shape, d.data.shape)) <= max(c.data.size, d.data.size, 1))


def scale_alike(c: Constant, d: Constant) -> bool:
    """Whether c and d both enlarge or both shrink, so that c*d overflows or underflows only where both steps do."""
    if not joins_small(c, d):
        return False
    with np.errstate(all="ignore"):
        sizes, product = (np.abs(c.data), np.abs(d.data)), np.abs(c.data * d.data)
    info = np.finfo(c.data.dtype)
    grow, shrink = (all(np.all(s >= 1) for s in sizes), all(np.all(s <= 1) for s in sizes))
    return bool((grow or shrink) and np.all(product >= info.tiny) and np.all(product <= info.max))


def is_exact_sum(c: Constant, d: Constant) -> bool:
    """Whether c + d is computed without rounding, and is so small that adding it to no number overflows.

    Then x + (c + d) is rounded once, and x + c + d twice.
    """
    if not joins_small(c, d):
        return False
    with np.errstate(all="ignore"):
        total = c.data + d.data
        back = total - c.data
        lost = (c.data - (total - back)) + (d.data - back)  # Knuth, The Art of Computer Programming 2, 4.2.2
    info = np.finfo(c.data.dtype)
    small = all(np.all(np.abs(v) < info.max * info.eps / 8) for v in (c.data, d.data))
    return bool(small and np.all(lost == 0))


def is_exact_difference(c: Constant, d: Constant) -> bool:
    """The same of c - d."""
    return is_exact_sum(c, Constant(-d.data))


def share_sign(c: Constant, d: Constant) -> bool:
    """Whether c and d are positive, or both are negative, and their sum neither over- nor underflows."""
    if not joins_small(c, d):
        return False
    with np.errstate(all="ignore"):
        total = np.abs(c.data + d.data)
    info = np.finfo(c.data.dtype)
    alike = np.all(np.sign(c.data) == np.sign(d.data)) and np.all(c.data != 0)
    return bool(alike and np.all(total >= info.tiny) and np.all(total <= info.max))


def stays_positive(c: Constant, d: Constant) -> bool:
    """Whether c and d are positive scalars whose product is one of their dtype."""
    scalar = c.ndim == d.ndim == 0 and c.data > 0 and d.data > 0
    return bool(scalar and int(c.data) * int(d.data) <= np.iinfo(c.data.dtype).max)


def shift_adds_up(c: Constant, d: Constant) -> bool:
    """Whether shifting by c and then by d is shifting by c + d."""
    scalar = c.ndim == d.ndim == 0 and c.data >= 0 and d.data >= 0
    return bool(scalar and int(c.data) + int(d.data) < 8 * c.data.dtype.itemsize)


# ---- tables --------------------------------------------------------------------------------------

SUMS: tuple[tuple[str, Callable[..., Variable], Callable[..., Variable], Callable[..., bool]], ...] = (
    ("(x + c) + d -> x + (c + d)", lambda x, c, d: (x + c) + d, lambda x, c, d: x + (c + d), is_exact_sum),
    ("(x + c) - d -> x + (c - d)", lambda x, c, d: (x + c) - d, lambda x, c, d: x + (c - d), is_exact_difference),
    ("(x - c) + d -> x + (d - c)", lambda x, c, d: (x - c) + d, lambda x, c, d: x + (d - c), is_exact_difference),
    ("(x - c) - d -> x - (c + d)", lambda x, c, d: (x - c) - d, lambda x, c, d: x - (c + d), is_exact_sum),
    ("(c - x) + d -> (c + d) - x", lambda x, c, d: (c - x) + d, lambda x, c, d: (c + d) - x, is_exact_sum),
    ("(c - x) - d -> (c - d) - x", lambda x, c, d: (c - x) - d, lambda x, c, d: (c - d) - x, is_exact_difference),
    ("d - (x + c) -> (d - c) - x", lambda x, c, d: d - (x + c), lambda x, c, d: (d - c) - x, is_exact_difference),
    ("d - (x - c) -> (d + c) - x", lambda x, c, d: d - (x - c), lambda x, c, d: (d + c) - x, is_exact_sum),
    ("d - (c - x) -> x + (d - c)", lambda x, c, d: d - (c - x), lambda x, c, d: x + (d - c), is_exact_difference),
)


def _sums(name: str, find: Callable[..., Variable], make: Callable[..., Variable], exact: Any) -> tuple[Rule, ...]:
    """The rule for integers, and that for floats."""
    wraps = Rule(name, EXACT, find, make, on=INTEGER, constants={"c": (100, 5), "d": (50, 7)}, when=joins_small,
                 because="integers wrap in any order")  # fmt: skip
    floats = replace(wraps, changes=ROUNDING, on=FLOAT, constants={"c": (3.0, -2.5), "d": (7.0, -0.5)}, when=exact,
                     because="where the new constant is exact: then the result is rounded once")  # fmt: skip
    return wraps, floats


def shifts(sign: str, f: Elementwise) -> Rule:
    """The rule that shifts add up."""
    return Rule(f"(x {sign} c) {sign} d -> x {sign} (c + d)", EXACT, find=lambda x, c, d: f(f(x, c), d),
                make=lambda x, c, d: f(x, c + d), on=INTEGER, constants={"c": (1, 2), "d": (3, 1)},
                when=shift_adds_up)  # fmt: skip


def chain(name: str, f: Elementwise, on: tuple[str, ...]) -> Rule:
    """The rule that constants may go first in an associative `f`."""
    return Rule(name, EXACT, find=lambda x, c, d: f(f(x, c), d), make=lambda x, c, d: f(x, f(c, d)), on=on,
                constants={"c": (5, 100), "d": (3, 9)}, when=joins_small)  # fmt: skip


REGROUPINGS: tuple[AnyRule, ...] = (
    *(rule for row in SUMS for rule in _sums(*row)),
    Rule("(x * c) * d -> x * (c * d)", EXACT, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         on=INTEGER, constants={"c": (100,), "d": (50,)}, when=joins_small, because="integers wrap in any order"),
    Rule("(x * c) * d -> x * (c * d)", ROUNDING, find=lambda x, c, d: (x * c) * d, make=lambda x, c, d: x * (c * d),
         constants={"c": (3.0, 0.3), "d": (7.0, 0.7)}, when=scale_alike,
         because="where both factors enlarge or both shrink; else x * c may overflow and x * (c * d) not"),
    Rule("(x / c) / d -> x / (c * d)", ROUNDING, find=lambda x, c, d: (x / c) / d, make=lambda x, c, d: x / (c * d),
         constants={"c": (3.0, 0.3), "d": (7.0, 0.7)}, when=scale_alike,
         because="where both divisors enlarge or both shrink; else x / c may overflow and x / (c * d) not"),
    Rule("(x // c) // d -> x // (c * d)", EXACT, find=lambda x, c, d: (x // c) // d, make=lambda x, c, d: x // (c * d),
         on=INTEGER, constants={"c": (3, 5), "d": (7, 2)}, when=stays_positive,
         because="where both are positive and their product does not wrap"),
    Rule("x * c + x * d -> x * (c + d)", EXACT, find=lambda x, c, d: x * c + x * d, make=lambda x, c, d: x * (c + d),
         on=INTEGER, constants={"c": (100,), "d": (50,)}, when=joins_small, because="integers wrap in any order"),
    Rule("x * c + x * d -> x * (c + d)", ROUNDING, find=lambda x, c, d: x * c + x * d,
         make=lambda x, c, d: x * (c + d), constants={"c": (3.0, -0.3), "d": (7.0, -0.7)}, when=share_sign,
         because="where c and d have one sign: else both products may overflow and their sum not"),
    Rule("x * c + x -> x * (c + 1)", EXACT, find=lambda x, c: x * c + x, make=lambda x, c: x * (c + 1), on=INTEGER,
         constants={"c": (3, 100)}, because="integers wrap in any order"),
    Rule("x * c + x -> x * (c + 1)", ROUNDING, find=lambda x, c: x * c + x, make=lambda x, c: x * (c + 1),
         constants={"c": (3.0, 0.3)}, when=lambda c: share_sign(c, Constant(np.ones((), c.dtype))),
         because="where c is positive: else x * c may overflow and the sum not"),
    *(shifts(sign, f) for sign, f in (("<<", left_shift), (">>", right_shift))),
    *(chain(f"(x {sign} c) {sign} d -> x {sign} (c {sign} d)", f, INTEGER)
      for sign, f in (("&", bitwise_and), ("|", bitwise_or), ("^", bitwise_xor))),
    *(chain(f"{f.name}({f.name}(x, c), d) -> {f.name}(x, {f.name}(c, d))", f, REAL) for f in (maximum, minimum)),
)  # fmt: skip
