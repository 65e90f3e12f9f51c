"""How things show themselves in a notebook."""

import base64
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import graphlab
import graphlab.tensor as T
from tests.viz.hostile import HOSTILE

ROOT = Path(__file__).resolve().parent.parent.parent


def picture(bundle: dict[str, str]) -> str:
    return base64.b64decode(bundle["text/html"].partition("base64,")[2].partition('"')[0]).decode()


def test_a_small_expression_is_a_formula() -> None:
    x = T.dscalar("x")
    bundle = (2 * x + x**3)._repr_mimebundle_()
    assert bundle["text/latex"].startswith("$")
    assert "x^{3}" in bundle["text/latex"]
    assert "text/plain" in bundle


def test_a_larger_expression_is_its_graph() -> None:
    x = T.dvector("x")
    y = x
    for k in range(20):
        y = T.sin(y) + k
    bundle = y._repr_mimebundle_()
    assert ET.fromstring(picture(bundle)).get("class") == "gl-graph gl-page"
    assert "text/latex" not in bundle


def test_a_huge_expression_is_text() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(500):
        y = T.sin(y)
    assert set(y._repr_mimebundle_()) == {"text/plain"}


def test_inputs_and_constants_are_text() -> None:
    assert set(T.dvector("x")._repr_mimebundle_()) == {"text/plain"}


def test_a_function_is_an_image_with_its_text(cubic: graphlab.Function) -> None:
    bundle = cubic._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == repr(cubic)
    assert "2*x + x**3" in picture(bundle)


def test_a_session_is_an_explorer(cubic: graphlab.Function) -> None:
    data, _ = cubic.debug([1.0])._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data


def test_hostile_names_cannot_leave_the_alternative_text() -> None:
    xs = [T.dvector(name) for name in HOSTILE]
    bundle = graphlab.function(xs, sum(xs[1:], xs[0]), mode="interpret")._repr_mimebundle_()
    tag = ET.fromstring(bundle["text/html"].removesuffix(">") + "/>")
    assert tag.tag == "img"
    assert set(tag.attrib) == {"alt", "style", "src"}


def test_importing_graphlab_imports_nothing_that_draws() -> None:
    program = "import sys, graphlab; print({'anywidget', 'IPython', 'graphviz', 'pygments'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
