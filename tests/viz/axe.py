"""axe-core on a page: what would keep somebody from using the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


def violations(page: Any, within: str = ".gl-root") -> list[str]:
    """The serious and critical violations inside `within`, one a line: the rule, the element, why."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(_RUN, within)
    return found


_RUN = """async (within) => {
  const found = await axe.run(within, { resultTypes: ["violations"], iframes: false });
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const why = (node) => node.any.concat(node.all, node.none).map((one) => one.message).join("; ").slice(0, 300);
  return serious.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}: ${why(node)}`));
}"""
