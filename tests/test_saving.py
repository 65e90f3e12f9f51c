"""save and load: everything comes back, bit for bit, and no file however wrong does more than raise."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import GraphlabError, In, shared
from graphlab.errors import GraphTypeError
from graphlab.graph.closure import structure
from graphlab.graph.node import Constant, Graph
from graphlab.graph.walk import toposort
from graphlab.ops.base import Op
from graphlab.ops.elementwise import TABLE
from graphlab.rewrite.pipeline import MODES as NAMED_MODES
from graphlab.rewrite.rule import Rule
from graphlab.saving import registry
from graphlab.saving.archive import TEXT
from graphlab.saving.conform import conforms
from tests.ops.table import CASES
from tests.test_pickle import BITS, chain, drawing, nested

MODES = ["fast_run", "fast_compile", "interpret", "debug"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "thing.graph"


def through(thing: Any, path: Path) -> Any:
    graphlab.save(path, thing)
    return graphlab.load(path)


def energy(mode: str = "fast_run") -> graphlab.Function:
    x, w = T.dmatrix("x"), shared(np.linspace(-1, 1, 3), "w")
    y = T.tanh(x * w).sum(axis=1) + T.softmax(x, axis=-1)[:, None, ::2].prod(axis=(1, 2))
    outputs = {"value": y.astype("float32"), "slope": T.grad(y.sum(), x)}
    return graphlab.function([x], outputs, updates={w: w * 2}, mode=mode, name="energy")


class TestWhatComesBack:
    @pytest.mark.parametrize("mode", MODES)
    def test_functions_compute_the_same_bits(self, mode: str, path: Path) -> None:
        f = energy(mode)
        g, at = through(f, path), np.arange(6.0).reshape(2, 3)
        for _ in range(2):  # the second call sees the updated state
            for key, value in f(at).items():
                assert g(at)[key].tobytes() == value.tobytes() if key == "value" else True
            f.updated[0].set_value(g.updated[0].get_value())
        assert (g.name, g.mode, g.origin, g.c_source) == ("energy", f.mode, f.origin, f.c_source)

    def test_arguments_and_their_defaults(self, path: Path) -> None:
        x, y = T.fscalar("x"), T.dvector("y")
        f = graphlab.function([In(x, allow_downcast=True), In(y, value=[1, 2], name="to")], (x * y, x))
        g = through(f, path)
        assert repr(g(np.float64(0.1))) == repr(f(np.float64(0.1)))
        assert g(2.0, to=[5])[0].tolist() == [10.0]

    def test_plain_values(self, path: Path) -> None:
        values = [None, True, 3, -0.0, float("-inf"), 1 + 2j, "text \ud800 é", (1, (2,)), {"a": [1], (1, None): ()}]
        assert repr(through(values, path)) == repr(values)

    def test_arrays_bit_for_bit(self, path: Path) -> None:
        arrays = [BITS, np.array(2, "int8"), np.zeros((0, 3), "float16"), np.arange(6.0).reshape(2, 3).T[::-1],
                  np.arange(3, dtype=">i4"), np.array([True, False]), np.array([1 - 2j], "complex64")]  # fmt: skip
        for got, want in zip(through(arrays, path), arrays, strict=True):
            assert (got.dtype, got.shape) == (want.dtype.newbyteorder("="), want.shape)
            assert got.tobytes() == want.astype(want.dtype.newbyteorder("=")).tobytes()
            assert got.flags.writeable

    def test_constants_bit_for_bit(self, path: Path) -> None:
        y = through(T.dvector("x") * Constant(BITS, "c"), path)
        assert y.owner.inputs[1].data.tobytes() == BITS.tobytes()

    def test_variables_graphs_names_lines_and_history(self, path: Path) -> None:
        x = T.dvector("x")
        y = T.tanh(x)
        y.name = "y"
        graph = graphlab.function([x], T.log(1 + x)).optimized
        x2, y2, slope, g = through([x, y, T.grad(y.sum(), x), graph], path)
        assert (y2.owner.inputs[0], y2.name, y2.origin) == (x2, "y", y.origin)
        assert any(node.provenance.grad_of is y2.owner for node in toposort([slope]))
        assert isinstance(g, Graph)
        (made,) = toposort(g.outputs)
        assert (made.op, made.provenance.rule) == (T.log1p, "log(1 + x) -> log1p(x)")
        assert made.provenance.replaced is not None

    def test_what_is_shared_stays_shared(self, path: Path) -> None:
        x, total = T.dscalar("x"), shared(0.0, "total", shape=())
        add = graphlab.function([x], updates={total: total + x})
        add2, read2, total2 = through((add, graphlab.function([], total), total), path)
        add2(5.0)
        assert (read2(), total2.get_value(), total.get_value()) == (5.0, 5.0, 0.0)

    def test_loops_choices_and_symbolic_functions(self, path: Path) -> None:
        f = nested()
        g = through(f, path)
        for sign in (1.0, -1.0):
            for got, want in zip(g([0.5, -2.0], sign), f([0.5, -2.0], sign), strict=True):
                assert got.tobytes() == want.tobytes()

    def test_random_streams_go_on_from_their_state(self, path: Path) -> None:
        f = drawing()
        f()
        for got, want in zip(through(f, path)(), f(), strict=True):
            assert got.tobytes() == want.tobytes()

    def test_a_mode_with_chosen_rules(self, path: Path) -> None:
        x = T.dscalar("x")
        mode = NAMED_MODES["fast_run"].excluding("stable", "x * 1 -> x")
        assert through(graphlab.function([x], x + 0, mode=mode), path).mode == mode

    def test_ten_thousand_nodes_in_a_chain(self, path: Path) -> None:
        assert len(toposort([through(chain(10_000)[1], path)])) == 10_000

    def test_the_same_thing_makes_the_same_bytes(self, tmp_path: Path) -> None:
        f = energy()
        graphlab.save(tmp_path / "a", f)
        graphlab.save(str(tmp_path / "b"), graphlab.load(tmp_path / "a"))
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@dataclass(frozen=True)
class Own(Op):
    """Not one of graphlab's."""

    name = "own"

    def infer(self, *inputs: Any) -> Any:
        return inputs


class TestWhatCantBeSaved:
    @pytest.mark.parametrize(
        ("thing", "message"),
        [
            (lambda: Own()(T.dscalar("x")), "the op own of class Own can't be saved[\\s\\S]*pickle"),
            (lambda: {"a": object()}, r"<object object at .* \(object\) can't be saved"),
            (lambda: np.array([object()]), "an array of object can't be saved"),
            (lambda: print, "can't be saved"),
            (lambda: graphlab.function(
                [x := T.dscalar("x")], x, mode=NAMED_MODES["fast_run"].including(
                    Rule("x + x -> 2 * x", changes="rounding", find=lambda x: x + x, make=lambda x: 2 * x))),
             "a mode with rules of your own can't be saved"),
        ],
    )  # fmt: skip
    def test_is_named_and_leaves_the_old_file_alone(self, thing: Any, message: str, path: Path) -> None:
        graphlab.save(path, 1)
        with pytest.raises(GraphTypeError, match=message):
            graphlab.save(path, thing())
        assert graphlab.load(path) == 1
        assert os.listdir(path.parent) == [path.name]

    def test_a_failing_disk_leaves_nothing_behind(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        graphlab.save(path, 1)
        monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            graphlab.save(path, 2)
        monkeypatch.undo()
        assert (graphlab.load(path), os.listdir(path.parent)) == (1, [path.name])


def saved_text(path: Path) -> Any:
    x = T.dmatrix("x")
    y = x[:, 0].sum() + shared(np.ones(2), "s").astype("float64").sum() * 2.0
    graphlab.save(path, graphlab.function([x], [y, T.softmax(x, axis=1)], name="f", mode="interpret"))
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(TEXT))


def with_text(path: Path, text: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content if name != TEXT else text if isinstance(text, str) else json.dumps(text))


def changed(text: Any, where: str, value: Any) -> Any:
    """`text` with the entry at `where`, a path of keys and numbers, set to `value`."""
    *parents, last = [int(k) if k.lstrip("-").isdigit() else k for k in where.split()]
    inner = text
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return text


class TestWrongTexts:
    @pytest.mark.parametrize(
        ("where", "value", "message"),
        [
            ("version", 99, "version 99"),
            ("format", "other", "not written by graphlab.save"),
            ("extra", 1, "the file should have the entries"),
            ("applications 0 op", {"class": "Popen", "fields": {}}, "no op 'Popen'"),
            ("applications 0 op", {"class": "Op", "fields": {}}, "no op 'Op'"),
            ("applications 0 op", {"class": "Concatenate", "fields": {"axis": 7}}, "no axis 7"),
            ("applications 0 op", {"class": "Any_", "fields": {"axes": {"tuple": [-1]}, "keepdims": True}}, "axis -1"),
            ("applications 0 op", {"elementwise": "__class__"}, "no elementwise op '__class__'"),
            ("applications 0 op", {"class": "Cast", "fields": {"dtype": "float64; system()"}}, "should give"),
            ("applications 0 op", {"class": "Cast", "fields": {"dtype": 3}}, "its dtype can't be 3"),
            ("applications 0 op", {"class": "Cast", "fields": {"dtype": "int8", "name": "x"}}, "op Cast should have"),
            ("applications 0 inputs 0", [0, 0], "application 0 is not among the 0"),
            ("applications 0 inputs 0", [-1, 0], "application -1 is not among"),
            ("applications 0 inputs 0", 99, "leaf 99 is not among"),
            ("applications 0 inputs 0", True, "leaf True is not among"),
            ("applications 0 inputs 0", {"a": 1}, "leaf"),
            ("applications 0 types 0", ["object", []], "no type"),
            ("applications 0 types 0", ["float64", [None, 7]], "should give float64"),
            ("applications 0 types 0", ["float64", [-1]], "a shape holds"),
            ("applications 0 grad_of", 500, "application 500 is not among"),
            ("applications 0 names", ["a", "b"], "names should be a list of 1"),
            ("applications 0 origins 0", ["a", "b", 3], "an origin is"),
            ("leaves 0 kind", "file", "array None is not among"),
            ("leaves 1 array", 17, "array 17 is not among"),
            ("leaves 1 type", ["int32", []], "its array is"),
            ("object", {"import os": 1}, "no kind of value 'import os'"),
            ("object", {"array": 1, "tuple": []}, "makes no sense"),
            ("object function structure Structure kind", "single", "2 results .* can't be handed back"),
            ("object function graph Graph inputs", [], "the inputs of a function are not those"),
            ("object function specs", {"tuple": []}, "x: float64"),
            ("object function updated", {"tuple": [{"variable": 0}]}, "its updated can't be"),
            ("object function mode Mode rules", {"tuple": ["rule"]}, "its rules can't be"),
            ("object function structure Structure kind", "set", "can't be handed back"),
            ("object function name", None, "its name can't be None"),
        ],
    )  # fmt: skip
    def test_are_refused_with_the_reason(self, where: str, value: Any, message: str, path: Path) -> None:
        with_text(path, changed(saved_text(path), where, value))
        with pytest.raises(GraphlabError, match=message):
            graphlab.load(path)

    @pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 10_000, '{"format": NaN}', "[]", "null", "\ud800x"])
    def test_that_are_no_json(self, text: str, path: Path) -> None:
        saved_text(path)
        with_text(path, text.encode("utf-8", "surrogatepass").decode("latin-1"))
        with pytest.raises(GraphlabError, match="can't be loaded"):
            graphlab.load(path)

    def test_random_changes_never_raise_anything_else(self, path: Path) -> None:
        rng, text = random.Random(0), json.dumps(saved_text(path))
        pieces = [None, True, -1, 0, 1, 2**70, 0.5, "x", "float64", [], {}, [[0, 0]], {"tuple": [1]}, {"float": "nan"}]
        for _ in range(300):
            wrong = json.loads(text)
            inner, key = wrong, rng.choice(list(wrong))
            while isinstance(inner[key], dict | list) and inner[key] and rng.random() < 0.9:
                inner = inner[key]
                key = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            inner[key] = rng.choice(pieces)
            with_text(path, wrong)
            try:
                graphlab.load(path)
            except GraphlabError:
                pass


class TestWrongFiles:
    def test_cut_short_at_any_byte(self, path: Path) -> None:
        graphlab.save(path, [np.arange(100.0), "text"])
        whole = path.read_bytes()
        for n in range(0, len(whole), 37):
            path.write_bytes(whole[:n])
            with pytest.raises(GraphlabError, match="no whole zip"):
                graphlab.load(path)

    def test_a_flipped_bit_in_the_data_is_noticed(self, path: Path) -> None:
        graphlab.save(path, np.arange(100.0))
        whole = bytearray(path.read_bytes())
        whole[whole.index(np.float64(50).tobytes())] ^= 1
        path.write_bytes(whole)
        with pytest.raises(GraphlabError, match="CRC"):
            graphlab.load(path)

    def test_a_flipped_bit_of_the_end_is_noticed(self, path: Path) -> None:  # where the directory is said to be
        graphlab.save(path, np.arange(100.0))
        whole = path.read_bytes()
        for at in range(len(whole) - 6, len(whole) - 2):
            for bit in range(8):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :])
                with pytest.raises(GraphlabError, match="no whole zip"):
                    graphlab.load(path)

    @pytest.mark.parametrize("name", ["../escape", "/tmp/escape", "arrays/7.npy", "arrays/x.npy", TEXT])
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_entries_of_other_names(self, name: str, path: Path) -> None:
        graphlab.save(path, np.zeros(1))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, b"{}")
        with pytest.raises(GraphlabError, match="entries are not"):
            graphlab.load(path)

    def test_a_bomb_is_refused_before_it_goes_off(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(TEXT, b" " * 50_000_000)
        assert path.stat().st_size < 100_000
        with pytest.raises(GraphlabError, match="compressed"):
            graphlab.load(path)

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", "has 8 bytes"),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }", "array 0"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "dtype object"),
            ("{'descr': '|b1', 'fortran_order': False, 'shape': (8,), }", "neither true nor false"),
            ("__import__('os').abort()", "no readable header"),
        ],
    )
    def test_headers_of_arrays_that_lie(self, header: str, message: str, path: Path) -> None:
        content = io.BytesIO()
        np.lib.format.write_array(content, np.full(1, np.pi), version=(1, 0))
        npy = b"\x93NUMPY\x01\x00v\x00" + header.encode().ljust(117) + b"\n" + content.getvalue()[128:]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(TEXT, b"{}")
            archive.writestr("arrays/0.npy", npy)
        with pytest.raises(GraphlabError, match=message):
            graphlab.load(path)

    def test_a_file_that_is_not_there_is_an_os_error(self, path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            graphlab.load(path)


def meaning(op: Op) -> object:
    """Equal for ops that do the same, also if they hold graphs, which have an identity."""
    return (op.name, *(structure(graph) for graph in op.graphs)) if op.graphs else op


class TestRegistry:
    def test_every_op_in_the_table_comes_back(self, path: Path) -> None:
        made = [case.build(*case.inputs(case.dtypes[0])) for case in CASES]
        again = through(made, path)
        for case, old, new in zip(CASES, made, again, strict=True):
            before, after = toposort([old]), toposort([new])
            assert [meaning(n.op) for n in before] == [meaning(n.op) for n in after], case.name
            assert [v.type for n in before for v in n.outputs] == [v.type for n in after for v in n.outputs], case.name

    def test_every_op_of_graphlab_is_in_it(self) -> None:
        pending, names = [Op], set()
        while pending:
            kind = pending.pop()
            pending += kind.__subclasses__()
            if kind.__module__.startswith("graphlab."):
                names.add(kind.__name__)
        elementwise = {type(op).__name__ for op in registry.elementwise().values()}
        assert names - set(registry.classes()) - {"Around"} == {"Op", "OpWildcard"} | elementwise  # Around: of checks
        assert {op.name for op in TABLE} <= set(registry.elementwise())

    def test_fields_have_types_that_can_be_checked(self) -> None:
        for kind in registry.classes().values():
            for name, hint in registry.field_types(kind).items():
                assert not conforms(object(), hint), (kind, name)

    def test_conforming_is_strict(self) -> None:
        assert conforms(1, float)
        assert not conforms(True, float)
        assert not conforms("x", int | None)
        assert not conforms((1, "x"), tuple[int, ...])
        assert not conforms([1], tuple[int, ...])
