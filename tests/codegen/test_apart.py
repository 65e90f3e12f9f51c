"""Long programs are compiled in parts: what comes out is the same program, and nothing else can be told apart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.callable import Function
from graphlab.codegen.apart import LEAST, apart
from graphlab.errors import CompilerError
from graphlab.options import options, using
from graphlab.runtime import compiler
from graphlab.runtime.build import build
from graphlab.runtime.listing import VECTORIZED, Listing, listing

X = np.random.default_rng(0).standard_normal((40, 70))


@pytest.fixture(scope="module")
def long_function() -> Function:
    """Two long kernels."""
    x = T.dmatrix("x")
    return graphlab.function([x], T.log_softmax(T.softmax(x, axis=1).cumsum(axis=0), axis=1))


def with_threads(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "num_threads", lambda: number)


def test_each_kernel_is_compiled_once_and_stands_in_its_line(long_function: Function) -> None:
    text = long_function.c_source
    texts = apart(text, 2)
    assert len(texts) == 2
    kernels = set(re.findall(r"^static int (kernel_\w+)\(", text, re.MULTILINE))
    defined = [re.findall(r"^.*\bint (kernel_\w+)\([^;\n]*\{$", part, re.MULTILINE) for part in texts]
    assert sorted(name for names in defined for name in names) == sorted(kernels)
    rows = text.splitlines()
    for part in texts:
        for row, whole in zip(part.splitlines(), rows, strict=False):
            assert row in ("", whole) or row.removeprefix('__attribute__((visibility("hidden"))) ') in (
                whole.removeprefix("static "),
                whole.removeprefix("static ").removesuffix(" {") + ";",
            )


def test_short_programs_and_one_thread_mean_one_text(long_function: Function) -> None:
    x = T.dmatrix("x")
    short = graphlab.function([x], [x + 1, x.sum(0)]).c_source
    assert apart(short, 8) == (short,)
    assert apart(long_function.c_source, 1) == (long_function.c_source,)
    longest = sum(part.count("\n") for part in apart(long_function.c_source, 100))
    assert longest / LEAST > len(apart(long_function.c_source, 100))


def test_a_kernel_that_is_called_by_name_stays_where_its_caller_is(long_function: Function) -> None:
    text = long_function.c_source
    first = re.findall(r"^static int (kernel_\w+)\(", text, re.MULTILINE)[0]
    called = text + f"int direct(void) {{\n  return {first}(0, 0, 0);\n}}\n"
    for part in apart(called, 2)[1:]:
        assert f"{first}(const int64_t" not in part
    assert f"static int {first}(const int64_t" in apart(called, 2)[0]


def test_the_instructions_and_the_remarks_do_not_depend_on_the_parts(
    long_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed(threads: int) -> Listing:
        from graphlab.runtime import listing as module

        module._listing.cache_clear()
        with_threads(threads, monkeypatch)
        return listing(long_function.c_source)

    one, two = listed(1), listed(2)
    assert one.notes == two.notes
    assert any(note.kind == VECTORIZED for note in one.notes)
    for name in re.findall(r"^static int (kernel_\w+)\(", long_function.c_source, re.MULTILINE):
        lines = [[i.lines for i in found.instructions if i.function == name] for found in (one, two)]
        names = [[i.text.split()[0] for i in found.instructions if i.function == name] for found in (one, two)]
        least = min(map(len, names))  # what is left is padding
        assert least > 20
        assert lines[0][: least - 16] == lines[1][: least - 16]
        assert names[0][: least - 16] == names[1][: least - 16]


def test_results_do_not_depend_on_the_parts(
    long_function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for threads in (1, 2):
        with_threads(threads, monkeypatch)
        with using(cache_dir=tmp_path / str(threads)):
            assert not build(long_function.c_source).cached
            results.append(graphlab.function(long_function.inputs, long_function.graph.outputs[0])(X))
    assert results[0].tobytes() == results[1].tobytes()
    np.testing.assert_allclose(results[1], long_function(X))


def test_an_error_in_a_part_is_an_error(
    long_function: Function, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_threads(2, monkeypatch)
    found = compiler.find_compiler(options().cc)
    texts = apart(long_function.c_source, 2)
    inside = texts[1].splitlines()
    number = next(k for k, row in enumerate(inside) if row.startswith("__attribute__") and row.endswith("{"))
    rows = long_function.c_source.splitlines()
    rows[number + 1] += " broken here;"
    with pytest.raises(CompilerError, match=rf"failed with status 1\n<stdin>:{number + 2}:"):
        compiler.compile_c(found, "\n".join(rows) + "\n", tmp_path / "x.so", 60)
    assert not (tmp_path / "x.so").exists()
