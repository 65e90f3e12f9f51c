"""Variables, the applications that make them, and where each came from: immutable, compared by identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlab.dtypes import canonical
from graphlab.errors import GraphlabError, GraphTypeError, Origin, caller_origin, user_boundary
from graphlab.graph.types import TensorType

if TYPE_CHECKING:
    from graphlab.graph.interface import ArrayInterface
    from graphlab.ops.base import Op
else:
    ArrayInterface = object


@dataclass(frozen=True, slots=True)
class Provenance:
    """Why an application exists.

    `origins` are the user's lines (several after nodes were merged), `grad_of` the forward
    application it is the gradient of, `rule` the rewrite that made it and `replaced` the
    application that stood there before: following `replaced` gives the whole chain. `scope` is the
    path of name scopes and symbolic functions that it belongs to, `asked` the line that asked for a gradient
    (it is kept in memory only).
    """

    origins: tuple[Origin, ...] = ()
    grad_of: Apply | None = None
    rule: str | None = None
    replaced: Apply | None = None
    scope: tuple[str, ...] = ()
    asked: Origin | None = None


_provenance: ContextVar[provenance | None] = ContextVar("graphlab_provenance", default=None)
_scope: ContextVar[tuple[str, ...]] = ContextVar("graphlab_scope", default=())
_made: ContextVar[set[Apply] | None] = ContextVar("graphlab_made", default=None)


class provenance:
    """Applications made inside the block get `why` instead of the caller's line.

    `why` may be a function that gives it: it is called when the first application is made. (A class, not a
    generator: it is entered for each rule that is tried.)
    """

    __slots__ = ("_token", "_why")

    def __init__(self, why: Provenance | Callable[[], Provenance]) -> None:
        self._why = why

    def __enter__(self) -> None:
        self._token = _provenance.set(self)

    def __exit__(self, *error: object) -> None:
        _provenance.reset(self._token)

    def why(self) -> Provenance:
        """What applications made now get."""
        if not isinstance(self._why, Provenance):
            self._why = self._why()
        return self._why


def here() -> Provenance:
    """The provenance of what is made now: the enclosing block's, else the user's line."""
    block = _provenance.get()
    if block is not None:
        return block.why()
    origin = caller_origin()
    return Provenance((origin,) if origin else (), scope=_scope.get())


@user_boundary
def name_scope(name: str) -> AbstractContextManager[None]:
    """Group what is made inside the block under `name`: pictures draw it in a box; scopes nest.

    GraphTypeError: `name` is no text, or an empty one.

    >>> import graphlab.tensor as T
    >>> with name_scope("model"), name_scope("layer1"):
    ...     y = T.exp(T.dscalar("x"))
    >>> y.owner.provenance.scope
    ('model', 'layer1')
    """
    given: Any = name
    if not isinstance(given, str) or not all(given.split("/")):
        raise GraphTypeError(
            f"the name of a scope is a text, got {name!r:.40}",
            origin=caller_origin(),
            hint='with graphlab.name_scope("layer1"): ...',
        )
    return _scoped(name.split("/"))


@contextmanager
def _scoped(names: Sequence[str]) -> Iterator[None]:
    token = _scope.set((*_scope.get(), *names))
    try:
        yield
    finally:
        _scope.reset(token)


@contextmanager
def tracing() -> Iterator[set[Apply]]:
    """Collect the applications made inside the block: the body of a function, which has scopes of its own."""
    made: set[Apply] = set()
    why, scope, before = _provenance.set(None), _scope.set(()), _made.set(made)
    try:
        yield made
    finally:
        _provenance.reset(why)
        _scope.reset(scope)
        _made.reset(before)


class _Frozen:
    """Instances refuse assignment once built."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable; build a new one instead of setting .{name}")


_set = object.__setattr__


class Variable(_Frozen, ArrayInterface):
    """A value in a graph: an input (`owner` is None) or output number `index` of the application `owner`.

    Its `name` is a label for people: it may be set at any time and means nothing to the compiler.
    """

    __slots__ = ("__weakref__", "_name", "_origin", "_scope", "index", "owner", "type")
    __array_priority__ = 1000  # ndarray + Variable asks the Variable
    __array_ufunc__ = None

    type: TensorType
    owner: Apply | None
    index: int

    def __init__(self, type: TensorType, name: str | None = None, owner: Apply | None = None, index: int = 0) -> None:
        _set(self, "type", type)
        _set(self, "_name", name)
        _set(self, "owner", owner)
        _set(self, "index", index)
        if owner is None:  # else the application knows them
            _set(self, "_origin", next(iter(here().origins), None))
            _set(self, "_scope", _scope.get())

    @property
    def name(self) -> str | None:
        """The label, or None."""
        return self._name  # type: ignore[attr-defined, no-any-return]

    @name.setter
    def name(self, name: str | None) -> None:
        _set(self, "_name", name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "name":
            super().__setattr__(name, value)
        _set(self, "_name", value)

    @property
    def origin(self) -> Origin | None:
        """The user's line that made it."""
        if self.owner is not None:
            return next(iter(self.owner.provenance.origins), None)
        return self._origin  # type: ignore[attr-defined, no-any-return]

    @property
    def scope(self) -> tuple[str, ...]:
        """The path of name scopes in which it was made."""
        if self.owner is not None:
            return self.owner.provenance.scope
        return self._scope  # type: ignore[attr-defined, no-any-return]

    @property
    def dtype(self) -> str:
        """The element type's name."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """The rank."""
        return self.type.ndim


class Constant(Variable):
    """A value known while the graph is built; `data` is a read-only array."""

    __slots__ = ("data",)
    data: np.ndarray[Any, Any]

    def __init__(self, data: Any, name: str | None = None) -> None:
        array = np.array(data)  # a copy: the user may change theirs
        if array.dtype.kind not in "biufc":
            raise TypeError("it is no number")
        dtype = canonical(array.dtype)
        array = array.astype(dtype, copy=False)
        array.setflags(write=False)
        super().__init__(TensorType(dtype, array.shape), name)
        _set(self, "data", array)

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for constants of the same type and the same bits (so 0.0 and -0.0 differ)."""
        return (self.data.dtype.name, self.data.shape, self.data.tobytes())


class Shared(Variable):
    """A value that lives between calls, read by functions and changed by their updates.

    `cell` is a list holding the one current array; compiled code reads and replaces cell[0].
    """

    __slots__ = ("cell",)
    cell: list[np.ndarray[Any, Any]]

    @user_boundary
    def __init__(self, value: Any, name: str | None = None, *, shape: Sequence[int | None] | None = None,
                 borrow: bool = False) -> None:  # fmt: skip
        try:
            array = np.asarray(value) if borrow else np.array(value)
            dtype = canonical(array.dtype)
        except (TypeError, ValueError) as error:
            raise GraphTypeError(
                f"shared({name or 'value'}): {error.message if isinstance(error, GraphlabError) else error}",
                origin=caller_origin(),
                hint="it holds a value: a number, a NumPy array or nested lists of numbers, all of one length",
            ) from None
        array = np.asarray(array, dtype=dtype)
        # As in Theano the extents may change with set_value: only the rank is fixed, unless `shape` says more.
        static = (None,) * array.ndim if shape is None else tuple(shape)
        super().__init__(TensorType(dtype, static), name)
        _set(self, "cell", [array])

    @property
    def value(self) -> Any:
        """Nothing: an AttributeError says what to call."""
        raise AttributeError(f"{self!r} has no .value: read it with get_value(), change it with set_value(new)")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "value":
            self.value  # noqa: B018 -- it raises
        super().__setattr__(name, value)

    def get_value(self, borrow: bool = False) -> np.ndarray[Any, Any]:
        """The current value; a copy unless `borrow`."""
        return self.cell[0] if borrow else self.cell[0].copy()

    @user_boundary
    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Replace the value; GraphTypeError if dtype or rank do not fit."""
        who = f"set_value of shared {self.name or 'variable'}"
        try:
            array = np.asarray(value)
        except (TypeError, ValueError) as error:
            why = error.message if isinstance(error, GraphlabError) else error
            raise GraphTypeError(f"{who}: expected {self.type}: {why}", origin=caller_origin(),
                                 hint="give a number, a NumPy array or nested lists of numbers") from None  # fmt: skip
        ranks = array.ndim, self.type.ndim
        if not np.can_cast(array.dtype, self.type.dtype, "same_kind") or ranks[0] != ranks[1]:
            raise GraphTypeError(
                f"{who}: expected {self.type}, got {array.dtype}{list(array.shape)}",
                origin=caller_origin(),
                hint=f"convert it first: numpy.asarray(value, {self.type.dtype!r})"
                if ranks[0] == ranks[1]
                else f"its {ranks[1]} dimensions stay, only the extents may change; another shared variable has others",
            )
        if any(n is not None and n != m for n, m in zip(self.type.shape, array.shape, strict=True)):
            raise GraphTypeError(
                f"{who}: expected {self.type}, got shape {array.shape}",
                origin=caller_origin(),
                hint="its shape was fixed with shared(value, shape=...)",
            )
        self.cell[0] = np.array(array, dtype=self.type.dtype, copy=None if borrow else True)


class Apply(_Frozen):
    """One application of an op to inputs; its outputs are variables owned by it."""

    __slots__ = ("__weakref__", "inputs", "op", "outputs", "provenance")
    op: Op
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    provenance: Provenance

    def __init__(
        self, op: Op, inputs: Sequence[Variable], types: Sequence[TensorType], why: Provenance | None = None
    ) -> None:
        _set(self, "op", op)
        _set(self, "inputs", tuple(inputs))
        _set(self, "provenance", why or here())
        _set(self, "outputs", tuple([Variable(t, None, self, i) for i, t in enumerate(types)]))
        if (made := _made.get()) is not None:
            made.add(self)

    def __repr__(self) -> str:
        return f"<{self.op.name} -> {', '.join(str(v.type) for v in self.outputs)}>"

    @property
    def output(self) -> Variable:
        """The only output; ValueError if there are several."""
        (only,) = self.outputs
        return only


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole computation: `outputs` as functions of `inputs` (shared variables and constants come along)."""

    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]


def as_data_variable(value: Any, name: str | None = None) -> Variable:
    """`value` itself if it is a Variable, else a Constant of it; GraphTypeError if it can be neither."""
    if isinstance(value, Variable):
        return value
    try:
        return Constant(value, name)
    except GraphlabError:
        raise GraphTypeError(
            f"{value!r:.80} ({type(value).__name__}) holds variables: it can't stand in an expression",
            origin=caller_origin(),
            hint="make one variable of them: T.stack([x, y])",
        ) from None
    except (TypeError, ValueError) as error:
        raise GraphTypeError(
            f"{value!r:.40} ({type(value).__name__}) can't stand in an expression: {error}",
            origin=caller_origin(),
            hint="use numbers, NumPy arrays, nested lists of numbers or graphlab variables",
        ) from None
