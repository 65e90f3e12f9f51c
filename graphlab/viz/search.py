"""Finding nodes by anything that is said of them: name, op, line, rule, dtype or shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 500  # nodes that an answer names


class Index:
    """The words of every node of a trace, ready to be searched.

    >>> node = {"id": "n0", "name": "y", "text": "add", "kind": "op", "family": "elementwise", "rule": None,
    ...         "outputs": [{"type": "float32[3]"}], "origins": [], "scope": ["layer"], "gradient": False}
    >>> Index({"nodes": [node], "sources": []}).find("ADD float32")
    ['n0']
    """

    def __init__(self, trace: Mapping[str, Any]) -> None:
        sources = [f"{source['label']} {source['text']}" for source in trace["sources"]]
        self._texts = {node["id"]: _text(node, sources).lower() for node in trace["nodes"]}

    def find(self, query: str) -> list[str]:
        """The ids of the nodes of which every word of `query` is said, in the trace's order."""
        found = self._texts
        for word in query.lower().split():
            found = {name: text for name, text in found.items() if word in text}
        return list(found) if query.strip() else []


def _text(node: Mapping[str, Any], sources: list[str]) -> str:
    facts = [node["id"], node["name"] or "", node["text"], node["kind"], node["family"], node["rule"] or ""]
    types = [output["type"] for output in node["outputs"]]
    lines = [sources[k] for k in node["origins"]]
    return "\n".join([*facts, *types, *lines, "/".join(node["scope"]), "gradient" * node["gradient"]])
