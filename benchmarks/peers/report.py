"""What a run has found, as lines on the terminal and as Markdown."""

import math
import tomllib
from pathlib import Path

from record import when
from workloads import rows

OURS, LIMIT = "graphlab", "c_limit"
INTERPRETED = {"numpy", "numexpr", "torch_eager"}  # they compile no graph: no peers in latency
CLOSE, NEAR = 1.25, 1.5  # how near to C graphlab should come: where a peer comes that close, and where none does
SHORTFALLS = Path(__file__).parent / "shortfalls.toml"


def duration(seconds):
    """Three figures and a unit."""
    units = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
    unit = next((unit for unit, scale in units.items() if seconds >= scale), "ns")
    return f"{seconds / units[unit]:.3g} {unit}"


def best_peer(cells, field="median", without=()):
    """The fastest contender that is a peer: not the limit, and in latency a compiler."""
    others = {LIMIT, *without} | (INTERPRETED if field == "seconds" else set())
    times = {c: cell[field] for c, cell in cells.items() if field in cell and c not in others}
    return min(times, key=times.get, default=None)


# ---- the terminal --------------------------------------------------------------------------------


def header(contenders):
    return " ".join([f"{'':<27}"] + [f"{c:>17}" for c in contenders])


def line(label, cells, contenders, field="median"):
    """One table row: time, and its ratio to the best contender."""
    best = best_peer(cells, field)
    text = [f"{label:<27}"]
    for c in contenders:
        cell = cells.get(c, {})
        if field in cell:
            ratio = cell[field] / cells[best][field] if best else 1
            text.append(f"{duration(cell[field]):>8} {'*' if c == best else ' '}{ratio:>6.3g}x")
        elif "exponent" in cell:
            text.append(f"{'N^' + format(cell['exponent'], '.2f'):>17}")
        else:
            text.append(f"{'n/a':>17}")
    return " ".join(text)


def show(record, statistic):
    """The tables of a finished run."""
    for threads, results in record["results"].items():
        print(f"\n{threads} thread(s): {limits(record, threads)}\n{when(record, threads)}")
        print(header(record["contenders"]))
        for label, cells in results.items():
            print(line(label, cells, record["contenders"], "seconds" if is_first(label) else statistic))
        for text in [*bandwidth(record, threads), *reasons(results)]:
            print(text)


def is_first(label):
    """Whether a row is about first results, as `poly cold` and `graph_scale n=100`, and not about calls."""
    return " " in label


def limits(record, threads):
    figures = record["limits"].get(threads, {})
    return ", ".join(f"{k} {v:.1f}" for k, v in figures.items())


def bandwidth(record, threads):
    """Compulsory traffic over the least time, as a fraction of the best bandwidth measured in this run."""
    figures, results = record["limits"].get(threads), record["results"][threads]
    if not figures:
        return
    top = max(v for k, v in figures.items() if k.endswith("GB/s"))
    yield f"Compulsory traffic as a fraction of {top:.1f} GB/s (more than 1: it stays in the last cache)"
    for row in rows([]):
        cells = results.get(str(row), {})
        if row.traffic and row.traffic >= 12e6:
            rates = {c: row.traffic / cell["least"] / 1e9 for c, cell in cells.items() if "least" in cell}
            yield f"{row!s:<27} " + " ".join(f"{c} {rate / top:.2f}" for c, rate in rates.items())


def reasons(results):
    """Why a cell is empty, once for each contender and reason."""
    seen = {}
    for label, cells in results.items():
        for c, cell in cells.items():
            if "skip" in cell:
                seen.setdefault((c, cell["skip"]), []).append(label)
    for (c, reason), labels in seen.items():
        yield f"n/a  {c}: {reason}  [{', '.join(labels)}]"


# ---- Markdown ------------------------------------------------------------------------------------


def markdown(record):
    """The whole record as a document."""
    parts = [HEAD, f"{record['machine']}; Python {record['python']}; " + ", ".join(versions(record)) + "."]
    parts.append(record.get("note", ""))
    known = tomllib.loads(SHORTFALLS.read_text()) if SHORTFALLS.exists() else {}
    for threads, results in sorted(record["results"].items()):
        calls = {label: cells for label, cells in results.items() if OURS in cells and not is_first(label)}
        if calls:
            title, told = f"## Calls, {number(threads, 'thread')}", when(record, threads)
            parts += [title, told, *call_tables(record, threads, calls, known)]
        first = {label: cells for label, cells in results.items() if is_first(label)}
        if first:
            parts += [f"## From the expression to the first result, {number(threads, 'thread')}", FIRST]
            parts.append(table(["", *compilers(record)], [first_row(record, *item) for item in first.items()]))
        parts.append("\n".join(f"- {text.removeprefix('n/a  ')}" for text in reasons(results)))
    return "\n\n".join(part for part in parts if part) + "\n"


HEAD = """# graphlab and its peers

Made by `python benchmarks/peers/run.py --markdown benchmarks/RESULTS.md`; [peers/README.md](peers/README.md) says how.
Every output was checked against NumPy in float64 before it was timed (`error` is the largest difference over the
largest value). Only ratios within a row mean something: its contenders took turns. `C` is hand-written C that allocates
nothing and allows itself `-ffast-math`: a limit, no peer. A row falls short where graphlab is slower than the best
peer, or than its goal: 1.25 x C where a peer comes that close, 1.5 x C where none does."""
FIRST = """In new processes, imports apart, with an empty cache (cold) and with the one that this left (warm): the
median of several, unless one takes seconds; `by NumPy while C is compiled` is graphlab's compile="background", whose
first call does not wait. For `n` generated operations, cold; the exponent is the slope between the
two largest sizes."""

MEMORY = """The most that the process held while it was called, with inputs and results; `grown`: beyond what it had
when its imports were done. Rows of a workload share processes: what a contender keeps of one counts in the next."""


def number(count, noun):
    return f"{count} {noun}{'' if str(count) == '1' else 's'}"


def versions(record):
    """The version of each contender, as it said itself."""
    seen = {}
    for results in record["results"].values():
        for cells in results.values():
            seen |= {c: cell["version"] for c, cell in cells.items() if "version" in cell}
    return [seen[c] for c in record["contenders"] if c in seen]


def compilers(record):
    return [c for c in record["contenders"] if c not in INTERPRETED]


def table(names, lines):
    cells = [names, ["---", *["---:"] * (len(names) - 1)], *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def call_tables(record, threads, calls, known):
    """The summary, the table of times, and what falls short and why."""
    peers = [c for c in record["contenders"] if c not in (OURS, LIMIT)]
    pairs = {label: ratios(cells) for label, cells in calls.items()}
    to_peer = [peer for peer, _ in pairs.values() if peer]
    if limits(record, threads):
        yield f"Measured limits: {limits(record, threads)}."
    mean = math.exp(sum(map(math.log, to_peer)) / len(to_peer)) if to_peer else math.nan
    yield (
        f"graphlab is at least as fast as the best peer in {sum(r <= 1 for r in to_peer)} of {len(calls)} rows; "
        f"on the geometric mean it takes {mean:.2f} of the best peer's time."
    )
    names = ["", OURS, "best peer", "ratio", "C", "ratio", "error", *peers]
    yield table(names, [call_row(label, cells, peers) for label, cells in calls.items()])
    short = [label for label in pairs if falls_short(calls[label])]
    short.sort(key=lambda label: -badness(pairs[label]))
    slower = [label for label in short if (pairs[label][0] or math.inf) > 1]
    for title, labels in (
        ("Where a peer is faster", slower),
        ("Where no peer is faster, and C is far", [label for label in short if label not in slower]),
    ):
        if labels:
            yield f"### {title}, {number(threads, 'thread')}"
            yield "\n".join(shortfall(label, calls[label], known) for label in labels)
    heavy = [memory_row(label, cells, peers) for label, cells in calls.items() if "peak" in cells[OURS]]
    if heavy:
        yield f"### Peak memory during calls, {number(threads, 'thread')}"
        yield MEMORY
        columns = ["least of the peers", "ratio"]
        yield table(["", OURS, *columns, f"{OURS}, grown", *columns], heavy)


def ratios(cells):
    """Our time over the best peer's, and over C's; None where there is nothing to compare."""
    ours, best = cells[OURS].get("median"), best_peer(cells, without=[OURS])
    limit = cells.get(LIMIT, {}).get("median")
    return ours / cells[best]["median"] if ours and best else None, ours / limit if ours and limit else None


def falls_short(cells):
    """Whether we are not computed, slower than the best peer, or than our goal."""
    to_peer, to_limit = ratios(cells)
    if "median" not in cells[OURS] or (to_peer or 0) > 1:
        return True
    return (to_limit or 0) > goal(cells) and (to_peer or 0) < (to_limit or 0)


def goal(cells):
    """How many times C's time a row may take."""
    best = best_peer(cells, without=[OURS])
    limit = cells.get(LIMIT, {}).get("median", 0)
    return CLOSE if best and cells[best]["median"] <= CLOSE * limit else NEAR


def badness(pair):
    return max(pair[0] or math.inf, (pair[1] or 0) / 100)


def call_row(label, cells, peers):
    ours, best = cells[OURS], best_peer(cells, without=[OURS])
    to_peer, to_limit = ratios(cells)
    return [
        label,
        f"**{duration(ours['median'])}**" if "median" in ours else "n/a",
        f"{best} {duration(cells[best]['median'])}" if best else "",
        ratio(to_peer),
        duration(cells[LIMIT]["median"]) if "median" in cells.get(LIMIT, {}) else "n/a",
        ratio(to_limit),
        f"{ours['error']:.0e}" if "error" in ours else "",
        *(duration(cells[c]["median"]) if "median" in cells.get(c, {}) else "n/a" for c in peers),
    ]


def ratio(value):
    return "" if value is None else f"{value:.2f}" if value <= 1 else f"**{value:.3g}**"


def shortfall(label, cells, known):
    """What falls short: by how much, where the time goes, and the reason if it is known."""
    to_peer, to_limit = ratios(cells)
    best = best_peer(cells, without=[OURS])
    text = [f"- `{label}`: " + (f"{to_peer:.3g} x {best}" if to_peer else cells[OURS].get("skip", "no peer"))]
    if to_limit:
        text.append(f", {to_limit:.3g} x C")
    if steps := cells[OURS].get("steps"):
        text.append(". Steps: " + ", ".join(f"{share:.0%} {name}" for share, name in steps))
    names = [label, label.rpartition("/")[0], label.partition("/")[0]]
    if why := next((known[name] for name in names if name in known), None):
        text.append(". " + " ".join(why.split()))
    return "".join(text)


def memory_row(label, cells, peers):
    return [label, *least_memory(cells, peers, "peak"), *least_memory(cells, peers, "grown")]


def least_memory(cells, peers, field):
    """Our memory, that of the peer with the least, and the ratio."""
    if field not in cells[OURS]:
        return ["", "", ""]
    found, ours = {c: cells[c][field] for c in peers if field in cells.get(c, {})}, cells[OURS][field]
    least = min(found, key=found.get, default=None)
    of_peers = [f"{least} {mebibytes(found[least])}", ratio(ours / max(found[least], 1))] if least else ["", ""]
    return [f"**{mebibytes(ours)}**", *of_peers]


def mebibytes(count):
    return f"{count / 2**20:.3g} MiB"


def first_row(record, label, cells):
    best, text = best_peer(cells, "seconds"), [label]
    for c in compilers(record):
        cell = cells.get(c, {})
        if "seconds" in cell:
            shown = duration(cell["seconds"])
            text.append(f"**{shown}**" if c == best else shown)
        else:
            text.append(f"N^{cell['exponent']:.2f}" if "exponent" in cell else "n/a")
    return text
