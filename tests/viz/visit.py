"""A page in the browser that is let through to nothing but what the test allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class Visit:
    """A page; `errors` are its uncaught errors, `blocked` the requests that would have left this machine."""

    def __init__(self, browser: Any, allowed: tuple[str, ...], **context: Any) -> None:
        self.errors: list[str] = []
        self.blocked: list[str] = []
        self.allowed = (*allowed, "data:", "blob:")
        options = {"viewport": {"width": 1360, "height": 860}, "reduced_motion": "reduce", **context}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(30_000)
        self.context.route("**/*", self._gate)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))

    def _gate(self, route: Any) -> None:
        if route.request.url.startswith(self.allowed):
            route.continue_()
        else:
            self.blocked.append(route.request.url)
            route.abort()


@contextmanager
def visiting(browser: Any, allowed: tuple[str, ...], **context: Any) -> Iterator[Visit]:
    """A fresh page; afterwards there was no error in it, and no request to elsewhere."""
    visit = Visit(browser, allowed, **context)
    yield visit
    visit.context.close()
    assert (visit.errors, visit.blocked) == ([], [])


def opened(visit: Visit, address: Path | str) -> Any:
    """The page of `visit` with a report in it, ready."""
    visit.page.goto(address.as_uri() if isinstance(address, Path) else address)
    visit.page.locator("#gl-app[data-ready]").wait_for()
    return visit.page


def elements(root: Any) -> np.ndarray[Any, Any]:
    """The exact elements that the value panel lists."""
    cells = root.get_by_test_id("gl-value").locator(".gl-elements td[title]")
    cells.first.wait_for()
    return np.array([cell.get_attribute("title") for cell in cells.all()], dtype=float)


def poor_contrast(page: Any) -> list[str]:
    """Visible text of explorers whose contrast with what lies behind it is below WCAG's 4.5."""
    found: list[str] = page.evaluate(_CONTRAST)
    return found


_CONTRAST = r"""() => {
  const parse = (text) => {
    const [r, g, b, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [r * scale, g * scale, b * scale, alpha];
  };
  const over = (a, b) => [0, 1, 2].map((k) => a[k] * a[3] + b[k] * (1 - a[3])).concat(1);
  const linear = (x) => (x <= 10.31475 ? x / 3294.6 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const poor = [];
  for (const element of document.querySelectorAll(".gl-root *:not(svg *)")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const ground = behind(element), text = over(parse(getComputedStyle(element).color), ground);
    const [dark, light] = [luminance(text), luminance(ground)].sort((p, q) => p - q);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (!(ratio >= 4.5)) poor.push(`${ratio} ${element.className}: ${element.textContent.slice(0, 40)}`);
  }
  return poor;
}"""
