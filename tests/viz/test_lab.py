"""The explorer in a real JupyterLab, driven by a real browser, with the network blocked."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import expect

from tests.viz.axe import violations
from tests.viz.visit import Visit, elements, poor_contrast, visiting

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "graphlab"
OVERRIDES = {  # what would ask the network, or change the page under the test
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True,
    },
    "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}  # fmt: skip
CELLS = [
    "%load_ext graphlab",
    '%%symgraph -o f --with x=[1.0,-2.0,0.5]\nx = T.dvector("x")\ny = 2*x + x**3\ny',
    "import graphlab\nw = f.explore()\nw",
    "print('PY', w.focus, w.view, w.error)",
    "f",
    "w.send_state(); w._received(w, {'kind': 'step', 'to': 'x'}, []); w.error",
    "f.debug([0.25, 4.0])",
    "%symgraph f",
    "import graphlab; print(graphlab.__file__)",
    "import os; os._exit(1)",
    """import numpy as np, graphlab, graphlab.tensor as T
def turn(x_t, state):
    grown = T.exp(state) * x_t
    grown.name = "grown"
    return grown
seq = T.dmatrix("seq")
w = T.log(graphlab.scan(turn, seq, T.zeros(2))[0] - 1)
w.name = "w"
graphlab.function([seq], w.sum(), name="loop").debug(np.array([[1.0, 0.5], [1.0, 0.1], [2.0, 0.1]]))""",
    """import time, graphlab, graphlab.tensor as T
z = T.dvector('z')
s = graphlab.function([z], T.sort(T.exp(z))).debug([1.0, 0.5])
s""",
    "for _ in s.steps: s.step()",
    "s.back(); s.shadow = lambda: time.sleep(60)",
]
PANELS = ("rewrites", "graph", "inspect", "step", "value", "code", "profile", "nodes")
# The interpreter that serves the notebooks and runs their kernels: one with graphlab installed, else the tests' own.
PYTHON = os.environ.get("GRAPHLAB_LAB_PYTHON")


@pytest.fixture(scope="module")
def lab(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab on this machine: its address, and the folder it serves."""
    folder = tmp_path_factory.mktemp("lab")
    root, settings = folder / "root", folder / "app_settings"
    root.mkdir()
    settings.mkdir()
    (settings / "overrides.json").write_text(json.dumps(OVERRIDES))
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[nbformat.v4.new_code_cell(text, id=f"cell{k}") for k, text in enumerate(CELLS)],
    )
    nbformat.write(notebook, root / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}": str(folder / name.lower()) for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")}
    environment = {
        **os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONPATH": "" if PYTHON else str(ROOT), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }  # fmt: skip
    command = [
        PYTHON or sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={TOKEN}", f"--LabApp.app_settings_dir={settings}",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    log = folder / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", server, log)
            yield f"http://127.0.0.1:{port}", root
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    while server.poll() is None and time.monotonic() - began < 60:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


class Notebook:
    """An open notebook with a running kernel."""

    def __init__(self, visit: Visit, address: str) -> None:
        self.visit, self.page, self.address = visit, visit.page, address
        self.open("explorer.ipynb")

    def open(self, name: str) -> None:
        self.page.goto(f"{self.address}/doc/tree/{name}?reset&token={TOKEN}", wait_until="domcontentloaded")
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.settle()

    def settle(self) -> None:
        # The notebook's own indicator reads "idle" before there is a kernel; the session knows better.
        self.page.wait_for_function(
            """() => { const s = window.jupyterapp?.shell?.currentWidget?.sessionContext;
            return s?.isReady && s.kernelDisplayStatus === "idle" &&
                   s.session?.kernel?.connectionStatus === "connected"; }""",
            polling=100,
        )

    def run(self, number: int) -> Any:
        """Run a cell; its output."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=60_000)
        return cell.locator(".jp-Cell-outputArea")

    def command(self, what: str) -> None:
        """Do `what` to the open notebook, as "context.save()", and wait until it is done."""
        self.page.evaluate(f"async () => {{ await window.jupyterapp.shell.currentWidget.{what}; }}")

    def theme(self, name: str) -> None:
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })", name)
        dark = "false" if "Dark" in name else "true"
        self.page.locator(f'body[data-jp-theme-light="{dark}"]').wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")


@pytest.fixture
def notebook(browser: Any, lab: tuple[str, Path]) -> Iterator[Notebook]:
    """The notebook, open; afterwards there was no error in the page and no request to elsewhere."""
    address, _ = lab
    with visiting(browser, (address,), viewport={"width": 1280, "height": 1000}) as visit:
        yield Notebook(visit, address)


def expect_elements(root: Any, wanted: Any) -> None:
    """The value that is shown becomes `wanted`: the kernel answers when it can."""
    wanted, until = np.asarray(wanted), time.monotonic() + 30
    while True:
        with contextlib.suppress(AssertionError):
            return np.testing.assert_allclose(elements(root), wanted, rtol=1e-15)
        if time.monotonic() > until:
            return np.testing.assert_allclose(elements(root), wanted, rtol=1e-15)
        time.sleep(0.05)


def test_a_symgraph_cell_is_stepped_through(notebook: Notebook, shots: Path) -> None:
    x = np.array([1.0, -2.0, 0.5])
    notebook.run(0)
    root = notebook.run(1).get_by_test_id("gl-explorer")
    status = root.get_by_test_id("gl-step-status")
    expect(status).to_contain_text("0 of")
    root.locator('.gl-canvas [aria-label^="x, float64"]').click()
    expect_elements(root, x)
    root.get_by_test_id("gl-forward").click()
    expect(status).to_contain_text("finished")
    expect_elements(root, 2 * x + x**3)
    root.get_by_test_id("gl-back").click()
    expect(status).to_contain_text("0 of")
    expect(root.get_by_test_id("gl-value")).to_contain_text("Step 0 computes it")
    root.get_by_test_id("gl-tab-step").focus()
    notebook.page.keyboard.press("n")
    expect(status).to_contain_text("finished")
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        root.screenshot(path=shots / f"lab-step-{theme.lower()}.png")
        assert poor_contrast(notebook.page) == []

    root.get_by_test_id("gl-tab-code").click()
    root.locator(".gl-canvas .gl-out >> xpath=..").click()
    lit = root.get_by_test_id("gl-c").locator("li.is-focus")
    assert lit.count() > 0
    expect(root.get_by_test_id("gl-python").locator("li.is-focus")).to_contain_text("2*x + x**3")
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        root.screenshot(path=shots / f"lab-code-{theme.lower()}.png")
        assert poor_contrast(notebook.page) == []


def test_focus_travels_to_python_and_errors_to_the_page(notebook: Notebook) -> None:
    notebook.run(0)
    notebook.run(1)
    root = notebook.run(2).get_by_test_id("gl-explorer")
    root.get_by_test_id("gl-tab-nodes").click()
    row = root.get_by_test_id("gl-table").locator("tr", has_text="add").first
    row.click()
    chosen = str(row.get_attribute("data-nodes")).split()[0]
    expect(notebook.run(3)).to_contain_text(f"PY {chosen} nodes")
    notebook.run(5)
    expect(root.get_by_test_id("gl-error")).to_contain_text("is no position")


def test_a_loop_is_debugged_from_a_breakpoint_to_the_origin_of_its_nan(notebook: Notebook, shots: Path) -> None:
    grown, state = [], np.zeros(2)
    for row in np.array([[1.0, 0.5], [1.0, 0.1], [2.0, 0.1]]):
        grown.append(state := np.exp(state) * row)
    notebook.run(0)
    root = notebook.run(10).get_by_test_id("gl-explorer")
    status, crumbs = root.get_by_test_id("gl-step-status"), root.get_by_test_id("gl-crumbs")
    expect(status).to_have_text("0 of 4 steps run")
    root.get_by_test_id("gl-drawer-breaks").click()
    root.get_by_test_id("gl-break-place").select_option("op")
    root.get_by_test_id("gl-break-which").select_option("exp")
    root.get_by_test_id("gl-break-when").select_option("if")
    root.get_by_test_id("gl-break-if").fill("value.max() > 2")
    root.get_by_test_id("gl-break-set").click()
    expect(root.get_by_test_id("gl-breaks")).to_contain_text("hit 0 times")
    root.get_by_test_id("gl-drawer-watches").click()
    root.get_by_test_id("gl-watch").fill("grown.max()")
    root.get_by_test_id("gl-watch-add").click()
    root.get_by_test_id("gl-continue").click()
    expect(status).to_contain_text("2 of 3 steps run · stopped: breakpoint 0: exp: value.max() > 2")
    history = root.get_by_test_id("gl-watches").locator(".gl-history li")
    expect(history).to_have_count(2)
    np.testing.assert_allclose([float(str(t).split()[1]) for t in history.all_text_contents()],
                               [g.max() for g in grown[:2]], rtol=1e-4)  # fmt: skip
    root.get_by_test_id("gl-drawer-watches").focus()
    for key, where in (
        ("p", "scan: 3 turns 1/3"),
        ("e", "turn 1 of 3 0/2"),
        ("n", "turn 1 of 3 1/2"),
        ("e", "kernel_0 0/2"),
    ):
        notebook.page.keyboard.press(key)
        expect(crumbs).to_contain_text(where)
    notebook.page.keyboard.press("n")
    expect(root.get_by_test_id("gl-value").locator("h3").first).to_have_text("exp")
    np.testing.assert_allclose(elements(root), np.exp(grown[0]), rtol=1e-12)
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        root.screenshot(path=shots / f"lab-stepper-{theme.lower()}.png")
        assert poor_contrast(notebook.page) == []
    crumbs.get_by_role("button", name="loop").click()
    expect(crumbs).to_be_hidden()
    root.get_by_test_id("gl-drawer-watches").focus()
    notebook.page.keyboard.press("o")
    expect(root.get_by_test_id("gl-told-origin")).to_contain_text("log(-0.5) = nan")
    expect(root.get_by_test_id("gl-told-origin")).to_contain_text("w = T.log(")
    root.screenshot(path=shots / "lab-origin.png")
    for theme in ("Dark", "Light"):
        notebook.theme(f"JupyterLab {theme}")
        for view in PANELS:
            root.get_by_test_id(f"gl-tab-{view}").click()
            if view == "profile":
                root.get_by_test_id("gl-estimates").locator("tbody tr").first.wait_for()
            found = violations(notebook.page, ".gl-root") + poor_contrast(notebook.page)
            assert (theme, view, found) == (theme, view, [])
        root.get_by_test_id("gl-help").click()
        assert (theme, violations(notebook.page, ".gl-root")) == (theme, [])
        notebook.page.keyboard.press("Escape")


def test_it_follows_cells_and_is_usable_after_an_interrupt(notebook: Notebook) -> None:
    root = notebook.run(11).get_by_test_id("gl-explorer")
    status, error = root.get_by_test_id("gl-step-status"), root.get_by_test_id("gl-error")
    expect(status).to_contain_text("0 of 2 steps run")
    notebook.run(12)
    expect(status).to_contain_text("finished: 2 of 2 steps run")
    notebook.run(13)
    expect(status).to_contain_text("1 of 2 steps run")
    root.get_by_test_id("gl-drawer-digits").click()
    told = root.get_by_test_id("gl-told-digits")
    expect(status).to_contain_text("working… Interrupt the kernel to stop it.")
    notebook.command("sessionContext.session.kernel.interrupt()")
    expect(told).to_contain_text("Stopped: the kernel was interrupted.")
    expect(status).to_contain_text("1 of 2 steps run")
    root.get_by_test_id("gl-forward").click()
    expect(status).to_contain_text("finished: 2 of 2 steps run")
    expect(error).to_have_text("")
    expect_elements(root, np.exp([0.5, 1.0]))


def test_keys_pressed_in_the_explorer_do_not_reach_the_notebook(notebook: Notebook) -> None:
    notebook.run(0)
    root = notebook.run(1).get_by_test_id("gl-explorer")
    cells = notebook.page.locator(".jp-Notebook .jp-CodeCell").count()
    root.get_by_test_id("gl-tab-graph").focus()
    for key in ("d", "d", "f", "n", "p", "["):  # `d d` would delete the cell
        notebook.page.keyboard.press(key)
    expect(notebook.page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(cells)
    expect(root.get_by_test_id("gl-error")).to_have_text("")


def test_a_function_shows_itself_as_an_image(notebook: Notebook) -> None:
    notebook.run(0)
    notebook.run(1)
    picture = notebook.run(4).locator("img[src^='data:image/svg+xml']")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 200
    assert "2*x + x**3" in str(picture.get_attribute("alt"))


def test_two_explorers_of_a_page_and_a_kernel_that_goes(notebook: Notebook, shots: Path) -> None:
    notebook.run(0)
    first = notebook.run(1).get_by_test_id("gl-explorer")
    second = notebook.run(6).get_by_test_id("gl-explorer")
    expect(notebook.page.locator("img.gl-still")).to_have_count(2)
    for still in notebook.page.locator("img.gl-still").all():
        expect(still).not_to_be_visible()  # a widget is there
    tabs = [root.get_by_test_id("gl-tab-code").get_attribute("aria-controls") for root in (first, second)]
    assert len(set(tabs)) == 2
    first.get_by_test_id("gl-tab-step").click()
    second.get_by_test_id("gl-forward").click()
    expect(second.get_by_test_id("gl-step-status")).to_contain_text("finished")
    expect_elements(second, [0.515625, 72.0])
    expect(first.get_by_test_id("gl-step-status")).to_contain_text("0 of")
    second.get_by_test_id("gl-tab-code").click()
    expect(first).to_have_attribute("data-view", "step")
    assert violations(notebook.page, ".gl-root") == []
    first.get_by_test_id("gl-tab-graph").focus()
    notebook.page.keyboard.press("Escape")
    assert notebook.page.evaluate("() => document.activeElement.closest('.jp-Notebook') !== null")
    expect(notebook.run(8)).to_contain_text("site-packages" if PYTHON else str(ROOT))

    for goes in ("sessionContext.session.kernel.restart()", None):
        if goes:
            notebook.command(goes)
        else:
            notebook.settle()
            notebook.run(0)
            second = notebook.run(1).get_by_test_id("gl-explorer")
            second.get_by_test_id("gl-forward").click()
            expect(second.get_by_test_id("gl-step-status")).to_contain_text("finished")
            cell = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(9).locator(".cm-content")
            cell.click()
            notebook.page.keyboard.press("Shift+Enter")
            notebook.page.get_by_role("button", name="Ok").click()
        expect(second.get_by_test_id("gl-gone")).to_contain_text("disconnected")
        expect(second.get_by_test_id("gl-error")).to_have_text("")
        for view in ("rewrites", "inspect", "code", "nodes", "profile", "graph", "step"):
            second.get_by_test_id(f"gl-tab-{view}").click()
        second.get_by_test_id("gl-graph-difference").click()
        expect(second.locator(".gl-canvas svg")).to_have_attribute("data-view", "difference")
        second.get_by_test_id("gl-graph-after").click()
        second.locator(".gl-canvas .gl-out >> xpath=..").click()
        assert np.isfinite(elements(second)).all()  # asked for when there was a kernel
        second.get_by_test_id("gl-back").click()
        expect(second.get_by_test_id("gl-error")).to_contain_text("run the cell again")
        expect(second.get_by_test_id("gl-step-status")).to_contain_text("finished")
        second.screenshot(path=shots / f"lab-disconnected-{'restart' if goes else 'death'}.png")


def test_a_saved_notebook_shows_what_it_can_whoever_opens_it(
    notebook: Notebook, lab: tuple[str, Path], shots: Path
) -> None:
    notebook.run(0)
    notebook.run(1).get_by_test_id("gl-explorer").wait_for()
    notebook.command("context.save()")
    folder, page = lab[1], notebook.page
    saved = nbformat.read(folder / "explorer.ipynb", as_version=4)
    saved.cells = saved.cells[:2]
    nbformat.write(saved, folder / "mine.ipynb")
    saved.cells[0].source += "  # not what ran here"
    nbformat.write(saved, folder / "foreign.ipynb")
    notary = NotebookNotary(data_dir=str(folder.parent / "data_dir"))
    notary.sign(nbformat.read(folder / "mine.ipynb", as_version=4))
    notary.store.close()
    page.evaluate("() => jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')")
    notebook.command("context.save()")
    notebook.command("sessionContext.shutdown()")
    for name, trusted, widget in (("explorer", True, True), ("mine", True, False), ("foreign", False, False)):
        notebook.open(f"{name}.ipynb")
        area = page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-Cell-outputArea")
        still, root = area.locator("img[src^='data:image/svg+xml']"), area.get_by_test_id("gl-explorer")
        assert page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets[1].model.trusted") == trusted
        if widget:  # the notebook holds its state: no kernel, and all that needs none
            expect(root.get_by_test_id("gl-gone")).to_contain_text("disconnected", timeout=60_000)
            root.get_by_test_id("gl-tab-code").click()
            expect(root.get_by_test_id("gl-python")).to_contain_text("2*x + x**3")
            expect(still).not_to_be_visible()
        else:
            expect(still).to_be_visible()
            assert still.evaluate("image => image.decode().then(() => image.naturalWidth)") > 200
            expect(root).to_have_count(0)
        page.screenshot(path=shots / f"lab-reopened-{name}.png")
