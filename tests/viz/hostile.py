"""Texts that would do harm on a page that took them for markup, and a function made of nothing else."""

import random
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import graphlab
import graphlab.tensor as T
from graphlab.viz.record import Recorder
from graphlab.viz.views import Views

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
    search = page.get_by_test_id("gl-search")
    for view in ("rewrites", "inspect", "step", "value", "code", "profile", "nodes"):
        page.get_by_test_id(f"gl-tab-{view}").click()
    found = str(page.get_by_test_id("gl-found").text_content()).split()  # "12 of 12 nodes": two are in the body
    assert found[:3] == [str(2 * len(names) + 2), "of", str(2 * len(names) + 2)], found
    for name in names[:: max(len(names) // 5, 1)]:
        search.fill(name.encode("utf-8", "replace").decode())
        page.evaluate("() => document.querySelector('.gl-table tbody tr')?.click()")
    search.fill("")
    page.get_by_test_id("gl-tab-inspect").click()
    page.evaluate("""() => { for (const card of document.querySelectorAll(".gl-canvas [data-nodes]"))
        for (const type of ["pointerover", "mouseover", "mouseenter", "focus", "click"])
            card.dispatchEvent(new MouseEvent(type, { bubbles: true })); }""")
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
