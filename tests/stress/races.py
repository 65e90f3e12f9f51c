"""Threads at work together, with the runtime and the generated programs under ThreadSanitizer.

    python tests/stress/races.py --rounds 200

Builds a copy of the package whose extension module has the sanitizer, and a compiler that adds it to every program.
Then threads of Python's share functions, shared variables, sessions, the cache and the pool, while signals interrupt
the first of them; a second process has a race that must be seen. Python, NumPy and BLAS have no sanitizer, but their
locks are seen, the interpreter's among them, so what these order is no race. Needs gcc with libtsan.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures
from figures import ROOT
from sanitize import built, library

SHORT = {"rounds": 1, "threads": 8}
LONG = {"rounds": 100, "threads": 8}
SANITIZER = ("-fsanitize=thread", "-fno-omit-frame-pointer", "-g1")

ALONE = 'import os; os.environ.pop("LD_PRELOAD")'  # shells and compilers do not start with the sanitizer

WORK = """
import signal, sys, threading, time
import numpy as np
import graphlab, graphlab.tensor as T

rounds, count = map(int, sys.argv[1:])
x, A, n = T.dvector("x"), T.dmatrix("A"), T.lscalar("n")
total, turns = graphlab.shared(0, name="total"), graphlab.shared(np.zeros(3), name="turns")
stream = graphlab.RandomStream(1)
places = T.constant(np.arange(700) * 7 % 300)
loop, _ = graphlab.scan(lambda v, s: T.tanh(s + v), sequences=x[:200], outputs_info=[T.constant(0.0)])
functions = {
    "elements": graphlab.function([x], T.exp(x) * 2 + T.sin(x)),
    "sum": graphlab.function([x], [T.exp(x).sum(), x.max()], updates={total: total + 1}),
    "rows": graphlab.function([A], [T.softmax(A, axis=1), A.sum(axis=0)], updates={turns: turns * 0.5 + A.mean()}),
    "product": graphlab.function([A], A @ A.T),
    "numbers": graphlab.function([n], stream.normal(size=(n,)).sum()),
    "loop": graphlab.function([x], loop),
    "parts": graphlab.function([x], [T.concatenate([x, x])[::-1], T.cumsum(x), x[T.argsort(x)[:9]]]),
    "places": graphlab.function([A], T.inc_subtensor(A[places], 2 * A[places[::-1]])),
    "late": graphlab.function([x], T.log1p(x * x) + 3, compile="background"),
}
assert all(f.machine is not None for f in functions.values())
long = np.linspace(0.0, 1.0, 150_000)
arguments = {
    "rows": np.ones((300, 500)), "product": np.ones((200, 300)), "numbers": 40_000,
    "places": np.arange(150_000.0).reshape(300, 500),
}
wanted = {name: functions[name](arguments.get(name, long)) for name in ("elements", "loop", "parts", "places")}
wrong, calls = [], []

def work(number):
    for turn in range(rounds):
        for k in range(len(functions)):
            name = list(functions)[(k + number) % len(functions)]
            found = functions[name](arguments.get(name, long))
            if name == "sum":
                calls.append(1)
            if name in wanted and not all(map(np.array_equal, found, wanted[name])):
                wrong.append(name)
        if number % 4 == 0:
            graphlab.function([x], T.exp(x) + (turn if number else -turn))(long)  # some want the same program
            graphlab.release_memory()
        elif number % 4 == 1:
            with functions["rows"].debug(np.ones((30, 40))) as session:
                session.finish()
                session.goto(0)
        elif number % 4 == 2:
            turns.set_value(np.full(3, float(turn)))
            turns.get_value()
            graphlab.set_num_threads(1 + turn % 4)
        else:
            graphlab.function([x], T.exp(x) + turn)(long)
            functions["elements"].copy()(long[:10])

class Pressed(Exception):
    pass

def press(number, frame):
    raise Pressed

signal.signal(signal.SIGALRM, press)
threads = [threading.Thread(target=work, args=(k,)) for k in range(count)]
for thread in threads:
    thread.start()
stopped = 0
value = np.linspace(0.0, 1.0, 3_000_000)
try:
    while any(thread.is_alive() for thread in threads):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            functions["elements"](value)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Pressed:
            stopped += 1
        time.sleep(0.2)  # else this call, which has all of the pool, is most of what is done
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
for thread in threads:
    thread.join()
assert not wrong, wrong
assert int(total.get_value()) == len(calls) == rounds * count, (total.get_value(), len(calls))
print("stopped", stopped)
"""

RACE = """
import sys, threading
sys.path.insert(0, sys.argv[1])
import numpy as np
from tests.runtime.programs import ADD, machine, nested
step = nested(1, [2], [0, 1], ADD + "calls++;")
made = machine([("float64", 1)] * 3, [0, 1], [2], [step], prelude="static long calls;")
large = np.ones(200_000)
threads = [threading.Thread(target=made.call, args=([large, large],)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def reports(folder: Path, environment: dict[str, str], code: str, *arguments: str) -> tuple[int, str, list[str]]:
    """The status of a process with `code`, what it printed, and what the sanitizer reports."""
    fixed = ["setarch", "--addr-no-randomize"] if shutil.which("setarch") else []  # the sanitizer wants its addresses
    done = subprocess.run(
        [*fixed, sys.executable, "-c", f"{ALONE}\n{code}", *arguments],
        cwd=folder, env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    found = list[str]()
    for path in folder.glob("report.*"):
        found += [part for part in path.read_text(errors="replace").split("==================\n") if "WARNING" in part]
        path.unlink()
    return done.returncode, done.stdout + done.stderr[-3000:], found


def unable() -> str:
    """Why the sanitizer does not run here; empty: it does."""
    if library("libtsan.so") is None:
        return "there is no gcc with libtsan"
    with tempfile.TemporaryDirectory() as name:
        status, said, _ = reports(Path(name), {**os.environ, "LD_PRELOAD": str(library("libtsan.so"))}, "")
    return f"a Python with libtsan ends with status {status}: {said}" if status else ""


def run(*, rounds: int, threads: int) -> figures.Figures:
    """The work, in so many rounds, and the race."""
    if reason := unable():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory(prefix="graphlab-races-") as name:
        folder = Path(name)
        environment = {
            **built(folder, SANITIZER, "-O1"),
            "LD_PRELOAD": str(library("libtsan.so")),
            "TSAN_OPTIONS": f"log_path={folder / 'report'}:exitcode=66:ignore_noninstrumented_modules=1:history_size=4",
            "OPENBLAS_NUM_THREADS": "1",
            "GRAPHLAB_NUM_THREADS": "3",
        }
        status, said, found = reports(folder, environment, WORK, str(rounds), str(threads))
        failures = found or ([f"the work ended with status {status}: {said}"] if status else [])
        seen = reports(folder, environment, RACE, str(ROOT))[2]
    if not seen:
        failures.append("a race that is there was not seen")
    stopped = int(said.split()[-1]) if said else 0
    return {"threads": threads, "rounds": rounds, "races": len(found), "calls stopped": stopped,
            "races seen where one is": len(seen), "failures": failures}  # fmt: skip


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
