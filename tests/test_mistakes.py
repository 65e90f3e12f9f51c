"""Beginners' mistakes: each is one short block that names the line, the variable, what came, and what to do."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from graphlab.errors import (
    DisconnectedInputError,
    GraphIndexError,
    GraphlabError,
    GraphMemoryError,
    GraphShapeError,
    GraphTypeError,
    GraphValueError,
    MissingInputError,
    UnusedInputError,
)

PACKAGE = str(Path(graphlab.__file__).parent)

s, t = T.dscalars("s", "t")
n = T.lscalar("n")
x, y = T.dvectors("x", "y")
k = T.lvector("k")
A, B = T.dmatrices("A", "B")
w = graphlab.shared(np.zeros(3), name="w")


@dataclass(frozen=True)
class Mistake:
    """`make` makes it, on the line marked `# here`; message and hint must contain every pattern of `says`."""

    make: Callable[[], Any]
    error: type[GraphlabError]
    says: tuple[str, ...]


MISTAKES: list[Mistake] = []


def mistake(error: type[GraphlabError], *says: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Put the function into the table."""

    def enter(make: Callable[[], Any]) -> Callable[[], Any]:
        MISTAKES.append(Mistake(make, error, says))
        return make

    return enter


# ---- NumPy, math and Python on variables ---------------------------------------------------------


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", r"numpy\.exp", r"T\.exp\(")
def numpys_ufunc_on_a_variable() -> Any:
    return np.exp(x)  # here


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", r"numpy\.dot", r"T\.dot\(")
def numpys_function_on_a_variable() -> Any:
    return np.dot(np.ones(3), x)  # here


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", r"T\.linalg\.norm\(")
def numpys_function_of_a_module() -> Any:
    return np.linalg.norm(x)  # here


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", r"numpy\.reshape", r"T\.reshape\(")
def numpys_reshape() -> Any:
    return np.reshape(x, (2, 2))  # here


@mistake(GraphTypeError, r"x > 0: bool\[\?\] is symbolic", r"T\.where\(")
def numpys_where() -> Any:
    return np.where(x > 0, x, 0)  # here


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", r"T\.mean\(")
def numpys_mean() -> Any:
    return np.mean(x)  # here


@mistake(GraphTypeError, r"s: float64 is symbolic", "array", r"T\.stack\(")
def an_array_of_variables() -> Any:
    return np.array([s, t])  # here


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", "in place", r"a = a \+ x")
def an_array_changed_by_a_variable() -> None:
    a = np.zeros(3)
    a += x  # here


@mistake(GraphTypeError, r"s: float64 is symbolic", "no number yet", r"T\.sin\(x\), not math\.sin")
def a_function_of_math() -> Any:
    return math.sin(s)  # here


@mistake(GraphTypeError, r"s: float64 is symbolic", "no number yet", r"x\.eval\(\{input: value\}\)")
def float_of_a_variable() -> Any:
    return float(s)  # here


@mistake(GraphTypeError, r"n: int64 is symbolic", "no number yet", r"graphlab\.function")
def int_of_a_variable() -> Any:
    return int(n)  # here


@mistake(GraphTypeError, r"n: int64 is symbolic", r"graphlab\.scan\(\.\.\., n_steps=n\)")
def range_of_a_variable() -> Any:
    return range(n)  # here


@mistake(GraphTypeError, r"n: int64 is symbolic", "no number yet")
def a_list_indexed_by_a_variable() -> Any:
    return [1, 2, 3][n]  # here


@mistake(GraphTypeError, r"s: float64 is symbolic", "no number yet", "eval")
def a_variable_in_a_format() -> str:
    return f"{s:.2f}"  # here


@mistake(GraphTypeError, "s > 0: bool is symbolic", "no truth value yet", r"T\.where\(condition, a, b\)", "ifelse")
def if_of_a_variable() -> Any:
    return 1 if s > 0 else 0  # here


@mistake(GraphTypeError, r"x > 0: bool\[\?\] is symbolic", "no truth value", r"\(x > 0\) & \(x < 1\)")
def and_of_variables() -> Any:
    return (x > 0) and (x < 1)  # here


@mistake(GraphTypeError, r"x > 0: bool\[\?\] is symbolic", r"\(x > 0\) & \(x < 1\)")
def a_chain_of_comparisons() -> Any:
    return 0 < x < 1  # here


@mistake(GraphTypeError, "bitwise_and", "float64", r"brackets: \(x > 0\) & \(x < 1\)")
def a_mask_without_brackets() -> Any:
    return x > 0 & x < 1  # here


@mistake(GraphTypeError, r"s < 0: bool is symbolic", r"no truth value", r"T\.where")
def pythons_max() -> Any:
    return min(0, s)  # here


@mistake(GraphTypeError, r"x: float64\[\?\] can't be iterated over", "length is not known", r"graphlab\.scan")
def a_loop_over_a_variable() -> None:
    for _ in x:  # here
        pass


@mistake(GraphTypeError, r"s: float64 can't be iterated over", "scalar")
def a_loop_over_a_scalar() -> None:
    for _ in s:  # here
        pass


@mistake(GraphTypeError, r"the length of x: float64\[\?\] is not known", r"x\.shape\[0\]")
def len_of_a_variable() -> int:
    return len(x)  # here


@mistake(GraphTypeError, r"s: float64 is a scalar", "has no len", r"T\.vector")
def len_of_a_scalar() -> int:
    return len(s)  # here


@mistake(GraphTypeError, r"x: float64\[\?\] never changes", r"x = x\[key\]\.set\(value\)")
def an_element_is_set() -> None:
    x[0] = 1  # here


@mistake(GraphTypeError, r"x: float64\[\?\] never changes", r"\.inc\(value\) for \+=")
def an_element_is_raised() -> None:
    x[0] += 1  # here


@mistake(GraphTypeError, r"x: float64\[\?\] never changes")
def an_element_is_deleted() -> None:
    del x[0]  # here


@mistake(GraphTypeError, r"x: float64\[\?\] is symbolic", r"T\.any\(T\.eq\(x, value\)\)")
def in_a_variable() -> bool:
    return 3.0 in x  # here


# ---- making variables and expressions ------------------------------------------------------------


@mistake(GraphTypeError, r"tensor\(x\)", "float65", "'float64'")
def an_unknown_dtype() -> Any:
    return T.vector("x", dtype="float65")  # here


@mistake(GraphTypeError, "the name of a variable is a text, got 3", "shape")
def a_length_for_a_name() -> Any:
    return T.vector(3)  # here


@mistake(GraphTypeError, "tensor", "a tuple of integers or None")
def a_name_for_a_shape() -> Any:
    return T.tensor("float64", "x")  # here


@mistake(GraphTypeError, r"'1' \(str\)", "numbers, NumPy arrays")
def a_text_in_an_expression() -> Any:
    return x + "1"  # here


@mistake(GraphTypeError, "None", "numbers, NumPy arrays")
def none_in_an_expression() -> Any:
    return x + None  # here


@mistake(GraphTypeError, r"<x: float64\[\?\]>, 1\.0\] \(list\) holds variables", r"T\.stack\(\[x, y\]\)")
def a_list_of_variables() -> Any:
    return T.exp([x, 1.0])  # here


@mistake(GraphShapeError, r"add: shapes \(3,\) and \(4,\) do not broadcast", r"v3: float64\[3\], v4: float64\[4\]")
def fixed_shapes_that_do_not_broadcast() -> Any:
    v3, v4 = T.tensor("float64", (3,), "v3"), T.tensor("float64", (4,), "v4")
    return v3 + v4  # here


@mistake(GraphValueError, "sum: axis 1 is out of range", r"x: float64\[\?\]")
def an_axis_that_is_not_there() -> Any:
    return x.sum(axis=1)  # here


@mistake(GraphTypeError, "axis must be an integer, got <y: float64", r"Python integers")
def a_variable_for_an_axis() -> Any:
    return T.mean(x, y)  # here


@mistake(GraphIndexError, "too many indices: the operand has 1 dimension", r"x: float64\[\?\]")
def too_many_indices() -> Any:
    return x[0, 1]  # here


@mistake(GraphTypeError, "index must be of integers", "float64", r"astype\('int64'\)")
def a_float_for_an_index() -> Any:
    return x[1.5]  # here


@mistake(GraphTypeError, "'a'", "can't stand")
def a_text_for_an_index() -> Any:
    return x["a"]  # here


@mistake(GraphTypeError, "flot32", "float32")
def an_unknown_dtype_to_cast_to() -> Any:
    return x.astype("flot32")  # here


@mistake(GraphTypeError, r"got float64 and float64\[\?\]", r"multiply by a scalar with \*")
def a_dot_with_a_scalar() -> Any:
    return T.matmul(s, x)  # here


@mistake(GraphTypeError, r"one rank", r"x: float64\[\?\], A: float64\[\?,\?\]")
def a_concatenation_of_ranks() -> Any:
    return T.concatenate([x, A])  # here


@mistake(GraphTypeError, r"x: float64\[\?\] can't be iterated over")
def a_concatenation_without_a_list() -> Any:
    return T.concatenate(x, y)  # here


@mistake(GraphTypeError, r"extent must be an integer.*got 2\.5", r"a shape is a tuple of integers")
def a_fraction_for_an_extent() -> Any:
    return T.zeros((2.5,))  # here


@mistake(GraphTypeError, "indexed variable", r"float64\[\?\]", r"set_subtensor\(x\[1:3\], values\)")
def set_subtensor_without_an_index() -> Any:
    return T.set_subtensor(x, 0.0)  # here


@mistake(GraphTypeError, "where takes 3 operands, got 2", r"x: float64\[\?\]")
def a_choice_of_one() -> Any:
    return T.switch(s > 0, x)  # here


@mistake(GraphTypeError, r"input must have 4 axes", r"got float64\[\?,\?\]", r"reshape")
def a_convolution_of_matrices() -> Any:
    return T.nnet.conv2d(A, B)  # here


@mistake(GraphTypeError, "categorical_crossentropy", r"integers of rank 1, got float64\[\?\]", "classes as integers")
def classes_that_are_floats() -> Any:
    return T.nnet.categorical_crossentropy(A, x)  # here


@mistake(GraphTypeError, "subtract is not defined for bool and bool", "cast")
def a_difference_of_masks() -> Any:
    return (x > 0) - (x < 0)  # here


# ---- shared variables ----------------------------------------------------------------------------


@mistake(GraphTypeError, r"shared\(name\)", "str", "a number, a NumPy array")
def a_shared_text() -> Any:
    return graphlab.shared("hello", name="name")  # here


@mistake(GraphTypeError, r"shared\(ragged\)", "inhomogeneous", "all of one length")
def a_shared_ragged_list() -> Any:
    return graphlab.shared([1, [2, 3]], name="ragged")  # here


@mistake(GraphTypeError, r"shared\(both\)", r"x: float64\[\?\] is symbolic", "it holds a value")
def a_shared_list_of_variables() -> Any:
    return graphlab.shared([x, y], name="both")  # here


@mistake(GraphTypeError, r"set_value of shared w: expected float64\[\?\], got float64\[3, 3\]", "dimensions")
def a_value_of_another_rank() -> None:
    w.set_value(np.zeros((3, 3)))  # here


@mistake(GraphTypeError, r"set_value of shared count: expected int64, got float64", r"numpy\.asarray\(value, 'int64'\)")
def a_value_of_another_dtype() -> None:
    count = graphlab.shared(0, name="count")
    count.set_value(0.5)  # here


@mistake(GraphTypeError, r"set_value of shared w", r"x: float64\[\?\] is symbolic", "give a number")
def a_symbolic_value() -> None:
    w.set_value(x)  # here


# ---- building a function -------------------------------------------------------------------------


@mistake(MissingInputError, r"need y: float64\[\?\] \(made at test_mistakes.py:\d+\)", "givens", r"graphlab\.shared")
def an_input_is_forgotten() -> Any:
    return graphlab.function([x], x * y)  # here


@mistake(UnusedInputError, r"no output depends on input y: float64\[\?\]", "on_unused_input='ignore'")
def an_input_is_not_used() -> Any:
    return graphlab.function([x, y], x * 2)  # here


@mistake(GraphTypeError, "a list of variables", r"function\(\[x\], y\)")
def inputs_without_a_list() -> Any:
    return graphlab.function(x, x * 2)  # here


@mistake(GraphTypeError, "inputs must be variables, got str", r"T\.vector\('x'\)")
def a_name_for_an_input() -> Any:
    return graphlab.function(["x"], x)  # here


@mistake(GraphTypeError, r"x\*2: float64\[\?\] can't be an input: it is computed", "givens")
def inputs_and_outputs_exchanged() -> Any:
    return graphlab.function([x * 2], x)  # here


@mistake(GraphTypeError, r"w: float64\[\?\] can't be an input: it is shared", "givens")
def a_shared_input() -> Any:
    return graphlab.function([w], w * 2)  # here


@mistake(GraphTypeError, "an output must be a variable, got str", "list, tuple or dict")
def a_name_for_an_output() -> Any:
    return graphlab.function([x], "x")  # here


@mistake(GraphTypeError, r"only shared variables can be updated, got <x: float64\[\?\]>", r"graphlab\.shared\(value\)")
def an_input_is_updated() -> Any:
    return graphlab.function([x], x, updates={x: x + 1})  # here


@mistake(GraphTypeError, "only shared variables can be updated, got 'w'", r"updates=\{shared: new value\}")
def a_name_is_updated() -> Any:
    return graphlab.function([x], x, updates={"w": w + x})  # here


@mistake(GraphTypeError, "updates is a dict", r"got <w: shared float64\[\?\]>", r"updates=\{old: new\}")
def updates_without_pairs() -> Any:
    return graphlab.function([x], x, updates=[w, w + x])  # here


@mistake(GraphTypeError, "updates is a dict", r"<w \+ x: float64\[\?\]>, 1\) for a pair")
def updates_of_three() -> Any:
    return graphlab.function([x], x, updates=[(w, w + x, 1)])  # here


@mistake(GraphValueError, r"shared w: float64\[\?\] is updated twice")
def two_updates_of_one() -> Any:
    return graphlab.function([x], x, updates=[(w, w + x), (w, w - x)])  # here


@mistake(GraphTypeError, r"the update of w: float64\[\?\] has another type: float64, as in sum\(w\)", "reshape")
def an_update_of_another_rank() -> Any:
    total = w.sum()  # here
    return graphlab.function([], updates={w: total})


@mistake(GraphTypeError, r"small: float32\[\?\] has another type: float64\[\?\]", r"astype\('float32'\)")
def an_update_of_another_dtype() -> Any:
    small = graphlab.shared(np.zeros(3, "float32"), name="small")
    new = small - 0.1 * x  # here
    return graphlab.function([x], updates={small: new})


@mistake(GraphTypeError, r"givens: x: float64\[\?\] can't be replaced by A: float64\[\?,\?\]", "the rank must be")
def givens_of_another_rank() -> Any:
    return graphlab.function([A], x * 2, givens={x: A})  # here


@mistake(GraphTypeError, "givens: only variables are replaced, got str", "not its name")
def givens_by_name() -> Any:
    return graphlab.function([y], x * 2, givens={"x": y})  # here


@mistake(GraphTypeError, "givens is a dict", r"<x: float64\[\?\]>", r"givens=\{old: new\}")
def givens_without_pairs() -> Any:
    return graphlab.function([y], x * 2, givens=[x, y])  # here


@mistake(GraphValueError, "there is no mode 'fast'", "fast_run, fast_compile, interpret, debug")
def an_unknown_mode() -> Any:
    return graphlab.function([x], x, mode="fast")  # here


@mistake(GraphTypeError, "there is no option mod", "floatX, mode")
def an_unknown_option() -> None:
    graphlab.set_default(mod="debug")  # here


@mistake(GraphValueError, "floatX.*float32.*not 'float31'", "float64")
def an_unknown_floatX() -> None:
    with graphlab.using(floatX="float31"):  # here
        pass


@mistake(GraphTypeError, "name of a scope is a text, got 3", r'name_scope\("layer1"\)')
def a_number_for_a_scope() -> None:
    with graphlab.name_scope(3):  # here
        pass


# ---- calling a function --------------------------------------------------------------------------

double = graphlab.function([x], x * 2, name="double")
product = graphlab.function([x, y], x * y, name="product")
doubled = graphlab.function([k], k * 2, name="doubled")


@mistake(
    GraphTypeError,
    r"input 0 \(x\) expects float64\[\?\], got list \[\[1\.0, 2\.0\]\]",
    "rank must be 1, it is 2",
    r"T\.matrix",
)
def an_argument_of_another_rank() -> Any:
    return double([[1.0, 2.0]])  # here


@mistake(GraphTypeError, r"input 0 \(x\) expects float64\[\?\], got float 3\.0", r"declared at test_mistakes\.py")
def a_number_for_a_vector() -> Any:
    return double(3.0)  # here


@mistake(GraphTypeError, r"input 0 \(x\)", "got str 'abc'", "no numeric dtype")
def a_text_for_a_vector() -> Any:
    return double("abc")  # here


@mistake(GraphTypeError, r"input 0 \(x\)", "got NoneType None", "pass a number, a list or an array")
def none_for_a_vector() -> Any:
    return double(None)  # here


@mistake(GraphTypeError, r"input 0 \(x\)", r"got Variable <y: float64\[\?\]>", "pass a number, a list or an array")
def a_variable_for_a_vector() -> Any:
    return double(y)  # here


@mistake(GraphTypeError, r"input 0 \(k\) expects int64\[\?\], got list \[1\.5\]", "round or cast")
def a_fraction_for_an_integer() -> Any:
    return doubled([1.5])  # here


@mistake(GraphTypeError, r"expects float32\[\?\], got an array float64\[2\]", r"x\.astype\('float32'\)", "downcast")
def float64_for_float32() -> Any:
    f = T.fvector("f")
    return graphlab.function([f], f * 2)(np.array([1.0, 2.5]))  # here


@mistake(GraphShapeError, r"input 0 \(v\) expects float64\[3\], got list", r"shape is \(2,\)", "declared at")
def an_argument_of_another_shape() -> Any:
    v = T.tensor("float64", (3,), "v")
    return graphlab.function([v], v * 2)([1.0, 2.0])  # here


@mistake(GraphTypeError, r"product takes \(x, y\); missing: y", "by position or by name")
def an_argument_is_missing() -> Any:
    return product([1.0])  # here


@mistake(GraphTypeError, r"double takes 1 inputs \(x\), got 2", r"f\(\[1\.0, 2\.0\]\), not f\(1\.0, 2\.0\)")
def too_many_arguments() -> Any:
    return double(1.0, 2.0)  # here


@mistake(GraphTypeError, r"double: X is no input; it takes \(x\)", "name")
def a_misspelt_keyword() -> Any:
    return double(X=[1.0])  # here


@mistake(MissingInputError, r"need x: float64\[\?\]", r"eval\(\{x: value\}\)")
def eval_without_inputs() -> Any:
    return (x * 2).eval()  # here


@mistake(GraphValueError, "no inputs are named 'z'", r"x: float64\[\?\]")
def eval_with_another_name() -> Any:
    return (x * 2).eval({"z": [1.0]})  # here


@mistake(GraphTypeError, "as a dict, got list", r"eval\(\{x: value\}\)")
def eval_with_a_list() -> Any:
    return (x * 2).eval([1.0])  # here


# ---- as it runs ----------------------------------------------------------------------------------


@mistake(GraphShapeError, r"multiply: shapes \(2,\) and \(3,\)", r"exp\(x\): float64\[2\], y: float64\[3\]")
def lengths_that_differ_in_a_kernel() -> Any:
    z = T.exp(x) * y + 1  # here
    return graphlab.function([x, y], z)([1.0, 2.0], [1.0, 2.0, 3.0])


@mistake(GraphShapeError, r"subtract: shapes \(2,\) and \(3,\)", r"x: float64\[2\], y: float64\[3\]")
def lengths_that_differ_in_a_gradient() -> Any:
    cost = ((x - y) ** 2).sum()  # here
    return graphlab.function([x, y], T.grad(cost, x))([1.0, 2.0], [1.0, 2.0, 3.0])


@mistake(GraphShapeError, r"add: shapes \(3,\) and \(2,\)", r"w: float64\[3\], x: float64\[2\]")
def lengths_that_differ_in_an_update() -> Any:
    new = w + x  # here
    return graphlab.function([x], updates={w: new})([1.0, 2.0])


@mistake(GraphShapeError, r"float64\[2,3\] @ float64\[2\]", "3 columns, the right 2 rows", r"A: float64\[2, 3\]")
def a_product_that_does_not_fit() -> Any:
    z = T.dot(A, x)  # here
    return graphlab.function([A, x], z)(np.ones((2, 3)), np.ones(2))


@mistake(GraphShapeError, r"multiply: shapes \(2, 3\) and \(3, 2\)", r"A: float64\[2, 3\], B: float64\[3, 2\]")
def a_star_for_a_dot() -> Any:
    z = A * B  # here
    return graphlab.function([A, B], z)(np.ones((2, 3)), np.ones((3, 2)))


@mistake(GraphShapeError, "along axis 0 the extents", r"A: float64\[2, 3\], B: float64\[3, 3\]")
def a_concatenation_that_does_not_fit() -> Any:
    z = T.concatenate([A, B], axis=1)  # here
    return graphlab.function([A, B], z)(np.ones((2, 3)), np.ones((3, 3)))


@mistake(GraphShapeError, r"the 5 elements of float64\[5\] do not fit the shape \(2, 3\)", r"x: float64\[5\]")
def a_reshape_that_does_not_fit() -> Any:
    z = x.reshape((2, 3)) * 2  # here
    return graphlab.function([x], z)(np.ones(5))


@mistake(GraphIndexError, "index 5 is out of range", r"x: float64\[2\]")
def an_index_that_is_too_large() -> Any:
    z = x[5] * 2  # here
    return graphlab.function([x], z)([1.0, 2.0])


@mistake(GraphIndexError, "index 3 is out of bounds for axis 0 with size 1", r"x: float64\[1\], k: int64\[1\]")
def an_array_of_indices_that_are_too_large() -> Any:
    z = x[k]  # here
    return graphlab.function([x, k], z)([1.0], [3])


@mistake(GraphIndexError, "index 3 is out of bounds for axis 1 with size 3", r"k: int64\[2\]")
def a_class_that_is_not_there() -> Any:
    loss = T.nnet.categorical_crossentropy(T.softmax(A), k)  # here
    return graphlab.function([A, k], loss)(np.ones((2, 3)), [1, 3])


@mistake(GraphShapeError, "3 channels", "expect 1", r"images: float64\[1, 3, 8, 8\], filters: float64\[2, 1, 3, 3\]")
def channels_that_do_not_fit() -> Any:
    images, filters = T.dtensor4("images"), T.dtensor4("filters")
    z = T.nnet.conv2d(images, filters)  # here
    return graphlab.function([images, filters], z)(np.ones((1, 3, 8, 8)), np.ones((2, 1, 3, 3)))


@mistake(GraphValueError, "solve: Singular matrix", r"A: float64\[2, 2\]")
def a_singular_matrix() -> Any:
    z = T.solve(A, x)  # here
    return graphlab.function([A, x], z)(np.ones((2, 2)), np.ones(2))


@mistake(GraphValueError, "cholesky: Matrix is not positive definite", r"A: float64\[2, 2\]")
def a_matrix_without_a_factor() -> Any:
    z = T.cholesky(A)  # here
    return graphlab.function([A], z)(-np.eye(2))


@mistake(GraphValueError, "x is positive", r"x: float64\[1\]", r"= \[False\]")
def a_check_that_fails() -> Any:
    z = graphlab.check(x, x > 0, "x is positive")  # here
    return graphlab.function([x], z)([-1.0])


# ---- gradients -----------------------------------------------------------------------------------


@mistake(GraphTypeError, r"float scalar, got x\*2: float64\[\?\]", r"cost\.sum\(\) or cost\.mean\(\)")
def a_gradient_of_a_vector() -> Any:
    return T.grad(x * 2, x)  # here


@mistake(GraphTypeError, r"float scalar, got sum\(x > 0\): int64", "no slope", r"T\.sigmoid")
def a_gradient_of_a_count() -> Any:
    return T.grad((x > 0).sum(), x)  # here


@mistake(GraphTypeError, r"k: int64\[\?\] \(made at test_mistakes", "not floating", r"k\.astype\('float64'\)")
def a_gradient_by_an_integer() -> Any:
    return T.grad((k * x).sum(), k)  # here


@mistake(DisconnectedInputError, r"does not depend on x: float64\[\?\]", "disconnected_inputs='ignore'")
def a_gradient_by_what_is_not_there() -> Any:
    return T.grad(s * 2, x)  # here


@mistake(GraphTypeError, "wrt must be graphlab variables, got str", "inputs")
def a_gradient_by_a_name() -> Any:
    return T.grad(x.sum(), "x")  # here


@mistake(GraphTypeError, "cost of grad must be a variable, got Function", "expressions")
def a_gradient_of_a_function() -> Any:
    return T.grad(double, x)  # here


@mistake(GraphTypeError, r"cotangent of x\*2: float64\[\?\]", r"got float64\[\?,\?\]", "operands")
def a_cotangent_of_another_rank() -> Any:
    return T.Lop(x * 2, x, A)  # here


# ---- loops and choices ---------------------------------------------------------------------------


@mistake(
    GraphTypeError, r"3 arguments \(x\[t\], output0\[t-1\], output1\[t-1\]\), which takes \(a, b\)", "the order is"
)
def a_scan_with_too_many_starts() -> Any:
    return graphlab.scan(lambda a, b: a + b, x, [0.0, 0.0])  # here


@mistake(GraphTypeError, r"1 arguments \(x\[t\]\), which takes \(a, b\): missing", "the order is")
def a_scan_without_a_start() -> Any:
    return graphlab.scan(lambda a, b: a, x)  # here


@mistake(GraphTypeError, r"output 0 starts from float64 and a turn makes float64\[\?\]", r"outputs_info\[0\]")
def a_scan_that_changes_its_rank() -> Any:
    return graphlab.scan(lambda a, b: a * b * y, x, 0.0)  # here


@mistake(GraphTypeError, "returned None", "return an output")
def a_scan_that_returns_nothing() -> Any:
    return graphlab.scan(lambda a: print(end=""), x)  # here


@mistake(GraphTypeError, "a function of one turn, got Variable", "lambda x_t")
def a_scan_of_a_variable() -> Any:
    return graphlab.scan(x, x)  # here


@mistake(GraphTypeError, r"sequence 0 \(s\) is a scalar", "non_sequences")
def a_scan_over_a_scalar() -> Any:
    return graphlab.scan(lambda a: a * 2, s)  # here


@mistake(GraphValueError, "scan needs sequences or n_steps", "n_steps")
def a_scan_without_an_end() -> Any:
    return graphlab.scan(lambda b: b * 2, outputs_info=1.0)  # here


@mistake(GraphValueError, "the number of turns is -3", r"n: int64\[\] = -3")
def a_scan_of_negative_length() -> Any:
    powers, _ = graphlab.scan(lambda b: b * 2, outputs_info=1.0, n_steps=n)  # here
    return graphlab.function([n], powers)(-3)


@mistake(GraphShapeError, "sequence 0 has 2 elements, and the loop makes 5 turns", r"n: int64\[\] = 5")
def a_scan_that_is_too_long() -> Any:
    z, _ = graphlab.scan(lambda a: a * 2, x, n_steps=n)  # here
    return graphlab.function([x, n], z)([1.0, 2.0], 5)


@mistake(GraphMemoryError, r"step 0 \(arange\): no memory for 9007199254740992 bytes", "release_memory")
def more_numbers_than_there_is_memory_for() -> Any:
    z = T.arange(n)  # here
    return graphlab.function([n], z)(2**50)


@mistake(GraphMemoryError, r"arange: Unable to allocate", r"n: int64\[\] = 1125899906842624")
def more_numbers_than_numpy_has_memory_for() -> Any:
    z = T.arange(n)  # here
    return graphlab.function([n], z, mode="interpret")(2**50)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError


@mistake(GraphTypeError, r"input 0 \(x\) expects float64\[\?\], got Unprintable whose repr fails")
def an_argument_that_cant_be_shown() -> Any:
    return double(Unprintable())  # here


@mistake(GraphShapeError, r"add: shapes \(2,\) and \(3,\)", r"output0\[t-1\]: float64\[2\], y: float64\[3\]")
def lengths_that_differ_in_a_scan() -> Any:
    z, _ = graphlab.scan(lambda a, b: b + y, x, T.zeros_like(x))  # here
    return graphlab.function([x, y], z)([1.0, 2.0], [1.0, 2.0, 3.0])


@mistake(GraphTypeError, r"until needs a condition that is a scalar, got bool\[\?\]", r"\.all\(\) or \.any\(\)")
def until_of_a_vector() -> Any:
    return graphlab.scan(lambda a: (a * 2, graphlab.until(x > 1)), x)  # here


@mistake(GraphTypeError, "condition of while_loop", r"got .*: float64", r"while_loop\(condition, body, start\)")
def a_while_loop_inside_out() -> Any:
    return graphlab.while_loop(lambda a: a * 2, lambda a: a + 1, s)  # here


@mistake(GraphTypeError, r"condition of ifelse must be a scalar, got bool\[\?\]", r"T\.where")
def ifelse_of_a_vector() -> Any:
    return graphlab.ifelse(x > 0, x, y)  # here


@mistake(GraphTypeError, r"float64\[\?\] if the condition holds, else float64\[\?,\?\]", "the same rank")
def ifelse_of_two_ranks() -> Any:
    return graphlab.ifelse(s > 0, x, A)  # here


@mistake(GraphTypeError, "vmap maps a function, got Variable", r"vmap\(f\)\(x\)")
def vmap_of_a_variable() -> Any:
    return graphlab.vmap(x * 2)  # here


@mistake(GraphTypeError, "2 outputs and 1 cotangents", "one cotangent for each output")
def a_cotangent_is_missing() -> Any:
    return T.vjp([x * 2, x * 3], x, [x])  # here


# ---- the stepper ---------------------------------------------------------------------------------


@mistake(GraphTypeError, r"product takes \(x, y\); missing: y", "by position or by name")
def a_debugged_call_without_an_argument() -> Any:
    return product.debug([1.0])  # here


@mistake(GraphShapeError, r"multiply: shapes \(2,\) and \(3,\)", r"x: float64\[2\], y: float64\[3\]")
def a_debugged_call_that_fails() -> Any:
    z = x * y  # here
    return graphlab.function([x, y], z).debug([1.0, 2.0], [1.0, 2.0, 3.0]).finish()


# ---- the rest ------------------------------------------------------------------------------------


@mistake(GraphTypeError, r"got 2\.5", "a shape is a tuple of integers")
def random_numbers_of_a_fractional_size() -> Any:
    return graphlab.RandomStream(1).normal(size=2.5)  # here


@mistake(GraphValueError, "normal", "negative dimensions", "operands")
def random_numbers_of_a_negative_size() -> Any:
    noise = graphlab.RandomStream(1).normal(size=-1)  # here
    return graphlab.function([], noise)()


@mistake(GraphShapeError, r"extents \[2, 3\] do not broadcast", r"x: float64\[2\]")
def random_numbers_of_a_size_that_does_not_fit() -> Any:
    noise = graphlab.RandomStream(1).normal(x, 1.0, size=3)  # here
    return graphlab.function([x], noise)([1.0, 2.0])


@mistake(GraphValueError, "seeded with 'a'", "a seed is an integer")
def a_text_for_a_seed() -> Any:
    return graphlab.RandomStream("a")  # here


@mistake(GraphTypeError, r"scale takes \(a.*factor.*: too many positional", "call it like")
def a_symbolic_function_with_too_many_arguments() -> Any:
    @graphlab.symbolic
    def scale(a: Any, factor: int = 2) -> Any:
        return a * factor

    return scale(x, 1, 2)  # here


@mistake(GraphTypeError, "nothing returns nothing", "return a variable")
def a_symbolic_function_that_returns_nothing() -> Any:
    @graphlab.symbolic
    def nothing(a: Any) -> None:
        pass

    return nothing(x)  # here


@mistake(GraphTypeError, r"<lambda>.*\(function\) can't be saved", "files hold functions")
def a_saved_lambda() -> None:
    graphlab.save("lambda.graph", lambda a: a)  # here


# ---- what all must be ----------------------------------------------------------------------------


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case.make.__name__)
def test_the_message_names_the_line_the_variable_and_the_mend(case: Mistake, in_tmp_path: Path) -> None:
    before = w.get_value()
    with pytest.raises(case.error) as caught:
        case.make()
    error = caught.value
    said = f"{error.message}\n{error.hint}"  # not the line of this file, which has all words
    for pattern in case.says:
        assert re.search(pattern, said), f"{pattern!r} is not said in:\n{error}"
    assert error.hint
    assert error.origin is not None
    assert (error.origin.file, error.origin.text[-6:]) == (__file__, "# here")
    assert " object at 0x" not in said.replace("<lambda> at 0x", "")
    np.testing.assert_array_equal(w.get_value(), before)


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case.make.__name__)
def test_nobody_sees_the_inside(case: Mistake, in_tmp_path: Path) -> None:
    """Of the traceback only the boundary stands in graphlab, and nothing is chained to it."""
    with pytest.raises(case.error) as caught:
        case.make()
    frames = [f for f in traceback.extract_tb(caught.value.__traceback__) if f.filename.startswith(PACKAGE)]
    assert [f.name for f in frames] == ["wrapped"]
    assert caught.value.__suppress_context__


def test_the_table_is_long() -> None:
    assert len(MISTAKES) > 100
    assert len({m.make.__name__ for m in MISTAKES}) == len(MISTAKES)


PLAIN = [
    (lambda: x(3), TypeError, "'Variable' object is not callable"),
    (lambda: double[0], TypeError, "'Function' object is not subscriptable"),
    (lambda: np.zeros(n), TypeError, "got '<n: int64>'"),
    (lambda: x.length, AttributeError, "'Variable' object has no attribute 'length'"),
    (lambda: w.value, AttributeError, r"<w: shared .*> has no \.value: .* get_value\(\), .* set_value\(new\)"),
    (lambda: setattr(w, "value", 3), AttributeError, r"change it with set_value\(new\)"),
    (lambda: setattr(x, "shape", 3), AttributeError, r"a Variable is immutable; build a new one"),
    (lambda: graphlab.scan(lambda a: a, x) + 1, TypeError, "tuple"),
    (lambda: graphlab.load("none.graph"), FileNotFoundError, r"none\.graph"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "says"), PLAIN)
def test_pythons_own_errors_stand_where_they_say_it(
    make: Callable[[], Any], error: type[Exception], says: str, in_tmp_path: Path
) -> None:
    with pytest.raises(error, match=says):
        make()


class TestNothingIsRaised:
    """Where Python, NumPy or mathematics wants an answer and not an error."""

    def test_equality_asks_for_the_same_node(self) -> None:
        assert (x == y) is False
        assert x in [y, x]
        assert (x == np.ones(2)) is False
        np.testing.assert_array_equal(T.eq(x, y).eval({x: [1.0, 2.0], y: [1.0, 3.0]}), [True, False])

    def test_an_operator_with_equals_makes_another_variable(self) -> None:
        z = x
        z += 1
        assert z is not x
        np.testing.assert_array_equal(z.eval({x: [1.0]}), [2.0])
        np.testing.assert_array_equal(x.eval({x: [1.0]}), [1.0])

    @pytest.mark.parametrize(
        ("made", "want"),
        [
            (np.ones(2) + x, [2.0, 3.0]), (np.float64(3) * x, [3.0, 6.0]), (np.ones(2) @ x, 3.0),
            (np.ones(2) < x, [False, True]), (np.int64(2) ** x, [2.0, 4.0]), (np.float32(1) - x, [0.0, -1.0]),
            ([1, 2] * x, [1.0, 4.0]),
        ],
    )  # fmt: skip
    def test_numpys_operators_make_variables(self, made: Any, want: Any) -> None:
        np.testing.assert_array_equal(made.eval({x: [1.0, 2.0]}), want)

    def test_print_shows_the_formula_and_the_type(self) -> None:
        assert repr(x * 2 + 1) == str(x * 2 + 1) == "<x*2 + 1: float64[?]>"
        assert f"{w} {T.constant(2.0)}" == "<w: shared float64[?]> <2: float64>"
        assert np.ndim(x) == 1

    def test_a_class_that_is_not_there_has_a_row_of_zeros(self) -> None:
        np.testing.assert_array_equal(T.extra_ops.to_one_hot(k, 2).eval({k: [1, 2]}), [[0.0, 1.0], [0.0, 0.0]])

    def test_a_symbolic_function_takes_what_cant_be_hashed_and_other_types(self) -> None:
        @graphlab.symbolic
        def scaled(a: Any, options: dict[str, int]) -> Any:
            return a * options["by"]

        np.testing.assert_array_equal(scaled(x, {"by": 2}).eval({x: [1.0]}), [2.0])
        np.testing.assert_array_equal(scaled(k, {"by": 3}).eval({k: [1]}), [3])
        assert scaled(A, {"by": 3}).type == A.type

    def test_the_origin_of_a_nan_can_be_found(self) -> None:
        z = T.log(x)
        f = graphlab.function([x], T.sum(z * y), givens={y: T.ones_like(x)})
        assert np.isnan(f([-1.0]))
        session = f.debug([-1.0]).finish()
        first = next(v for v in graphlab.ancestors(f.graph.outputs[0]) if v.owner and session.stats(v).nan)
        assert first is z
