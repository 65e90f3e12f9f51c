"""One contender in its own process: prepares rows, checks them and times them on request.

Reads one JSON request a line on standard input and answers each with one JSON
line; whatever the libraries print goes to standard error.
"""

import ctypes
import gc
import importlib
import json
import os
import statistics
import sys
from contextlib import suppress
from itertools import repeat
from time import perf_counter

START = perf_counter()
if __name__ == "__main__":
    sys.setrecursionlimit(1_000_000)


def load(contender):
    """The module of a contender; a trailing underscore keeps it from shadowing its library."""
    for name in (contender, contender + "_"):
        try:
            return importlib.import_module(f"contenders.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"contenders.{name}":
                raise
    raise SystemExit(f"no contender {contender}")


def flat(value):
    """The arrays of nested outputs, in order."""
    import numpy as np

    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in flat(item)]
    return [np.asarray(value)]


def build(module, row, inputs=None):
    """(call, state) of a row; state() gives what the calls have updated."""
    inputs = inputs or row.inputs()
    if not row.spec.numpy_only:
        inputs = {name: module.array(value) for name, value in inputs.items()}
    built = getattr(module, row.workload)(**inputs)
    return built if isinstance(built, tuple) else (built, lambda: ())


def outputs(row, call, state):
    for _ in range(row.spec.calls):
        result = call()
    return flat((result, state()))


def error(found, expected, dtype):
    """The worst over the outputs of max |found - expected| / max |expected|."""
    import numpy as np

    if len(found) != len(expected):
        raise AssertionError(f"{len(found)} outputs, {len(expected)} expected")
    worst = 0.0
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            raise AssertionError(f"shape {one.shape}, {other.shape} expected")
        if one.dtype != dtype:
            raise AssertionError(f"dtype {one.dtype}, {dtype} expected")
        gap = np.max(np.abs(one.astype("float64") - other), initial=0.0)
        worst = max(worst, float(gap / np.max(np.abs(other), initial=1e-300)))
    return worst if worst == worst else float("inf")


def favour(ahead):
    """Put all threads of this process ahead of other processes, or back, where asked for and allowed."""
    if os.environ.get("PEERS_PRIORITY"):
        policy = (os.SCHED_RR, os.sched_param(1)) if ahead else (os.SCHED_OTHER, os.sched_param(0))
        with suppress(OSError):
            for thread in os.listdir("/proc/self/task"):
                os.sched_setscheduler(int(thread), *policy)


def queued():
    """Seconds the threads of this process have been ready but without a processor, where the system tells."""
    waited = 0
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError), open(f"/proc/self/task/{thread}/schedstat") as file:
            waited += int(file.read().split()[1])
    return waited / 1e9


def stolen():
    """Seconds that a host kept this process's processors for others, where the system tells."""
    own, lost = {f"cpu{number}" for number in os.sched_getaffinity(0)}, 0
    with suppress(OSError), open("/proc/stat") as file:
        lost = sum(int(line.split()[8]) for line in file if line.split()[0] in own)
    return lost / os.sysconf("SC_CLK_TCK")


def forget_peak():
    """Let the peak of this process's memory start again from what it needs now, where Linux allows that."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what arrays of the harness had is nobody's any more
    with suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def memory(field):
    """Bytes of memory that this process holds (VmRSS), or the most that it has held (VmHWM)."""
    with open("/proc/self/status") as file:
        return next(1024 * int(text.split()[1]) for text in file if text.startswith(field))


def measure(call, seconds):
    """Seconds per call over batches, for at least `seconds`, and the share of time spent waiting for processors."""
    call()
    begin = perf_counter()
    call()
    once = perf_counter() - begin
    batch = max(1, int(min(1e-3, seconds / 10) / max(once, 1e-8)))
    times, start, waited = [], perf_counter(), queued() + stolen()
    while not times or perf_counter() < start + seconds:
        begin = perf_counter()
        for _ in repeat(None, batch):
            call()
        times.append((perf_counter() - begin) / batch)
    waited = (queued() + stolen() - waited) / (perf_counter() - start)
    return dict(median=statistics.median(times), least=min(times), waited=waited)


class Session:
    def __init__(self, contender):
        self.module = load(contender)
        self.row = self.call = None
        self.before = memory("VmRSS")

    def prepare(self, row, reference):
        import numpy as np
        from workloads import Row

        self.drop()
        self.row = Row(*row)
        if not hasattr(self.module, self.row.workload):
            return dict(skip=self.module.NOT_APPLICABLE.get(self.row.workload, "not written"))
        begin = perf_counter()
        call, state = build(self.module, self.row)
        call_outputs = outputs(self.row, call, state)
        ready = perf_counter() - begin
        with np.load(reference) as expected:
            off = error(call_outputs, [expected[k] for k in expected.files], self.row.dtype)
        if off > self.row.tolerance:
            return dict(skip=f"wrong: error {off:.1e}")
        self.call = call
        del call_outputs, expected  # what follows is calls and nothing else
        forget_peak()
        return dict(error=off, ready=ready, version=self.module.VERSION)

    def turn(self, seconds):
        gc.disable()
        favour(True)
        try:
            return measure(self.call, seconds)
        finally:
            favour(False)
            gc.enable()

    def inspect(self):
        """The most memory held during calls, as a whole and beyond what imports took; and where the time goes."""
        most = memory("VmHWM")
        answer = dict(peak=most, grown=most - self.before)
        if hasattr(self.module, "steps"):
            favour(True)
            try:
                answer["steps"] = self.module.steps(self.call)
            finally:
                favour(False)
        return answer

    def drop(self):
        self.call = None
        gc.collect()
        return {}


def serve(contender, reply):
    session = Session(contender)
    print(json.dumps(dict(version=session.module.VERSION)), file=reply, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(session, request.pop("do"))(**request)
        except Exception as problem:  # a contender's failure is a result, not the end of the run
            answer = dict(skip=f"{type(problem).__name__}: {str(problem).strip()[:160]}")
        print(json.dumps(answer), file=reply, flush=True)


def first_result(contender, workload, case, dtype, reference, reply):
    """Time from a fresh process to the first result of one expression; `case` may be a graph size."""
    module = load(contender)
    imported = perf_counter() - START
    import numpy as np
    from workloads import SCALE, Row

    answer = {}
    if not hasattr(module, workload):
        answer["skip"] = module.NOT_APPLICABLE.get(workload, "not written")
    elif workload in SCALE:
        x = module.array(np.load(reference)["x"])
        begin = perf_counter()
        found = flat(getattr(module, workload)(int(case), x)())
        seconds = perf_counter() - begin
    else:
        row = Row(workload, case, dtype)
        inputs = row.inputs()
        begin = perf_counter()
        call, state = build(module, row, inputs)
        result = call()
        seconds = perf_counter() - begin
        for _ in range(row.spec.calls - 1):
            result = call()
        found = flat((result, state()))
    if "skip" not in answer:
        answer.update(seconds=seconds, imported=imported)
        with np.load(reference) as expected:
            names = [name for name in expected.files if name != "x"]
            off = error(found, [expected[name] for name in names], dtype)
        if (off > 1e-6 and dtype == "float64") or off > 1e-3:
            answer = dict(skip=f"wrong: error {off:.1e}")
    print(json.dumps(answer), file=reply, flush=True)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # anything printed by a library must not mix with the answers
    mode, *arguments = sys.argv[1:]
    dict(serve=serve, first=first_result)[mode](*arguments, answers)
