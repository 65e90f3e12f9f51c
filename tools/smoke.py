"""What an installed graphlab must do, with nothing but its wheel: run by .ci/run outside the checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np

import graphlab
from graphlab import tensor as T

installed = Path(graphlab.__file__)
assert "site-packages" in installed.parts, f"this is a checkout, not an installed wheel: {installed}"

x = T.vector("x")
y = 2 * x + x**3
f = graphlab.function([x], [y, T.grad(y.sum(), x)])
values = np.linspace(-2, 2, 9)
for got, expected in zip(f(values), (2 * values + values**3, 2 + 3 * values**2), strict=True):
    np.testing.assert_allclose(got, expected, rtol=1e-14)
assert "gl_run" in f.c_source, "the function was not compiled to C"

A, B = T.matrix("A"), T.matrix("B")
product = graphlab.function([A, B], T.tanh(T.dot(A, B)))
left, right = np.ones((2, 3)), np.full((3, 2), 0.1)
np.testing.assert_allclose(product(left, right), np.tanh(left @ right), rtol=1e-14)

static = sorted(item.name for item in files("graphlab").joinpath("viz", "static").iterdir())
assert any(name.endswith(".js") for name in static), static
assert any(name.endswith(".css") for name in static), static

f.report("report.html", args=[values])
f.report("report.svg")
page, picture = Path("report.html").read_text(), Path("report.svg").read_text()
assert page.lstrip().lower().startswith("<!doctype html>"), page[:40]
assert picture.rstrip().endswith("</svg>"), picture[-40:]
assert "http://" not in page.replace("http://www.w3.org/", ""), "the report asks the network for something"
print(f"graphlab {graphlab.__version__} from {installed.parent}: compiled, called and reported")
