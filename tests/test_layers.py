"""The house holds: every import goes down the layers, and the compiler never sees the viewer."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "graphlab"

# A file or folder of graphlab/ and its floor; an import goes to a lower floor or stays in its folder.
FLOORS = {
    "dtypes": 0, "errors": 0,
    "options": 1, "graph": 1, "loops": 1,
    "ops": 2,
    "interpret": 3, "arguments": 3, "vectorize": 3, "random": 3,
    "autodiff": 4, "vmap": 4, "signature": 4, "streams": 4, "shared_randomstreams": 4,
    "control": 5,
    "rewrite": 6,
    "lower": 7,
    "codegen": 8,
    "runtime": 9,
    "fingerprint": 10,
    "recall": 11,
    "compiled": 12,
    "background": 13, "faults": 13,
    "callable": 14,
    "function": 15,
    "debug": 16, "saving": 16, "export": 16, "precompile": 16, "evaluate": 16, "doctor": 16,
    "viz": 17,
    "__init__": 18, "__main__": 18, "tensor": 18,
}  # fmt: skip

# Imports inside functions below viz, each with the reason why it can't stand at the top.
ALLOWED_INSIDE_FUNCTIONS: dict[tuple[str, str], str] = {}

# Imports up the house, each with the reason. Only methods of the user's objects that open a view.
ALLOWED_UPWARDS: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Import:
    """`module` (dotted, inside graphlab) imports `target`."""

    module: str
    target: str
    line: int
    inside_function: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    """`graphlab/ops/base.py` -> `ops.base`; a package is named by its folder."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def targets(node: ast.AST) -> list[str]:
    """The graphlab modules that an import statement names, without the leading `graphlab.`."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative import"
        module = node.module or ""
        # `from graphlab.ops import base` names a module; `from graphlab.ops.base import Op` a thing in one.
        full = [f"{module}.{alias.name}" for alias in node.names]
        names = [name if name.removeprefix("graphlab.") in FILES else module for name in full]
    else:
        return []
    inside = [name for name in names if name == "graphlab" or name.startswith("graphlab.")]
    return [name.removeprefix("graphlab.") if name != "graphlab" else "__init__" for name in inside]


def typing_only(node: ast.AST) -> bool:
    """Whether `node` is `if TYPE_CHECKING:`, whose imports never run."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports_of(module: str) -> Iterator[Import]:
    """Every import of graphlab's own modules that can run, wherever in the file it stands."""
    pending: list[tuple[ast.AST, bool]] = [(ast.parse(FILES[module].read_text()), False)]
    while pending:
        node, inside = pending.pop()
        for target in dict.fromkeys(targets(node)):
            yield Import(module, target, node.lineno, inside)  # type: ignore[attr-defined]
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        children = node.orelse if typing_only(node) else ast.iter_child_nodes(node)  # type: ignore[attr-defined]
        pending.extend((child, inside) for child in children)


IMPORTS = [found for module in FILES for found in imports_of(module)]


def floor(module: str) -> int:
    return FLOORS[module.split(".")[0]]


def test_every_file_has_a_floor() -> None:
    assert {module.split(".")[0] for module in FILES} - {"_rt"} <= set(FLOORS)


def test_imports_go_down_the_layers() -> None:
    wrong = [
        str(found)
        for found in IMPORTS
        if floor(found.target) >= floor(found.module)
        and found.target.split(".")[0] != found.module.split(".")[0]
        and floor(found.module) < FLOORS["__init__"]  # the top floor may import everything
        and (found.module, found.target) not in ALLOWED_UPWARDS
    ]
    assert not wrong, "\n".join(wrong)


def test_the_compiler_never_imports_the_viewer() -> None:
    wrong = [
        str(found)
        for found in IMPORTS
        if found.target.split(".")[0] == "viz"
        and floor(found.module) < FLOORS["viz"]
        and (found.module, found.target) not in ALLOWED_UPWARDS
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_stand_at_the_top_of_their_file() -> None:
    inside = {
        (found.module, found.target): str(found)
        for found in IMPORTS
        if found.inside_function and floor(found.module) < FLOORS["viz"]
    }
    allowed = {**ALLOWED_INSIDE_FUNCTIONS, **ALLOWED_UPWARDS}
    wrong = [text for key, text in inside.items() if key not in allowed]
    assert not wrong, "\n".join(wrong)
    stale = set(allowed) - set(inside)
    assert not stale, f"no longer needed: {stale}"


def test_no_import_cycle() -> None:
    edges: dict[str, list[str]] = {module: [] for module in FILES}
    for found in IMPORTS:
        if not found.inside_function and found.target in FILES:
            edges[found.module].append(found.target)
    done: set[str] = set()
    for start in edges:
        cycle = find_cycle(edges, start, done)
        assert cycle is None, " -> ".join(cycle or ())


def find_cycle(edges: dict[str, list[str]], start: str, done: set[str]) -> list[str] | None:
    """A cycle reachable from `start`, or None; adds what it has searched to `done`."""
    if start in done:
        return None
    path, pending = [start], [iter(edges[start])]
    while path:
        following = next(pending[-1], None)
        if following is None:
            done.add(path.pop())
            pending.pop()
        elif following in path:
            return [*path[path.index(following) :], following]
        elif following not in done:
            path.append(following)
            pending.append(iter(edges[following]))
    return None


def test_the_cycle_finder_finds_one() -> None:
    edges = {"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}
    assert find_cycle(edges, "a", set()) == ["b", "d", "b"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import graphlab.viz.widget", ["viz.widget"]),
        ("from graphlab.graph import node", ["graph.node"]),
        ("from graphlab.graph.node import Apply", ["graph.node"]),
        ("from graphlab import tensor as T", ["tensor"]),
        ("import graphlab", ["__init__"]),
        ("import numpy", []),
        ("import graphlabel", []),
    ],
)
def test_imports_are_read_right(source: str, expected: list[str]) -> None:
    assert targets(ast.parse(source).body[0]) == expected
