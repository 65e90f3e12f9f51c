"""Texts that would do harm on a page that took them for markup, and a function made of nothing else."""

import json
import random
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.debug.session import Session
from graphlab.errors import GraphlabError
from graphlab.ops.elementwise import Elementwise
from graphlab.rewrite.pipeline import mode
from graphlab.rewrite.rule import ROUNDING, Rule
from graphlab.viz.acts import LONGEST
from graphlab.viz.record import Recorder
from graphlab.viz.views import Views
from graphlab.viz.widget import Explorer
from tests.viz.live import live

HOSTILE = [
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\0\x1b[31m\n\r\t",
    "\u202egnp.exe",
    "\ud800", "\ufffe\uffff", "]]>", "&lt;", "javascript:alert(1)", "x" * 6000,
]  # fmt: skip
# What the others are made of: pieces of markup, of DOT, of CSS, of templates, of JSON, and of what Unicode has.
PIECES = [
    "<script>window.harm=1</script>", "<img src='http://harm.example/x' onerror=window.harm=1>",
    "<svg/onload=window.harm=1>", "'onmouseover='window.harm=1", '" onclick="window.harm=1" x="',
    "`onfocus=window.harm=1 autofocus", "javascript:window.harm=1",
    "<style>*{background:url(http://harm.example/y)}</style>", "<a href=javascript:window.harm=1>",
    "<iframe srcdoc='&lt;script&gt;'>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml?>",
    "<!doctype x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>", "&y;", "&#x3c;", "&amp;", '"];b[label="', "\\N\\G\\L",
    "<<b>x</b>>", "\\", "${window.harm=1}", "{{harm}}", "%s", "__proto__", "constructor", "\u2028", "\u2029",
    "\u202e", "\u2066", "\ufeff", "\ufffe", "\udc80", "\0", "\x1b]0;harm\x07", "\r\n", "\t", "\U0001f9e8",
    "e\u0301" * 9, "url(http://harm.example)", "*/", "/*", "//", "#", "'", '"', "=", ";", " ", "../../etc/passwd",
    "C:\\x", "a" * 900,
]  # fmt: skip
VIEWS = ("rewrites", "inspect", "step", "value", "code", "profile", "nodes")


def texts(count: int, seed: int = 1) -> list[str]:
    """So many different hostile texts; the same for the same seed."""
    source, made = random.Random(seed), dict.fromkeys(HOSTILE)
    while len(made) < count:
        made["".join(source.choices(PIECES, k=source.randint(1, 5))) + hex(len(made))] = None
    return list(made)[:count]


def function(names: list[str]) -> graphlab.Function:
    """A function of so many inputs: its names, its scopes, its lines, their file and its documentation are `names`."""
    namespace: dict[str, Any] = {"T": T, "names": names, "graphlab": graphlab, "xs": []}
    comments = [" ".join(name.split()).replace("\0", "") for name in names]
    lines = [f"xs.append(T.dvector(names[{k}]))  # {comment}" for k, comment in enumerate(comments)]
    code = "\n".join(lines).encode("utf-8", "replace").decode()
    file = names[-1].replace("\0", "")
    for line in code.splitlines():  # what a comment breaks in two is not run
        if line.startswith("xs.append"):
            exec(compile(line, file.encode("utf-8", "replace").decode(), "exec"), namespace)
    xs = namespace["xs"]
    scope = "/".join(filter(None, names[0].split("/")))
    with graphlab.name_scope(scope):
        total = sum(xs[1:], xs[0])

    def stated(x: Any) -> Any:
        return T.exp(x)

    stated.__name__ = stated.__qualname__ = names[len(names) // 2]
    stated.__doc__ = names[-1]
    total = graphlab.symbolic(stated)(total)
    total.name = names[-1]
    return graphlab.function(xs, total, name=names[0], mode="interpret")


def session(names: list[str]) -> Session:
    """A run, built as C, of ops, scopes, a rule and values that are called `names`; its last step fails and says one.

    Each op stands in a scope of its own, gives a value of the next name, and is preceded by what the rule takes away.
    """
    x = total = T.dvector(names[0])
    for k, name in enumerate(names):
        own = Elementwise(name, np.negative, c="(-{x})", pull=(lambda g, y, x: -g,))
        with graphlab.name_scope("/".join(filter(None, names[-k].split("/"))) or "-"):
            total = own(T.exp(T.log(total)) if k == 0 else total)
        total.name = names[k - 1]
    rule = Rule(names[1], ROUNDING, find=lambda x: T.exp(T.log(x)), make=lambda x: x, because=names[2])
    checked = graphlab.check(total, total > 0, next(name for name in names[3:] if len(name) < 500))  # told to its end
    compiled = graphlab.function([x], checked, name=names[-1], mode=mode("fast_compile").including(rule))
    assert [event.rule for event in compiled.trace.rewrites].count(names[1]) == 1
    return compiled.debug([1.0 if len(names) % 2 else -1.0])  # of which an odd number of ops makes the other sign


def check_picture(function: graphlab.Function) -> None:
    """The SVG is XML that runs nothing and asks for nothing, with a card for each input, their sums and the call."""
    recorder = Recorder(function)
    views = Views(recorder.trace(None, False), "linear", moments=recorder.moment)
    tree = ET.fromstring(views.document("before"))
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tags <= {"svg", "title", "desc", "style", "g", "path", "rect", "text", "circle"}, tags
    for element in tree.iter():
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on"), name
            assert "href" not in name.lower(), value
    style = tree.find("{http://www.w3.org/2000/svg}style")
    assert style is not None
    assert "harm" not in str(style.text)
    cards = [element.get("data-nodes") for element in tree.iter() if element.get("data-nodes")]
    assert len(set(cards)) == len(cards) == 2 * len(function.inputs)


def check_dot(function: graphlab.Function, folder: Path) -> None:
    """Graphviz reads the DOT, and finds as many nodes."""
    source = function.report(folder / "hostile.dot", show="before").read_bytes()
    plain = subprocess.run(["dot", "-Tplain"], input=source, capture_output=True, check=True).stdout
    assert sum(line.startswith(b"node ") for line in plain.splitlines()) == 2 * len(function.inputs)


def check_page(visit: Any, path: Path, names: list[str]) -> None:
    """A report opened, hovered over, clicked and searched: nothing runs, nothing is asked for, every node is there."""
    page = visit.page
    page.on("dialog", lambda dialog: visit.errors.append(f"a dialog: {dialog.message}"))
    page.goto(path.as_uri())
    page.locator("#gl-app[data-ready]").wait_for()
    for view in VIEWS:
        page.get_by_test_id(f"gl-tab-{view}").click()
    found = str(page.get_by_test_id("gl-found").text_content()).split()  # "12 of 12 nodes": two are in the body
    assert found[:3] == [str(2 * len(names) + 2), "of", str(2 * len(names) + 2)], found
    _touch(visit, names, 1)


def check_live(visit: Any, names: list[str]) -> None:
    """An explorer with a kernel: all of `names` watched, stopped at and typed, up to the error; nothing runs."""
    page = visit.page
    page.on("dialog", lambda dialog: visit.errors.append(f"a dialog: {dialog.message}"))
    run = session(names)
    widget = live(page, run)
    known = set(map(repr, names[:100]))  # as many as a page may set
    inputs = [f"v[{name!r}]" for name in names[:50]]
    for text in (*inputs, *sorted(known), *names):
        _sent(widget, "watch", text)
    conditions = [json.dumps({"op": names[0], "if": f"value.min() == 7 or {name} == ''"}) for name in sorted(known)]
    assert all(_sent(widget, "break", text) for text in conditions if len(text) <= LONGEST)
    for text in names:
        _sent(widget, "break", json.dumps({"op": names[0], "if": text}))
    for what in ("run", "enter", "element", "goto", "leave", "break"):
        assert not any(_sent(widget, what, name) for name in names), what
    wanted = sum(len(text) <= LONGEST for text in (*known, *inputs))
    assert wanted <= len(run.watches) < wanted + len(names) // 10  # some names are numbers, or comments after one
    for view in VIEWS:
        page.get_by_test_id(f"gl-tab-{view}").click()
    page.get_by_test_id("gl-tab-step").click()
    for k, name in enumerate(names[:: max(len(names) // 5, 1)]):
        typed = name.encode("utf-8", "replace").decode()
        page.get_by_test_id("gl-drawer-watches").click()
        page.get_by_test_id("gl-watch").fill(typed if k % 2 else f"x + {typed}")
        page.get_by_test_id("gl-watch-add").click()
        page.get_by_test_id("gl-drawer-breaks").click()
        page.get_by_test_id("gl-break-place").select_option("op")
        page.get_by_test_id("gl-break-when").select_option("if")
        page.get_by_test_id("gl-break-if").fill(typed)
        page.get_by_test_id("gl-break-set").click()
    page.get_by_test_id("gl-continue").click()
    for drawer, all_of in (("watches", run.watches), ("breaks", run.breakpoints)):
        page.get_by_test_id(f"gl-drawer-{drawer}").click()
        listed = page.get_by_test_id(f"gl-{drawer}").locator(":scope > li")
        for _ in range(300):  # what was clicked is done by and by
            if 0 < len(all_of) == listed.count():
                break
            page.wait_for_timeout(100)
        assert 0 < len(all_of) == listed.count(), (drawer, len(all_of), listed.count(), visit.errors, widget.error)
    run.breakpoints.clear()
    page.get_by_test_id("gl-end").click()
    page.locator(".gl-says", has_text="condition is false").wait_for()  # what the error says is a name too
    for drawer in ("origin", "digits", "bisect", "element"):
        page.get_by_test_id(f"gl-drawer-{drawer}").click()
    _touch(visit, names, len(names) // 4)  # each click is answered by Python


def _sent(widget: Explorer, what: str, key: str) -> bool:
    """Whether what a page sends is done; else it was refused, in words that a page can show."""
    try:
        widget.answers.act(what, key)
    except (ValueError, GraphlabError) as refused:
        return str(refused) == ""
    return True


def _touch(visit: Any, names: list[str], every: int) -> None:
    """Search for some names, hover over all cards and click on some: no element, handler or request comes of it."""
    page = visit.page
    page.get_by_test_id("gl-tab-nodes").click()
    search = page.get_by_test_id("gl-search")
    for name in names[:: max(len(names) // 5, 1)]:
        search.fill(name.encode("utf-8", "replace").decode())
        page.evaluate("() => document.querySelector('.gl-table tbody tr')?.click()")
    search.fill("")
    page.get_by_test_id("gl-tab-inspect").click()
    page.evaluate(
        """(every) => [...document.querySelectorAll(".gl-canvas [data-nodes]")].forEach((card, k) => {
        for (const type of ["pointerover", "mouseover", "mouseenter", "focus", ...(k % every ? [] : ["click"])])
            card.dispatchEvent(new MouseEvent(type, { bubbles: true })); })""",
        every,
    )
    cards = page.locator(".gl-canvas [data-nodes]")
    for k in range(0, cards.count(), max(cards.count() // 4, 1)):  # and as a hand does it
        cards.nth(k).hover(force=True)
        cards.nth(k).click(force=True)
    strange = page.locator("#gl-app :is(img, script, iframe, style, a, object, embed, link)")
    assert strange.count() == 0, strange.first.evaluate("element => element.outerHTML")
    assert page.evaluate("() => [...document.querySelectorAll('#gl-app *')].flatMap((e) => e.getAttributeNames())"
                         ".filter((name) => name.startsWith('on')).length") == 0  # fmt: skip
    assert page.evaluate("() => 'harm' in window") is False
    assert (visit.errors, visit.blocked) == ([], [])
