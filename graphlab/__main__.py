"""The command line: look at the functions of a script from a shell.

python -m graphlab show script.py:f --view code
python -m graphlab report script.py:f --with x=[1,2,3] -o f.html
python -m graphlab explore script.py
python -m graphlab debug script.py:f --with x=[1,2,3]
python -m graphlab lab script.py
python -m graphlab precompile script.py
python -m graphlab doctor
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphlab.callable import Function
from graphlab.doctor import doctor
from graphlab.errors import GraphlabError
from graphlab.function import function
from graphlab.graph.events import Event, ProgramBuilt, listen
from graphlab.graph.node import Variable
from graphlab.graph.walk import free_inputs
from graphlab.options import options
from graphlab.precompile import Precompiled, precompile
from graphlab.viz.plain import VIEWS, describe
from graphlab.viz.record import record


class CommandError(Exception):
    """A mistake on the command line or in the script it names: shown as one line."""


class Unhealthy(Exception):
    """What `doctor` found, if something is broken: shown like any answer, but the status tells."""


def run_script(path: str) -> dict[str, Any]:
    """The names of the script at `path`, which is run, though not as `__main__`."""
    if not Path(path).is_file():
        raise CommandError(f"there is no file {path}")
    try:
        return runpy.run_path(path, run_name="__graphlab__")
    except (Exception, SystemExit) as error:
        raise CommandError(_where(error, path)) from error


def load(target: str) -> tuple[Function, dict[str, Any]]:
    """The function that `target`, as `script.py:name`, stands for, and the names of its script.

    The script is run, though not as `__main__`; the name may be a compiled function or a variable, which
    is then compiled as a function of its free inputs. Without a name it is the only function of the script.
    """
    path, _, name = _parts(target)
    if not path or (name and not name.isidentifier()):
        raise CommandError(f"expected script.py or script.py:name, not {target!r}")
    names = run_script(path)
    if not name:
        name = _only(path, names)
    found = names.get(name)
    if isinstance(found, Variable):
        found = function(free_inputs([found]), found, name=name)
    if not isinstance(found, Function):
        there = [n for n, value in names.items() if isinstance(value, Function | Variable)]
        raise CommandError(f"{path} has no function or variable {name}; it has {', '.join(there) or 'none'}")
    return found, names


def _only(path: str, names: dict[str, Any]) -> str:
    """The name of the one function of a script."""
    functions = {id(value): name for name, value in names.items() if isinstance(value, Function)}
    if len(functions) != 1:
        choices = f"choose one: {path}:name of {', '.join(functions.values())}" if functions else "it has none"
        raise CommandError(f"{path} does not have exactly one compiled function; {choices}")
    return next(iter(functions.values()))


def _where(error: BaseException, path: str) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    message = error.message if isinstance(error, GraphlabError) else str(error)
    return f"{path}:{lines[-1] if lines else '?'}: {type(error).__name__}: {message}"


def values_of(pairs: Sequence[str], compiled: Function, names: dict[str, Any]) -> list[Any] | None:
    """The values of `--with name=expression`, in the order of the inputs; None without any."""
    if not pairs:
        return None
    given: dict[str, Any] = {}
    for pair in pairs:
        name, _, expression = pair.partition("=")
        try:
            given[name] = eval(expression, {"np": np, **names})
        except Exception as error:
            raise CommandError(f"--with {pair}: {type(error).__name__}: {error}") from error
    wanted = [variable.name or "" for variable in compiled.inputs]
    if set(given) != set(wanted):
        raise CommandError(f"--with must give {', '.join(wanted) or 'nothing'}; it gives {', '.join(given)}")
    return [given[name] for name in wanted]


def show(arguments: argparse.Namespace) -> str:
    """`show`: a view as text, or the whole trace as JSON."""
    compiled, names = load(arguments.target)
    values = values_of(arguments.values, compiled, names)
    session = None if values is None else compiled.debug(*values)
    if arguments.json:
        return json.dumps(record(compiled, session and session.finish()), indent=1, ensure_ascii=False)
    if arguments.view == "step" and session is None:
        raise CommandError("--view step needs values: --with x=...")
    return describe(compiled, arguments.view or ("step" if session else "graph"), session)


def report(arguments: argparse.Namespace) -> str:
    """`report`: a file of any kind that `Function.report` writes."""
    compiled, names = load(arguments.target)
    show = int(arguments.show) if arguments.show.isdigit() else arguments.show
    compiled.report(arguments.out, args=values_of(arguments.values, compiled, names), show=show)
    return f"written: {arguments.out}"


def explore(arguments: argparse.Namespace) -> str:
    """`explore`: the explorer as a page in a temporary folder, opened in the browser."""
    compiled, names = load(arguments.target)
    page = Path(tempfile.mkdtemp(prefix="graphlab-")) / f"{_stem(arguments.target)}.html"
    compiled.report(page, args=values_of(arguments.values, compiled, names))
    if arguments.no_browser or not webbrowser.open(page.as_uri()):
        return f"open {page} in a browser"
    return f"opened: {page}"


def debug(arguments: argparse.Namespace) -> str:
    """`debug`: the debugger of a call in the terminal."""
    compiled, names = load(arguments.target)
    values = values_of(arguments.values, compiled, names)
    if values is None and compiled.inputs:
        wanted = ", ".join(str(variable.name) for variable in compiled.inputs)
        raise CommandError(f"debug needs values to step through: --with gives {wanted}")
    session = compiled.debug(*(values or ()))
    session.interact(input)
    return f"left at step {session.position} of {len(session.steps)}"


def lab(arguments: argparse.Namespace) -> str:
    """`lab`: a notebook beside the script, with the explorer of a function of it, opened in JupyterLab."""
    load(arguments.target)  # mistakes are told here, not in the notebook
    path, _, name = _parts(arguments.target)
    here = Path(path).name + (f":{name}" if name else "")
    cell = f"from graphlab.__main__ import load\n\nf, names = load({here!r})\nf.explore()"
    notebook = Path(path).with_name(f"{_stem(arguments.target)}.graphlab.ipynb")
    if not notebook.exists():
        notebook.write_text(json.dumps(_notebook(cell), indent=1) + "\n", encoding="utf-8")
    if arguments.no_browser:
        return f"written: {notebook}"
    if importlib.util.find_spec("jupyterlab") is None:
        raise CommandError(f"JupyterLab is not installed (pip install jupyterlab); the notebook is {notebook}")
    done = subprocess.run([sys.executable, "-m", "jupyterlab", str(notebook)], check=False)
    if done.returncode:
        raise CommandError(f"JupyterLab ended with {done.returncode}")
    return f"written: {notebook}"


def _parts(target: str) -> tuple[str, str, str]:
    """The path and the name of `script.py:name`; `script.py` has no name."""
    return (target, "", "") if target.endswith(".py") else target.rpartition(":")


def _stem(target: str) -> str:
    path, _, name = _parts(target)
    return Path(path).stem + (f"-{name}" if name else "")


def _notebook(cell: str) -> dict[str, Any]:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    code: dict[str, Any] = {"cell_type": "code", "id": "explorer", "metadata": {}, "execution_count": None}
    code |= {"outputs": [], "source": cell.splitlines(keepends=True)}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": [code]}


def compile_ahead(arguments: argparse.Namespace) -> str:
    """`precompile`: the programs of a script's functions are put into the cache."""
    target: str = arguments.target
    path, _, name = _parts(target)
    built: list[Event] = []
    with listen(built.append):
        names = run_script(path)
        if name and name not in names:
            raise CommandError(f"{path} has no {name}")
        chosen = [names[name]] if name else [v for v in names.values() if isinstance(v, Function)]
        if arguments.types:
            made = precompile(chosen[0] if name else None, arguments.types)  # type: ignore[arg-type]
        else:
            functions = [load(target)[0] if isinstance(v, Variable) else v for v in chosen]
            made = precompile(list({id(f): f for f in functions}.values())) if functions else Precompiled(())
    known = {p.key for p in made.programs}
    fresh = {e.key: not e.cached for e in reversed(built) if isinstance(e, ProgramBuilt)}
    others = [key for key in fresh if key not in known]
    lines = [str(made)] if known or not others else []
    lines += [f"{len(others)} more that the script builds"] if others else []
    lines += [f"{sum(fresh.values())} compiled now, {len(fresh) - sum(fresh.values())} found in {options().cache_dir}"]
    return "\n".join(lines)


def examine(arguments: argparse.Namespace) -> str:
    """`doctor`: what graphlab needs here, whether it works, and how to mend what does not; 1 if something is broken."""
    found = doctor()
    if not found.healthy:
        raise Unhealthy(str(found))
    return str(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m graphlab", description="Look through graphlab's compiler.")
    commands = parser.add_subparsers(dest="command", required=True)
    looks = ((show, "print a view of a function"), (report, "write a report of a function"),
             (explore, "look at a function in the browser"), (debug, "step through a call in the terminal"),
             (lab, "look at a function in JupyterLab"))  # fmt: skip
    for action, help in looks:
        command = commands.add_parser(action.__name__, help=help)
        command.set_defaults(action=action)
        command.add_argument("target", metavar="script.py[:name]", help="a compiled function or a variable")
        if action in (explore, lab):
            command.add_argument("--no-browser", action="store_true", help="only write the page or the notebook")
        if action is lab:
            continue
        command.add_argument(
            "--with", dest="values", metavar="name=expr", nargs="+", action="extend", default=[],
            help="values of the inputs, to run on",
        )  # fmt: skip
        if action is show:
            command.add_argument("--view", choices=VIEWS)
            command.add_argument("--json", action="store_true", help="the whole trace as JSON")
        elif action is report:
            command.add_argument(
                "-o", "--out", metavar="FILE", required=True, help="FILE.html, .svg, .png, .pdf, .dot or .json"
            )
            command.add_argument(
                "--show", default="side-by-side", help="before, after, difference, side-by-side or a number of rewrites"
            )
    command = commands.add_parser("precompile", help="compile the functions of a script for later processes")
    command.set_defaults(action=compile_ahead)
    command.add_argument("target", metavar="script.py[:name]", help="all functions of a script, or one")
    command.add_argument(
        "--types", nargs="+", metavar="TYPE", help='"float64[?,3]" ...: of a Python function\'s arguments'
    )
    command = commands.add_parser("doctor", help="whether what graphlab needs is there and works, and how to mend it")
    command.set_defaults(action=examine)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 1 and a single line on stderr when it can't be done."""
    arguments = _parser().parse_args(argv)
    try:
        print(arguments.action(arguments))
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Unhealthy as findings:
        print(findings)
        return 1
    except (CommandError, GraphlabError, OSError, ValueError) as error:
        message = error.message if isinstance(error, GraphlabError) else str(error)
        print(f"graphlab: {' '.join(message.split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
