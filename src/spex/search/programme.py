"""Programmes of whole numbers over a tree's leaves, solved exactly.

Choose leaves, one at least: most Σ gains of the chosen, less the cost of every branch that one of them lies on, plus
the bonus of every group that one of them is in. Of several best choices the one is taken that has the first leaf, then
the second, and so on.

Where each group lies within one branch, and beside the branches in there, the tree decides, from the narrow branches
to the wide ones. Values are shifted to the left by as many bits as there are leaves, and leaf i of N is weighed 2ᴺ⁻ⁱ
besides, all leaves together less than a difference of one: so no two choices are equally good, and the low bits of a
choice's value say which one it is. Other programmes are left to `spex.search.highs`; if their values come to more than
2³⁰ together, without the signs, they are brought down to that first, and rounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from spex.search.highs import solved

_VALUES_MAX = 1 << 30
_MEMO = 4096


class Branch(NamedTuple):
    """The leaves from `first` to `last`, two at least, cost `cost` (≥ 0) once."""

    first: int
    last: int
    cost: int


class Group(NamedTuple):
    """One of `leaves` brings `bonus` (≥ 0), and several bring no more."""

    leaves: tuple[int, ...]
    bonus: int


class Programme(NamedTuple):
    """`gains` of the leaves in their order; branches, nested or apart, wide ones before those within; groups, apart."""

    gains: tuple[int, ...]
    branches: tuple[Branch, ...] = ()
    groups: tuple[Group, ...] = ()


# The particles of a run-ahead come to equal programmes again and again.
@lru_cache(_MEMO)
def best_leaves(programme: Programme) -> tuple[bool, ...]:
    """Whether each leaf is in the best choice."""
    places = _Places(programme)
    return _by_tree(programme, places) if places.are_apart else _by_solver(programme, places)


class _Places:
    """Which branch each leaf, and each branch, lies in, by its number; −1 where it lies in none."""

    def __init__(self, programme: Programme) -> None:
        self.leaves = [-1] * len(programme.gains)
        self.branches: list[int] = []
        for number, (first, last, _) in enumerate(programme.branches):
            self.branches.append(self.leaves[first])
            self.leaves[first : last + 1] = [number] * (last + 1 - first)
        self.are_apart: bool = all(len({self.leaves[leaf] for leaf in group.leaves}) == 1 for group in programme.groups)


def _by_tree(programme: Programme, places: _Places) -> tuple[bool, ...]:
    gains, branches, groups = programme
    bits = len(gains)
    weighed = [(gain << bits) + (1 << (bits - 1 - leaf)) for leaf, gain in enumerate(gains)]
    within: list[list[int]] = [[] for _ in range(len(branches) + 1)]  # the last one: in no branch
    grouped = {leaf for group in groups for leaf in group.leaves}
    for leaf, value in enumerate(weighed):
        if leaf not in grouped:
            within[places.leaves[leaf]].append(value)
    for leaves, bonus in groups:
        within[places.leaves[leaves[0]]].append(_best(weighed[leaf] for leaf in leaves) + (bonus << bits))
    for number in reversed(range(len(branches))):
        within[places.branches[number]].append(_best(within[number]) - (branches[number].cost << bits))
    best = _best(within[-1])
    return tuple(bool(best >> (bits - 1 - leaf) & 1) for leaf in range(bits))


def _best(values: Iterable[int]) -> int:
    """The best of what may be chosen from independently, where one is to be chosen at least."""
    known = list(values)
    return sum(value for value in known if value > 0) or max(known)


def _by_solver(programme: Programme, places: _Places) -> tuple[bool, ...]:
    leaves, branches = len(programme.gains), len(programme.branches)
    values = [*programme.gains, *(-branch.cost for branch in programme.branches)]
    values += [group.bonus for group in programme.groups]
    rows = [dict.fromkeys(range(leaves), 1)]
    rows += [{leaf: -1, leaves + place: 1} for leaf, place in enumerate(places.leaves) if place >= 0]
    rows += [{leaves + number: -1, leaves + place: 1} for number, place in enumerate(places.branches) if place >= 0]
    for number, group in enumerate(programme.groups):
        rows.append({**dict.fromkeys(group.leaves, 1), leaves + branches + number: -1})
    return solved(_within_bounds(values), rows, leaves)


def _within_bounds(values: list[int]) -> list[int]:
    total = sum(map(abs, values))
    return values if total <= _VALUES_MAX else [(2 * value * _VALUES_MAX + total) // (2 * total) for value in values]
