"""The results of a run, in a file that holds every finished row, so that an interrupted run can go on."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from workloads import rows


@dataclass(frozen=True)
class Keeper:
    """Where the rows of one thread count go: into the record, and at once into its file."""

    record: dict
    threads: str
    path: Path | None = None
    how: str = ""  # how rows are measured, for their readers
    resume: bool = False

    @property
    def results(self):
        return self.record["results"].setdefault(self.threads, {})

    def keep(self, label, cells):
        """A row is finished: it takes the place of what was known of it."""
        self.results[label] = cells
        made = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        self.record.setdefault("made", {}).setdefault(self.threads, {})[label] = dict(at=made, how=self.how)
        self.write()

    def write(self):
        if self.path:
            in_order(self.record)
            write(self.path, json.dumps(self.record, indent=1) + "\n")

    def done(self, label, contenders):
        """Whether a row is to be left as an earlier run found it: it has all these contenders."""
        return self.resume and set(contenders) <= self.results.get(label, {}).keys()


def write(path, text):
    """The file has the old text or the new one, never a part."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text)
    os.replace(beside, path)


def read(path, contenders, machine):
    """The record in the file, for more rows; an empty one where there is none."""
    record = dict(contenders=contenders, limits={}, results={}, machine=machine)
    if path and path.exists():
        record = json.loads(path.read_text())
        if record["machine"] != machine:
            raise SystemExit(f"{path} was measured on {record['machine']}, this is {machine}: take another file")
        record["contenders"] = list(dict.fromkeys([*record["contenders"], *contenders]))
    return record


def in_order(record):
    """Rows stand in the order of the workloads, whenever they were measured; behind them those of first results."""
    order = {str(row): position for position, row in enumerate(rows([]))}
    for threads, results in record["results"].items():
        labels = sorted(results, key=lambda label: order.get(label, len(order)))
        record["results"][threads] = {label: results[label] for label in labels}


def when(record, threads):
    """When the rows were measured and how, in a sentence; empty where the file is older than that."""
    made = record.get("made", {}).get(threads, {}).values()
    if not made:
        return ""
    first, last = min(row["at"] for row in made), max(row["at"] for row in made)
    times = f"{first} UTC" if first == last else f"{first} to {last} UTC"
    unknown = len(record["results"][threads]) - len(made)
    more = f"; {unknown} rows are older" if unknown else ""
    return f"Measured {times}: {'; or '.join(dict.fromkeys(row['how'] for row in made))}{more}."
