"""function(inputs, outputs): what a user asks for, checked, and handed to the compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphlab.arguments import In
from graphlab.callable import Function, assembled
from graphlab.errors import GraphValueError, caller_origin, user_boundary
from graphlab.graph.node import Graph, Variable
from graphlab.options import NAN_POLICIES, options
from graphlab.rewrite.pipeline import Mode
from graphlab.rewrite.pipeline import mode as find_mode
from graphlab.signature import Updates, check_inputs, flatten, input_specs, substitute, update_pairs
from graphlab.streams import default_updates, thread

COMPILE = ("now", "background")  # when


@user_boundary
def function(
    inputs: Sequence[Variable | In],
    outputs: Any = None,
    *,
    updates: Updates | None = None,
    givens: Mapping[Variable, Any] | Sequence[tuple[Variable, Any]] | None = None,
    no_default_updates: bool | Sequence[Any] = False,
    mode: str | Mode | None = None,
    allow_input_downcast: bool | None = None,
    on_unused_input: str = "raise",
    name: str | None = None,
    profile: bool = False,
    fast_math: bool = False,
    compile: str = "now",
    nan_policy: str | None = None,
) -> Function:
    """Compile `outputs` (a variable, list, tuple, dict or None) as a function of `inputs`.

    `updates` maps shared variables to their next values: all are computed from the old values and
    take effect together, after the call has succeeded. `givens` replaces variables before compiling.
    Random streams move on behind the draws of each call, unless `updates` says otherwise or
    `no_default_updates` is True or lists them.
    `mode`: "fast_run" (all passes, C), "fast_compile" (few passes, NumPy), "interpret" (the graph as
    written, by NumPy), "debug" (C, checked against the interpreter on every call).
    `allow_input_downcast`: whether float64 arguments may become float32 (None: only Python numbers).
    `on_unused_input`: "raise", "warn" or "ignore". `fast_math` allows rules that change special values.
    `profile`: time each step of each call, for `f.profile.summary()`; calls are slower then.
    `compile`: "now", or "background": return at once and compile in a thread; until `f.ready`, NumPy runs the graph as
    written, whose results may differ from the program's in the last bits. Where compiling fails that is how it stays.
    `nan_policy`: "raise": a call that would give a NaN is a NaNError, which names the step, the operands and your line,
    and updates nothing; "ignore": NaN is a value as any other; None: as the options say, which is "ignore".

    >>> import graphlab, graphlab.tensor as T
    >>> a, b = T.dscalars("a", "b")
    >>> graphlab.function([a, b], a + b)(1, 2)
    array(3.)
    """
    if compile not in COMPILE:
        raise GraphValueError(f"compile={compile!r} is unknown", origin=caller_origin(),
                              hint=f"it is one of {', '.join(map(repr, COMPILE))}")  # fmt: skip
    specs = input_specs(inputs)
    flat, structure = flatten(outputs)
    own = mode.nan_policy if isinstance(mode, Mode) and mode.nan_policy != "ignore" else None
    policy = nan_policy or own or options().nan_policy
    if policy not in NAN_POLICIES:
        raise GraphValueError(f"nan_policy={policy!r} is unknown", origin=caller_origin(),
                              hint=f"it is one of {', '.join(map(repr, NAN_POLICIES))}")  # fmt: skip
    chosen = replace(find_mode(mode or options().mode, fast_math=fast_math), nan_policy=policy)
    pairs = update_pairs(updates)
    roots, latest = thread(substitute([*flat, *(value for _, value in pairs)], givens))
    streams = default_updates(latest, [shared for shared, _ in pairs], no_default_updates)
    roots += [state for _, state in streams]
    check_inputs(specs, roots, on_unused_input)
    graph = Graph(tuple(s.variable for s in specs), tuple(roots))
    cells = tuple(shared for shared, _ in (*pairs, *streams))
    made = assembled(specs, graph, chosen, structure, cells, allow_input_downcast, name, compile)
    if profile:
        made.start_profile()
    return made
