"""Measure array compilers side by side; see README.md."""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

from measure import Setting, machine, run_latency, run_rows, run_scale
from record import Keeper, read, write
from report import bandwidth, header, limits, markdown, reasons, show
from workloads import SCALE, rows

CONTENDERS = [
    "graphlab", "numpy", "numexpr", "numba", "pytensor_c", "pytensor_numba",
    "jax", "torch_eager", "torch_compile", "c_limit",
]  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", nargs="+", default=CONTENDERS, metavar="NAME")
    parser.add_argument(
        "--workload", nargs="+", default=[], metavar="NAME",
        help="a workload, workload/case, latency, graph_scale or grad_depth; all by default",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, nargs="+", choices=(1, 2), default=[1, 2])
    parser.add_argument("--statistic", choices=("median", "least"), default="median", help="what --show shows")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender that count")
    parser.add_argument("--seconds", type=float, default=0.05, help="measured in each turn")
    parser.add_argument("--quiet", type=float, default=5, help="seconds a row may wait for other processes to pause")
    parser.add_argument(
        "--priority", action="store_true", help="put contenders ahead of other processes in their turns"
    )
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "peers-cache")
    parser.add_argument("--json", type=Path, help="where to keep each finished row; the others that it has stay")
    parser.add_argument("--resume", action="store_true", help="leave rows alone that --json has for all contenders")
    parser.add_argument("--markdown", type=Path, help="where to write the same as a document")
    parser.add_argument("--show", type=Path, metavar="JSON", help="measure nothing: take the results of an earlier run")
    parser.add_argument("--note", help="what readers of the document should know of this run")
    parser.add_argument("--no-machine", action="store_true", help="skip the machine limits")
    return parser.parse_args()


def processor():
    """The name of the processor, as Linux knows it."""
    with open("/proc/cpuinfo") as file:
        names = [text.partition(":")[2].strip() for text in file if text.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def measured(options, threads, record, log):
    """Measure what is wanted with so many threads, and put it into the record."""
    cache = options.cache / f"threads{threads}"
    cache.mkdir(parents=True, exist_ok=True)
    setting = Setting(
        options.contender, threads, options.rounds, options.seconds, options.quiet, options.priority, cache, log
    )
    wanted, key, begin = options.workload, str(threads), time.time()
    how = f"{options.rounds} turns of {1000 * options.seconds:g} ms" + (", ahead of others" if options.priority else "")
    keeper = Keeper(record, key, options.json, how, options.resume)
    if not options.no_machine and not (options.resume and key in record["limits"]):
        record["limits"][key] = machine(setting)
    print(f"\n{threads} thread(s): {limits(record, key)}\n{header(options.contender)}", flush=True)
    run_rows(rows(wanted), setting, keeper)
    if not wanted or "latency" in wanted:
        run_latency(setting, keeper)
    for workload in SCALE:
        if not wanted or workload in wanted:
            run_scale(workload, setting, keeper)
    for text in [*bandwidth(record, key), *reasons(keeper.results), f"{time.time() - begin:.0f} s"]:
        print(text)


def main():
    options = parse()
    if options.show:
        record = json.loads(options.show.read_text())
        show(record, options.statistic)
    else:
        record = read(options.json, options.contender, processor())
        record["python"] = platform.python_version()
        with tempfile.NamedTemporaryFile("w", prefix="peers-", suffix=".log", delete=False) as log:
            print(f"what contenders say goes to {log.name}")
            for threads in options.threads:
                measured(options, threads, record, log)
    if options.note:
        record["note"] = options.note
    if options.json and not options.show:
        write(options.json, json.dumps(record, indent=1) + "\n")
    if options.markdown:
        write(options.markdown, markdown(record))


if __name__ == "__main__":
    main()
