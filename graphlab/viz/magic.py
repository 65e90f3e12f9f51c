"""The notebook's way in: `%load_ext graphlab`, then `%%symgraph` on top of a cell with an expression."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand
from IPython.core.magic_arguments import MagicArgumentParser
from IPython.display import display
from IPython.utils._process_common import arg_split

from graphlab.callable import Function
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError
from graphlab.function import function
from graphlab.graph.node import Constant, Shared, Variable
from graphlab.graph.walk import free_inputs
from graphlab.viz.cell import Cell, Namespace, unknown_name
from graphlab.viz.plain import VIEWS, describe
from graphlab.viz.symdebug import Symdebug
from graphlab.viz.widget import explore

DESCRIPTION = """\
Compile the expression that a cell writes, and look through the compiler while it does.

The cell runs as any other, with graphlab's `T` at hand. Names that it assigns name the nodes;
its last expression is the output (a tuple gives several); the free symbolic variables are the
inputs. The compiled function is shown as an explorer, and is `_`, as the value of any cell:

    %%symgraph -o f --with x=[1,2,3]
    x = T.vector("x")
    2*x + x**3

As a line, with a compiled function or a symbolic variable, it shows that:

    %symgraph f --with x=[1,2,3]
"""

# ---- the options ---------------------------------------------------------------------------------


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _identifier(text: str) -> str:
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable name")
    return text


def _names(text: str) -> list[str]:
    return [_identifier(name.strip()) for name in text.split(",")]


def options_parser() -> argparse.ArgumentParser:
    """The options of `%%symgraph`; a wrong one is a UsageError, which IPython shows as one line."""
    parser: argparse.ArgumentParser = MagicArgumentParser(
        "%%symgraph", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("function", metavar="f", nargs="*", help="of the line form alone: what is there already")
    add("-o", "--out", metavar="VAR", type=_identifier, help="store the compiled function in VAR")
    add("--with", dest="values", metavar="name=expr", type=_unquoted, nargs="+", action="extend", default=[],
        help="values for the inputs: also run on them, and open the stepper")  # fmt: skip
    add("--view", choices=VIEWS, help="what to show first (default: graph; step if there are values)")
    add("--inputs", metavar="a,b", type=_names, help="the inputs, in order (default: all, as created)")
    add("--report", metavar="FILE", type=_unquoted, help="also write a report: FILE.html or FILE.svg")
    add("--no-optimize", action="store_true", help="keep the graph as written and run it in NumPy")
    add("--mode", help="the mode of graphlab.function")
    add("-q", "--quiet", action="store_true", help="show nothing")
    add("-h", "--help", action="store_true", help="show this text")
    return parser


PARSER = options_parser()


def _parses(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except SyntaxError:
        return False
    return True


def split_options(line: str) -> list[str]:
    """The words of the magic's line; `--with` keeps an expression with blanks in it as one word.

    >>> split_options("-o f --with x=np.linspace(0, 1, 5) y=-2 --view step")
    ['-o', 'f', '--with', 'x=np.linspace(0, 1, 5)', 'y=-2', '--view', 'step']
    """
    words, inside_with = list[str](), False
    for word in arg_split(line, strict=False):
        name, equals, expression = words[-1].partition("=") if inside_with and words else ("", "", "")
        if equals and name.isidentifier() and not _parses(expression):
            words[-1] += " " + word
        else:
            inside_with = word == "--with" or (inside_with and not word.startswith("-"))
            words.append(word)
    return words


# ---- the magic -----------------------------------------------------------------------------------


class Symgraph:
    """`%%symgraph` in one IPython; cells find `names` (such as T) there unless the user has bound them."""

    def __init__(self, shell: Any, names: Namespace) -> None:
        self.shell, self.names = shell, names

    @no_var_expand  # `$x` and `{x}` belong to the user's code
    def symgraph(self, line: str, cell: str | None = None) -> None:
        options = PARSER.parse_args(split_options(line))
        if options.help or (cell is None and not options.function):
            print(PARSER.format_help())
            return
        if cell is not None and options.function:
            raise UsageError(f"unrecognized arguments: {' '.join(options.function)}")
        if options.view == "step" and not options.values:
            raise UsageError("--view step needs values to step through: --with x=...")
        compiled = self._existing(options) if cell is None else self._compile(self._run(line, cell), options)
        values = self._values(compiled, options.values)
        session = None if values is None else compiled.debug(*values)
        if options.report:
            compiled.report(options.report, args=values)
        if options.out is not None:
            self.shell.push({options.out: compiled})
        self.shell.displayhook.update_user_ns(compiled)  # `_` and Out[n], as for the value of any cell
        if not options.quiet and not (cell or line).rstrip().endswith(";"):
            self._show(compiled, session, options.view or ("step" if session else "graph"))

    symgraph.__doc__ = PARSER.format_help()

    def _run(self, line: str, cell: str) -> Cell:
        """Run the cell's code; a mistake in it shows the cell's lines and none of graphlab's or IPython's."""
        shell = self.shell
        whole = f"%%symgraph {line}".rstrip() + "\n" + cell
        # Lines count as the cell shows them: its first is the magic's own.
        history = shell.history_manager
        number = shell.execution_count if history is None else len(history.input_hist_parsed) - 1  # it is In[number]
        file = shell.compile.cache(whole, number, whole)
        for name, value in self.names.items():
            shell.user_ns.setdefault(name, value)
        body = Cell("\n" + cell, file, shell.user_ns)
        try:
            body.run()
        except GraphlabError:
            raise
        except Exception as error:
            frames = _frames_from(error, file)
            if isinstance(error, NameError) and frames is not None and frames.tb_next is None:
                raise unknown_name(error, body, frames.tb_lineno) from error
            shown = shell.InteractiveTB.structured_traceback(type(error), error, frames, tb_offset=0)
            error._render_traceback_ = lambda: shown  # type: ignore[attr-defined]  # IPython asks for this
            raise
        return body

    def _compile(self, body: Cell, options: argparse.Namespace) -> Function:
        outputs = body.outputs()
        if isinstance(outputs, Function):
            return outputs
        several = [outputs] if isinstance(outputs, Variable) else list(outputs)
        inputs = body.inputs(several)
        if options.inputs is not None:
            inputs = [self._input(name) for name in options.inputs]
        mode = "interpret" if options.no_optimize else options.mode
        return function(inputs, outputs, name=options.out or several[-1].name, mode=mode)

    def _existing(self, options: argparse.Namespace) -> Function:
        """What the line form names: a compiled function, or a variable, compiled as a function of its free inputs."""
        text = " ".join(options.function).rstrip("; ")
        if options.inputs is not None or options.no_optimize or options.mode:
            raise UsageError("%symgraph: --inputs, --mode and --no-optimize are for cells, which compile")
        try:
            found = eval(text, self.shell.user_ns)
        except Exception as error:
            raise UsageError(f"%symgraph {text}: {type(error).__name__}: {error}") from None
        if isinstance(found, Variable) and not isinstance(found, Constant | Shared):
            return function(free_inputs([found]), found, name=options.out or found.name)
        if not isinstance(found, Function):
            raise UsageError(f"%symgraph {text}: expected a compiled function, not {type(found).__name__}")
        return found

    def _input(self, name: str) -> Variable:
        variable = self.shell.user_ns.get(name)
        if not isinstance(variable, Variable) or isinstance(variable, Constant | Shared):
            raise UsageError(f"--inputs: {name} is not a symbolic variable that could be an input")
        return variable

    def _values(self, compiled: Function, pairs: Sequence[str]) -> list[Any] | None:
        """The values of `--with`, in the order of the function's inputs; None if there are none."""
        if not pairs:
            return None
        given = dict(self._value(pair) for pair in pairs)
        names = [str(variable.name) for variable in compiled.inputs]
        missing, unknown = [n for n in names if n not in given], [n for n in given if n not in names]
        if missing or unknown:
            wrong = "no value for" if missing else "there is no input"
            raise UsageError(f"--with: {wrong} {', '.join(missing or unknown)}; the inputs are {', '.join(names)}")
        return [given[name] for name in names]

    def _value(self, pair: str) -> tuple[str, Any]:
        name, equals, expression = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--with takes name=expression, not {pair!r}")
        try:
            return name, eval(expression, {"np": np, **self.shell.user_ns})
        except Exception as error:
            raise UsageError(f"--with {pair}: {type(error).__name__}: {error}") from None

    def _show(self, compiled: Function, session: Session | None, view: str) -> None:
        if hasattr(self.shell, "kernel"):
            display(explore(compiled, session=session, view=view))
        else:  # a terminal
            print(describe(compiled, view, session))


def _frames_from(error: BaseException, file: str) -> TracebackType | None:
    """The traceback of `error` from its first frame in `file` on: what lies before is IPython's and ours."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != file:
        frames = frames.tb_next
    return frames


# ---- completion ----------------------------------------------------------------------------------

_MATCHER = "graphlab.symgraph"


_OF_LINES = ("--out", "--with", "--view", "--report", "--quiet", "--help")


def _functions(names: Namespace) -> list[str]:
    return [n for n, v in names.items() if isinstance(v, Function) and not n.startswith("_")]


def _candidates(words: Sequence[str], names: Namespace, line: bool) -> list[str] | None:
    """What may follow `words`; None where completion is left to others."""
    actions = {name: action for action in PARSER._actions for name in action.option_strings}
    last = actions.get(words[-1]) if words else None
    if last is not None and last.choices:
        return [str(choice) for choice in last.choices]
    if last is not None and last.dest == "inputs":
        return [n for n, v in names.items() if isinstance(v, Variable) and not n.startswith("_")]
    if last is not None and last.nargs != 0:
        return None
    if line:
        return [*_functions(names), *(name for name in actions if name in _OF_LINES)]
    return [name for name in actions if name.startswith("--")]


Matcher = Callable[[CompletionContext], SimpleMatcherResult]


def option_matcher(names: Namespace) -> Matcher:
    """A completer of the magics' lines: options and their values, functions where one is wanted, no other names."""

    def symgraph_options(context: CompletionContext) -> SimpleMatcherResult:
        # The cell's magic stands in its first line, the line's anywhere.
        found = re.match(r"\s*(%{0,2})(symgraph|symdebug) +(.*)$", context.text_until_cursor)
        if not found or (found[1] == "%%" and (context.cursor_line != 0 or found[2] == "symdebug")):
            return {"completions": []}
        *words, current = found[3].split(" ")
        if found[2] == "symgraph":
            candidates = _candidates([word for word in words if word], names, line=found[1] != "%%")
        else:
            candidates = None if "(" in found[3] or words[-1:] in (["-o"], ["--out"]) else [*_functions(names), "--out"]
        if candidates is None:
            return {"completions": []}
        current = current.rpartition(",")[2]  # --inputs a,b
        fitting = [SimpleCompletion(c, type="param") for c in candidates if c.startswith(current)]
        return {"completions": fitting, "matched_fragment": current, "suppress": True}

    matcher: Matcher = context_matcher(identifier=_MATCHER)(symgraph_options)
    return matcher


# ---- loading -------------------------------------------------------------------------------------


def load_ipython_extension(shell: Any, names: Namespace) -> None:
    """`%load_ext graphlab`: the magics, their completion, and `names` for its cells."""
    shell.register_magic_function(Symgraph(shell, names).symgraph, "line_cell", "symgraph")
    shell.register_magic_function(Symdebug(shell).symdebug, "line", "symdebug")
    _remove_matcher(shell)
    shell.Completer.custom_matchers.append(option_matcher(shell.user_ns))


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext graphlab`: as if it had never been loaded (what the cells made stays)."""
    for kind in ("line", "cell"):
        for name in ("symgraph", "symdebug"):
            shell.magics_manager.magics[kind].pop(name, None)
    _remove_matcher(shell)


def _remove_matcher(shell: Any) -> None:
    matchers = shell.Completer.custom_matchers
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", "") != _MATCHER]
