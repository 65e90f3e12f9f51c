"""Rules of class domain: true in algebra, but not at every number; only `fast_math` applies them."""

from __future__ import annotations

from graphlab.ops.elementwise import exp, log, sqrt, square
from graphlab.ops.extents import ones_like, zeros_like
from graphlab.rewrite.rule import DOMAIN, AnyRule, Rule

SPECIAL: tuple[AnyRule, ...] = (
    Rule("x + 0 -> x", DOMAIN, find=lambda x: x + 0, make=lambda x: x, because="-0.0 + 0 is 0.0"),
    Rule("0 - x -> -x", DOMAIN, find=lambda x: 0 - x, make=lambda x: -x, because="0 - 0.0 is 0.0"),
    Rule("-(x - y) -> y - x", DOMAIN, find=lambda x, y: -(x - y), make=lambda x, y: y - x,
         because="-(1.0 - 1.0) is -0.0"),
    Rule("x * 0 -> 0", DOMAIN, find=lambda x: x * 0, make=lambda x: zeros_like(x),
         because="nan * 0 and inf * 0 are nan"),
    Rule("0 / x -> 0", DOMAIN, find=lambda x: 0 / x, make=lambda x: zeros_like(x), because="0 / 0 is nan"),
    Rule("x - x -> 0", DOMAIN, find=lambda x: x - x, make=lambda x: zeros_like(x), because="inf - inf is nan"),
    Rule("x / x -> 1", DOMAIN, find=lambda x: x / x, make=lambda x: ones_like(x),
         because="0 / 0 and inf / inf are nan"),
    Rule("(x * y) / y -> x", DOMAIN, find=lambda x, y: (x * y) / y, make=lambda x, y: x,
         because="0 / 0 is nan, and x * y may overflow"),
    Rule("(x / y) * y -> x", DOMAIN, find=lambda x, y: (x / y) * y, make=lambda x, y: x, because="x / 0 * 0 is nan"),
    Rule("x ** 0.5 -> sqrt(x)", DOMAIN, find=lambda x: x**0.5, make=lambda x: sqrt(x),
         because="(-inf) ** 0.5 is inf, (-0.0) ** 0.5 is 0.0"),
    Rule("square(sqrt(x)) -> x", DOMAIN, find=lambda x: square(sqrt(x)), make=lambda x: x,
         because="sqrt(-1) is nan"),
    Rule("exp(log(x)) -> x", DOMAIN, find=lambda x: exp(log(x)), make=lambda x: x, because="log(-1) is nan"),
)  # fmt: skip
