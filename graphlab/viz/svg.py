"""Draws placed diagrams as SVG: by itself readable, without script, the same bytes for the same graph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from graphlab.viz.diagram import ADDED, CHANGED, REMOVED, Card, Diagram, Link, columns
from graphlab.viz.escape import clip, escape
from graphlab.viz.fold import FAMILY as GROUP
from graphlab.viz.geometry import Box, Layout, Point
from graphlab.viz.groups import Group, parents, shown

STATIC = Path(__file__).parent / "static"
XMLNS = "http://www.w3.org/2000/svg"
HEAD = 7.0  # length of an arrow's head
PAD = 20.0

# The outline of a family: corner radius, then how far the left and the right side lean in at top and bottom.
SHAPES: dict[str, tuple[float, float, float, float, float]] = {
    "input": (20, 0, 0, 0, 0),
    "constant": (12, 0, 0, 0, 0),
    "shared": (3, 0, 0, 0, 0),
    "elementwise": (8, 0, 0, 0, 0),
    "reduction": (0, 0, 10, 0, 10),
    "linear algebra": (0, 0, 0, 0, 0),
    "shape": (0, 8, 0, 0, 8),
    "control": (12, 0, 0, 0, 0),
    "other": (4, 0, 0, 0, 0),
    "reference": (6, 0, 0, 0, 0),
    GROUP: (6, 0, 0, 0, 0),
}
MARKS = {ADDED: ("+", "added"), REMOVED: ("−", "removed"), CHANGED: ("±", "changed inside")}


@cache
def stylesheet() -> str:
    """The rules for pictures and charts."""
    return (STATIC / "picture.css").read_text(encoding="utf-8")


def n(x: float) -> str:
    """A coordinate, short and always the same: at most two decimals.

    >>> n(1.50), n(-0.0), n(3.14159)
    ('1.5', '0', '3.14')
    """
    text = f"{x:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


# ---- one diagram ---------------------------------------------------------------------------------


def graph(diagram: Diagram, placed: Layout, *, x: float | None = None, y: float | None = None) -> str:
    """The diagram as an `<svg>` for a page that has the stylesheet, or at (x, y) in another `<svg>`."""
    spot = "" if x is None or y is None else f' x="{n(x)}" y="{n(y)}"'
    why = f'data-why="{escape(placed.why)}" ' if placed.why else ""
    low, width, height = -8.0, placed.width + 16, placed.height + 16
    around, by_key = parents(diagram.groups), {group.key: group for group in diagram.groups}
    opened = {group.toggle for group in diagram.groups}
    closed = [card for card in diagram.cards if card.opens and card.nodes and card.key not in opened]
    labels = {group.key: shown(group, by_key.get(around[group.key] or "")) for group in diagram.groups}
    return "\n".join(
        [
            f'<svg class="gl-graph" xmlns="{XMLNS}" role="graphics-document document" '
            f'data-view="{escape(diagram.name)}" data-layout="{placed.engine}" {why}'
            f'aria-label="{escape(diagram.title)}"{spot} width="{n(width)}" height="{n(height)}" '
            f'viewBox="{n(low)} {n(low)} {n(width)} {n(height)}">',
            f"<title>{escape(diagram.title)}</title><desc>{escape(diagram.about)}</desc>",
            *(_group(group, labels[group.key], diagram, placed) for group in diagram.groups),
            *(_link(*parts) for parts in zip(diagram.links, placed.links, placed.labels, strict=True)),
            *(_card(card, placed.cards[card.key]) for card in diagram.cards),
            *(_open_op(card, placed.cards[card.key]) for card in closed),
            "</svg>",
        ]
    )


# ---- groups --------------------------------------------------------------------------------------


def _group(group: Group, label: str, diagram: Diagram, placed: Layout) -> str:
    """An open group: a frame around its cards; where there is no room for one, a ground that they stand on."""
    if group.key in placed.groups:
        box = placed.groups[group.key]
        place = f'x="{n(box.x)}" y="{n(box.y)}" width="{n(box.width)}" height="{n(box.height)}"'
        ground, x, y, room = f'<rect class="gl-frame" {place} rx="10"/>', box.x + 9, box.y + 13, box.width
    else:
        first = min((placed.cards[key] for key in group.members), key=lambda box: (box.y, box.x))
        ground, x, y, room = _ground(group, diagram, placed), first.x + 1, first.y - 8, first.width
    text = clip(label, max(8, int(room / 6.4)))
    name = f'<text x="{n(x)}" y="{n(y)}">{escape(text)}</text>'
    if group.toggle:
        name = _toggle(group.toggle, f"{label}, {group.kind}", f"▾ {text}", x, y)
    return f'<g class="gl-group gl-{group.kind}" data-{group.kind}="{escape(group.label)}">{ground}{name}</g>'


def _ground(group: Group, diagram: Diagram, placed: Layout) -> str:
    """What lies under the cards of a group and under the links between them."""
    inside = set(group.members)
    boxes = (placed.cards[key] for key in group.members)
    rects = (
        f'<rect x="{n(b.x - 7)}" y="{n(b.y - 7)}" width="{n(b.width + 14)}" height="{n(b.height + 14)}" rx="12"/>'
        for b in boxes
    )
    ways = (
        f'<path d="{_curves(points)}"/>'
        for link, points in zip(diagram.links, placed.links, strict=True)
        if link.source in inside and link.target in inside
    )
    return f'<g class="gl-ground">{"".join(ways)}{"".join(rects)}</g>'


def _toggle(key: str, name: str, text: str, x: float, y: float, *, is_open: bool = True) -> str:
    """A few words that open or close a group when they are clicked."""
    state, verb = ("true", "close") if is_open else ("false", "open")
    label = escape(f"{verb} {name}")
    return (
        f'<g class="gl-toggle" data-group="{escape(key)}" role="button" tabindex="0" aria-expanded="{state}" '
        f'aria-label="{label}"><title>{label}</title>'
        f'<rect x="{n(x - 4)}" y="{n(y - 10)}" width="{n(8 + 6.2 * columns(text))}" height="14" rx="4"/>'
        f'<text x="{n(x)}" y="{n(y)}">{escape(text)}</text></g>'
    )


def _open_op(card: Card, box: Box) -> str:
    """What opens an op, at the lower edge of its card: beside the card, as a symbol has no buttons inside."""
    text = "▸ " + clip(card.opens, 18)
    place = box.x + card.tile + 2, box.y + box.height + 4
    return f'<g class="gl-body">{_toggle(card.key, card.opens, text, *place, is_open=False)}</g>'


# ---- links and cards -----------------------------------------------------------------------------


def _link(link: Link, points: Sequence[Point], spot: Point | None) -> str:
    (x1, y1), (x0, y0) = points[-1], _before_last(points)
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    bx, by = x1 - HEAD * ux, y1 - HEAD * uy
    head = f"M{n(x1)} {n(y1)}L{n(bx - 3 * uy)} {n(by + 3 * ux)}L{n(bx + 3 * uy)} {n(by - 3 * ux)}Z"
    label = ""
    if spot and link.label:
        label = f'<text class="gl-edge-label" x="{n(spot[0])}" y="{n(spot[1] + 3)}">{escape(link.label)}</text>'
    source, target = (end.partition(".")[0].rpartition("/")[2] for end in (link.source, link.target))
    what = f"{link.count} values, {link.type}" if link.count > 1 else link.type
    return (
        f'<g class="gl-link gl-{link.mark}" data-from="{escape(source)}" data-to="{escape(target)}">'
        f"<title>{escape(what)}</title>"
        f'<path class="gl-wire" d="{_curves([*points[:-1], (bx, by)])}" stroke-width="{n(link.width)}"/>'
        f'<path class="gl-head" d="{head}"/>{label}</g>'
    )


def _curves(points: Sequence[Point]) -> str:
    (x, y), *rest = points
    curves = "".join(f"{'C' if k % 3 == 0 else ' '}{n(x)} {n(y)}" for k, (x, y) in enumerate(rest))
    return f"M{n(x)} {n(y)}{curves}"


def _before_last(points: Sequence[Point]) -> Point:
    """The point from which the curve runs into its last one."""
    return next((p for p in reversed(points[:-1]) if p != points[-1]), points[0])


def _card(card: Card, box: Box) -> str:
    parts = [_face(card, box), _small(card, box) if card.small else _texts(card, box)]
    right = box.width - 6
    for tag in card.tags:
        width = 10 + 5.8 * len(tag)
        right -= width
        parts.append(
            f'<g class="gl-tag{" gl-out" * (tag == "output")}">'
            f'<rect x="{n(right)}" y="-7" width="{n(width)}" height="13" rx="6.5"/>'
            f'<text x="{n(right + width / 2)}" y="2.5">{escape(tag)}</text></g>'
        )
        right -= 3
    if card.mark in MARKS:
        parts.append(f'<g class="gl-sign"><circle r="7.5"/><text y="4">{MARKS[card.mark][0]}</text></g>')
    name = escape(card.label)
    role = 'role="graphics-symbol"'
    if card.family == GROUP:
        inside = escape(" ".join(card.inside), 10**7)
        role = f'role="button" aria-expanded="false" data-group="{escape(card.key)}" data-inside="{inside}"'
    nodes = f'data-nodes="{escape(" ".join(card.nodes))}" ' if card.nodes else ""
    return (
        f'<g class="gl-card gl-{card.mark} gl-{_slug(card.family)}{" gl-op" * card.computed}" {nodes}'
        f'{role} tabindex="0" aria-label="{name}" transform="translate({n(box.x)} {n(box.y)})">'
        f"<title>{name}</title><desc>{escape(card.family)}</desc>{''.join(parts)}</g>"
    )


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _face(card: Card, box: Box) -> str:
    outline = _outline(card.family, box.width, box.height)
    parts = [f'<path class="gl-outer" d="{_outline(card.family, box.width + 7, box.height + 7)}" '
             'transform="translate(-3.5 -3.5)"/>'] if card.mark == ADDED else []  # fmt: skip
    behind = {"shared": (3,), GROUP: (6, 3)}.get(card.family, ())  # something that stays, or a pile of cards
    parts += [f'<path class="gl-face" d="{outline}" transform="translate({k} {k})"/>' for k in behind]
    parts.append(f'<path class="gl-face" d="{outline}"/>')
    if not card.small:
        parts.append(f'<path class="gl-tile" d="{_tile(card.family, card.tile, box.height)}"/>')
    return "".join([*parts, f'<path class="gl-rim" d="{outline}"/>'])


def _outline(family: str, w: float, h: float) -> str:
    r, tl, bl, tr, br = SHAPES.get(family, SHAPES["other"])
    r = min(r, h / 2)
    arc = f"A{n(r)} {n(r)} 0 0 1 " if r else "L"
    return (
        f"M{n(tl + r)} 0L{n(w - tr - r)} 0{arc}{n(w - tr)} {n(r)}"
        f"L{n(w - br)} {n(h - r)}{arc}{n(w - br - r)} {n(h)}"
        f"L{n(bl + r)} {n(h)}{arc}{n(bl)} {n(h - r)}L{n(tl)} {n(r)}{arc}{n(tl + r)} 0Z"
    )


def _tile(family: str, t: float, h: float) -> str:
    r, tl, bl, _, _ = SHAPES.get(family, SHAPES["other"])
    r = min(r, h / 2)
    arc = f"A{n(r)} {n(r)} 0 0 1 " if r else "L"
    return f"M{n(t)} 0L{n(t)} {n(h)}L{n(bl + r)} {n(h)}{arc}{n(bl)} {n(h - r)}L{n(tl)} {n(r)}{arc}{n(tl + r)} 0Z"


def _small(card: Card, box: Box) -> str:
    x, y = n(box.width / 2), n(box.height / 2 + 4.2)
    return f'<text class="gl-number" x="{x}" y="{y}">{escape(card.title)}</text>'


def _texts(card: Card, box: Box) -> str:
    left, lean = card.tile + 8, 6 if card.leans else 0
    return (
        f'<text class="gl-glyph" x="{n((card.tile + lean) / 2)}" y="{n(box.height / 2 + 5)}">'
        f"{escape(card.glyph)}</text>"
        f'<text class="gl-name" x="{n(left)}" y="17">{escape(card.title)}</text>'
        f'<text class="gl-type" x="{n(left)}" y="31">{escape(card.detail)}</text>'
    )


# ---- whole pictures ------------------------------------------------------------------------------


def legend(diagrams: Iterable[Diagram]) -> str:
    """The families and marks that `diagrams` show, each an `<svg>` of its own, so that lines break."""
    return "".join(
        f'<svg class="gl-graph gl-legend" xmlns="{XMLNS}" role="img" aria-label="legend: {text}" '
        f'width="{n(width)}" height="26" viewBox="0 0 {n(width)} 26">{_key(text, sample, 8)}</svg>'
        for text, sample, width in _keys(list(diagrams))
    )


def _legend(diagrams: Sequence[Diagram]) -> tuple[str, float]:
    """The same in one row, and its width."""
    parts, x = [], 10.0
    for text, sample, width in _keys(diagrams):
        parts.append(_key(text, sample, x))
        x += width
    return "".join(parts), x


def _keys(diagrams: Sequence[Diagram]) -> list[tuple[str, str, float]]:
    """What a legend explains: the text, the opening tag and shape of its sample ("" if it has none), and the width."""
    cards = [card for diagram in diagrams for card in diagram.cards]
    samples = [(f, "same") for f in SHAPES if any(c.family == f for c in cards)]
    samples += [("other", mark) for mark in MARKS if any(c.mark == mark for c in cards)]
    found = []
    for family, mark in samples:
        text = MARKS[mark][1] if mark in MARKS else family
        if mark in MARKS:
            sample = _face(Card("", (), family, "", "", "", mark), Box(0, 0, 26, 14))
            sample += f'<g class="gl-sign"><circle r="6"/><text y="3.5">{MARKS[mark][0]}</text></g>'
        else:
            sample = f'<path class="gl-tile" d="{_outline(family, 26, 14)}"/>'
        drawn = f'<g class="gl-card gl-{mark} gl-{_slug(family)}" transform="translate({{x}} 6)">{sample}</g>'
        found.append((text, drawn, 34 + 6.6 * len(text) + 20))
    if any("∂" in card.tags for card in cards):
        found.append(("∂ part of a gradient", "", 150.0))
    return found


def _key(text: str, sample: str, x: float) -> str:
    return sample.replace("{x}", n(x)) + f'<text class="gl-key" x="{n(x + 34 if sample else x)}" y="17">{text}</text>'


def picture(title: str, subtitle: str, panels: Sequence[tuple[Diagram, Layout]]) -> str:
    """A standalone SVG document: the diagrams beside each other under a heading, with a legend."""
    key, key_width = _legend([diagram for diagram, _ in panels])
    widths = [placed.width + 16 for _, placed in panels]
    inner = max(sum(widths) + 40.0 * (len(panels) - 1), key_width, 420.0)
    tall = max(placed.height + 16 for _, placed in panels)
    x, parts = PAD + max(0.0, (inner - sum(widths) - 40.0 * (len(panels) - 1)) / 2), []
    for (diagram, placed), width in zip(panels, widths, strict=True):
        parts.append(f'<text class="gl-caption" x="{n(x + 8)}" y="84">{escape(diagram.title)}</text>')
        parts.append(graph(diagram, placed, x=x, y=96))
        x += width + 40
    bottom = 96 + tall + 18
    width, height = inner + 2 * PAD, bottom + 40
    note = "layout: " + engine_note([placed for _, placed in panels])
    return "\n".join(
        [
            f'<svg class="gl-graph gl-page" xmlns="{XMLNS}" role="graphics-document document" '
            f'width="{n(width)}" height="{n(height)}" viewBox="0 0 {n(width)} {n(height)}">',
            f"<title>{escape(title)}</title><desc>{escape(subtitle)}</desc>",
            f"<style>{stylesheet()}</style>",
            f'<rect class="gl-paper" width="{n(width)}" height="{n(height)}" rx="12"/>',
            f'<text class="gl-title" x="{n(PAD + 8)}" y="38">{escape(title)}</text>',
            f'<text class="gl-subtitle" x="{n(PAD + 8)}" y="58">',
            f"{escape(clip(subtitle, int(inner / 7.4)))}</text>",
            *parts,
            f'<g transform="translate({n(PAD)} {n(bottom)})">{key}</g>',
            f'<text class="gl-note" x="{n(width - PAD)}" y="38">{escape(note)}</text>',
            "</svg>\n",
        ]
    )


def engine_note(placed: Sequence[Layout]) -> str:
    """Which layout was used, and why if it was not dot, in words."""
    first = next((p for p in placed if p.engine != "dot"), placed[0])
    return first.engine + (f" ({first.why})" if first.why else "")
