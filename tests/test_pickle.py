"""Pickling and copying graphs and functions: what comes back computes the same and shares what was shared."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import In, shared
from graphlab.errors import GraphValueError
from graphlab.graph.node import Apply, Constant, Graph, Variable
from graphlab.graph.walk import ancestors, toposort
from graphlab.ops.ufunc import Elementwise

MODES = ["fast_run", "fast_compile", "interpret", "debug"]
BITS = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324])
BITS.view(np.uint64)[4] |= 0xBEEF  # a nan with a payload


def through(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def chain(depth: int) -> tuple[Variable, Variable]:
    x = y = T.dscalar("x")
    for _ in range(depth):
        y = y + 1
    return x, y


@pytest.mark.parametrize("again", [through, copy.copy, copy.deepcopy])
class TestFunctions:
    @pytest.mark.parametrize("mode", MODES)
    def test_computes_the_same_bits(self, again: Any, mode: str) -> None:
        x, w = T.dmatrix("x"), shared(np.linspace(-1, 1, 3), "w")
        y = T.tanh(x * w).sum(axis=1) + T.softmax(x, axis=-1)[:, ::2].prod(axis=1)
        f = graphlab.function([x], {"value": y, "slope": T.grad(y.sum(), x)}, mode=mode, name="energy")
        g, at = again(f), np.arange(6.0).reshape(2, 3)
        for key, value in f(at).items():
            assert g(at)[key].tobytes() == value.tobytes()
        assert (g.name, g.mode, g.origin) == ("energy", f.mode, f.origin)

    @pytest.mark.parametrize(
        "outputs", [lambda x: x + 1, lambda x: [x], lambda x: (x, x), lambda x: {2: x}, lambda x: None]
    )
    def test_structure_and_arguments_are_kept(self, again: Any, outputs: Any) -> None:
        x, y = T.fscalar("x"), T.dscalar("y")
        inputs = [In(x, allow_downcast=True), In(y, value=3.0, name="step")]
        f = graphlab.function(inputs, outputs(x + y), on_unused_input="ignore")
        assert repr(again(f)(np.float64(1.5), step=2)) == repr(f(np.float64(1.5), step=2))


class TestSharing:
    def test_functions_in_one_pickle_share_their_shared_variables(self) -> None:
        x, total = T.dscalar("x"), shared(0.0, "total")
        made = through({
            "add": graphlab.function([x], updates={total: total + x}),
            "read": graphlab.function([], total * 2),
            "total": total,
        })  # fmt: skip
        made["add"](5.0)
        assert made["read"]() == 10.0
        assert made["total"].get_value() == 5.0
        assert total.get_value() == 0.0

    def test_a_function_goes_on_from_its_state(self) -> None:
        count = shared(0, "count")
        f = graphlab.function([], count, updates={count: count + 1})
        f(), f()
        assert [int(through(f)()), int(f()), int(f())] == [2, 2, 3]

    def test_copy_shares_state_and_deepcopy_does_not(self) -> None:
        count = shared(0)
        f = graphlab.function([], count, updates={count: count + 1})
        near, far = copy.copy(f), copy.deepcopy(f)
        f(), near()
        assert (int(near()), int(far())) == (2, 0)

    def test_variables_of_one_pickle_belong_to_one_graph(self) -> None:
        x = T.dvector("x")
        y = T.exp(x)
        z = y.sum()
        x2, y2, z2 = through((x, y, z))
        assert z2.owner.inputs[0] is y2
        assert y2.owner.inputs[0] is x2
        assert graphlab.function([x2], z2, givens={y2: x2})([1.0, 2.0]) == 3.0


def nested() -> graphlab.Function:
    """A function of ops that hold graphs, and one that holds another op."""
    x, n = T.dvector("x"), T.dscalar("n")

    @graphlab.symbolic
    def squashed(v: Variable) -> Variable:
        return T.tanh(v) * 2

    steps = graphlab.scan(lambda s: squashed(s) + x, outputs_info=x, n_steps=3)
    steps = steps[0] if isinstance(steps, tuple) else steps
    chosen = graphlab.ifelse(n > 0, steps[-1].sum(), squashed(n))
    each = graphlab.vmap(lambda row: T.sort(row)[0] + n)(steps)
    return graphlab.function([x, n], [chosen, T.grad(chosen, x), each])


def drawing() -> graphlab.Function:
    stream = graphlab.RandomStream(7)
    return graphlab.function([], [stream.normal(size=2), stream.uniform()])


class TestLanguage:
    def test_loops_choices_and_symbolic_functions(self) -> None:
        f = nested()
        for sign in (1.0, -1.0):
            for got, want in zip(through(f)([0.5, -2.0], sign), f([0.5, -2.0], sign), strict=True):
                assert got.tobytes() == want.tobytes()

    def test_random_streams_go_on_from_their_state(self) -> None:
        f = drawing()
        f()
        g = through(f)
        for _ in range(2):
            for got, want in zip(g(), f(), strict=True):
                assert got.tobytes() == want.tobytes()


class TestVariables:
    def test_leaves_keep_all_that_is_known_of_them(self) -> None:
        x = T.tensor("float32", (None, 3), name="x")
        again = through(x)
        assert (again.type, again.name, again.origin) == (x.type, "x", x.origin)
        s = through(shared(np.ones((2, 3)), "s", shape=(2, None)))
        assert (str(s.type), s.name, s.get_value().tolist()) == ("float64[2,?]", "s", [[1, 1, 1]] * 2)
        c = through(Constant(BITS, "c"))
        assert c.data.tobytes() == BITS.tobytes()
        assert not c.data.flags.writeable

    def test_names_and_lines_inside_a_graph_are_kept(self) -> None:
        x = T.dvector("x")
        y = T.exp(x)
        y.name = "y"
        cost = y.sum()
        for old, new in zip(ancestors([cost]), ancestors([through(cost)]), strict=True):
            assert (old.name, old.origin, old.type) == (new.name, new.origin, new.type)

    def test_gradients_still_know_what_they_are_the_gradient_of(self) -> None:
        x = T.dvector("x")
        y, slope = through((y := T.tanh(x), T.grad(y.sum(), x)))
        assert any(node.provenance.grad_of is y.owner for node in toposort([slope]))

    def test_rewritten_graphs_keep_their_history(self) -> None:
        x = T.dvector("x")
        (y,) = through(graphlab.function([x], T.log(1 + x)).optimized).outputs
        assert y.owner.provenance.replaced.op.name == "log"

    def test_an_application_and_a_graph(self) -> None:
        x = T.dvector("x")
        node, graph = through((T.exp(x).owner, Graph((x,), (T.exp(x),))))
        assert isinstance(node, Apply)
        assert graph.outputs[0].owner.inputs[0] is graph.inputs[0] is node.inputs[0]

    def test_every_op_finds_itself_again(self) -> None:
        assert through(T.exp) is T.exp
        x = T.dmatrix("x")
        index = x[1 : T.lscalar("n"), None, -1].owner.op
        assert through(index) == index

    def test_an_elementwise_op_of_ones_own_is_pickled_if_its_functions_can_be(self) -> None:
        own = Elementwise("own", np.negative)
        assert through(own(T.dscalar("x"))).owner.op.name == "own"


class TestDepth:
    def test_ten_thousand_nodes_in_a_chain(self) -> None:
        x, y = chain(10_000)
        f = graphlab.function([x], y, mode="interpret")
        assert len(toposort([through(y)])) == 10_000
        assert len(toposort([copy.deepcopy(y)])) == 10_000
        assert through(f)(0.0) == 10_000

    def test_pickles_grow_with_the_graph_alone(self) -> None:
        sizes = [len(pickle.dumps(chain(n))) for n in (200, 400, 800)]
        assert (sizes[2] - sizes[1]) < 2.2 * (sizes[1] - sizes[0])


def test_a_function_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dvector("x")
    f = graphlab.function([x], x * 2)
    with monkeypatch.context() as older:
        older.setattr("graphlab.saving.pickling.PICKLED", 0)
        written = pickle.dumps(f)
    with pytest.raises(GraphValueError, match=r"has version 0, this graphlab reads 1(.|\n)*pickle it anew"):
        pickle.loads(written)


def test_another_process_can_load_it(tmp_path: Path) -> None:
    x, state = T.dvector("x"), shared(2.0, "state")
    f = graphlab.function([x], T.exp(x).sum() * state, updates={state: state + 1})
    f([0.0])
    (tmp_path / "f.pickle").write_bytes(pickle.dumps(f))
    program = "import pickle; print(float(pickle.load(open('f.pickle', 'rb'))([0.0, 0.0])))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(done.stdout) == 6.0
