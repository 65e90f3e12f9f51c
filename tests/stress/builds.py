"""The cache under attack: builds that are killed, many processes at once, files that are damaged.

python tests/stress/builds.py --kills 500 --processes 16 --graphs 200 --mutations 1000
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

SHORT = {"kills": 1, "processes": 2, "graphs": 2, "mutations": 20, "seed": 1}
LONG = {"kills": 500, "processes": 16, "graphs": 200, "mutations": 1000, "seed": 1}

# Compiles graph number k, of which no two are alike, and checks the result; says how many programs were built anew.
GRAPHS = """
import sys, warnings
import numpy as np, graphlab, graphlab.tensor as T
from graphlab.runtime import build
from graphlab.runtime.cache import CacheWarning
first, count = map(int, sys.argv[1:3])
order = list(range(first, first + count))
if len(sys.argv) > 3:
    np.random.default_rng(int(sys.argv[3])).shuffle(order)
made, compile_c = [], build.compile_c
build.compile_c = lambda *given: made.append(1) or compile_c(*given)
x = T.dvector("x")
values = np.linspace(-2.0, 2.0, 7)
print("ready", flush=True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for k in order:
        f = graphlab.function([x], T.exp(-((x - float(k)) ** 2)).sum() + T.sin(x) * (k + 0.5))
        assert f.machine is not None, "no program"
        expected = np.exp(-((values - k) ** 2)).sum() + np.sin(values) * (k + 0.5)
        np.testing.assert_allclose(f(values), expected, rtol=1e-12)
print("right", len(made), sum(issubclass(w.category, CacheWarning) for w in caught), flush=True)
"""


def right(process: subprocess.Popen[str], within: float = 600.0) -> tuple[int, int]:
    """What GRAPHS says: how many it built, and of how many damaged files it warned. RuntimeError: it failed."""
    out, errors = process.communicate(timeout=within)
    found = re.search(r"^right (\d+) (\d+)$", out, re.MULTILINE)
    if process.returncode or not found:
        raise RuntimeError(f"status {process.returncode}\n{out}\n{errors[-2000:]}")
    return int(found[1]), int(found[2])


def compilers(folder: Path) -> list[psutil.Process]:
    """Processes that write to the cache `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in part for part in process.info["cmdline"] or []):
            found.append(process)
    return found


def killed(count: int, choose: random.Random, folder: Path, failures: list[str]) -> figures.Figures:
    """Builds that get SIGKILL at a random moment; then the folder must serve as if nothing had been."""
    orphans = worst = 0
    for k in range(count):
        process = figures.start(GRAPHS, str(4 * k), "4", GRAPHLAB_CACHE_DIR=str(folder))
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(choose.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for _ in range(100):  # looks, not seconds: where a machine stands still, so do they
            if not compilers(folder):
                break
            time.sleep(0.02)
        still = compilers(folder)
        orphans += len(still)
        failures += [f"after kill {k} {process} is there still" for process in still]
        left = [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".so", ".json", ".plan")]
        worst = max(worst, sum(p.stat().st_size for p in left))
        try:
            right(figures.start(GRAPHS, str(4 * k), "4", GRAPHLAB_CACHE_DIR=str(folder)))
        except RuntimeError as error:
            failures.append(f"after kill {k}: {error}")
    if worst > 1e6:
        failures.append(f"killed builds left {worst} bytes")
    return {"builds killed": count, "compilers left after 2 s or more": orphans, "bytes left, at most": worst}


def together(count: int, graphs: int, folder: Path, failures: list[str]) -> figures.Figures:
    """Processes that want the same graphs, each in an order of its own: each is compiled once."""
    processes = [
        figures.start(GRAPHS, "100000", str(graphs), str(k), GRAPHLAB_CACHE_DIR=str(folder)) for k in range(count)
    ]
    built = 0
    for process in processes:
        try:
            built += right(process, within=3600.0)[0]
        except RuntimeError as error:
            failures.append(f"together: {error}")
    if built != graphs:
        failures.append(f"{graphs} graphs were compiled {built} times by {count} processes")
    return {"processes at once": count, "graphs of each": graphs, "compiled together": built}


def mutate(path: Path, others: list[bytes], choose: random.Random, marker: Path) -> str:
    """Damage the file in one of many ways; which."""
    data = path.read_bytes()
    kind = choose.choice(
        ["empty", "cut", "flipped", "grown", "swapped", "pickle", "other code", "deleted", "json", "link"]
    )
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(data[: choose.randrange(len(data))])
    elif kind == "flipped":
        at = choose.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << choose.randrange(8))]) + data[at + 1 :])
    elif kind == "grown":
        path.write_bytes(data + choose.randbytes(100))
    elif kind == "swapped":
        path.write_bytes(choose.choice(others))
    elif kind == "pickle":  # that would make the marker
        path.write_bytes(b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")
    elif kind == "other code":  # a shared object whose constructor would make the marker
        path.write_bytes((marker.parent / "hostile.so").read_bytes())
    elif kind == "deleted":
        path.unlink()
    elif kind == "json":
        path.write_text(choose.choice(["{}", "[]", "null", '{"key": 3}', '{"sha256": []}', "[" * 100000]))
    else:
        path.unlink()
        path.symlink_to(marker.parent / "hostile.so")
    return kind


def damaged(count: int, choose: random.Random, folder: Path, failures: list[str]) -> figures.Figures:
    """Damaged files are noticed before anything of them runs, and built anew."""
    marker = folder.parent / "ran"
    code = f'#include <stdio.h>\n__attribute__((constructor)) void f(void) {{ fclose(fopen("{marker}", "w")); }}\n'
    hostile = str(folder.parent / "hostile.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", hostile], input=code.encode(), check=True)
    done = rebuilt = warned = 0
    group = 20
    while done < count:
        right(figures.start(GRAPHS, "200000", str(group), GRAPHLAB_CACHE_DIR=str(folder)))
        files = sorted(p for p in folder.iterdir() if p.suffix in (".so", ".json", ".plan"))
        contents = [p.read_bytes() for p in files]
        hurt = choose.sample(files, min(group, count - done))
        kinds = [f"{path.suffix} {mutate(path, contents, choose, marker)}" for path in hurt]
        done += len(kinds)
        try:
            fresh, told = right(figures.start(GRAPHS, "200000", str(group), GRAPHLAB_CACHE_DIR=str(folder)))
            rebuilt, warned = rebuilt + fresh, warned + told
        except RuntimeError as error:
            failures.append(f"after {', '.join(kinds)}: {error}")
    if marker.exists():
        failures.append("foreign code was run")
    return {
        "files damaged": done,
        "of these built anew": rebuilt,
        "warnings": warned,
        "foreign code run": marker.exists(),
    }


def run(*, kills: int, processes: int, graphs: int, mutations: int, seed: int) -> figures.Figures:
    """All of them, each in a folder of its own."""
    choose, failures = random.Random(seed), list[str]()
    found: figures.Figures = {}
    with tempfile.TemporaryDirectory(prefix="graphlab-stress-") as name:
        folders = [Path(name) / part / "cache" for part in ("killed", "together", "mutated")]
        for folder in folders:
            folder.mkdir(parents=True, mode=0o700)
        os.chmod(name, 0o700)
        found |= killed(kills, choose, folders[0], failures)
        found |= together(processes, graphs, folders[1], failures)
        found |= damaged(mutations, choose, folders[2], failures)
    return {**found, "failures": failures}


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
