"""Small programs written by hand against gl_abi.h: what generated code does, without the generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlab.loops.ir import Program, RuntimeCall, Step
from graphlab.runtime.native import csrc
from graphlab.runtime.program import Facts, Machine

# Runs a body for each point of a nest of `ndim` axes, whatever the strides.
LOOP = """
  int64_t i[{ndim} + 1] = {{0}}, total = 1;
  for (int d = 0; d < {ndim}; d++) total *= n[d];
  for (int64_t k = 0; k < total; k++) {{
    int64_t rest = k;
    for (int d = {ndim} - 1; d >= 0; d--) {{ i[d] = rest % n[d]; rest /= n[d]; }}
    char *q[{operands}];
    for (int o = 0; o < {operands}; o++) {{
      q[o] = p[o];
      for (int d = 0; d < {ndim}; d++) q[o] += i[d] * s[o * {ndim} + d];
    }}
    {body}
  }}
  return 0;
"""


def source(steps: Sequence[str], prelude: str = "") -> str:
    """The C of a program whose step functions have the bodies `steps`."""
    text = (csrc() / "gl_abi.h").read_text() + prelude
    for k, body in enumerate(steps):
        text += f"\nstatic int step_{k}(gl_frame *f) {{\n{body}\n}}\n"
    names = ", ".join(f"step_{k}" for k in range(len(steps)))
    return (
        text
        + f"""
static int (*const steps[])(gl_frame *) = {{{names}}};
const int32_t gl_step_count = {len(steps)};
int gl_run_one(gl_frame *f, int32_t k) {{
  f->step = k;
  return steps[k](f);
}}
int gl_run(gl_frame *f) {{
  int failed = 0;
  for (int32_t k = 0; !failed && k < gl_step_count; k++) failed = gl_run_one(f, k);
  return failed;
}}
"""
    )


def call(function: str, slots: Sequence[int], params: Sequence[int] = ()) -> str:
    """A step that calls a function of the runtime."""
    numbers = ", ".join(f"{p}LL" if p > -(2**63) else "(-9223372036854775807LL - 1)" for p in params) or "0"
    return (
        f"static const int32_t slots[] = {{{', '.join(map(str, slots))}}};\n"
        f"static const int64_t params[] = {{{numbers}}};\n"
        f"return f->api->{function}(f, slots, params);"
    )


def host(index: int, inputs: Sequence[int], outputs: Sequence[int]) -> str:
    """A step that calls a host function."""
    ins, outs = ", ".join(map(str, inputs)) or "0", ", ".join(map(str, outputs)) or "0"
    return (
        f"static const int32_t in[] = {{{ins}}}, out[] = {{{outs}}};\n"
        f"return f->api->host(f, {index}, {len(inputs)}, in, {len(outputs)}, out);"
    )


def nested(
    ndim: int, outputs: Sequence[int], inputs: Sequence[int], body: str,
    reduce: Sequence[int] = (), reduced: Sequence[bool] = (), keepdims: Sequence[bool] = (), setup: str = "",
    ranks: Sequence[int] = (), few: int = 0,
) -> str:  # fmt: skip
    """A step that plans a nest, runs `setup`, then `body` for each point, `q[o]` being operand o.

    `ranks` are those of the inputs, where not `ndim`; outputs that are `reduced` lack the axes of `reduce`, or
    have them with extent 1.
    """

    def flags(chosen: Sequence[Any]) -> str:
        return ", ".join(str(int(x)) for x in chosen) or "0"

    operands = len(outputs) + len(inputs)
    axes = [d in reduce for d in range(ndim)]
    lie: list[int] = []
    for k in range(len(outputs)):
        less, kept = bool(reduced) and reduced[k], bool(keepdims) and keepdims[k]
        lie += [-1 if less and axes[d] else d for d in range(ndim) if kept or not (less and axes[d])]
    for rank in ranks or [ndim] * len(inputs):
        lie += range(ndim - rank, ndim)
    return (
        f"static const int32_t slots[] = {{{', '.join(map(str, [*outputs, *inputs]))}}};\n"
        f"static const uint8_t reduce[] = {{{flags(axes)}}};\n"
        f"static const int8_t axes[] = {{{flags(lie)}}};\n"
        f"static const gl_nest nest = {{{ndim}, {len(outputs)}, {len(inputs)}, slots, reduce, axes, .few = {few}}};\n"
        f"int64_t n[{ndim} + 1], s[{operands} * {ndim} + 1]; char *p[{operands}];\n"
        "int failed = f->api->nest(f, &nest, n, s, p);\n"
        f"if (failed) return failed;\n{setup}\n" + LOOP.format(ndim=ndim, operands=operands, body=body)
    )


ADD = "*(double *)q[0] = *(double *)q[1] + *(double *)q[2];"


def machine(
    slots: Sequence[tuple[str, int]], inputs: Sequence[int], outputs: Sequence[int], steps: Sequence[str],
    *, shared: Sequence[int] = (), constants: Sequence[int] = (), values: Sequence[Any] = (),
    prelude: str = "", externs: Sequence[str] = (), **more: Any,
) -> Machine:  # fmt: skip
    """A loaded program: `slots` are (dtype, rank), `values` the constants."""
    calls = [RuntimeCall("matmul", ())] if any("api->matmul" in step for step in steps) else []
    program = Program(
        dtypes=tuple(d for d, _ in slots), ndims=tuple(n for _, n in slots), inputs=tuple(inputs),
        shared=tuple(shared), constants=tuple(constants), outputs=tuple(outputs),
        steps=tuple(Step("step", action) for action in calls),
    )  # fmt: skip
    return Machine(Facts.of(program, externs), source(steps, prelude), constants=values, **more)


def adder(ndim: int = 0, **more: Any) -> Machine:
    """a + b for float64 arrays of that rank."""
    return machine([("float64", ndim)] * 3, [0, 1], [2], [nested(ndim, [2], [0, 1], ADD)], **more)


def run_one(function: str, out: tuple[str, int], operands: Sequence[Any], params: Sequence[int]) -> Any:
    """`function` of the runtime on `operands` (arrays), its result as a call gives it."""
    arrays = [np.asarray(a) for a in operands]
    slots = [out, *((a.dtype.name, a.ndim) for a in arrays)]
    numbers = range(1, len(slots))
    made = machine(slots, list(numbers), [0], [call(function, [0, *numbers], params)])
    return made.call(arrays)[0]
