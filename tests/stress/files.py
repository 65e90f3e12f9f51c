"""Files for graphlab.load, changed at random: an error of graphlab's or a whole object, and never any code.

    python tests/stress/files.py --files 20000

What runs is watched by an audit hook: while a file is loaded no process is started, nothing written, removed or
sent, no library opened, nothing unpickled. What loads is saved again, and must load as the same.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures

sys.path.insert(0, str(figures.ROOT))

import graphlab
import graphlab.tensor as T
from graphlab.errors import GraphlabError

SHORT = {"files": 150, "seed": 1}
LONG = {"files": 20_000, "seed": 1}
PIECES: list[Any] = [
    None, True, False, -1, 0, 1, 63, 64, 2**31, 2**63 - 1, 2**70, 0.5, 1e308, "", "x", "float64", "object",
    "<script>", "os",
    "__class__", "posix.system", [], {}, [[0, 0]], [0], {"tuple": [1]}, {"float": "nan"}, {"array": 0}, {"class": "Op"},
    {"elementwise": "exp"}, {"op": {"class": "Scan", "fields": {}}}, {"function": {}}, [[[[[[]]]]]], "\ud800",
    "a" * 5000,
]  # fmt: skip
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.", "os.remove",
             "os.rename", "os.mkdir", "ctypes.dlopen", "pickle.find_class", "shutil.", "webbrowser.")  # fmt: skip

watching = {"on": False, "path": ""}
seen = list[str]()


def watch(event: str, arguments: Any) -> None:
    """The audit hook."""
    if not watching["on"]:
        return
    if event.startswith(FORBIDDEN):
        seen.append(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[0], str | bytes) and str(arguments[0]) != watching["path"]:
        if arguments[1] is not None and any(c in str(arguments[1]) for c in "wax+"):
            seen.append(f"{event} {arguments!r:.200}")


def originals(folder: Path) -> list[bytes]:
    """Files of all kinds of things, whose functions need no compiler to be loaded."""
    x, w, i = T.dmatrix("x"), graphlab.shared(np.linspace(-1, 1, 3), "w"), T.lvector("i")
    hs, _ = graphlab.scan(lambda r, h: T.tanh(r * w + h), sequences=x, outputs_info=[T.zeros_like(w)])
    y = T.tanh(x * w).sum(axis=1) + T.nnet.softmax(x)[:, 0] + x[:, 1:].T[0][i] + T.einsum("ij,kj->i", x, x)
    choice = graphlab.ifelse(x.sum() > 0, T.concatenate([x, x]), x.repeat(2, axis=0))
    f = graphlab.function([x, i], {"y": y, "hs": hs}, updates={w: w * 2}, mode="interpret", name="f")
    g = graphlab.function([graphlab.In(x, value=np.ones((2, 3)))], (choice, T.sort(x)[::-1]), mode="interpret")
    things: list[Any] = [
        f,
        g,
        [x, y, choice],
        graphlab.RandomStream(1).normal(size=(3,)),
        [np.arange(6.0), (1, {"a": 2j})],
    ]
    files = list[bytes]()
    for thing in things:
        graphlab.save(folder / "thing", thing)
        files.append((folder / "thing").read_bytes())
    return files


def copy(text: Any) -> Any:
    """JSON that shares nothing with `text`."""
    return json.loads(json.dumps(text))


def changed_text(text: Any, choose: random.Random) -> Any:
    """The JSON with a few random changes: a value replaced, dropped, doubled, or exchanged with another."""
    for _ in range(choose.choice([1, 1, 1, 2, 4])):
        inner, key = text, choose.choice(list(text))
        while isinstance(inner[key], dict | list) and inner[key] and choose.random() < 0.9:
            inner = inner[key]
            key = choose.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        how = choose.random()
        if how < 0.5:
            inner[key] = copy(choose.choice(PIECES))
        elif how < 0.65:
            del inner[key]
        elif isinstance(inner, list):
            inner.insert(key, copy(inner[choose.randrange(len(inner))]))
        elif isinstance(inner[key], int):
            inner[key] += choose.choice([-1, 1, 2**32])
        else:
            inner[choose.choice(list(inner))] = copy(inner[key])
        if not text:
            break
    return text


def changed(data: bytes, choose: random.Random) -> bytes:
    """The file with changed JSON or arrays, or changed bytes."""
    if choose.random() < 0.25:
        at = choose.randrange(len(data))
        return choose.choice([data[:at], data[:at] + bytes([data[at] ^ (1 << choose.randrange(8))]) + data[at + 1 :],
                              data + b"x", choose.randbytes(50), b"cos\nsystem\n(S'true'\ntR."])  # fmt: skip
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if name.endswith(".json") and choose.random() < 0.9:
                part = json.dumps(changed_text(json.loads(part), choose)).encode("utf-8", "surrogatepass")
            elif choose.random() < 0.2:
                pickled = io.BytesIO()
                np.save(pickled, np.array([{}], object), allow_pickle=True)
                part = choose.choice([b"", part[:-3], pickled.getvalue(), part[:40] + b"9" + part[41:]])
            number = len(target.namelist())
            target.writestr(choose.choice([name] * 20 + [f"../../escaped{number}", f"/tmp/escaped{number}"]), part)
    return out.getvalue()


def run(*, files: int, seed: int) -> figures.Figures:
    """So many files."""
    choose, failures, kinds = random.Random(seed), list[str](), Counter[str]()
    sys.addaudithook(watch)
    with tempfile.TemporaryDirectory(prefix="graphlab-files-") as name:
        path, again = Path(name) / "changed", Path(name) / "again"
        sources = originals(Path(name))
        for _ in range(files):
            data = changed(choose.choice(sources), choose)
            path.write_bytes(data)
            watching.update(on=True, path=str(path))
            try:
                thing = graphlab.load(path)
                watching["on"] = False
                kinds["loaded"] += 1
                graphlab.save(again, thing)
                bytes_of_first = again.read_bytes()
                graphlab.save(again, graphlab.load(again))
                if again.read_bytes() != bytes_of_first:
                    failures.append(f"saved again it is another: {data!r:.500}")
            except GraphlabError:
                kinds["refused"] += 1
            except Exception as error:
                failures.append(f"{type(error).__name__}: {error!s:.300}")
            watching["on"] = False
            if seen:
                failures.append(f"while loading: {seen.pop()}")
                seen.clear()
    return {"files": files, **kinds, "failures": failures}


if __name__ == "__main__":
    sys.exit(figures.main(__doc__, run, SHORT, LONG))
