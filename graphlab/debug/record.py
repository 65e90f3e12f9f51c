"""record(f): what the arrays of a function look like over many calls, found while they are still in the cache."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np

from graphlab.callable import Function
from graphlab.debug.questions import why
from graphlab.debug.schedule import schedule
from graphlab.errors import GraphTypeError, GraphValueError, Origin, caller_origin, user_boundaries, user_boundary
from graphlab.graph.node import Apply, Graph, Shared, Variable
from graphlab.graph.text import maths
from graphlab.graph.walk import ancestors, toposort
from graphlab.interpret import Environment, demand, leaf_value
from graphlab.lower import Lowered
from graphlab.runtime.program import Machine
from graphlab.runtime.statistics import NUMBERS, measured

Array = np.ndarray[Any, Any]

BUDGET = 256 << 20  # bytes
SHARE = 0.025  # of the time of all calls that looking may take; noting it down takes some time as well
FREE = 1 << 17  # elements that are looked at in every call
LONGEST = 100  # calls of which none is looked at, nor their time taken
# How long looking at an element takes by that of float32 or float64, about: the loops are written for these two.
WEIGHTS = {"float32": 1, "float64": 1, "float16": 24, "complex64": 24, "complex128": 24}
KINDS = ("nan", "inf")
KEEPS = ("stats", "values")

# ---- what is told --------------------------------------------------------------------------------


@dataclass(frozen=True)
class First:
    """Where NaN or infinities (`kind`) were first: in call number `call`, in what `step` writes, `count` of `size`.

    `before`: the number of the last call before it that was looked at; None if there was none.
    """

    kind: str
    call: int
    step: int
    step_name: str
    variable: Variable
    count: int
    size: int
    before: int | None

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The user's lines that the variable comes from."""
        return _origins(self.variable)

    def __str__(self) -> str:
        where = ", ".join(o.label for o in self.origins)
        what = f"{self.kind} in {self.count} of {self.size} elements of {_called(self.variable)}"
        missed = self.call - (-1 if self.before is None else self.before) - 1
        skipped = f"; the {missed} calls before it were not looked at" if missed else ""
        return (
            f"call {self.call}, step {self.step} ({self.step_name}): {what}{f' at {where}' if where else ''}{skipped}"
        )


@dataclass(frozen=True)
class Series:
    """The statistics of one variable over calls, as arrays: an element for each of `calls`, by their numbers.

    `min`, `max`, `mean` and `std` are of the finite elements (NaN where there are none), of the moduli of complex
    numbers; `nan`, `inf` and `zero` count elements, `size` all of them.
    """

    variable: Variable
    calls: Array
    min: Array
    max: Array
    mean: Array
    std: Array
    nan: Array
    inf: Array
    zero: Array
    size: Array

    def __len__(self) -> int:
        return len(self.calls)

    def __str__(self) -> str:
        if not len(self):
            return f"{_called(self.variable)}: no calls"
        last = ", ".join(f"{name} {getattr(self, name)[-1]:.4g}" for name in ("min", "max", "mean", "std"))
        odd = [
            f"{name} in {np.count_nonzero(getattr(self, name))} calls" for name in KINDS if getattr(self, name).any()
        ]
        return "; ".join([f"{_called(self.variable)}: {len(self)} calls, the last: {last}", *odd])


def _called(v: Variable) -> str:
    return v.name or maths(v, limit=40)


def _origins(v: Variable) -> tuple[Origin, ...]:
    return v.owner.provenance.origins if v.owner is not None else (v.origin,) if v.origin else ()


# ---- what is watched -----------------------------------------------------------------------------


@dataclass
class Watched:
    """The variables that one program writes: where, and in which step."""

    variables: tuple[Variable, ...]
    steps: tuple[tuple[int, str], ...]
    slots: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    # The number of a call, and the NUMBERS of each variable.
    rows: list[tuple[int, Array]] = field(default_factory=list)

    @cached_property
    def weights(self) -> Array:
        """How long looking at an element of each variable takes, by that of a float."""
        return np.array([WEIGHTS.get(v.dtype, 9) for v in self.variables], np.int64)


@cache
def pace() -> float:
    """Seconds that looking at a float takes here, about: half as long again as where nothing else is to be done."""
    numbers, best = np.arange(1 << 16, dtype="float64"), float("inf")
    for _ in range(5):
        began = time.perf_counter()
        measured(numbers)
        best = min(best, time.perf_counter() - began)
    return 1.5 * best / len(numbers)


def _watched(function: Function, lowered: Lowered) -> Watched:
    """Each array that a step of `lowered` writes and that is no view of another."""
    variables, steps, slots, ends = list[Variable](), list[tuple[int, str]](), list[int](), list[int]()
    for view in schedule(function, lowered):
        sums = any(node.op.name == "sum_to" for node in view.nodes)  # which may be a view
        for v in view.outputs if view.kind != "view" or sums else ():
            if v in lowered.slots and lowered.slots[v] not in slots:
                variables.append(v)
                steps.append((view.index, view.name))
                slots.append(lowered.slots[v])
        ends.append(len(slots))
    return Watched(tuple(variables), tuple(steps), tuple(slots), tuple(ends))


# ---- the log -------------------------------------------------------------------------------------


@user_boundaries
class Log:
    """What `graphlab.record` found out: `log["name"]` or `log[variable]` is a Series.

    `calls` is how many calls there were, `looked` how many of them were looked at, `names` are those of the arrays.
    """

    def __init__(self, function: Function, keep: str, budget: int, every: int | None, also: Sequence[Variable]) -> None:
        self.function, self.keep, self.budget, self.every = function, keep, budget, every
        self.looked = self._calls = 0
        self._also = Watched(tuple(also), ((-1, "NumPy"),) * len(also))
        self._programs: dict[int, tuple[Lowered | Graph, Watched]] = {}
        self._firsts: dict[tuple[str, Variable], First] = {}
        self._known: dict[tuple[str | Variable, int], list[Variable]] = {}  # what was asked for
        self._values: deque[tuple[int, dict[Variable, Array], int]] = deque()
        self._before: int | None = None
        self._elapsed = self._spent = self._plain = 0.0  # the last: of the last call that was not looked at
        self._work = self._size = 0  # elements that the last call that was looked at wrote; bytes of all rows
        self._lock = Lock()

    # -- recording --

    def __enter__(self) -> Log:
        if self.function.watched is not None:
            raise GraphValueError(f"{self.function.name} is being recorded already", origin=caller_origin(),
                                  hint="leave the other `with` first; one log has all arrays")  # fmt: skip
        self.function.watched = self
        self.function._bind_program()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._passed()
        self.function.watched = None
        self.function._bind_program()

    @property
    def calls(self) -> int:
        """How many calls there were."""
        self._passed()
        return self._calls

    def _passed(self, calls: int | None = None) -> None:
        """Count the calls that went past the log; the next `calls` of them may (None: none more than may already)."""
        if self.function.watched is not self:
            return
        with self._lock:
            passed = self.function._pass(0 if calls is None else calls)
            self._calls += passed
            self._elapsed += passed * self._plain

    def run(self, lowered: Lowered, machine: Machine, arrays: Sequence[Array]) -> list[Array]:
        """As `machine.call_refusing`: one more call."""
        self._passed()
        began = time.thread_time()
        numbers, values = None, dict[Variable, Array]()
        watched = self._of(lowered, lambda: _watched(self.function, lowered))
        looks = self._looks()
        also = self._recomputed(arrays) if looks else {}
        if looks:
            room = self.budget if self.keep == "values" else 0
            results, numbers, copies = machine.call_watched(arrays, watched.slots, watched.ends, room)
            values = {v: a for v, a in zip(watched.variables, copies, strict=False) if a is not None}
        else:
            results = machine.call_refusing(arrays)
        self._note(watched, numbers, values, also, time.thread_time() - began)
        self._passed(self._spare())
        return results

    def interpret(self, graph: Graph, arrays: Sequence[Array]) -> list[Array]:
        """As `interpret`: one more call."""
        began = time.thread_time()
        nodes = toposort(graph.outputs, graph.inputs)
        watched = self._of(graph, lambda: _nodes(nodes))
        also = self._recomputed(arrays)
        environment: Environment = dict(zip(graph.inputs, arrays, strict=True))
        demand(graph.outputs, environment)
        numbers = np.array([_measured(v, environment) for v in watched.variables], NUMBERS)
        kept = {v: environment[v].copy() for v in watched.variables if self.keep == "values" and v in environment}
        self._note(watched, numbers, kept, also, time.thread_time() - began)
        return [leaf_value(v, environment) for v in graph.outputs]

    def _looks(self) -> bool:
        """Whether to look at the next call."""
        if self.every is not None:
            return self._calls % self.every == 0
        return self._work <= FREE or self._spent + self._work * pace() <= SHARE * self._elapsed

    def _spare(self) -> int:
        """How many calls need not be looked at before the next that is; they can go straight to the program."""
        if self.every is not None:
            return -self._calls % self.every
        if self._work <= FREE or not self._plain:
            return 0
        missing = (self._spent + self._work * pace()) / SHARE - self._elapsed
        return max(0, min(int(missing / self._plain), LONGEST))

    def _of(self, program: Lowered | Graph, make: Callable[[], Watched]) -> Watched:
        with self._lock:
            if id(program) not in self._programs:
                self._programs[id(program)] = program, make()
            return self._programs[id(program)][1]

    def _recomputed(self, arrays: Sequence[Array]) -> dict[Variable, Array]:
        """The values of what no program has an array of."""
        if not self._also.variables:
            return {}
        environment: Environment = dict(zip(self.function.inputs, arrays, strict=True))
        demand(self._also.variables, environment)
        return {v: leaf_value(v, environment) for v in self._also.variables}

    def _note(
        self, watched: Watched, numbers: Array | None, values: dict[Variable, Array], also: Mapping[Variable, Array],
        seconds: float,
    ) -> None:  # fmt: skip
        with self._lock:
            call = self._calls
            self._calls += 1
            self._elapsed += seconds
            if numbers is None:
                self._plain = seconds
                return
            self.looked += 1
            self._work = int(np.maximum(numbers["count"], 0) @ watched.weights)
            self._spent += self._work * pace() if self._work > FREE else 0.0
            self._add(watched, call, numbers)
            if also:
                self._add(self._also, call, np.array([measured(a) for a in also.values()], NUMBERS))
            if self.keep == "values":
                self._keep(call, values | {v: a.copy() for v, a in also.items()})
            self._before = call

    def _add(self, watched: Watched, call: int, numbers: Array) -> None:
        watched.rows.append((call, numbers))
        self._size += numbers.nbytes
        for kind in KINDS:
            for k in np.flatnonzero(numbers[kind]) if numbers[kind].any() else ():
                v, (step, name), n = watched.variables[k], watched.steps[k], numbers[k]
                if n["count"] >= 0 and (kind, v) not in self._firsts:
                    first = First(kind, call, step, name, v, int(n[kind]), int(n["count"]), self._before)
                    self._firsts[kind, v] = first
        if self._size > self.budget:
            for w in self._all():  # keep every second
                del w.rows[1:-1:2]
            self._size = sum(row.nbytes for w in self._all() for _, row in w.rows)

    def _keep(self, call: int, values: dict[Variable, Array]) -> None:
        self._values.append((call, values, sum(a.nbytes for a in values.values())))
        while len(self._values) > 1 and sum(size for _, _, size in self._values) > self.budget:
            self._values.popleft()

    # -- looking --

    def _all(self) -> list[Watched]:
        return [*(watched for _, watched in self._programs.values()), self._also]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables whose arrays are recorded, in the order of the steps."""
        return tuple(dict.fromkeys(v for watched in self._all() for v in watched.variables))

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called: their names, or their formulas."""
        return tuple(map(_called, self.variables))

    @property
    def places(self) -> dict[Variable, tuple[int, str]]:
        """The number and the name of the step that writes each of them; -1 of what NumPy computes again."""
        watched = reversed(self._all())
        return {v: step for w in watched for v, step in zip(w.variables, w.steps, strict=True)}

    @property
    def kept(self) -> tuple[int, ...]:
        """The numbers of the calls whose arrays there are: see `value`."""
        return tuple(number for number, _, _ in self._values)

    def __getitem__(self, what: str | Variable) -> Series:
        forms = self.forms(what)
        places = [(w, w.variables.index(v)) for v in forms for w in self._all() if v in w.variables]
        rows: dict[int, Any] = {}
        for w, k in places:
            for call, numbers in w.rows:
                if numbers[k]["count"] >= 0:
                    rows.setdefault(call, numbers[k])
        calls = np.array(sorted(rows), np.int64)
        found = np.array([rows[call] for call in sorted(rows)], NUMBERS)
        finite = found["count"] - found["nan"] - found["inf"]
        moments = {name: np.where(finite > 0, found[name], np.nan) for name in ("min", "max", "mean")}
        std = np.where(finite > 0, np.sqrt(found["squares"] / np.maximum(finite, 1)), np.nan)
        counts = {name: found[name].copy() for name in ("nan", "inf", "zero")}
        return Series(forms[0], calls, **moments, std=std, **counts, size=found["count"].copy())

    def value(self, what: str | Variable, call: int = -1) -> Array:
        """The value of an array in call number `call`, -1 being the last; of those that there was room for.

        GraphValueError: it is not there.
        """
        forms = self.forms(what)
        if self.keep != "values":
            raise GraphValueError("the log keeps statistics alone", origin=caller_origin(),
                                  hint='record(f, keep="values") keeps the arrays of the last calls')  # fmt: skip
        have = {number: values for number, values, _ in self._values}
        number = max(have, default=-1) if call == -1 else call
        v = next((v for v in forms if v in have.get(number, ())), forms[0])
        if v not in have.get(number, ()):
            kept = f"those of calls {min(have)} to {max(have)} are" if have else "none is"
            raise GraphValueError(f"the value of {_called(v)} in call {number} is not there: {kept}",
                                  origin=caller_origin(), hint="a larger budget keeps more")  # fmt: skip
        return have[number][v].copy()

    def first(self, kind: str = "nan", what: str | Variable | None = None) -> First | None:
        """Where NaN ("nan") or infinities ("inf") came up first, in the earliest call and there in the earliest step.

        With `what` only those of this array count. None: nowhere.
        """
        if kind not in KINDS:
            raise GraphValueError(f"kind={kind!r} is unknown", origin=caller_origin(),
                                  hint=f"it is one of {', '.join(map(repr, KINDS))}")  # fmt: skip
        only = None if what is None else self.forms(what)
        found = [f for (k, v), f in self._firsts.items() if k == kind and (only is None or v in only)]
        return min(found, key=lambda f: (f.call, f.step), default=None)

    def __str__(self) -> str:
        head = f"{self.function.name}: {self.calls} calls, {self.looked} looked at"
        lines = [f"  {self[v]}" for v in self.variables]
        firsts = [f"  first {kind}: {found}" for kind in KINDS if (found := self.first(kind)) is not None]
        return "\n".join([head, *lines, *firsts])

    def __repr__(self) -> str:
        return f"<log of {self.function.name}: {self.calls} calls, {len(self.variables)} arrays>"

    def forms(self, what: str | Variable) -> list[Variable]:
        """The recorded variables that `what` means, each program having its own; GraphValueError if there are none."""
        place = what, len(self._programs)
        if isinstance(what, Variable) and place in self._known:
            return self._known[place]
        self._known[place] = self._recorded(what)
        return self._known[place]

    def _recorded(self, what: str | Variable) -> list[Variable]:
        known = self.variables
        asked = list(dict.fromkeys(self._meant(what)))
        found = [u for v in asked for u in known if u is v or _stands_for(u, v)]
        alike = dict.fromkeys(u for v in asked for u in known if _is_alike(u, v))
        if found or len(alike) == 1:
            return list(dict.fromkeys(found or alike))
        if not known:
            raise GraphValueError(f"{self.function.name} was not called while it was recorded", origin=caller_origin())
        name = what if isinstance(what, str) else _called(what)
        hint = "record(f, also=[...]) computes it again by NumPy; or make it an output" if asked else "see log.names"
        raise GraphValueError(f"{name} has no array of its own in {self.function.name}; there are "
                              f"{', '.join(self.names)}", origin=caller_origin(), hint=hint)  # fmt: skip

    def _meant(self, what: str | Variable) -> Iterator[Variable]:
        f = self.function
        if isinstance(what, str):
            yield from (v for v in self.variables if _called(v) == what)
            everything = [*f.updated, *ancestors(f.graph.outputs)]
            named = [v for v in everything if v.name == what]
        elif isinstance(what, Variable):
            named = [what]
        else:
            raise GraphTypeError(f"a log is asked for a name or a variable, not {type(what).__name__}",
                                 origin=caller_origin())  # fmt: skip
        first = len(f.graph.outputs) - len(f.updated)
        for v in named:
            yield v
            positions = [first + f.updated.index(v)] if isinstance(v, Shared) and v in f.updated else []
            positions += [k for k, output in enumerate(f.graph.outputs) if output is v]
            graphs = [f.optimized, *(p.graph for p, _ in self._programs.values() if isinstance(p, Lowered))]
            yield from (graph.outputs[k] for k in positions for graph in graphs)
            if v.owner is not None and (now := why(f, v).now) is not None:
                yield now


def _stands_for(made: Variable, source: Variable) -> bool:
    """Whether `made` was put in the place of `source` by lowering."""
    node: Apply | None = made.owner
    while node is not None and made.index == source.index:
        if node is source.owner:
            return True
        node = node.provenance.replaced
    return False


def _is_alike(a: Variable, b: Variable) -> bool:
    """Whether both come from the same line by the same operation: one in a loop or branch, say, and the other not."""
    if a.owner is None or b.owner is None or a.index != b.index:
        return False
    return a.owner.provenance is b.owner.provenance and type(a.owner.op) is type(b.owner.op)


def _nodes(nodes: Sequence[Apply]) -> Watched:
    found = [(v, (k, f"node_{k}")) for k, node in enumerate(nodes) for v in node.outputs]
    return Watched(tuple(v for v, _ in found), tuple(step for _, step in found))


def _measured(v: Variable, environment: Environment) -> Any:
    if v not in environment:  # of a branch that was not taken
        return np.array((-1, 0, 0, 0, 0, 0, 0, 0), NUMBERS)[()]
    return measured(environment[v])


@user_boundary
def record(
    f: Function, keep: str = "stats", budget: int = BUDGET, every: int | None = None, also: Sequence[Variable] = ()
) -> Log:
    """In the `with` block, find out what the arrays of each call of `f` look like: a Log.

    Looked at are the arrays that steps write, updates among them: their min, max, mean and standard deviation, and how
    many elements are NaN, infinite or zero. What is only inside a kernel has no array; what `also` lists is computed
    again by NumPy. `keep="values"` keeps copies as well, of the last calls that `budget` bytes hold; `budget` bounds
    the statistics too: where there are more, every second is forgotten. `every`: look at each so many calls; None: at
    all, but where looking would take more than a fortieth of the time of calls at fewer. Results do not change.

    >>> import numpy as np, graphlab, graphlab.tensor as T
    >>> x, w = T.dvector("x"), graphlab.shared(np.ones(3), "w")
    >>> f = graphlab.function([x], (w * x).sum(), updates={w: w / x})
    >>> with graphlab.record(f) as log:
    ...     for value in (2.0, 4.0, 0.0):
    ...         _ = f(np.full(3, value))
    >>> log["w"].mean.tolist(), log.first("inf").call
    ([0.5, 0.125, nan], 2)
    """
    if not isinstance(f, Function):
        raise GraphTypeError(f"record takes a compiled function, not {type(f).__name__}", origin=caller_origin())
    if keep not in KEEPS:
        raise GraphValueError(f"keep={keep!r} is unknown", origin=caller_origin(),
                              hint=f"it is one of {', '.join(map(repr, KEEPS))}")  # fmt: skip
    if budget <= 0 or (every is not None and every <= 0):
        raise GraphValueError("budget and every are greater than 0", origin=caller_origin())
    known = set(ancestors([*f.graph.outputs, *f.graph.inputs]))
    if strangers := [v for v in also if v not in known]:
        raise GraphValueError(f"{', '.join(map(_called, strangers))} is no part of {f.name}", origin=caller_origin(),
                              hint="also= lists variables that its outputs were made of")  # fmt: skip
    return Log(f, keep, budget, every, also)
