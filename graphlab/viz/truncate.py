"""A trace with no more nodes than a page can hold: those nearest to the outputs, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, zip_longest
from typing import Any

MOST = 20_000  # nodes that a page is sent


def truncated(trace: Mapping[str, Any], most: int = MOST) -> Mapping[str, Any]:
    """`trace` with `most` of its nodes at most; "truncated" then says how many are missing. Whole if it is small.

    >>> truncated({"nodes": [], "graphs": {}})
    {'nodes': [], 'graphs': {}}
    """
    if len(trace["nodes"]) <= most:
        return trace
    ends = zip_longest(*(reversed(trace["graphs"][side]["nodes"]) for side in ("after", "before")))
    order = dict.fromkeys(name for name in chain.from_iterable(ends) if name is not None)
    order |= dict.fromkeys(node["id"] for node in trace["nodes"])
    kept = set(list(order)[:most])
    nodes = [_node(node, kept) for node in trace["nodes"] if node["id"] in kept]
    return {
        **trace,
        "truncated": len(trace["nodes"]) - len(nodes),
        "nodes": nodes,
        "graphs": {side: _graph(graph, kept) for side, graph in trace["graphs"].items()},
        "twins": {a: b for a, b in trace["twins"].items() if a in kept and b in kept},
        "rewrites": [{**r, **{side: _side(r[side], kept) for side in ("before", "after")}} for r in trace["rewrites"]],
        "kernels": [_listed(kernel, kept) for kernel in trace["kernels"]],
        "code": {**trace["code"], "lines": [_names(line, kept) for line in trace["code"]["lines"]]},
        "steps": [_listed(step, kept) for step in trace["steps"]],
        "values": {name: value for name, value in trace["values"].items() if name in kept},
    }


def _names(names: Iterable[str], kept: set[str]) -> list[str]:
    return [name for name in names if name in kept]


def _ends(ends: Iterable[Any], kept: set[str]) -> list[Any]:
    return [end for end in ends if end[0] in kept]


def _node(node: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    only = {name: node[name] if node[name] in kept else None for name in ("grad_of", "replaced")}
    inside = [{**one, **_graph(one, kept)} if "nodes" in one else one for one in node["inside"]]
    return {**node, **only, "inputs": _ends(node["inputs"], kept), "inside": inside}


def _graph(graph: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    return {
        "nodes": _names(graph["nodes"], kept),
        "inputs": _ends(graph["inputs"], kept),
        "outputs": _ends(graph["outputs"], kept),
    }


def _side(side: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    return {**side, "nodes": _names(side["nodes"], kept), "leaves": _names(side["leaves"], kept)}


def _listed(each: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    """A kernel or a step."""
    ends = {name: _ends(each[name], kept) for name in ("inputs", "outputs") if name in each}
    return {**each, "nodes": _names(each["nodes"], kept), **ends}
