"""Every op of the table: its types, its values by interpreter and by compiled code, and its derivatives."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.autodiff import grad, jvp, verify_grad, vjp
from graphlab.dtypes import ALL, BOOL, COMPLEX, INTEGER
from graphlab.errors import GraphTypeError, GraphValueError
from graphlab.graph.node import Graph, Variable
from graphlab.graph.types import TensorType
from graphlab.graph.walk import toposort
from graphlab.interpret import interpret
from graphlab.ops import base, elementwise, reduce, special
from graphlab.ops.ufunc import Elementwise
from graphlab.rewrite.pipeline import mode, optimize
from graphlab.runtime.program import Machine
from graphlab.saving import registry
from tests.lower.programs import built
from tests.ops.table import CASES, Array, Case, takes

LAYOUTS = ("contiguous", "strided", "reversed", "turned")
DTYPES = sorted({dtype for case in CASES for dtype in case.dtypes})
_SPECIAL = (
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -7.0,
    7.0,
    1e-30,
    -1e-30,
    88.0,
    -104.0,
    800.0,
    -800.0,
    1e30,
)


def edge_values(dtype: str, edges: str) -> Array:
    """The values of `dtype` at which programs go wrong, or those of them that `edges` allows."""
    if dtype in BOOL:
        return np.array([True, False])
    if dtype in INTEGER:
        if edges == "floats":
            return np.array([], dtype)
        info = np.iinfo(dtype)
        values = [info.min, info.max, info.min + 1, info.max - 1, 0, 1, 2, 3, 7, 100, 126]
        return np.array([v for v in (*values, -1, -2, -7, -100) if info.min <= v <= info.max], dtype)
    if dtype in COMPLEX:
        # Products of infinities are nan or not by the order and the form of their parts.
        parts = (*_SPECIAL[:9], 88.0) if edges == "all" else ()
        return np.array([complex(a, b) for a in parts for b in parts], dtype)
    if edges != "all":
        return np.array([v for v in _SPECIAL if not 10 < abs(v) < np.inf and not 0 < abs(v) < 0.1], dtype)
    info_f = np.finfo(dtype)
    extremes = (info_f.max, info_f.min, info_f.tiny, info_f.smallest_subnormal)
    with np.errstate(over="ignore"):
        return np.array((*_SPECIAL, *extremes), dtype)


def sprinkled(case: Case, arrays: Sequence[Array]) -> list[Array]:
    """`arrays` with edge values in about half of their places, where the case allows that."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    result = []
    for operand, array in zip(case.operands, arrays, strict=True):
        edges = edge_values(array.dtype.name, case.edges)
        if case.edges != "none" and operand.values is None and edges.size:
            shuffled = rng.permutation(np.resize(edges, array.size // 2 + 1))
            array = array.copy()
            places = rng.permutation(array.size)[: shuffled.size]
            array.reshape(-1)[places] = shuffled[: places.size]
        result.append(array)
    return result


def laid_out(array: Array, layout: str) -> Array:
    """The same values, otherwise in memory."""
    if array.ndim == 0:
        return array
    if layout == "strided":
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "reversed":
        return np.ascontiguousarray(array[::-1])[::-1]
    return np.asfortranarray(array) if layout == "turned" else np.ascontiguousarray(array)


def expected(case: Case, arguments: Sequence[Array]) -> Array:
    """What NumPy gives, without its warnings."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(case.reference(*arguments))


def assert_equal(case: Case, got: Array, want: Array, what: str, arguments: Sequence[Array]) -> None:
    """Same dtype, same shape, same NaNs, and numbers within the case's ulps."""
    what = f"{case} ({what})"
    assert (got.dtype, got.shape) == (want.dtype, want.shape), what
    if want.dtype.kind not in "fc":
        assert np.array_equal(got, want), f"{what} of {arguments}: {got}, NumPy gives {want}"
        return
    if case.signed_zeros and want.dtype.kind == "f":
        zero = (want == 0) & (got == 0)
        assert np.array_equal(np.signbit(got[zero]), np.signbit(want[zero])), f"{what}: the sign of a zero"
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(want), case.scale).astype(want.real.dtype))
        same |= np.abs(got - want) <= case.ulps * unit
    assert same.all(), f"{what} of {arguments}: {got[~same][:5]}, NumPy gives {want[~same][:5]}"


# ---- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_inferred_type_is_the_type_that_numpy_gives(case: Case) -> None:
    for dtype in case.dtypes:
        for which in range(len(case.shapes)):
            want = expected(case, case.arguments(dtype, which))
            known = case.build(*case.inputs(dtype, which)).type
            unknown = case.build(*case.inputs(dtype)).type
            assert known.dtype == unknown.dtype == want.dtype.name, dtype
            for inferred in (known, unknown):
                assert inferred.accepts(TensorType(want.dtype.name, want.shape)), (dtype, inferred)
            if case.exact_shape:
                assert known.shape == want.shape, dtype


@pytest.mark.parametrize("op", [*elementwise.TABLE, *special.TABLE], ids=lambda op: op.name)
def test_an_elementwise_op_takes_the_dtypes_that_numpy_takes_and_gives_the_same(op: Elementwise) -> None:
    by_name = next(case.reference for case in CASES if case.build is op)
    some = ("bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64", "complex128")
    combinations: list[tuple[str, ...]] = {
        1: [(a,) for a in ALL],
        2: [(a, b) for a in some for b in some],
        3: [("bool", a, b) for a in some for b in some],
    }[op.arity]
    for dtypes in combinations:
        if op.name in ("sigmoid", "softplus", "polygamma", "sinc") and not set(dtypes) <= {"float32", "float64"}:
            continue  # of other dtypes they have rules of their own: float64 of integers, float16 of float16
        types = [TensorType(d, (1,)) for d in dtypes]
        if not takes(by_name, dtypes):
            with pytest.raises(GraphTypeError):
                op.infer(*types)
            continue
        with np.errstate(all="ignore"):
            want = np.asarray(by_name(*(np.ones(1, d) for d in dtypes))).dtype.name
        assert op.infer(*types)[0].dtype == want, dtypes


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_interpreter_computes_what_numpy_computes(case: Case) -> None:
    for dtype in case.dtypes:
        inputs = case.inputs(dtype)
        graph = Graph(tuple(inputs), (case.build(*inputs),))
        for which in range(len(case.shapes)):
            plain = case.arguments(dtype, which)
            for arguments in (plain, sprinkled(case, plain)):
                (got,) = interpret(graph, arguments)
                assert_equal(case, got, expected(case, arguments), dtype, arguments)


def _in_one_function(cases: Sequence[Case], dtype: str) -> Machine:
    """All `cases` as the outputs of one function: the C compiler starts once."""
    inputs = [case.inputs(dtype) for case in cases]
    outputs = [case.build(*variables) for case, variables in zip(cases, inputs, strict=True)]
    flat = [v for variables in inputs for v in variables]
    return _compiled(flat, outputs)


def _compiled(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Machine:
    """The optimised program, for extents that may differ, compiled without a warning."""
    graph = optimize(Graph(tuple(inputs), tuple(outputs)), mode("fast_run"))
    program = built(graph.inputs, graph.outputs, general=True)
    before = graphlab.num_threads()
    graphlab.set_num_threads(1)  # the text in one part: in each of several some function would not be used
    try:
        with graphlab.using(cc=(*graphlab.options().cc, "-Wall", "-Wextra", "-Werror")):
            return program.machine
    finally:
        graphlab.set_num_threads(before)


def _rounds(cases: Sequence[Case], dtype: str) -> Iterator[tuple[str, list[list[Array]]]]:
    """Sets of arguments for all cases: every layout, every set of shapes, with and without edge values."""
    for turn in range(max(len(case.shapes) for case in cases)):
        for layout in LAYOUTS if turn == 0 else LAYOUTS[1:3]:
            plain = [case.arguments(dtype, turn % len(case.shapes)) for case in cases]
            edged = [sprinkled(case, arguments) for case, arguments in zip(cases, plain, strict=True)]
            for label, arrays in (("plain", plain), ("edges", edged)):
                yield f"{layout}, {label}", [[laid_out(a, layout) for a in arguments] for arguments in arrays]


def _enough(graphs: Iterable[tuple[Case, list[Variable]]], exactly: bool) -> list[Case]:
    """The first cases with an op (`exactly` with these axes and the like) on dtypes that none before has."""
    met: set[Any] = set()
    chosen = []
    for case, outputs in graphs:
        nodes = toposort(outputs)
        ops = {(n.op if exactly else _kind(n.op), tuple(v.dtype for v in n.inputs)) for n in nodes}
        if ops - met:
            chosen.append(case)
        met |= ops
    return chosen


def _kind(op: base.Op) -> Any:
    """An elementwise op itself, else the class of an op."""
    return op if isinstance(op, Elementwise) else type(op).__name__


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_elementwise_ops_of_scalars_give_scalars(dtype: str) -> None:
    cases = [c for c in CASES if isinstance(c.build, Elementwise) and dtype in c.dtypes and c.edges == "all"]
    inputs = [[T.tensor(o.dtype or dtype, (), "x") for o in case.operands] for case in cases]
    function = _compiled(
        [v for variables in inputs for v in variables], [case.build(*v) for case, v in zip(cases, inputs, strict=True)]
    )
    values = edge_values(dtype, "all")
    for first in values:
        drawn = [[first, values[k % len(values)], first][: len(case.operands)] for k, case in enumerate(cases)]
        arguments = [
            [np.asarray(v).astype(o.dtype or dtype) for o, v in zip(case.operands, scalars, strict=True)]
            for case, scalars in zip(cases, drawn, strict=True)
        ]
        results = function.call([a for scalars in arguments for a in scalars])
        for case, operands, got in zip(cases, arguments, results, strict=True):
            assert_equal(case, np.asarray(got), expected(case, operands), "scalar", operands)


# Of float64 there are more, in parts: the time of the C compiler grows faster than what it is given.
PARTS = [(dtype, k, 4 if dtype == "float64" else 1) for dtype in DTYPES for k in range(4 if dtype == "float64" else 1)]


@pytest.mark.parametrize(("dtype", "part", "parts"), PARTS)
def test_compiled_code_computes_what_numpy_computes(dtype: str, part: int, parts: int) -> None:
    # What is composed of ops that were seen stays out.
    graphs = ((case, [case.build(*case.inputs(dtype))]) for case in CASES if dtype in case.dtypes)
    cases = _enough(graphs, exactly=dtype == "float64")[part::parts]
    function = _in_one_function(cases, dtype)
    wrong = []
    for label, arguments in _rounds(cases, dtype):
        results = function.call([a for operands in arguments for a in operands])
        for case, operands, got in zip(cases, arguments, results, strict=True):
            try:
                assert_equal(case, got, expected(case, operands), f"{dtype}, {label}", operands)
            except AssertionError as error:
                wrong.append(str(error).strip())
    assert not wrong, "\n".join(wrong)


# ---- derivatives ---------------------------------------------------------------------------------

SMOOTH = [case for case in CASES if case.differentiable and "float64" in case.dtypes]


def _keeping(dtype: str) -> list[Case]:
    """The differentiable cases that make floats of `dtype` of such floats."""
    return [c for c in SMOOTH if dtype in c.dtypes and c.build(*c.inputs(dtype)).dtype == dtype]


def _by_floats(case: Case, dtype: str = "float64") -> tuple[list[Array], list[int]]:
    """The arguments, and which of them are floats (or complex) by which the case can be differentiated."""
    arguments = case.arguments(dtype)
    return arguments, [i for i, a in enumerate(arguments) if a.dtype == dtype]


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_the_gradient_is_what_finite_differences_give(case: Case) -> None:
    _check_gradient(case, "float64")


# SciPy has the derivative of digamma, trigamma, for real numbers only.
@pytest.mark.parametrize("case", [c for c in SMOOTH if "complex128" in c.dtypes and c.name != "digamma"], ids=str)
def test_the_gradient_by_complex_numbers_is_what_finite_differences_give(case: Case) -> None:
    _check_gradient(case, "complex128")


def _check_gradient(case: Case, dtype: str) -> None:
    arguments, floats = _by_floats(case, dtype)

    def of_floats(*variables: Variable) -> Variable:
        full: list[Any] = list(arguments)
        for i, v in zip(floats, variables, strict=True):
            full[i] = v
        return case.build(*full)

    verify_grad(of_floats, [arguments[i] for i in floats])


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_the_second_derivative_is_what_finite_differences_of_the_gradient_give(case: Case) -> None:
    # d/dt <w, G(x + t d)> at t = 0, for the gradient G of a projection of the result.
    arguments, floats = _by_floats(case)
    inputs = case.inputs("float64")
    output = case.build(*inputs)
    wrt = [inputs[i] for i in floats]
    rng = np.random.default_rng(11)
    shape = interpret(Graph(tuple(inputs), (output,)), arguments)[0].shape
    projected = output * (rng.uniform(0.5, 1.5, shape) - (0.7j if output.dtype in COMPLEX else 0))
    first = grad(T.real(projected).sum(), wrt, disconnected_inputs="ignore")
    weights, along = ([rng.normal(size=arguments[i].shape) for i in floats] for _ in range(2))
    slope = sum(((g * w).sum() for g, w in zip(first, weights, strict=True)), start=T.constant(0.0))
    second = grad(slope, wrt, disconnected_inputs="ignore")
    graph = Graph(tuple(inputs), (slope, *second))

    def moved(step: float) -> list[Array]:
        shift = dict(zip(floats, along, strict=True))
        return [a + step * shift[i] if i in shift else a for i, a in enumerate(arguments)]

    _, *analytic = interpret(graph, arguments)
    numeric = sum(sign * float(interpret(graph, moved(sign * 1e-6))[0]) / 2e-6 for sign in (1, -1))
    want = sum(float((s * d).sum()) for s, d in zip(analytic, along, strict=True))
    assert numeric == pytest.approx(want, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("case", _keeping("float64"), ids=str)
def test_forward_and_reverse_mode_agree(case: Case) -> None:
    # <g, J t> = <J^T g, t> for any g and t.
    arguments, floats = _by_floats(case)
    inputs = case.inputs("float64")
    output = case.build(*inputs)
    rng = np.random.default_rng(7)
    (value,) = interpret(Graph(tuple(inputs), (output,)), arguments)
    wrt = [inputs[i] for i in floats]
    along = [rng.normal(size=arguments[i].shape) for i in floats]
    weights = rng.normal(size=value.shape)
    moved = jvp(output, wrt, along)
    pulled = vjp(output, wrt, weights)
    forward, *reverse = interpret(Graph(tuple(inputs), (moved, *pulled)), arguments)
    assert forward.shape == value.shape
    want = sum(float((r * t).sum()) for r, t in zip(reverse, along, strict=True))
    np.testing.assert_allclose(float((forward * weights).sum()), want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", _keeping("float32"), ids=str)
def test_a_gradient_has_the_dtype_and_rank_of_its_input(case: Case) -> None:
    variables = case.inputs("float32")
    inputs = [v for v in variables if v.dtype == "float32"]
    output = case.build(*variables)
    for v, g in zip(inputs, grad(output.sum(), inputs, disconnected_inputs="ignore"), strict=True):
        assert (g.dtype, g.ndim) == ("float32", v.ndim)


def _pulled(case: Case) -> tuple[list[Variable], list[Variable]]:
    """The inputs of a case, and the gradient by those that are floats."""
    inputs = case.inputs("float64")
    wrt = [inputs[i] for i in _by_floats(case)[1]]
    return inputs, grad(case.build(*inputs).sum(), wrt, disconnected_inputs="ignore")


def test_compiled_gradients_are_those_of_the_interpreter() -> None:
    cases = _enough(((case, _pulled(case)[1]) for case in _keeping("float64")), exactly=False)
    flat, outputs, arguments, owners = list[Variable](), list[Variable](), list[Array](), list[Case]()
    for case in cases:
        inputs, pulled = _pulled(case)
        flat, arguments = flat + inputs, arguments + case.arguments("float64")
        outputs, owners = outputs + pulled, owners + [case] * len(pulled)
    wanted = interpret(Graph(tuple(flat), tuple(outputs)), arguments)
    for case, got, want in zip(owners, _compiled(flat, outputs).call(arguments), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12, err_msg=str(case))


# ---- nothing is forgotten ------------------------------------------------------------------------


# Random numbers have a test of their own: their types, values, streams and distributions are in test_random.py.
ELSEWHERE = {"Draw"}


def test_every_op_is_in_the_table() -> None:
    met: set[Any] = set()
    for case in CASES:
        inputs = case.inputs(case.dtypes[0])
        outputs = [case.build(*inputs)]
        wrt = [v for v in inputs if v.dtype == "float64"]
        if case.differentiable and wrt and outputs[0].dtype == "float64":
            outputs += grad(outputs[0].sum(), wrt, disconnected_inputs="ignore")
        for node in toposort(outputs):
            met.add(_kind(node.op))
    concrete = {name for name, kind in registry.classes().items() if not kind.__subclasses__()}
    assert concrete - met == ELSEWHERE
    assert {op.name for op in set(registry.elementwise().values()) - met} == set()


def test_max_of_nothing_is_an_error_in_the_interpreter() -> None:
    x = graphlab.tensor.dmatrix("x")
    for build in (reduce.max, reduce.min, reduce.argmax):
        graph = Graph((x,), (build(x, axis=0),))
        with pytest.raises(GraphValueError, match=r"zero-size|empty"):
            interpret(graph, [np.zeros((0, 3))])
