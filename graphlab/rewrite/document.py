"""docs/rules.md: every rule as a table, written from the rules themselves.

python -m graphlab.rewrite.document > docs/rules.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlab.dtypes import ALL
from graphlab.rewrite.loops import LOOPS
from graphlab.rewrite.pipeline import PASSES, Pass
from graphlab.rewrite.rule import ANY, BOOL, FLOAT, INTEGER, REAL, AnyRule, Rule
from graphlab.rewrite.rules import FAMILIES

INTRODUCTION = """\
# Rules

Written by `python -m graphlab.rewrite.document` from the rules themselves; a test holds it current.

A rule reads as its equation and says what it may change:

- **exact**: the same value for every input, NaN, infinities and the sign of zero included (NaN is one value).
- **rounding**: no further from the true value than what it replaces, but for a few ulps of the
  result or the operands.
- **domain**: may differ at special values, so it needs `fast_math=True`.

Rules tagged *stable* are of class rounding and more accurate than what they replace: they give a number where
that overflows, underflows or cancels. They may change the sign of a zero. `x` and `y` are any expressions,
`c` and `d` constants. Whatever it says, a rule never fires where it would change the dtype, could change the
shape in any run, or would let an error vanish.
"""

ADDING = """\
## Adding a rule

One line in a table of `graphlab/rewrite/rules/`, or your own beside them:

```python
import graphlab, graphlab.tensor as T
from graphlab.rewrite.check import check
from graphlab.rewrite.rule import ROUNDING, Rule

rule = Rule(
    "log(x * y) -> log(x) + log(y)", ROUNDING,
    find=lambda x, y: T.log(x * y),
    make=lambda x, y: T.log(x) + T.log(y),
)
print(check(rule)[0])  # it is wrong: of two negative numbers the product has a logarithm
```

`check` computes both sides on awkward values and says where they differ by more than the rule's class. A
mode takes your rules with `graphlab.mode("fast_run").including(rule)`, leaves others out with
`.excluding("stable")`, by name or tag; `graphlab.optimize(expression, rules=[rule])` applies them alone.
[The optimiser](optimiser.md) shows how to see what they do, and how to ask why one did not.
"""


def document() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION, _passes()]
    parts += [_table(title, rules) for title, rules in (*FAMILIES, ("Loops", LOOPS))]
    return "\n".join([*parts, ADDING])


def _passes() -> str:
    lines = ["## Passes, in order", "", "| afterwards | by | also in `fast_compile` |", "|---|---|---|"]
    for step in PASSES:
        lines.append(f"| {step.name} | {_by(step)} | {'yes' if step.quick else ''} |")
    return "\n".join([*lines, ""])


def _by(step: Pass) -> str:
    if step.inside:
        return "all of these passes, there"
    if step.function is None:
        return f"{len(step.rules)} rule{'' if len(step.rules) == 1 else 's'}"
    code = step.function.__code__
    return f"`{step.function.__name__}` of `{code.co_filename.rpartition('graphlab/')[2]}`"


def _table(title: str, rules: Sequence[AnyRule]) -> str:
    lines = [f"## {title}", "", "| rule | changes | for | why |", "|---|---|---|---|"]
    for rule in rules:
        name = rule.name.replace("|", r"\|")
        lines.append(f"| `{name}` | {rule.changes} | {dtypes_of(rule)} | {rule.because} |")
    return "\n".join([*lines, ""])


_KINDS: dict[frozenset[str], str] = {
    frozenset(kinds): text
    for kinds, text in (
        (FLOAT, "floats"), (INTEGER, "integers"), (BOOL, "bool"), (REAL, "numbers"), (ANY, "any"), (ALL, "any"),
        ((*INTEGER, *BOOL), "integers, bool"), ((*REAL, *BOOL), "numbers, bool"),
    )
}  # fmt: skip


def dtypes_of(rule: AnyRule) -> str:
    """The dtypes that a rule is for, in words where there are any."""
    if not isinstance(rule, Rule):
        return "any"
    if not isinstance(rule.on, Mapping):
        return _words(rule.on)
    kinds = {n: _words(dtypes) for n, dtypes in rule.on.items()}
    return (
        next(iter(kinds.values()))
        if len(set(kinds.values())) == 1
        else ", ".join(f"{n}: {kind}" for n, kind in kinds.items())
    )


def _words(dtypes: Sequence[str]) -> str:
    known = _KINDS.get(frozenset(dtypes))
    if known:
        return known
    if set(REAL) < set(dtypes):
        return "numbers, complex"
    return "floats, signed integers" if set(FLOAT) < set(dtypes) else ", ".join(dtypes)


if __name__ == "__main__":
    print(document(), end="")
