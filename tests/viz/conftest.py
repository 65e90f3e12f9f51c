"""What the tests of the glass share: two functions to look at, and a browser without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlab
import graphlab.tensor as T
from tests.viz.visit import Visit, visiting

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]  # fmt: skip
NAMES = ("chromium-headless-shell", "chromium", "google-chrome")


@pytest.fixture
def cubic() -> graphlab.Function:
    """f(x) = 2x + x**3 over vectors."""
    x = T.dvector("x")
    y = 2 * x + x**3
    y.name = "y"
    return graphlab.function([x], y, name="f")


@pytest.fixture
def training() -> graphlab.Function:
    """A step of logistic regression: matrix product, reductions, gradients and updates."""
    x, t = T.dmatrix("x"), T.dvector("t")
    w = graphlab.shared(np.linspace(-1, 1, 4), name="w")
    b = graphlab.shared(0.5, name="b")
    p = T.sigmoid(x @ w + b)
    cost = -(t * T.log(p) + (1 - t) * T.log(1 - p)).mean()
    dw, db = T.grad(cost, [w, b])
    updates = [(w, w - 0.1 * dw), (b, b - 0.1 * db)]
    return graphlab.function([x, t], cost, updates=updates, name="train")


@pytest.fixture
def batch(rng: np.random.Generator) -> list[Any]:
    """Arguments for `training`."""
    return [rng.normal(size=(6, 4)), (rng.random(6) > 0.5).astype(float)]


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The browser's path; without one the test is skipped, or fails where a browser is required."""
    given = os.environ.get("GRAPHLAB_CHROME")
    path = given or next((p for p in map(shutil.which, NAMES) if p), None)
    if path is None:
        message = "no browser: apt-get install --no-install-recommends chromium-headless-shell"
        (pytest.fail if os.environ.get("GRAPHLAB_REQUIRE_BROWSER") == "1" else pytest.skip)(message)
    return path


@pytest.fixture(scope="session")
def browser(browser_path: str) -> Iterator[Any]:
    """A headless browser that can reach nothing but this machine."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser_path, headless=True, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(request: pytest.FixtureRequest, browser: Any) -> Iterator[Visit]:
    """A fresh page that may ask for files, or for what ALLOWED of the test's module names."""
    with visiting(browser, getattr(request.module, "ALLOWED", ("file:",))) as visit:
        yield visit


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: GRAPHLAB_SCREENSHOTS, else a temporary folder."""
    chosen = os.environ.get("GRAPHLAB_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_dot: skipped where Graphviz's dot is not found")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_dot") and shutil.which("dot") is None:
        pytest.skip("dot is not here")
