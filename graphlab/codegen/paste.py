"""The mathematical functions of csrc/, one by one, so that a program gets only those that it uses.

The headers are plain C, with one macro for each family of functions; this expands them as the
preprocessor would, into functions that a person can read. Their form is described at the top of gl_math.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
HEADERS = ("gl_strip.h", "gl_simd.h", "gl_waves.h", "gl_normal.h", "gl_math.h")  # each uses only those before it

_UNARY = """acos acosh asin asinh atan atanh cbrt ceil cos cosh erf erfc exp exp2 expm1 fabs floor log log10
log1p log2 rint round sin sinh sqrt tan tanh tgamma trunc""".split()
_COMPLEX = "cacos cacosh casin casinh catan catanh ccos ccosh cexp clog cpow csin csinh csqrt ctan ctanh".split()
_BINARY = "atan2 copysign fdim fmax fmin fmod hypot nextafter pow remainder".split()
LIBM = (
    {
        name + suffix: f"{c_type} {name}{suffix}({', '.join([c_type] * arity)});"
        for arity, names in ((1, _UNARY), (2, _BINARY))
        for name in names
        for suffix, c_type in (("", "double"), ("f", "float"))
    }
    | {
        name + suffix: f"{c_type} {name}{suffix}({', '.join([c_type] * (2 if name == 'cpow' else 1))});"
        for name in _COMPLEX
        for suffix, c_type in (("", "double _Complex"), ("f", "float _Complex"))
    }
    | {"lgamma_r": "double lgamma_r(double, int *);"}
)


def csrc() -> Path:
    """The folder of the C headers: inside the package when installed, beside it in a checkout."""
    inside = PACKAGE / "csrc"
    return inside if inside.is_dir() else PACKAGE.parent / "csrc"


@cache
def header(name: str) -> str:
    """The text of a header of csrc/."""
    return (csrc() / name).read_text(encoding="utf-8")


_WORD = re.compile(r"(?:##)?\b(\w+)\b")


@dataclass(frozen=True)
class Macro:
    """A function-like macro: `body` is its text without the line ends' backslashes."""

    parameters: tuple[str, ...]
    body: str
    comment: str

    @cached_property
    def defines(self) -> str:
        """The name, before expansion, of the function that it makes; empty where it makes others by other macros."""
        return _defined(self.body) if self.body.startswith(("GL_FN", "GL_CALLED")) else ""

    def expanded(self, text: str, arguments: Iterable[str]) -> str:
        """The `text`, which is of the body, with `arguments` for the parameters; ## pastes."""
        given = dict(zip(self.parameters, arguments, strict=True))
        return _WORD.sub(lambda found: given.get(found[1], found[0]), text)


@dataclass(frozen=True)
class Piece:
    """A function or variable of the headers: `macro` of `arguments`, or as it stands in `written`."""

    written: str
    macro: Macro | None = None
    arguments: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """Its C, with the comment above it; made when it is wanted, for there are many and few are."""
        if self.macro is None:
            return self.written
        return self.macro.comment + self.macro.expanded(self.macro.body, self.arguments)


_NAME = re.compile(r"\bgl_[\w#]+(?=\()")
_USE = re.compile(r"(GL_\w+)\(([^()]*)\)")
_ITEM = re.compile(
    r"""^(?P<comment>(?:/\*[^\n]*\*/\n)?)
    (?: \#define[ ](?P<macro>\w+)\((?P<parameters>[\w, ]+)\)[ ]\\\n(?P<body>(?:[^\n]*\\\n)*[^\n]*\n)
      | (?P<function>GL_(?:FN|CALLED)[ ].*?^\}\n)
      | (?P<variable>double[ ]\(\*(?P<variable_name>gl_\w+)\)[^\n]*\n)
      | (?P<use>GL_\w+\([\w, ]+\))\n )""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


@cache
def pieces() -> dict[str, Piece]:
    """Every function (and variable) of the headers by name, in their order."""
    macros: dict[str, Macro] = {}
    found: dict[str, Piece] = {}
    for item in _ITEM.finditer("".join(map(header, HEADERS))):
        if item["macro"]:
            parameters = tuple(p.strip() for p in item["parameters"].split(","))
            macros[item["macro"]] = Macro(parameters, _plain(item["body"]), item["comment"])
        elif item["function"]:
            found[_defined(item["function"])] = Piece(item["comment"] + item["function"])
        elif item["variable"]:
            found[item["variable_name"]] = Piece(item["comment"] + item["variable"])
        else:
            found.update(_members(item["use"], macros))
    return found


def library() -> dict[str, str]:
    """The text of each of them."""
    return {name: piece.text for name, piece in pieces().items()}


def _plain(body: str) -> str:
    lines = (line.removesuffix("\\").rstrip() for line in body.splitlines())
    return "\n".join(line.removeprefix("  ") for line in lines) + "\n"


def _defined(text: str) -> str:
    name = _NAME.search(text)
    assert name is not None, "the functions of the headers are named gl_..."
    return name[0]


def _members(text: str, macros: dict[str, Macro]) -> Iterator[tuple[str, Piece]]:
    """The functions that the macro invocations in `text` make."""
    for use in _USE.finditer(text):
        macro, arguments = macros[use[1]], tuple(a.strip() for a in use[2].split(","))
        if macro.defines:
            yield macro.expanded(macro.defines, arguments), Piece("", macro, arguments)
        else:
            yield from _members(macro.expanded(macro.body, arguments), macros)


def words(text: str) -> set[str]:
    """The identifiers in `text`."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


def needed(used: set[str]) -> list[str]:
    """What has to stand before code with the identifiers `used`: libm prototypes, then functions of the headers."""
    functions, wanted = dict[str, str](), set(used)
    for name, piece in reversed(pieces().items()):  # what a function uses stands before it
        if name in wanted:
            functions[name] = piece.text
            wanted |= words(piece.text)
    prototypes = [LIBM[name] for name in sorted(wanted & LIBM.keys())]
    inline = "#define GL_FN static inline __attribute__((always_inline))"
    called = ["#define GL_CALLED static __attribute__((noinline, unused))"] if "GL_CALLED" in wanted else []
    multiply_add = [_multiply_add()] if "GL_FMA" in wanted or "GL_FMAF" in wanted else []
    return [*prototypes, inline, *called, *multiply_add, *reversed(functions.values())]


@cache
def _multiply_add() -> str:
    """The definitions of GL_FMA and GL_FMAF, which depend on the processor."""
    found = re.search(r"^#ifdef __FP_FAST_FMA\n.*?^#endif\n", header("gl_simd.h"), re.MULTILINE | re.DOTALL)
    assert found is not None, "gl_simd.h defines GL_FMA"
    return found[0]
