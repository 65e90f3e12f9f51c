"""Which groups a picture has, and which of them are closed at first, so that there is never too much to see.

Up to LIMIT cards everything is open. Beyond that name scopes are closed, the innermost first. Where still too
much is left, and in scopes that hold too much, stretches that repeat are put together, then chains of ops,
and at last whatever stands side by side.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphlab.viz.diagram import Card, Diagram
from graphlab.viz.escape import clip
from graphlab.viz.groups import BODY, CHAIN, COPY, PART, REPEAT, SCOPE, Group, Path, named
from graphlab.viz.repeats import repetitions

LIMIT = 300  # cards that are seen at first
WITHIN = 120  # what is seen at most when a group is opened
NEAR = 64  # operands from further back count as coming from outside


@dataclass(frozen=True, slots=True)
class Outline:
    """The groups of a picture, the larger first, and the keys of those that are closed at first."""

    groups: tuple[Group, ...]
    closed: frozenset[str] = frozenset()


def outline(diagram: Diagram, limit: int = LIMIT, within: int = WITHIN) -> Outline:
    """The outline of `diagram`."""
    if len(diagram.cards) <= limit:
        return Outline(_scopes(diagram.cards))
    tree = _Tree(diagram)
    closed = tree.close(limit)
    tree.arrange(limit, within, closed)
    return Outline(tree.groups(), frozenset(closed | tree.arranged))


def _scopes(cards: Iterable[Card]) -> tuple[Group, ...]:
    """A group for each name scope in which something is computed; the gradient's part of a scope is another one.

    A scope that holds but one other has one box with it.
    """
    inside, computed = defaultdict[Path, list[str]](list), set[Path]()
    for card in cards:
        gradient, names = card.scope
        for depth in range(1, len(names) + 1):
            inside[gradient, names[:depth]].append(card.key)
            computed |= {(gradient, names[:depth])} if card.computed else set()
    boxes = dict[tuple[str, ...], Group]()
    for number, path in enumerate(sorted(computed, key=lambda path: (len(path[1]), path))):
        members = tuple(inside[path])
        boxes[members] = Group(f"scope_{number}", named(path), members, SCOPE)
    return tuple(sorted(boxes.values(), key=lambda group: -len(group.members)))


def inside(outer: Outline, diagram: Diagram) -> Outline:
    """`outer` with the groups inside of the ops that are open in `diagram`, which has those of the ops."""
    by_place = defaultdict[str, list[Card]](list)
    for card in diagram.cards:
        by_place[card.place].append(card)
    bodies = {group.toggle: group.members for group in diagram.groups if group.kind == BODY}
    groups, closed = [*diagram.groups, *outer.groups], set(outer.closed)
    for place, cards in by_place.items():
        if place:
            here = {card.key for card in cards}
            links = (link for link in diagram.links if link.source in here and link.target in here)
            own = outline(replace(diagram, cards=tuple(cards), links=tuple(links)))
            groups += [replace(group, key=place + group.key) for group in own.groups]
            closed |= {place + key for key in own.closed}
    # A group that holds an op holds what is inside of it.
    whole = [
        replace(g, members=tuple(dict.fromkeys(k for m in g.members for k in bodies.get(m, (m,))))) for g in groups
    ]
    return Outline(tuple(sorted(whole, key=lambda g: (-len(g.members), g.key.count("/")))), frozenset(closed))


ROOT = ""


@dataclass
class _Tree:
    """The groups of a large picture in the making: what each holds, in order, and where everything is."""

    diagram: Diagram
    children: dict[str, list[str]] = field(default_factory=dict)
    parent: dict[str, str] = field(default_factory=dict)
    made: dict[str, Group] = field(default_factory=dict)  # without their members
    arranged: set[str] = field(default_factory=set)
    signs: dict[object, int] = field(default_factory=dict)
    deeds: dict[str, int] = field(default_factory=dict)  # of units, as numbers that are equal for the same

    def __post_init__(self) -> None:
        self.cards = {card.key: card for card in self.diagram.cards}
        self.working = {card.key for card in self.diagram.cards if card.computed}
        self.order = _inputs_first(self.diagram)
        self.numbers = itertools.count()
        self._by_scope()
        self._edges()

    # -- scopes --

    def _by_scope(self) -> None:
        """A group for each scope; what is only given goes to the first that uses it."""
        user = dict[str, str]()
        for link in self.diagram.links:
            user.setdefault(link.source, link.target)
        groups = dict[Path, str]()
        self.children[ROOT] = []
        for key in self.order:
            card = self.cards[key]
            if not card.computed and not card.scope[1] and key in user:
                card = self.cards[user[key]]
            gradient, names = card.scope
            around = ROOT
            for depth in range(1, len(names) + 1):
                path = (gradient, names[:depth])
                if path not in groups:
                    groups[path] = self._group(SCOPE, named(path), around)
                around = groups[path]
            self._put(key, around)
        for name in [k for k, g in self.made.items() if g.kind == SCOPE and len(self.children[k]) == 1]:
            self._dissolve(name)

    def _group(self, kind: str, label: str, around: str) -> str:
        key = f"{kind}_{next(self.numbers)}"
        self.made[key] = Group(key, label, (), kind)
        self.children[key] = []
        self._put(key, around)
        return key

    def _put(self, key: str, around: str) -> None:
        self.children[around].append(key)
        self.parent[key] = around

    def _dissolve(self, key: str) -> None:
        """A group that holds but one thing is none."""
        around, (only,) = self.parent[key], self.children.pop(key)
        siblings = self.children[around]
        siblings[siblings.index(key)] = only
        self.parent[only] = around
        del self.made[key]

    def close(self, limit: int) -> set[str]:
        """The scopes to close, the innermost first, until at most `limit` cards are seen or all are closed."""
        depth = dict[str, int]()
        for key in self.made:  # outer ones were made before inner ones
            depth[key] = depth.get(self.parent[key], 0) + 1
        levels = defaultdict[int, list[str]](list)
        for key, level in depth.items():
            levels[level].append(key)
        seen, closed = len(self.cards), set[str]()
        for level in sorted(levels, reverse=True):
            if seen <= limit:
                break
            for key in levels[level]:
                # What is in there and still seen: deeper groups are closed, and are one card each.
                seen -= len(self.children[key]) - 1
                closed.add(key)
        return closed

    # -- what is put together because there is too much --

    def _edges(self) -> None:
        """For each unit of a container the others there that it reads, and those that read it."""
        around, parent = _Around(self.parent), self.parent
        self.reads = defaultdict[str, dict[str, None]](dict)
        self.users = defaultdict[str, dict[str, None]](dict)
        for link in self.diagram.links:
            a, b = link.source, link.target
            if parent[a] != parent[b]:  # what holds them, where their ways part
                ways = zip((*around[parent[a]], a), (*around[parent[b]], b), strict=False)
                a, b = next(((x, y) for x, y in ways if x != y), (a, a))
            if a != b:
                self.reads[b][a] = None
                self.users[a][b] = None

    def arrange(self, limit: int, within: int, closed: set[str]) -> None:
        """Group what each container holds, as long as it is too much."""
        for key in [ROOT, *self.made]:
            room = limit if key == ROOT and closed >= set(self.made) else within
            if len(self.children[key]) > room and (key != ROOT or self._seen(closed) > limit):
                self._arrange(key, room, within)

    def _seen(self, closed: set[str]) -> int:
        """How many cards are seen with the groups `closed`."""
        seen, pending = 0, [ROOT]
        for key in pending:  # grows while it is walked
            inner = [k for k in self.children[key] if k in self.made and k not in closed]
            seen += len(self.children[key]) - len(inner)
            pending += inner
        return seen

    def _arrange(self, key: str, room: int, within: int) -> None:
        units = self.children[key]
        kind = self._kind(key)
        for method, known in ((self._repeats, (REPEAT,)), (self._chains, (REPEAT, CHAIN))):
            if len(units) > room and kind not in known:  # there is no second time to find what made the group
                units = method(key, units)
        while len(units) > room:
            size = max(math.ceil(len(units) / room), math.isqrt(len(units)))
            slabs = [units[k : k + size] for k in range(0, len(units), size)]
            units = self._regroup(key, units, [(PART, "", slab) for slab in slabs if len(slab) > 1])
        for unit in units:
            if self.made.get(unit, _NO_GROUP).kind in (REPEAT, COPY, CHAIN, PART) and len(self.children[unit]) > within:
                self._arrange(unit, within, within)

    def _regroup(self, around: str, units: list[str], sets: Sequence[tuple[str, str, list[str]]]) -> list[str]:
        """Each of `sets` (kind, label, units in order) becomes a group where its first unit is."""
        first = {members[0]: (kind, label, members) for kind, label, members in sets}
        inside = {unit for _, _, members in sets for unit in members}
        self.children[around] = []
        for unit in units:
            if unit in first:
                kind, label, members = first[unit]
                made = self._group(kind, label or self._about(members), around)
                self.arranged.add(made)
                for member in members:
                    self._put(member, made)
            elif unit not in inside:
                self._put(unit, around)
        return self.children[around]

    def _kind(self, key: str) -> str:
        """The kind of a group; of a part of one that of the whole, whose members have been compared already."""
        while key != ROOT and self.made[key].kind == PART:
            key = self.parent[key]
        return self.made[key].kind if key != ROOT else ""

    def _repeats(self, around: str, units: list[str]) -> list[str]:
        """A group for each stretch that repeats, and in it one for each copy that is more than one unit."""
        place = {unit: k for k, unit in enumerate(units)}
        found = repetitions([self._token(unit, place) for unit in units])
        stretches = [units[r.start : r.start + r.length] for r in found]
        labels = [f"{r.copies} × {self._about(s[: r.period])}" for r, s in zip(found, stretches, strict=True)]
        left = self._regroup(around, units, [(REPEAT, *each) for each in zip(labels, stretches, strict=True)])
        for r, stretch in zip(found, stretches, strict=True):
            if r.period > 1:
                copies = [stretch[k : k + r.period] for k in range(0, r.length, r.period)]
                names = [f"{self._about(copy)}, {n} of {r.copies}" for n, copy in enumerate(copies, 1)]
                group = self.parent[stretch[0]]
                self._regroup(group, stretch, [(COPY, *each) for each in zip(names, copies, strict=True)])
        return left

    def _token(self, unit: str, place: Mapping[str, int]) -> int:
        """What a unit does, and how far back among its fellows it reads."""
        here, back = place[unit], list[int]()
        for r in self.reads[unit]:
            distance = here - place[r] if r in place and self._computed(r) else -1
            back.append(distance if 0 < distance <= NEAR else -1)
        return self._sign((self._does(unit), *back))

    def _computed(self, unit: str) -> bool:
        return unit in self.made or unit in self.working

    def _does(self, unit: str) -> int:
        if unit not in self.deeds:
            if unit in self.cards:
                self.deeds[unit] = self._sign(self.cards[unit].sign)
            else:
                inside = self.children[unit]
                place = {u: k for k, u in enumerate(inside)}
                self.deeds[unit] = self._sign(tuple(self._token(u, place) for u in inside))
        return self.deeds[unit]

    def _sign(self, what: object) -> int:
        return self.signs.setdefault(what, len(self.signs))

    def _chains(self, around: str, units: list[str]) -> list[str]:
        """A group for ops of which each reads but the one before, and what is given to them alone."""
        place = {unit: k for k, unit in enumerate(units)}
        computed = set(filter(self._computed, units))
        follower = dict[str, str]()
        for unit in units:
            sources = [r for r in self.reads[unit] if r in computed] if unit in computed else []
            if len(sources) == 1 and len(self.users[sources[0]]) == 1:
                follower[sources[0]] = unit
        behind, chains, chain_of = set(follower.values()), list[list[str]](), dict[str, int]()
        for unit in follower:
            if unit not in behind:
                chain = [unit]
                while chain[-1] in follower:
                    chain.append(follower[chain[-1]])
                chain_of.update(dict.fromkeys(chain, len(chains)))
                chains.append(chain)
        for unit in units:
            numbers = {chain_of.get(user, -1) for user in self.users[unit]} if unit not in computed else set()
            if len(numbers) == 1 and -1 not in numbers:
                chains[numbers.pop()].append(unit)
        return self._regroup(around, units, [(CHAIN, "", sorted(chain, key=place.__getitem__)) for chain in chains])

    def _about(self, units: Sequence[str]) -> str:
        """A few words for what `units` do."""
        words = []
        for unit in units:
            label = self.made[unit].label if unit in self.made else ""
            card = self.cards.get(unit)
            if label or (card and card.computed):
                words.append(label or (card.title.rpartition(" = ")[2].partition(" ")[0] if card else ""))
        words = words or [self.cards[unit].title for unit in units if unit in self.cards]
        return clip(" · ".join(words), 48)

    # -- the outcome --

    def groups(self) -> tuple[Group, ...]:
        """All groups with all their cards, the larger first."""
        members = defaultdict[str, list[str]](list)
        depth = dict[str, int]()
        around = _Around(self.parent)
        for key in self.cards:
            for group in around[self.parent[key]]:
                members[group].append(key)
        for group in members:
            depth[group] = len(around[group])
        filled = [replace(group, members=tuple(members[key])) for key, group in self.made.items() if members[key]]
        return tuple(sorted(filled, key=lambda g: (-len(g.members), depth[g.key])))


class _Around(dict[str, tuple[str, ...]]):
    """For each group those around it and itself, the outermost first."""

    def __init__(self, parent: Mapping[str, str]) -> None:
        super().__init__({ROOT: ()})
        self.parent = parent

    def __missing__(self, key: str) -> tuple[str, ...]:
        self[key] = (*self[self.parent[key]], key)
        return self[key]


_NO_GROUP = Group("", "", ())


def _inputs_first(diagram: Diagram) -> list[str]:
    """The cards in an order in which each comes after what it reads, and given ones just before their first user."""
    reads = defaultdict[str, list[str]](list)
    used = set[str]()
    for link in diagram.links:
        reads[link.target].append(link.source)
        used.add(link.source)
    order, seen = list[str](), set[str]()
    ends = [card.key for card in diagram.cards if card.key not in used]
    for end in (*ends, *(card.key for card in diagram.cards)):
        stack = [(end, iter(reads[end]))] if end not in seen else []
        seen.add(end)
        while stack:
            key, pending = stack[-1]
            for following in pending:
                if following not in seen:
                    seen.add(following)
                    stack.append((following, iter(reads[following])))
                    break
            else:
                order.append(key)
                stack.pop()
    return order
