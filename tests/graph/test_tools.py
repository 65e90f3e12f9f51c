"""Graphs asked and changed: ancestors, inputs, applications, clone_replace, eval; and the scopes of names."""

from __future__ import annotations

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphTypeError, GraphValueError, MissingInputError
from graphlab.graph.tools import ancestors, applies_of, clone_replace, inputs_of

x, y = T.dvectors("x", "y")


class TestQuestions:
    def test_ancestors_come_once_and_inputs_first(self) -> None:
        a = T.exp(x)
        b = a + a
        assert ancestors(b) == [x, a, b]
        assert ancestors([b, y, a]) == [x, a, b, y]
        assert ancestors(b, stop=[a]) == [a, b]

    def test_inputs_are_the_leaves_of_every_kind(self) -> None:
        w = graphlab.shared(1.0, "w")
        found = inputs_of([x * w + 2, x])
        assert found[:2] == [x, w]
        assert float(found[2].data) == 2.0
        assert inputs_of(T.exp(x) + y, stop=T.exp(x)) == [x, y]  # another exp(x): not in this graph

    def test_applications_come_after_what_they_read(self) -> None:
        made = applies_of(T.log(T.exp(x) + y))
        assert [n.op.name for n in made] == ["exp", "add", "log"]
        assert applies_of(x) == []

    def test_only_variables_can_be_asked(self) -> None:
        with pytest.raises(GraphTypeError, match="asked of variables, got str"):
            ancestors("x")
        with pytest.raises(GraphTypeError, match="got ndarray"):
            inputs_of([np.ones(3)])


class TestCloneReplace:
    def test_replacements_happen_at_once(self) -> None:
        swapped = clone_replace(x - 2 * y, {x: y, y: x})
        np.testing.assert_array_equal(swapped.eval({x: [1.0], y: [10.0]}), [8.0])

    def test_computed_variables_can_be_replaced_and_the_old_graph_stays(self) -> None:
        inner = T.exp(x)
        outer = inner * 2 + y
        np.testing.assert_array_equal(clone_replace(outer, {inner: y}).eval({y: [5.0]}), [15.0])
        np.testing.assert_allclose(outer.eval({x: [0.0], y: [5.0]}), [7.0])

    def test_what_does_not_depend_on_them_is_shared(self) -> None:
        kept = T.sin(y)
        changed = clone_replace([kept, T.exp(x)], {x: y})
        assert changed[0] is kept

    def test_structures_names_and_data(self) -> None:
        z = x * 2
        z.name = "z"
        assert clone_replace(z, [(x, y)]).name == "z"
        assert isinstance(clone_replace((z, x), {x: y}), tuple)
        np.testing.assert_array_equal(clone_replace({"z": z}, {x: [1, 2]})["z"].eval(), [2.0, 4.0])
        assert clone_replace(z) is z

    def test_shared_variables_can_be_replaced(self) -> None:
        w = graphlab.shared(np.ones(2), "w")
        np.testing.assert_array_equal(clone_replace(w * 3, {w: x}).eval({x: [2.0]}), [6.0])

    @pytest.mark.parametrize(
        ("new", "words"),
        [
            (T.fvector("f"), "x: float64[?] can't be replaced by f: float32[?]"),
            (T.dmatrix("m"), "by m: float64[?,?]"),
            (1 + 2j, "by (1+2j): complex128"),
        ],
    )
    def test_types_must_fit_and_the_error_names_both(self, new: object, words: str) -> None:
        with pytest.raises(GraphTypeError) as caught:
            clone_replace(x + 1, {x: new})
        assert words in str(caught.value)
        assert "test_tools.py" in str(caught.value)

    def test_names_are_no_variables(self) -> None:
        with pytest.raises(GraphTypeError, match="only variables are replaced, got str"):
            clone_replace(x, {"x": y})

    def test_an_extent_that_becomes_known_refines_the_result(self) -> None:
        assert clone_replace(x + 1, {x: T.tensor("float64", (3,), "v")}).type.shape == (3,)

    def test_givens_speak_the_same(self) -> None:
        with pytest.raises(GraphTypeError, match="givens: x: float64\\[\\?\\] can't be replaced by m"):
            graphlab.function([], x.sum(), givens={x: T.dmatrix("m")})


class TestEval:
    def test_inputs_are_given_by_variable_or_by_name(self) -> None:
        both = x + y
        np.testing.assert_array_equal(both.eval({"x": [1.0], y: [2.0]}), [3.0])
        assert T.constant(3.0).eval() == 3.0
        np.testing.assert_array_equal(x.eval({x: [1.0], y: [0.0]}), [1.0])  # what is not needed is ignored

    def test_a_name_must_be_that_of_one_input(self) -> None:
        with pytest.raises(GraphValueError, match="eval: no inputs are named 'z'") as caught:
            (x + y).eval({"z": 1.0})
        assert "x: float64[?], y: float64[?]" in str(caught.value)
        with pytest.raises(GraphValueError, match="eval: 2 inputs are named 'x'"):
            (x + T.dvector("x")).eval({"x": [1.0]})
        with pytest.raises(MissingInputError, match="need y"):
            (x + y).eval({x: [1.0]})


class TestScopes:
    def test_they_nest_and_end(self) -> None:
        with graphlab.name_scope("model"):
            a = T.exp(x)
            with graphlab.name_scope("layer1"):
                w, b = graphlab.shared(1.0), T.sin(a)
        assert (a.scope, b.scope, w.scope, (b + 1).scope) == (("model",), ("model", "layer1"), ("model", "layer1"), ())

    def test_they_end_with_an_error_too(self) -> None:
        with pytest.raises(ZeroDivisionError), graphlab.name_scope("model"):
            raise ZeroDivisionError
        assert T.exp(x).scope == ()

    @pytest.mark.parametrize("name", ["", "a//b", 3, None])
    def test_a_name_is_a_text(self, name: object) -> None:
        with pytest.raises(GraphTypeError, match="the name of a scope"), graphlab.name_scope(name):  # type: ignore[arg-type]
            pass

    def test_rules_and_gradients_stay_in_them(self) -> None:
        with graphlab.name_scope("layer1"):
            h = T.log(1 + x)  # becomes log1p
        cost = (h * y).sum()
        f = graphlab.function([x, y], [cost, *T.grad(cost, [x])])
        scopes = {n.op.name: n.provenance.scope for n in applies_of(f.optimized.outputs)}
        assert scopes["log1p"] == ("layer1",)
        assert scopes["sum"] == ()
        gradient = [n for n in applies_of(f.graph.outputs) if n.provenance.grad_of is h.owner]
        assert gradient
        assert all(n.provenance.scope == ("layer1",) for n in gradient)

    def test_equal_nodes_of_two_scopes_belong_to_what_is_around_both(self) -> None:
        with graphlab.name_scope("model"):
            with graphlab.name_scope("a"):
                a = T.exp(x)
            with graphlab.name_scope("b"):
                b = T.exp(x)
        scopes = {n.op.name: n.provenance.scope for n in applies_of(graphlab.optimize(a + b * y))}
        assert scopes == {"exp": ("model",), "multiply": (), "add": ()}
