"""The user's namespace: its variables by rank and dtype, and its names."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import graphlab.tensor as T
from graphlab.dtypes import LETTERS
from graphlab.errors import GraphTypeError
from graphlab.options import using

SHAPES = {
    "scalar": (), "vector": (None,), "matrix": (None,) * 2, "tensor3": (None,) * 3, "tensor4": (None,) * 4,
    "row": (1, None), "col": (None, 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHAPES)
def test_every_kind_of_variable_exists_for_every_letter(kind: str) -> None:
    for letter, dtype in LETTERS.items():
        v = getattr(T, letter + kind)("v")
        assert (v.dtype, v.type.shape, v.name) == (dtype, SHAPES[kind], "v")
    plain = getattr(T, kind)
    assert plain("v").dtype == "float64"
    assert plain("v", dtype="int8").dtype == "int8"
    with using(floatX="float32"):
        assert plain().dtype == "float32"


def test_plurals_take_names_or_a_number() -> None:
    a, b = T.dscalars("a", "b")
    assert (a.name, b.name) == ("a", "b")
    assert len(T.matrices(3)) == 3
    assert T.matrices.__name__ == "matrices"


def test_a_tensor_of_what_is_no_dtype_is_an_error() -> None:
    with pytest.raises(GraphTypeError, match="object"):
        T.tensor("object", (None,))


def test_the_public_names_are_written_out_and_all_there() -> None:
    own = {
        n for n, thing in vars(T).items() if not n.startswith("_") and getattr(thing, "__module__", "") == T.__name__
    }
    assert own - set(T.__all__) == {"Maker"} & own
    assert all(hasattr(T, name) for name in T.__all__)
    undocumented = [n for n in T.__all__ if inspect.isfunction(getattr(T, n)) and not getattr(T, n).__doc__]
    assert undocumented == []


def test_theano_s_names_are_the_same_ops() -> None:
    assert (T.neq, T.switch, T.sqr, T.sgn, T.inv, T.le) == (
        T.not_equal, T.where, T.square, T.sign, T.reciprocal, T.less_equal,
    )  # fmt: skip
    assert T.nnet.sigmoid is T.sigmoid


def test_constants_copy_their_value() -> None:
    array = np.ones(2)
    made = T.constant(array, "ones")
    array[0] = 5
    assert made.data.tolist() == [1, 1]  # type: ignore[attr-defined]
    assert T.constant(1, dtype="int8").dtype == "int8"
