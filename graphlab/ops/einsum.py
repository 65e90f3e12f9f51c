"""einsum: sums of products by labelled axes, spelled with transposes, products of matrices and sums.

So it has derivatives of every order, and what C and BLAS can do of it they do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from graphlab.dtypes import promote
from graphlab.errors import GraphShapeError, GraphTypeError, GraphValueError, user_boundary
from graphlab.graph.node import Variable
from graphlab.ops.conversion import cast
from graphlab.ops.elementwise import multiply
from graphlab.ops.extents import reshape
from graphlab.ops.join import as_tensor
from graphlab.ops.linalg import matmul
from graphlab.ops.matrices import main_diagonal
from graphlab.ops.reduce import sum as sum_over
from graphlab.ops.shape import dimshuffle, extent, moveaxis, size, squeeze

Labels = tuple[str, ...]  # of each axis a letter, or "...k" for axis k from the right of those under an ellipsis


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of the product: an array and the label of each of its axes."""

    array: Variable
    labels: Labels

    def among(self, labels: Collection[str]) -> list[str]:
        """Those of its labels that are among `labels`, in its own order."""
        return [label for label in self.labels if label in labels]

    def arranged(self, order: Sequence[str]) -> Variable:
        """The array with its axes in `order`, and axes of extent 1 for the labels that it lacks."""
        return dimshuffle(self.array, ["x" if n not in self.labels else self.labels.index(n) for n in order])

    def axes(self, labels: Sequence[str]) -> tuple[int, ...]:
        """Where `labels` are."""
        return tuple(self.labels.index(label) for label in labels)

    def summed_but(self, kept: Collection[str]) -> Factor:
        """The sum over the axes that are not labelled with one of `kept`; as numpy.einsum it keeps the dtype."""
        gone = [label for label in self.labels if label not in kept]
        if not gone:
            return self
        return Factor(sum_over(self.array, self.axes(gone), dtype=self.array.dtype), tuple(self.among(kept)))


@user_boundary
def einsum(subscripts: str, *operands: Any) -> Variable:
    """The sum of products that `subscripts` describe, as numpy.einsum: "ij,jk->ik", "...ii->...", "i,i".

    Operands are multiplied in the order in which they stand; dtypes promote. An extent of 1 beside another
    of the same label broadcasts if the label is kept, or if the 1 is known before the run.
    GraphValueError: the subscripts can't be read; GraphShapeError: an operand does not fit them.

    >>> import numpy as np
    >>> einsum("bij,bjk->bik", np.ones((5, 2, 3)), np.ones((5, 3, 4))).type.shape
    (5, 2, 4)
    """
    if not isinstance(subscripts, str):
        hint = "write einsum('ij,jk->ik', a, b)"
        raise GraphTypeError(f"einsum: the subscripts must be a str, got {type(subscripts).__name__}", hint=hint)
    arrays = [as_tensor(operand) for operand in operands]
    terms, output = _parsed(subscripts.replace(" ", ""), arrays)
    _check_extents(terms, arrays)
    dtype = promote(*(array.dtype for array in arrays))
    factors = [_without_repeats(Factor(cast(a, dtype), term)) for a, term in zip(arrays, terms, strict=True)]
    product = factors[0]
    for i, factor in enumerate(factors[1:], start=2):
        product = _contracted(product, factor, {*output, *(n for later in factors[i:] for n in later.labels)})
    return product.summed_but(output).arranged(output)


# ---- subscripts ------------------------------------------------------------------------------------


def _parsed(subscripts: str, arrays: Sequence[Variable]) -> tuple[list[Labels], Labels]:
    left, arrow, right = subscripts.partition("->")
    written = left.split(",")
    if len(written) != len(arrays):
        raise GraphValueError(f"einsum: {subscripts!r} describes {len(written)} operands, got {len(arrays)}")
    terms = [_term(text, i, array) for i, (text, array) in enumerate(zip(written, arrays, strict=True))]
    ellipsis = max(([n for n in term if len(n) > 1] for term in terms), key=len)
    used = [n for term in terms for n in term]
    if not arrow:
        return terms, (*ellipsis, *sorted({n for n in used if len(n) == 1 and used.count(n) == 1}))
    letters = _letters(right, "the output")
    output = tuple(n for piece in letters for n in (ellipsis if piece == "..." else [piece]))
    if ellipsis and "..." not in letters:
        raise GraphValueError(f"einsum: {subscripts!r}: the output lacks the '...' of the operands")
    for n in output:
        if n not in used or output.count(n) > 1:
            what = "is not among those of the operands" if n not in used else "stands twice in the output"
            raise GraphValueError(f"einsum: {subscripts!r}: the label {n} {what}")
    return terms, output


def _letters(text: str, where: str) -> list[str]:
    pieces = [*text.replace("...", "\0")]
    if pieces.count("\0") > 1 or any(not (p.isascii() and p.isalpha()) for p in pieces if p != "\0"):
        raise GraphValueError(f"einsum: {text!r} of {where} is no sequence of letters with one '...' at most")
    return ["..." if piece == "\0" else piece for piece in pieces]


def _term(text: str, position: int, array: Variable) -> Labels:
    letters = _letters(text, f"operand {position}")
    under = array.ndim - len(letters) + 1 if "..." in letters else 0
    if under < 0 or ("..." not in letters and len(letters) != array.ndim):
        raise GraphShapeError(f"einsum: {text!r} does not fit operand {position}, {array.type}, of rank {array.ndim}")
    hidden = [f"...{k}" for k in reversed(range(under))]
    return tuple(n for piece in letters for n in (hidden if piece == "..." else [piece]))


def _check_extents(terms: Sequence[Labels], arrays: Sequence[Variable]) -> None:
    known: dict[str, int] = {}
    for position, (term, array) in enumerate(zip(terms, arrays, strict=True)):
        for label, n in zip(term, array.type.shape, strict=True):
            if n is not None and n != 1 and known.setdefault(label, n) != n:
                raise GraphShapeError(
                    f"einsum: the label {label} has extent {known[label]}, but {n} in operand {position}, {array.type}"
                )


# ---- products --------------------------------------------------------------------------------------


def _without_repeats(factor: Factor) -> Factor:
    """The diagonal along axes that have the same label."""
    for label in factor.labels:
        if factor.labels.count(label) > 1:
            first, second = [i for i, n in enumerate(factor.labels) if n == label][:2]
            rest = tuple(n for i, n in enumerate(factor.labels) if i not in (first, second))
            thin = main_diagonal(moveaxis(factor.array, (first, second), (-2, -1)))
            return _without_repeats(Factor(cast(thin, factor.array.dtype), (*rest, label)))
    return factor


def _contracted(left: Factor, right: Factor, kept: Collection[str]) -> Factor:
    """The product of two factors, summed over the labels that are not `kept`."""
    left, right = _without_ones(left, right, kept), _without_ones(right, left, kept)
    left, right = left.summed_but({*kept, *right.labels}), right.summed_but({*kept, *left.labels})
    shared = left.among(right.labels)
    batch, inner = [n for n in shared if n in kept], [n for n in shared if n not in kept]
    rows, columns = ([n for n in f.labels if n not in shared] for f in (left, right))
    labels = (*batch, *rows, *columns)
    if not inner:
        return Factor(multiply(left.arranged(labels), right.arranged(labels)), labels)
    product = matmul(_matrices(left, batch, rows, inner), _matrices(right, batch, inner, columns))
    if len(rows) != 1 or len(columns) != 1:
        product = reshape(
            product,
            [
                *(extent(product, k) for k in range(len(batch))),
                *(extent(left.array, k) for k in left.axes(rows)),
                *(extent(right.array, k) for k in right.axes(columns)),
            ],
        )
    return Factor(product, labels)


def _without_ones(factor: Factor, other: Factor, kept: Collection[str]) -> Factor:
    """Without the axes to be summed that broadcast against `other`."""
    ones = [
        n for n in factor.labels
        if n in other.labels and n not in kept and factor.array.type.shape[factor.labels.index(n)] == 1
    ]  # fmt: skip
    if not ones:
        return factor
    return Factor(squeeze(factor.array, factor.axes(ones)), tuple(n for n in factor.labels if n not in ones))


def _matrices(factor: Factor, batch: Sequence[str], rows: Sequence[str], columns: Sequence[str]) -> Variable:
    """`factor` as a batch of matrices: the axes labelled `rows` as one, and those labelled `columns`."""
    array = factor.arranged([*batch, *rows, *columns])
    if len(rows) == len(columns) == 1:
        return array
    return reshape(
        array,
        [
            *(extent(factor.array, k) for k in factor.axes(batch)),
            size(factor.array, factor.axes(rows)),
            size(factor.array, factor.axes(columns)),
        ],
    )
