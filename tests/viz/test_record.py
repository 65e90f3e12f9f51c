"""The trace is plain, complete, deterministic and says nothing of the machine."""

import getpass
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np

import graphlab
import graphlab.tensor as T
from graphlab.viz.record import record
from graphlab.viz.truncate import truncated


def ends(trace: dict[str, Any], graph: str) -> list[Any]:
    return [
        trace["graphs"][graph]["outputs"],
        *(n["inputs"] for n in trace["nodes"] if n["id"] in trace["graphs"][graph]["nodes"]),
    ]


def test_nodes_are_stored_once_and_inputs_come_first(training: graphlab.Function) -> None:
    trace = record(training)
    ids = [n["id"] for n in trace["nodes"]]
    assert ids == [f"n{k}" for k in range(len(ids))]
    nodes = {n["id"]: n for n in trace["nodes"]}
    for graph in trace["graphs"].values():
        place = {name: k for k, name in enumerate(graph["nodes"])}
        for name in graph["nodes"]:
            assert all(place[source] < place[name] for source, _ in nodes[name]["inputs"])
    assert all(source in nodes for graph in trace["graphs"] for group in ends(trace, graph) for source, _ in group)


def test_it_is_json_and_the_same_every_time(training: graphlab.Function) -> None:
    trace = record(training)
    assert (trace["format"], trace["version"]) == ("graphlab-trace", 1)
    assert json.loads(json.dumps(trace, allow_nan=False)) == trace == record(training)


def test_it_names_no_path_user_or_host(training: graphlab.Function, batch: list[Any]) -> None:
    text = json.dumps(record(training, training.debug(*batch).finish()))
    for secret in (str(Path.cwd()), os.path.expanduser("~"), socket.gethostname(), os.sep + "tests"):
        assert secret not in text
    assert getpass.getuser() not in [word.strip('",') for word in text.split()]


def test_nodes_know_the_users_line(cubic: graphlab.Function) -> None:
    trace = record(cubic)
    power = next(n for n in trace["nodes"] if n["op"] == "power")
    (source,) = (trace["sources"][k] for k in power["origins"])
    assert source["text"] == "y = 2 * x + x**3"
    assert source["label"].startswith("conftest.py:")


def test_gradient_nodes_say_so(training: graphlab.Function) -> None:
    trace = record(training)
    gradients = [n for n in trace["nodes"] if n["gradient"]]
    assert gradients
    assert any(n["grad_of"] for n in gradients)


def test_unchanged_nodes_are_twins_and_rewritten_ones_are_not() -> None:
    x = T.dvector("x")
    f = graphlab.function([x], T.exp(T.log(1 + x) + 5))
    trace = record(f)
    nodes = {n["id"]: n for n in trace["nodes"]}
    pairs = {nodes[a]["op"] for a in trace["twins"] if nodes[a]["kind"] == "op"}
    assert "exp" in pairs  # its input was rewritten, it was not
    assert "log1p" not in pairs
    assert all(nodes[a]["op"] == nodes[b]["op"] for a, b in trace["twins"].items())


def test_a_rewrite_shows_both_sides_close_up() -> None:
    x = T.dvector("x")
    trace = record(graphlab.function([x], T.exp(T.log(1 + T.sin(x)))))
    rewrite = next(r for r in trace["rewrites"] if "log1p" in r["rule"])
    assert (rewrite["changes"], rewrite["verdict"], rewrite["nodes"]) == ("rounding", "?", -1)
    assert "log1p" in rewrite["after"]["text"]
    assert "log" in rewrite["before"]["text"]
    assert not os.path.isabs(rewrite["source"])


def test_values_of_all_nodes_are_those_of_numpy(cubic: graphlab.Function) -> None:
    x = np.array([1.0, -2.0, 0.5])
    trace = record(cubic, cubic.debug(x).finish())
    nodes = {n["id"]: n for n in trace["nodes"]}
    expected = {"power": x**3, "add": 2 * x + x**3}
    seen = set()
    for name, (value,) in trace["values"].items():
        if nodes[name]["op"] in expected:
            seen.add(nodes[name]["op"])
            np.testing.assert_allclose(np.array(value["elements"][0], float), expected[nodes[name]["op"]], rtol=1e-15)
    assert seen >= {"power", "add"}  # the power was optimised away; its value is shown all the same


def test_without_a_finished_run_there_are_no_values(cubic: graphlab.Function) -> None:
    assert record(cubic)["values"] == {}
    begun = record(cubic, cubic.debug([1.0]))
    assert begun["values"] == {}
    assert begun["steps"]


def test_a_page_is_sent_no_more_nodes_than_it_can_hold_and_knows_how_many_are_missing(
    training: graphlab.Function, batch: list[Any]
) -> None:
    trace = record(training, training.debug(*batch).finish())
    assert truncated(trace, len(trace["nodes"])) is trace
    part = truncated(trace, 20)
    kept = {node["id"] for node in part["nodes"]}
    assert len(kept) == 20
    assert part["truncated"] == len(trace["nodes"]) - 20
    assert {name for name, _ in part["graphs"]["after"]["outputs"]} <= kept
    everything = json.dumps({**part, "rewrites": [], "sources": []})
    assert set(re.findall(r'"(n\d+)"', everything)) == kept
    whole = {n["id"]: n for n in trace["nodes"]}
    assert all(
        node["inputs"] == [end for end in whole[node["id"]]["inputs"] if end[0] in kept] for node in part["nodes"]
    )
