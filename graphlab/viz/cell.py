"""The code under `%%symgraph`: run in the user's namespace, and read as inputs and outputs of a function."""

from __future__ import annotations

import ast
import builtins
import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from graphlab.callable import Function
from graphlab.errors import GraphlabError, GraphTypeError, MissingInputError, Origin
from graphlab.graph.node import Variable
from graphlab.graph.walk import free_inputs

Namespace = dict[str, Any]


class CellError(GraphlabError):
    """The text of a `%%symgraph` cell that can't be run."""


class Cell:
    """The code under `%%symgraph`, run statement by statement in `namespace`.

    `assigned` holds the names that it assigned, in order; `value` is that of its last expression.
    """

    def __init__(self, source: str, file: str, namespace: Namespace) -> None:
        self.file, self.namespace = file, namespace
        self.lines = source.splitlines()
        self.assigned: dict[str, None] = {}
        self.value: Any = None
        try:
            self.statements = ast.parse(source, file).body
        except SyntaxError as error:
            raise CellError(f"the cell is not Python: {error.msg}", origin=self.at(error.lineno)) from None

    def at(self, line: int | None) -> Origin | None:
        """Line `line` of the cell as an origin."""
        return None if line is None else Origin(self.file, line)

    def run(self) -> None:
        """Run it; each Variable without a name takes that of the Python name it is assigned to."""
        for statement in self.statements:
            if statement is self.statements[-1] and isinstance(statement, ast.Expr):
                self.value = eval(self._compiled(ast.Expression(statement.value), "eval"), self.namespace)
            else:
                exec(self._compiled(ast.Module([statement], []), "exec"), self.namespace)
            for name in _stored(statement):
                self.assigned[name] = None
                bound = self.namespace.get(name)
                if isinstance(bound, Variable) and bound.name is None:
                    bound.name = name

    def _compiled(self, tree: ast.Module | ast.Expression, mode: str) -> Any:
        return compile(tree, self.file, mode, dont_inherit=True)

    def outputs(self) -> Any:
        """The last expression, else the variable assigned last: a Variable, several, or a Function."""
        if _is_output(self.value):
            return self.value
        if self.value is not None:
            raise GraphTypeError(
                f"the cell's last expression is a {type(self.value).__name__}, not a symbolic variable",
                origin=self.at(self.statements[-1].lineno),
                hint="end the cell with the expression to compile, or with several in a tuple",
            )
        for name in reversed(self.assigned):
            if _is_output(self.namespace.get(name)):
                return self.namespace[name]
        raise MissingInputError(
            "the cell makes no symbolic variable",
            origin=self.at(len(self.lines)),
            hint='for example: x = T.vector("x"), and below it: 2*x + x**3',
        )

    def inputs(self, outputs: Sequence[Variable]) -> list[Variable]:
        """The free variables of `outputs`: earlier cells' first, then this cell's in order of creation."""
        free = free_inputs(outputs)
        names = {v: n for n, v in self.namespace.items() if isinstance(v, Variable) and not n.startswith("_")}
        order = {name: position for position, name in enumerate((*self.namespace, *self.assigned))}
        for variable in free:
            if variable.name is None and variable in names:
                variable.name = names[variable]

        def created(variable: Variable) -> tuple[int, int]:
            here = variable.origin is not None and variable.origin.file == self.file
            line = variable.origin.line if here and variable.origin else 0
            return line, order.get(names.get(variable, ""), len(order))

        return sorted(free, key=created)


def _is_output(value: Any) -> bool:
    several = isinstance(value, tuple | list) and bool(value)
    return isinstance(value, Variable | Function) or (several and all(isinstance(v, Variable) for v in value))


def _stored(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def unknown_name(error: NameError, cell: Cell, line: int | None) -> MissingInputError:
    """What to say when the cell uses a name that nothing has: most often an input not yet made."""
    name = error.name or "x"
    known = [*cell.namespace, *dir(builtins)]
    alike = difflib.get_close_matches(name, known, 1, 0.75) if len(name) > 2 else []
    hint = f"did you mean {alike[0]}? " if alike else "make the input first: "
    example = f'{name} = T.vector("{name}")'
    return MissingInputError(
        f"nothing is called {name!r}",
        origin=cell.at(line),
        hint=f"{hint}{'A new input is made by ' if alike else ''}{example}",
    )
