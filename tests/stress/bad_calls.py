"""Calls with bad arguments: never a crash, and messages that name the input and the user's line.

    python tests/stress/bad_calls.py --calls 100000

Arguments are made by hypothesis: arrays of all dtypes, layouts and ranks, Python's values, objects that misbehave.
Where a call is refused, its message is looked at; where it is taken, the result is compared with NumPy's.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

sys.path.insert(0, str(figures.ROOT))

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError

SHORT = {"calls": 400, "seed": 1}
LONG = {"calls": 100_000, "seed": 1}
HERE = Path(__file__).name
TOLD = 0.98  # so many messages name input and line

v, w, m, k, flag = T.dvector("v"), T.fvector("w"), T.dmatrix("m"), T.lvector("k"), T.bscalar("flag")
fixed, total = T.tensor("float64", (3,), "fixed"), graphlab.shared(np.zeros(3), name="total")

# A function, and what NumPy makes of the same arguments.
FUNCTIONS: list[tuple[graphlab.Function, Any]] = [
    (graphlab.function([v, k], T.exp(-abs(v)) + k), lambda v, k: np.exp(-abs(v)) + k),
    (graphlab.function([v, w], v[:, None] * w), lambda v, w: v[:, None] * w),
    (graphlab.function([m, v], m @ v), lambda m, v: m @ v),
    (graphlab.function([v, k], v[k]), lambda v, k: v[k]),
    (graphlab.function([v, k], v.reshape((k[0], k[1]))), lambda v, k: v.reshape(k[0], k[1])),
    (graphlab.function([m, flag], T.max(m, axis=0) + flag), lambda m, flag: m.max(axis=0) + flag),
    (graphlab.function([k, flag], T.arange(k[0] % 100) // flag), lambda k, flag: np.arange(k[0] % 100) // flag),
    (graphlab.function([m, k], T.concatenate([m, m[:, k]], axis=1)), lambda m, k: np.concatenate([m, m[:, k]], axis=1)),
    (graphlab.function([fixed], total + fixed, updates={total: total + fixed}), None),
]  # fmt: skip


class Hostile:
    """An object that misbehaves when it is looked at."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __array__(self, *rest: Any, **more: Any) -> Any:
        if self.how == "raises":
            raise ValueError("no array")
        return "no array" if self.how == "lies" else np.zeros((2,) * 64 if self.how == "deep" else 0)

    def __len__(self) -> int:
        return -1 if self.how == "negative" else 2**62


class Sub(np.ndarray):
    """A subclass."""


def odd_layouts(array: np.ndarray[Any, Any], how: int) -> Any:
    """`array`, laid out in a way that NumPy allows."""
    if how == 0 or array.ndim == 0 or array.dtype.hasobject:
        return array
    if how == 1:
        return array[::-1]
    if how == 2:
        return np.repeat(array, 2, axis=-1)[..., ::2]
    if how == 3:
        return array.astype(array.dtype.newbyteorder())
    if how == 4:
        raw = np.zeros(array.nbytes + 1, "u1")
        out = raw[1 : 1 + array.nbytes].view(array.dtype).reshape(array.shape)
        out[...] = array
        return out
    if how == 5:
        return np.broadcast_to(array[:1], (3, *array.shape[1:])) if array.shape[0] else array
    if how == 6:
        array.flags.writeable = False
        return array
    if how == 7:
        return array.view(Sub)
    return np.ma.masked_array(array, mask=False)  # type: ignore[no-untyped-call]


dtypes = st.one_of(
    hnp.scalar_dtypes(), hnp.unicode_string_dtypes(), hnp.byte_string_dtypes(), st.just(np.dtype(object)),
    hnp.array_dtypes(max_size=2), st.sampled_from(["f8", "f4", "i8", "f8", "i8", "i1"]).map(np.dtype),
)  # fmt: skip
shapes = st.one_of(st.just((3,)), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype, shape = draw(dtypes), draw(shapes)
    elements = st.integers(-4, 9) if dtype.kind in "iuf" and draw(st.booleans()) else None
    if dtype.kind == "u" or (dtype.kind == "i" and dtype.itemsize == 1):
        elements = None
    if dtype.kind == "O":
        array = np.empty(shape, object)
    else:
        array = draw(hnp.arrays(dtype, shape, elements=elements))
    return odd_layouts(array, draw(st.integers(0, 9)))


python_values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(max_size=5),
    st.binary(max_size=5),
    st.recursive(st.one_of(st.integers(-3, 9), st.floats(), st.none()), lambda s: st.lists(s, max_size=4),
    max_leaves=8),
    st.sampled_from([v, v + 1, total, graphlab, len, object(), {}, {1}, range(3), iter([1]), memoryview(b"abc"),
    10**400,
                     2**63, -(2**63) - 1, [10**30], np.float32(3), np.int8(-1), np.datetime64("2020"), slice(3), ...]),
    st.builds(Hostile, st.sampled_from(["raises", "lies", "deep", "negative"])),
)  # fmt: skip
arguments = st.one_of(arrays(), arrays(), python_values)
good = {
    v: st.integers(0, 4).map(lambda n: np.arange(float(n))), fixed: st.just(np.ones(3)),
    w: st.integers(0, 4).map(lambda n: np.arange(n, dtype="f4")), flag: st.just(1), m: st.just(np.ones((3, 3))),
    k: st.lists(st.integers(-5, 5), min_size=0, max_size=4).map(lambda a: np.array(a, "i8")),
}  # fmt: skip


@st.composite
def calls(draw: st.DrawFn) -> tuple[int, list[Any], dict[str, Any]]:
    """A function's number, and the arguments: mostly as many as it takes, one of them good or not."""
    number = draw(st.integers(0, len(FUNCTIONS) - 1))
    inputs = FUNCTIONS[number][0].inputs
    bad = draw(st.integers(0, len(inputs)))
    given = [draw(good[u]) if i != bad else draw(arguments) for i, u in enumerate(inputs)]
    names: dict[str, Any] = {}
    odd = draw(st.integers(0, 30))
    if odd == 0:
        given.append(draw(arguments))
    elif odd == 1:
        given.pop()
    elif odd == 2:
        names[draw(st.sampled_from(["v", "k", "nobody", "*/ \0"]))] = draw(arguments)
    return number, given, names


def told(error: GraphlabError, names: list[str]) -> bool:
    """Whether the message names an input and a line of this file."""
    text = str(error)
    return error.origin is not None and error.origin.label.startswith(HERE) and any(n in text for n in names)


def run(*, calls: int, seed: int) -> figures.Figures:
    """So many calls."""
    return _run(calls, seed)


def _run(count: int, number: int) -> figures.Figures:
    kinds, failures, untold = Counter[str](), list[str](), Counter[str]()

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, phases=(Phase.generate,),
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(calls())
    def one(call: tuple[int, list[Any], dict[str, Any]]) -> None:
        which, given, names = call
        f, numpy = FUNCTIONS[which]
        before = total.get_value()
        try:
            got = f(*given, **names)
        except GraphlabError as error:
            kinds["refused"] += 1
            if not told(error, [u.name for u in f.inputs]):
                kinds["not told"] += 1
                untold[str(error)[:300]] += 1
            if not np.array_equal(total.get_value(), before):
                failures.append(f"a refused call changed a shared variable: {given!r:.300}")
        except (ValueError, RuntimeError) as error:
            if str(error) not in ("no array", "no repr"):  # what the argument itself raised
                failures.append(f"{type(error).__name__}: {error}")
            kinds["raised by the argument"] += 1
        except Exception as error:
            failures.append(f"{which} {type(error).__name__}: {error}")
        else:
            kinds["taken"] += 1
            if numpy is not None and not names:
                plain = [np.asarray(a).astype(u.dtype) for a, u in zip(given, f.inputs, strict=True)]
                with np.errstate(all="ignore"):
                    want = numpy(*plain)
                if got.shape != want.shape or not np.allclose(got, want, rtol=1e-6, equal_nan=True):
                    failures.append(f"function {which} of {given!r:.300} gave {got!r:.200}, not {want!r:.200}")

    one()
    share = 1 - kinds["not told"] / max(kinds["refused"], 1)
    if share < TOLD:
        failures += [f"{n} times: {text}" for text, n in untold.most_common(10)]
    return {"calls": count, **kinds, "messages that name input and line": round(share, 4), "failures": failures,
            **({"most frequent that do not": untold.most_common(3)} if untold else {})}  # fmt: skip


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
