"""graphlab's own layout, in time linear in the graph: ranks by longest path, order by barycentres."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphlab.viz.diagram import Diagram
from graphlab.viz.frames import frames
from graphlab.viz.geometry import Box, Layout, Point

GAP, RANK_GAP, MARGIN, BEND = 18.0, 36.0, 12.0, 10.0  # BEND: the room of a link that passes a rank
PASS = 18.0  # half the height over which a passing link stays upright
SWEEPS = 6
LONG = 12  # a link over more ranks than this is drawn straight across them

Vertex = tuple[str, int]  # a card and -1; or "" and a number: where a link passes a rank
Neighbours = Mapping[Vertex, Sequence[Vertex]]


@dataclass(slots=True)
class _Rows:
    """The vertices rank by rank, what each touches in the ranks above and below, and each link's way."""

    rows: list[list[Vertex]]
    above: dict[Vertex, list[Vertex]] = field(default_factory=lambda: defaultdict(list))
    below: dict[Vertex, list[Vertex]] = field(default_factory=lambda: defaultdict(list))
    ways: list[list[Vertex]] = field(default_factory=list)


def place(diagram: Diagram, why: str = "") -> Layout:
    """Lay out without any tool; `why`, the reason for not using one, is kept in the layout."""
    sizes = {card.key: card.size for card in diagram.cards}
    net = _net(diagram, ranks(diagram))
    _order(net)
    xs = _columns(net, {(key, -1): width for key, (width, _) in sizes.items()})
    left = min((xs[v] - sizes.get(v[0], (BEND, 0))[0] / 2 for row in net.rows for v in row), default=0.0)
    y, centres = MARGIN, dict[Vertex, Point]()
    for row in net.rows:
        tall = max((sizes.get(v[0], (0, 0.0))[1] for v in row), default=0.0)
        centres.update({v: (xs[v] - left + MARGIN, y + tall / 2) for v in row})
        y += tall + RANK_GAP
    cards = {}
    for key, (w, h) in sizes.items():
        cx, cy = centres[key, -1]
        cards[key] = Box(round(cx - w / 2, 2), round(cy - h / 2, 2), w, h)
    ports = _ports(diagram, cards)
    links = tuple(_curve(way, port, centres, cards) for way, port in zip(net.ways, ports, strict=True))
    labels = tuple(_middle(p[-4:]) if link.label else None for p, link in zip(links, diagram.links, strict=True))
    width = max((cx for cx, _ in centres.values()), default=0.0)
    width = max([width, *(b.x + b.width for b in cards.values())]) + MARGIN
    height = max(y - RANK_GAP + MARGIN, 2 * MARGIN)
    return Layout("linear", round(width, 2), round(height, 2), cards, links, labels, frames(diagram, cards), why)


def ranks(diagram: Diagram) -> dict[str, int]:
    """Each card's rank: one below the lowest of what it reads; sources as low as their users allow."""
    users, waiting = defaultdict[str, list[str]](list), dict.fromkeys((c.key for c in diagram.cards), 0)
    for link in diagram.links:
        users[link.source].append(link.target)
        waiting[link.target] += 1
    rank = {key: 0 for key, count in waiting.items() if not count}
    sources, done = list(rank), set[str]()
    # The union of two graphs may have a cycle: then what is still waiting is taken as it comes.
    for start in (*sources, *waiting):
        ready = [start]
        for key in ready:  # grows while it is walked
            if key in done:
                continue
            done.add(key)
            rank.setdefault(key, 0)
            for user in users[key]:
                waiting[user] -= 1
                if user not in done:
                    rank[user] = max(rank.get(user, 0), rank[key] + 1)
                    ready += [user] * (waiting[user] == 0)
    for key in sources:
        rank[key] = min((rank[u] for u in users[key]), default=1) - 1
    return rank


def _net(diagram: Diagram, rank: Mapping[str, int]) -> _Rows:
    net = _Rows([[] for _ in range(max(rank.values(), default=-1) + 1)])
    for card in diagram.cards:
        net.rows[rank[card.key]].append((card.key, -1))
    bends = 0
    for link in diagram.links:
        way: list[Vertex] = [(link.source, -1)]
        first, last = rank[link.source] + 1, rank[link.target]
        for passed in range(first, last) if last - first < LONG else ():
            way.append(("", bends))
            net.rows[passed].append(way[-1])
            bends += 1
        way.append((link.target, -1))
        net.ways.append(way)
        for upper, lower in pairwise(way):
            net.below[upper].append(lower)
            net.above[lower].append(upper)
    return net


def _order(net: _Rows) -> None:
    """Sort each rank by the mean place of the neighbours above, then below, a few times to and fro."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = net.above if down else net.below
        places: dict[Vertex, float] = {}
        for row in net.rows if down else reversed(net.rows):
            own = {v: k / len(row) for k, v in enumerate(row)}
            row.sort(key=lambda v: _mean([places[n] for n in neighbours[v] if n in places], own[v]))
            places.update({v: (k + 0.5) / len(row) for k, v in enumerate(row)})


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise


def _columns(net: _Rows, widths: Mapping[Vertex, float]) -> dict[Vertex, float]:
    """The x of every vertex: as near to its neighbours as order and gaps allow."""
    xs: dict[Vertex, float] = {}
    for row in net.rows:
        x = 0.0
        for v in row:
            xs[v] = x + widths.get(v, BEND) / 2
            x += widths.get(v, BEND) + GAP
    for sweep in range(2 * SWEEPS):
        down = sweep % 2 == 0
        for row in net.rows if down else reversed(net.rows):
            near = net.above if down else net.below
            wished = [_mean([xs[n] for n in near[v] or (*net.above[v], *net.below[v])], xs[v]) for v in row]
            half = [widths.get(v, BEND) / 2 for v in row]
            xs.update(zip(row, _apart(wished, half), strict=True))
    return xs


def _apart(wished: Sequence[float], half: Sequence[float]) -> list[float]:
    """The places nearest to those `wished`, by least squares, at which neighbours do not touch.

    With the gaps subtracted this is isotonic regression, solved by pooling adjacent violators.
    """
    offsets, total = [], 0.0
    for k, h in enumerate(half):
        total += h + half[k - 1] + GAP if k else 0.0
        offsets.append(total)
    blocks: list[tuple[float, int]] = []  # the sum of wishes and how many share the place
    for wish, offset in zip(wished, offsets, strict=True):
        block = (wish - offset, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] > block[0] / block[1]:
            previous = blocks.pop()
            block = (previous[0] + block[0], previous[1] + block[1])
        blocks.append(block)
    places = [total / count for total, count in blocks for _ in range(count)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]


def _ports(diagram: Diagram, cards: Mapping[str, Box]) -> list[Point]:
    """Where each link ends: operands enter side by side, in order, at the upper edge."""
    operands = defaultdict[str, list[int]](list)
    for link in diagram.links:
        operands[link.target].append(link.position)
    order = {target: {p: k for k, p in enumerate(sorted(set(taken)), 1)} for target, taken in operands.items()}
    found = []
    for link in diagram.links:
        box, places = cards[link.target], order[link.target]
        found.append((box.x + box.width * places[link.position] / (len(places) + 1), box.y))
    return found


def _curve(
    way: Sequence[Vertex], port: Point, centres: Mapping[Vertex, Point], cards: Mapping[str, Box]
) -> tuple[Point, ...]:
    """From the lower edge of the first card to `port`; upright beside the cards of the ranks between."""
    first = cards[way[0][0]]
    stops: list[Point] = [(first.centre[0], first.y + first.height)]
    for bend in way[1:-1]:
        x, y = centres[bend]
        stops += [(x, y - PASS), (x, y + PASS)]
    stops.append(port)
    points = [stops[0]]
    for (x0, y0), (x1, y1) in pairwise(stops):
        points += [(x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2), (x1, y1)]
    return tuple((round(x, 2), round(y, 2)) for x, y in points)


def _middle(curve: Sequence[Point]) -> Point:
    """The point of a cubic Bezier curve at t = 1/2."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = curve
    return round((x0 + 3 * x1 + 3 * x2 + x3) / 8, 2), round((y0 + 3 * y1 + 3 * y2 + y3) / 8, 2)
