"""Random graphs with everything that is C, the runtime and the generated programs, under ASan and UBSan.

    python tests/stress/sanitize.py --graphs 2000 --seed 1

Builds a copy of the package whose extension module has the sanitizers, and runs `benchmarks/random_graphs.py` with a
compiler that adds them to every program and optimises nothing: then nothing that is wrong is optimised away, and it
takes half the time. A report ends the process of that graph, which is then a failure of the run, with the text to see
it again. Results and errors are not compared, which takes long and is done by runs without sanitizers. Needs gcc with
libasan and libubsan.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures
from figures import ROOT

SHORT = {"graphs": 12, "seed": 3, "jobs": 1}
LONG = {"graphs": 4500, "seed": 1, "jobs": os.cpu_count() or 1}
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g1")
PARTS = ("graphlab", "csrc", "benchmarks", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def library(name: str) -> Path | None:
    """Where gcc keeps the run-time library of a sanitizer."""
    if shutil.which("gcc") is None:
        return None
    said = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout
    path = Path(said.strip())
    return path.resolve() if path.is_absolute() and path.exists() else None


def built(folder: Path, sanitizers: tuple[str, ...], level: str) -> dict[str, str]:
    """Copy the package to `folder` and build it there with these sanitizers; the environment to run it in."""
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("*.so", "__pycache__", "build"))
        else:
            shutil.copy(source, folder)
    flags = " ".join(sanitizers)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder, check=True, env={**os.environ, "CFLAGS": f"{flags} {level}", "LDFLAGS": flags},
    )  # fmt: skip
    if not list((folder / "graphlab").glob("_rt*.so")):
        raise SystemExit("the extension module was not built")
    compiler = folder / "cc"  # which programs are built with
    compiler.write_text(f'#!/bin/sh\nexec gcc "$@" {flags}\n')
    compiler.chmod(0o755)
    return {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONMALLOC": "malloc",
        "GRAPHLAB_CC": str(compiler),
        "GRAPHLAB_CACHE_DIR": str(folder / "cache"),
    }


def run(*, graphs: int, seed: int, jobs: int) -> figures.Figures:
    """So many random graphs."""
    with tempfile.TemporaryDirectory(prefix="graphlab-sanitize-") as name:
        folder = Path(name)
        return random_graphs(folder, sanitized(folder), graphs=graphs, seed=seed, jobs=jobs)


def sanitized(folder: Path) -> dict[str, str]:
    """Build a copy of the package in `folder` with everything that is C under the sanitizers; its environment."""
    if None in (library("libasan.so"), library("libubsan.so")):
        raise SystemExit("needs gcc with libasan and libubsan")
    return {
        **built(folder, SANITIZERS, "-O0"),
        "LD_PRELOAD": " ".join(str(library(name)) for name in ("libasan.so", "libubsan.so")),
        # Python itself frees little at its end. What is as large as a hostile shape asks for is not there.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99",
    }


def random_graphs(folder: Path, environment: dict[str, str], *, graphs: int, seed: int, jobs: int) -> figures.Figures:
    """So many of them with the copy of the package in `folder`."""
    status = subprocess.run([
        sys.executable, "benchmarks/random_graphs.py", "--graphs", str(graphs), "--seed", str(seed),
        "--jobs", str(jobs), "--least", "0", "--shrink", "0", "--plain-c", "--only-run", "--json", "figures.json",
    ], cwd=folder, env=environment, check=False).returncode  # fmt: skip
    written = folder / "figures.json"
    if not written.exists():
        return {"failures": [f"benchmarks/random_graphs.py ended with status {status}"]}
    found = json.loads(written.read_text(encoding="utf-8"))
    return {"graphs": found["graphs"], "kernels": found["kernels"], "failures": found["failures"]}


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
