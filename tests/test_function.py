"""function(): calling, structures, updates, givens, arguments, and what a beginner's mistakes get."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab import In, Out, compiled, shared, using
from graphlab.errors import (
    GraphlabError,
    GraphShapeError,
    GraphTypeError,
    GraphValueError,
    MissingInputError,
    UnusedInputError,
)
from graphlab.graph.events import Fallback


class _Subclass(np.ndarray):
    """Treated as the array that it is."""


MODES = ["fast_run", "fast_compile", "interpret", "debug"]


@pytest.mark.parametrize("mode", MODES)
class TestCalling:
    def test_matrices_from_nested_lists(self, mode: str) -> None:
        a, b = T.matrix("A"), T.matrix("B")
        f = graphlab.function([a, b], a + b, mode=mode)
        result = f([[1, 2], [3, 4]], [[10, 20], [30, 40]])
        assert result.dtype == "float64"
        np.testing.assert_array_equal(result, [[11, 22], [33, 44]])

    def test_scalars_come_back_as_0d_arrays(self, mode: str) -> None:
        a, b = T.scalars("a", "b")
        result = graphlab.function([a, b], a + b, mode=mode)(1, 2)
        assert isinstance(result, np.ndarray)
        assert repr(result) == "array(3.)"

    def test_a_polynomial_and_its_gradient(self, mode: str) -> None:
        x = T.vector("x")
        y = 2 * x + x**3
        f = graphlab.function([x], [y, T.grad(y.sum(), x)], mode=mode)
        at = np.linspace(-2, 2, 7)
        y_value, slope = f(at)
        np.testing.assert_allclose(y_value, 2 * at + at**3, rtol=1e-14)
        np.testing.assert_allclose(slope, 2 + 3 * at**2, rtol=1e-14)

    def test_broadcasting_needs_no_declaration_and_gradients_sum_back(self, mode: str) -> None:
        x, y = T.matrix("x"), T.matrix("y")
        f = graphlab.function([x, y], [x + y, T.grad((x * y).sum(), y)], mode=mode)
        a, b = np.arange(9.0).reshape(3, 3), np.ones((3, 1))
        total, slope = f(a, b)
        np.testing.assert_array_equal(total, a + b)
        np.testing.assert_array_equal(slope, a.sum(axis=1, keepdims=True))

    def test_results_come_back_in_the_structure_of_the_outputs(self, mode: str) -> None:
        x = T.scalar("x")
        assert graphlab.function([x], {"double": 2 * x, "same": x}, mode=mode)(3.0) == {"double": 6.0, "same": 3.0}
        assert graphlab.function([x], (x, x + 1), mode=mode)(3.0) == (3.0, 4.0)
        assert graphlab.function([x], [x], mode=mode)(3.0) == [3.0]
        assert graphlab.function([x], None, mode=mode, on_unused_input="ignore")(3.0) == []
        assert graphlab.function([x], Out(x + 1, borrow=True), mode=mode)(3.0) == 4.0

    def test_arguments_by_name_and_defaults(self, mode: str) -> None:
        x, y = T.scalars("x", "y")
        f = graphlab.function([x, In(y, value=10.0, name="step")], x - y, mode=mode)
        assert f(1.0) == -9.0
        assert f(1.0, 2.0) == -1.0
        assert f(step=3.0, x=1.0) == -2.0

    def test_updates_are_simultaneous_and_see_old_values(self, mode: str) -> None:
        a, b = shared(1.0, "a"), shared(2.0, "b")
        f = graphlab.function([], [a, b], updates=[(a, b), (b, a + b)], mode=mode)
        assert f() == [1.0, 2.0]
        assert (a.get_value(), b.get_value()) == (2.0, 3.0)
        assert f() == [2.0, 3.0]
        assert (a.get_value(), b.get_value()) == (3.0, 5.0)

    def test_a_training_step_lowers_the_loss(self, mode: str) -> None:
        rng = np.random.default_rng(0)
        data = rng.normal(size=(64, 5))
        target = data @ rng.normal(size=5)
        x, y = T.fmatrix("x"), T.fvector("y")
        w = shared(np.zeros(5, "float32"), "w")
        loss = T.mean((T.dot(x, w) - y) ** 2)
        step = graphlab.function(
            [x, y], loss, updates={w: w - np.float32(0.1) * T.grad(loss, w)}, allow_input_downcast=True, mode=mode
        )
        losses = [float(step(data, target)) for _ in range(20)]
        assert losses[-1] < 0.1 * losses[0]

    def test_givens_replace_before_compiling(self, mode: str) -> None:
        x, y = T.vectors("x", "y")
        data = shared(np.arange(4.0), "data")
        f = graphlab.function([x], (x + y).sum(), givens={y: data * 2}, mode=mode)
        assert f(np.ones(4)) == 16.0

    def test_outputs_never_alias_inputs_shared_values_or_each_other(self, mode: str) -> None:
        x = T.matrix("x")
        s = shared(np.zeros((2, 2)), "s")
        f = graphlab.function([x], [x, x.T, x[:1], s, s.T, x, T.constant(np.ones(3))], mode=mode)
        value = np.arange(4.0).reshape(2, 2)
        results = f(value)
        for r in results:
            r[...] = -7
        np.testing.assert_array_equal(value, [[0, 1], [2, 3]])
        np.testing.assert_array_equal(s.get_value(), np.zeros((2, 2)))
        np.testing.assert_array_equal(f(value)[6], np.ones(3))

    def test_updating_with_another_shared_does_not_tie_them_together(self, mode: str) -> None:
        a, b = shared(np.zeros(2), "a"), shared(np.ones(2), "b")
        graphlab.function([], updates={a: b}, mode=mode)()
        graphlab.function([], updates={b: b + 1}, mode=mode)()
        np.testing.assert_array_equal(a.get_value(), [1, 1])

    def test_a_failing_call_changes_nothing(self, mode: str) -> None:
        x, y = T.vectors("x", "y")
        count = shared(0, "count")
        f = graphlab.function([x, y], x + y, updates={count: count + 1}, mode=mode)
        with pytest.raises(GraphlabError):
            f(np.ones(3), np.ones(4))
        assert count.get_value() == 0
        f(np.ones(3), np.ones(3))
        assert count.get_value() == 1

    def test_unusual_arrays_work_and_are_not_written_to(self, mode: str) -> None:
        x = T.matrix("x")
        f = graphlab.function([x], 2 * x + x.sum(axis=0), mode=mode)
        base = np.arange(24.0).reshape(4, 6)
        unaligned = np.frombuffer(b"\0" + base.tobytes(), dtype=np.uint8)[1:].view("float64").reshape(4, 6)
        read_only = base.copy()
        read_only.setflags(write=False)
        for a in (base.T, base[::-1, ::2], base.astype(">f8"), unaligned, read_only, base[:0], np.asfortranarray(base),
                  np.broadcast_to(base[0], (3, 6)), base.view(_Subclass)):  # fmt: skip
            before = a.copy()
            np.testing.assert_allclose(f(a), 2 * np.asarray(a) + np.asarray(a).sum(axis=0))
            np.testing.assert_array_equal(a, before)


class TestArgumentRules:
    def test_casts_that_lose_nothing_are_silent(self) -> None:
        i, d = T.iscalar("i"), T.dvector("d")
        f = graphlab.function([i, d], [i, d])
        assert f(2.0, [1, 2])[0] == 2
        np.testing.assert_array_equal(f(True, np.array([1, 2], "int16"))[1], [1.0, 2.0])

    @pytest.mark.parametrize(
        ("value", "kind"),
        [(1.5, GraphTypeError), (2**40, GraphValueError), (None, GraphTypeError), (1j, GraphTypeError),
         ("a", GraphTypeError), ([1, 2], GraphTypeError), (np.float64("nan"), GraphTypeError)],
    )  # fmt: skip
    def test_what_does_not_fit_an_int32_is_refused_with_its_name(self, value: object, kind: type[Exception]) -> None:
        f = graphlab.function([T.iscalar("count")], T.constant(1), on_unused_input="ignore")
        with pytest.raises(kind, match="count"):
            f(value)

    def test_float64_to_float32_needs_leave_unless_it_comes_from_python(self) -> None:
        x = T.fvector("x")
        f = graphlab.function([x], x)
        assert f([0.1, 0.2]).dtype == "float32"
        with pytest.raises(GraphTypeError, match="allow_input_downcast"):
            f(np.array([0.1]))
        assert graphlab.function([x], x, allow_input_downcast=True)(np.array([0.1])).dtype == "float32"
        with pytest.raises(GraphTypeError):
            graphlab.function([x], x, allow_input_downcast=False)([0.1])

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble"])
    @pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
    def test_what_is_not_finite_is_no_integer(self, dtype: str, value: float) -> None:
        f = graphlab.function([k := T.lvector("k")], k + 1)
        with pytest.raises(GraphTypeError, match=r"k.*can't be int64 exactly"):
            f(np.array([1, value], dtype))

    def test_masked_and_object_arrays_are_refused(self) -> None:
        f = graphlab.function([x := T.vector("x")], x + 1)
        with pytest.raises(GraphTypeError, match="masked"):
            f(np.ma.masked_array([1.0, 2.0], mask=[0, 1]))
        with pytest.raises(GraphTypeError, match="object"):
            f(np.array([1.0, None], dtype=object))

    def test_a_strict_input_takes_only_its_dtype(self) -> None:
        x = T.dscalar("x")
        f = graphlab.function([In(x, strict=True)], x)
        assert f(np.float64(1)) == 1
        with pytest.raises(GraphTypeError, match="strict"):
            f(np.int64(1))


class TestMistakes:
    def test_wrong_number_of_arguments(self) -> None:
        x, y = T.scalars("x", "y")
        f = graphlab.function([x, y], x + y)
        with pytest.raises(GraphTypeError, match=r"takes 2 inputs \(x, y\), got 3"):
            f(1, 2, 3)
        with pytest.raises(GraphTypeError, match="missing: y"):
            f(1)
        with pytest.raises(GraphTypeError, match="z is no input"):
            f(1, z=2)
        with pytest.raises(GraphTypeError, match="x is given twice"):
            f(1, x=2)

    def test_shape_errors_name_the_line_and_both_shapes(self) -> None:
        x, y = T.vectors("x", "y")
        z = T.exp(x) + y  # the line that the message shows
        f = graphlab.function([x, y], z.sum())
        with pytest.raises(GraphShapeError) as caught:
            f(np.ones(3), np.ones(4))
        text = str(caught.value)
        assert "z = T.exp(x) + y" in text
        assert "test_function.py" in text
        assert "(3,)" in text
        assert "(4,)" in text

    def test_a_shape_error_is_raised_even_if_only_the_shape_is_used(self) -> None:
        x, y = T.vectors("x", "y")
        f = graphlab.function([x, y], (x + y).shape)
        with pytest.raises(GraphShapeError):
            f(np.ones(3), np.ones(4))

    def test_missing_unused_and_repeated_inputs_are_listed(self) -> None:
        x, y = T.scalars("x", "y")
        with pytest.raises(MissingInputError, match="y: float64"):
            graphlab.function([x], x + y)
        with pytest.raises(UnusedInputError, match="y: float64"):
            graphlab.function([x, y], x)
        with pytest.raises(GraphValueError, match="x: float64 is given twice"):
            graphlab.function([x, x], x)
        with pytest.raises(GraphTypeError, match="computed"):
            graphlab.function([x + 1], x)
        with pytest.warns(UserWarning, match="y"):
            graphlab.function([x, y], x, on_unused_input="warn")

    def test_bad_updates_are_refused(self) -> None:
        s = shared(np.zeros(2, "float32"), "s")
        with pytest.raises(GraphTypeError, match="astype"):
            graphlab.function([], updates={s: s + np.float64(1)})
        with pytest.raises(GraphValueError, match="updated twice"):
            graphlab.function([], updates=[(s, s + 1), (s, s + 2)])
        with pytest.raises(GraphTypeError, match="shared"):
            graphlab.function([], updates=[(T.scalar("x"), 1)])

    def test_static_shape_clash_at_construction(self) -> None:
        x, y = T.tensor("float64", (3,), "x"), T.tensor("float64", (4,), "y")
        with pytest.raises(GraphShapeError, match=r"\(3,\) and \(4,\)"):
            x + y

    def test_symbolic_truth_len_iteration_and_numpy_are_explained(self) -> None:
        x = T.vector("x")
        for mistake in (lambda: bool(x > 0), lambda: len(x), lambda: list(x), lambda: float(x), lambda: np.array(x)):
            with pytest.raises(GraphTypeError, match=r"hint|symbolic"):
                mistake()

    def test_no_frame_of_the_inside_is_shown_for_a_users_mistake(self) -> None:
        x, y = T.vectors("x", "y")
        f = graphlab.function([x, y], x + y)
        with pytest.raises(GraphShapeError) as caught:
            f(np.ones(2), np.ones(3))
        inside = [e for e in caught.traceback if "graphlab/" in str(e.path) and "tests" not in str(e.path)]
        assert len(inside) <= 1


class TestCompiledPath:
    def test_the_c_is_what_runs_and_it_is_built_once(self) -> None:
        x = T.vector("x")
        f = graphlab.function([x], T.exp(x) * 3 + 1)
        assert f.machine is not None
        assert "exp" in f.c_source
        assert [n.op.name for k in f.kernels for n in k.nodes].count("exp") == 1
        again = graphlab.function([x], T.exp(x) * 3 + 1)
        assert again.trace.build is not None
        assert again.trace.build.cached
        assert again.c_source == f.c_source

    def test_every_line_of_c_that_computes_knows_its_node_and_the_users_line(self) -> None:
        x = T.vector("x")
        y = T.tanh(x) + 1
        f = graphlab.function([x], y)
        lines = f.c_source.splitlines()
        computing = [i for i, nodes in enumerate(f.lines) if any(n.op.name == "tanh" for n in nodes)]
        assert any("= gl_tanh" in lines[i] for i in computing)
        assert all(f.lines[i] for i, line in enumerate(lines) if "= gl_tanh" in line)
        node = next(n for i in computing for n in f.lines[i] if n.op.name == "tanh")
        assert node.provenance.origins[0].text == "y = T.tanh(x) + 1"

    def test_eight_threads_get_their_own_results(self) -> None:
        x = T.matrix("x")
        f = graphlab.function([x], T.dot(x, x) + T.tanh(x).sum())
        inputs = [np.full((40, 40), float(k)) for k in range(8)]
        want = [f(a) for a in inputs]
        wrong: list[int] = []

        def work(k: int) -> None:
            for _ in range(50):
                if not np.array_equal(f(inputs[k]), want[k]):
                    wrong.append(k)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert wrong == []

    def test_what_is_declared_of_a_shape_is_checked(self) -> None:
        m = T.tensor("float64", (None, 3), "m")
        f = graphlab.function([m], m.mean(axis=1))
        assert f(np.ones((2, 3))).tolist() == [1.0, 1.0]
        with pytest.raises(GraphlabError, match=r"\(m\) expects float64\[\?,3\]"):
            f(np.ones((2, 2)))

    def test_repr_says_what_it_is(self) -> None:
        x = T.vector("x")
        text = repr(graphlab.function([x], x * 2, name="double"))
        assert text.startswith("<graphlab function double(x: float64[?]) -> float64[?]")
        assert "1 kernel in C" in text


class TestWithoutACompiler:
    def test_everything_runs_on_numpy_after_one_warning_that_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(compiled, "_warned", False)
        x = T.vector("x")
        count = shared(0, "count")
        with using(cc=("no-such-compiler",), cache_dir=tmp_path):
            with pytest.warns(RuntimeWarning, match=r"(?s)no-such-compiler.*apt install gcc") as caught:
                f = graphlab.function([x], T.exp(x) + 1, updates={count: count + 1})
            g = graphlab.function([x], T.tanh(x))  # a second warning would be an error here
        assert [w.filename for w in caught] == [__file__]
        assert f.machine is None
        assert "run by NumPy" in repr(f)
        np.testing.assert_array_equal(f([0.0, 1.0]), np.exp([0.0, 1.0]) + 1)
        np.testing.assert_array_equal(g([0.5]), np.tanh([0.5]))
        assert count.get_value() == 1
        assert f.debug([0.0]).finish().outputs[0] == 2.0
        assert any(isinstance(e, Fallback) for e in f.trace.events)
