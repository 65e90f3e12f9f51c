"""The C that is printed: its form, its line map, that compilers have nothing to say, that it never varies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from graphlab.codegen.c import emit
from graphlab.codegen.expressions import c_expr, c_operand
from graphlab.codegen.paste import header
from graphlab.dtypes import COMPLEX
from graphlab.graph.node import Graph, Shared, Variable
from graphlab.loops.ir import Cast, Formula, Literal, Name
from graphlab.lower import lower
from graphlab.ops import elementwise as e
from graphlab.ops import linalg, products, reduce, shape, special
from graphlab.ops.conversion import cast
from graphlab.options import options
from graphlab.runtime.compiler import FLAGS
from tests.lower.programs import built, var

GOLDENS = Path(__file__).parent / "goldens"
ROOT = Path(__file__).resolve().parents[2]


def compiles_cleanly(text: str, *flags: str) -> None:
    """Fails with what the compiler says, if it says anything."""
    command = [*options().cc, *FLAGS, "-Wall", "-Wextra", "-Werror", *flags, "-x", "c", "-", "-c", "-o", os.devnull]
    done = subprocess.run([c for c in command if c != "-shared"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- goldens -------------------------------------------------------------------------------------


def centred_exponentials() -> Graph:
    x, b, s = var("float64", None, None), var("float64", None), var("float32")
    y = e.multiply(e.subtract(x, b), 2.0)
    return Graph((x, b, s), (e.add(e.exp(y), s), y))


def row_distances() -> Graph:
    x, y = var("float32", None, None), var("float32", None, None)
    return Graph((x, y), (e.sqrt(reduce.sum(e.square(e.subtract(x, y)), axis=1)),))


@pytest.mark.parametrize("make", [centred_exponentials, row_distances], ids=lambda make: make.__name__)
def test_the_c_is_the_golden(make: type) -> None:
    """To accept new C: GRAPHLAB_UPDATE_GOLDENS=1 pytest tests/codegen, then read the difference."""
    text = emit(lower(make()).program).text.replace(header("gl_abi.h"), "")
    path = GOLDENS / f"{make.__name__}.c"
    if os.environ.get("GRAPHLAB_UPDATE_GOLDENS"):
        path.write_text(text)
    assert text == path.read_text()


# ---- compilers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64", "complex64"])
def test_the_c_of_every_reduction_has_no_warnings(dtype: str) -> None:
    x = var(dtype, None, None)
    kinds = (reduce.Sum, products.Prod, reduce.Max, reduce.Min, reduce.Any_, reduce.All_)
    outputs = [
        k(axes)(o)
        for k in kinds
        for axes in ((0,), (1,), (0, 1))
        for o in (x, cast(x, "complex128" if dtype in COMPLEX else "float64"))
    ]
    compiles_cleanly(emit(lower(Graph((x,), tuple(outputs))).program).text)


def test_the_c_of_calls_copies_and_nothing_at_all_has_no_warnings() -> None:
    x, y, w = var("float64", None, None), var("float64", 1, 1), Shared(np.ones((2, 2)))
    outputs = (linalg.dot(shape.transpose(x), w), x, special.polygamma(1, x), e.exp(y))
    compiles_cleanly(emit(lower(Graph((x, y), outputs)).program).text)
    compiles_cleanly(emit(lower(Graph((), ())).program).text)


@pytest.mark.parametrize("between", ["int8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [e.sin, e.tanh, e.negative, e.copysign])
def test_integers_have_no_negative_zero(function: e.Elementwise, dtype: str, between: str) -> None:
    """gcc 12 takes a cast to an integer and back for trunc: gl_math.h."""
    x = var(dtype, None)
    whole = cast(cast(x, between), dtype)
    y = e.copysign(1.0, whole) if function is e.copysign else function(whole)
    for n in (1, 3, 40):
        (got,) = built([x], [y])(np.full(n, -0.34, dtype))
        assert not np.signbit(got).any() if function is not e.negative else np.signbit(got).all()


# ---- the line map ----------------------------------------------------------------------------------


def test_each_line_knows_the_nodes_it_computes() -> None:
    x, y = var("float64", None, None), var("float64", None)
    program = built([x, y], [reduce.sum(e.exp(e.multiply(e.tanh(x), y)), axis=0), e.negative(e.sin(y))])
    text, lines = program.source.text.splitlines(), program.source.lines
    assert len(text) == len(lines)
    place = {n: k for info in program.lowered.kernels for k, n in enumerate(info.nodes)}
    sign = {"exp": "gl_exp_float64(", "multiply": " * ", "tanh": "gl_tanh_float64(", "sin": "_sin_float64("}
    sign["negative"] = "-"
    seen = set[int]()
    for line, nodes in zip(text, lines, strict=True):
        found = re.match(r"\s*const \w+ v(\d+) = (.*);", line)
        if found:
            (number,) = nodes
            assert place[program.lowered.nodes[number]] == int(found[1])
            assert sign.get(program.lowered.nodes[number].op.name, "total") in found[2]
            seen.add(number)
        load = re.match(r"\s*const \w+ x(\d+) = ", line)
        if load:
            assert all(x in program.lowered.nodes[n].inputs or y in program.lowered.nodes[n].inputs for n in nodes)
            assert nodes
    assert seen == set(range(len(program.lowered.nodes)))


def test_spans_tell_where_each_step_is() -> None:
    x = var("float64", None, None)
    program = built([x], [reduce.sum(e.exp(linalg.dot(x, x)))])
    text = program.source.text.splitlines()
    names = [step.name for step in program.lowered.program.steps]
    assert names == ["matmul_0", "kernel_0"]
    assert list(program.source.spans) == names
    for name, spans in program.source.spans.items():
        assert f"/* {name} */" in text[spans[-1][0] - 1]
        for _, last in spans[:-1]:
            assert text[last - 1] == "}"
            assert text[last] == ""
    halved, block, kernel, row = program.source.spans["kernel_0"]
    assert text[halved[0] - 1].startswith("static __attribute__((noinline)) double fold_0_halved(")
    assert text[block[0] - 1].startswith("static __attribute__((noinline)) double fold_0_block(")
    assert text[kernel[0] - 1] == "/* kernel_0: exp, sum */"
    assert text[row[0] - 1].startswith("  {run_kernel_0, ")


# ---- what steps share --------------------------------------------------------------------------------


def layers(count: int, factors: Sequence[float]) -> tuple[Variable, Variable]:
    """The input and output of layers that multiply, then scale: a kernel each."""
    x = y = var("float64", 2, 2)
    for factor in factors[:count]:
        y = e.multiply(e.tanh(linalg.dot(y, y)), factor)
    return x, y


def test_kernels_that_do_the_same_are_one_function() -> None:
    x, y = layers(3, [0.5, 0.5, 0.25])
    program = built([x], [y])
    text = program.source.text
    assert [k.name for k in program.lowered.kernels] == ["kernel_0", "kernel_1", "kernel_2"]
    assert re.findall(r"^static int (kernel_\d+)", text, re.MULTILINE) == ["kernel_0", "kernel_2"]
    assert re.findall(r"\{run_(kernel_\d+)", text) == ["kernel_0", "kernel_0", "kernel_2"]
    want = value = np.array([[1.0, 0.5], [-0.5, 0.25]])
    for factor in (0.5, 0.5, 0.25):
        want = np.tanh(want @ want) * factor
    np.testing.assert_allclose(program(value)[0], want, rtol=1e-14)


def test_a_shared_line_knows_the_node_of_each_step_by_its_position() -> None:
    x, y = layers(2, [0.5, 0.5])
    program = built([x], [y])
    source, text = program.source, program.source.text.splitlines()
    first, second = (s.nodes for s in program.lowered.program.steps if s.name.startswith("kernel"))
    for position in range(2):
        found = [
            nodes for line, nodes in zip(text, source.lines, strict=True) if f"double v{position} = " in line and nodes
        ]
        assert found
        assert set(found) == {(first[position], second[position])}
    assert source.spans["kernel_0"][0] == source.spans["kernel_1"][0]
    assert source.spans["kernel_0"][1] != source.spans["kernel_1"][1]


def test_numbers_that_only_compare_equal_are_not_shared() -> None:
    x, y = layers(4, [0.0, -0.0, float("nan"), float("nan")])
    text = built([x], [y]).source.text
    assert re.findall(r"\{run_(kernel_\d+)", text) == ["kernel_0", "kernel_1", "kernel_2", "kernel_2"]


def test_folds_of_one_rule_share_their_function() -> None:
    x, y = var("float64", None), var("float64", None, None)
    outputs = [reduce.sum(e.exp(x)), reduce.sum(y, axis=1), reduce.max(x), reduce.sum(cast(x, "float32"))]
    text = built([x, y], outputs).source.text
    assert re.findall(r"^static .*(double|float) (fold_\d+_block)", text, re.MULTILINE) == [
        ("double", "fold_0_block"), ("double", "fold_1_block"), ("float", "fold_2_block"),
    ]  # fmt: skip


# ---- text ----------------------------------------------------------------------------------------


def test_user_text_never_reaches_c() -> None:
    x = var("float64", None)
    x.name = 'evil */ system("rm")'
    y = e.exp(x)
    y.name = "worse\n#include <x>"
    text = built([x], [y]).source.text
    assert "evil" not in text
    assert "worse" not in text


def test_the_text_is_the_same_in_every_process() -> None:
    code = (
        "from tests.codegen.test_c import *; import hashlib;"
        "t = emit(lower(centred_exponentials()).program).text + emit(lower(row_distances()).program).text;"
        "print(hashlib.sha256(t.encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1


def test_only_the_helpers_in_use_are_pasted() -> None:
    x = var("float64", None)
    text = built([x], [e.sigmoid(x)]).source.text
    assert set(re.findall(r"^GL_FN \w+ (gl_\w+)", text, re.MULTILINE)) == {
        "gl_bits_float64", "gl_exp_parts_float64", "gl_exp_tail_float64", "gl_from_bits_float64", "gl_raised_float64",
        "gl_sigmoid_float64",
    }  # fmt: skip
    assert "double fabs(double);" in text
    assert "log1p" not in text


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (0.1, "float64", "0.1"), (-0.0, "float64", "-0.0"), (0.1, "float32", "0.1f"), (2.0, "float32", "2.0f"),
        (float("inf"), "float64", "__builtin_inf()"), (float("-inf"), "float32", "-__builtin_inff()"),
        (float("nan"), "float64", '__builtin_nan("")'), (1e300, "float64", "1e+300"), (True, "bool", "1"),
        (-(2**63), "int64", "(-9223372036854775807LL - 1)"), (2**64 - 1, "uint64", "18446744073709551615ULL"),
        (2**31, "uint32", "2147483648ULL"), (-(2**31), "int32", "-2147483648LL"), (-3, "int8", "-3"),
    ],
)  # fmt: skip
def test_numbers_are_written_exactly(value: float, dtype: str, text: str) -> None:
    assert c_expr(Literal(value, dtype)) == text


def test_operands_are_parenthesised_where_c_needs_it() -> None:
    a, b = Name("a"), Name("b")
    difference = Formula("{0} - {1}", (a, b), "float64")
    assert c_operand(difference) == "(a - b)"
    assert c_operand(Formula("({0} - {1})", (a, b), "float64")) == "(a - b)"
    assert c_operand(Formula("({0}) * ({1})", (a, b), "float64")) == "((a) * (b))"
    assert c_operand(Formula("exp({0})", (a,), "float64")) == "exp(a)"
    assert c_expr(Formula("-{0}", (Literal(-1.0, "float64"),), "float64")) == "-(-1.0)"
    assert c_expr(Cast(a, "float64", "int8")) == "gl_truncate_int8(a)"
    assert c_expr(Cast(a, "float64", "bool")) == "(a != 0)"
    assert c_expr(Cast(a, "bool", "float32")) == "(a ? 1.0f : 0.0f)"


def test_what_has_no_c_says_so() -> None:
    with pytest.raises(TypeError, match="no C for int"):
        c_expr(3)  # type: ignore[arg-type]
