"""The searches that go level by level, restated from their formulas."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import TypeAlias

from spex.ids import ROOT, Expand, NodeId
from tests.golden.exact import MARGIN, as_decimal
from tests.golden.world import Record

Keep: TypeAlias = Callable[[list[NodeId], int], list[NodeId]]
"""Which nodes are kept, of some, where so much width remains."""


def best_of_n(record: Record, width: int, *, scored: bool = True) -> None:
    made = record.sample([Expand(ROOT, "solution", index) for index in range(width)], scored=scored)
    record.end([node for node in made if record.terminal(node)])


def rebase(
    record: Record, width: int, temperature: Fraction, tokens_max: int, depth_max: int, keep: Keep | None = None
) -> None:
    """With `keep`, the search that asks what nodes mean, and shares among those alone that it keeps."""
    frontier, remaining, terminals = [ROOT], width, list[NodeId]()
    while True:
        terminals += [node for node in frontier if record.terminal(node)]
        alive = [node for node in frontier if not record.terminal(node) and record.tokens(node) <= tokens_max]
        remaining -= len(frontier) - len(alive)
        if remaining <= 0 or not alive or len(alive[0]) == depth_max:
            return record.end(terminals)
        kept = keep(sorted(alive), remaining) if keep and len(alive) > 1 else sorted(alive)
        shares = balanced(record, kept, remaining, temperature)
        calls = [Expand(node, "step", index) for node in kept for index in range(shares[node])]
        weighed = keep is not None and len(calls) > 1 and len(kept[0]) + 1 < depth_max
        frontier = record.sample(calls, meaning=weighed)


def balanced(record: Record, nodes: list[NodeId], width: int, temperature: Fraction) -> dict[NodeId, int]:
    """The share of each node, given out by falling reward."""
    rewards = {node: record.reward(node) if node else Fraction(0) for node in nodes}
    order = sorted(nodes, key=lambda node: (-rewards[node], node))
    shares: dict[NodeId, int] = {}
    for place, node in enumerate(order):
        ahead = [(rewards[other] - rewards[node]) / temperature for other in order[place:]]
        shares[node] = rounded_up(width, ahead)
        width -= shares[node]
    return shares


def rounded_up(width: int, exponents: list[Fraction]) -> int:
    """⌈width / Σ exp(exponent)⌉. The sum is rational only where all exponents are 0 (Lindemann)."""
    if not any(exponents):
        return ceil(Fraction(width, len(exponents)))
    total = sum((as_decimal(exponent).exp() for exponent in exponents), Decimal(0))
    share = Decimal(width) / total
    if abs(share - share.to_integral_value()) < MARGIN and width:
        raise ArithmeticError("a share is too near to a whole number for floats")
    return ceil(share)


def beam(record: Record, width: int, children: int, depth_max: int, lookahead: int, *, dedup: bool) -> None:
    """Dropping equal texts leaves one child of each node here, for all texts of this world are alike."""
    terminals: list[NodeId] = []
    calls = [Expand(ROOT, step_or_solution(1, depth_max), index) for index in range(width)]
    for depth in range(1, depth_max + 1):
        if lookahead and depth < depth_max:
            ends = dict(record.play(calls, "step", lookahead))
        else:
            ends = {node: node for node in record.sample(calls)}
        terminals += [node for node in ends if record.terminal(node)]
        alive = [node for node in ends if not record.terminal(node)]
        if dedup:
            alive = [node for node in alive if node == min(other for other in alive if other[:-1] == node[:-1])]
        kept = sorted(alive, key=lambda node: (-record.reward(ends[node]), node))[: width // children]
        action = step_or_solution(depth + 1, depth_max)
        calls = [Expand(node, action, index) for node in sorted(kept) for index in range(children)]
        if not kept:
            break
    record.end(terminals)


def dvts_strand(record: Record, number: int, children: int, depth_max: int) -> None:
    terminals: list[NodeId] = []
    parent, first = ROOT, number * children
    for depth in range(1, depth_max + 1):
        action = step_or_solution(depth, depth_max)
        frontier = record.sample([Expand(parent, action, first + index) for index in range(children)])
        terminals += [node for node in frontier if record.terminal(node)]
        if not frontier:
            break
        parent, first = min(frontier, key=lambda node: (-record.reward(node), node)), 0
        if record.terminal(parent):
            break
    record.end(terminals)


def tot_bfs(record: Record, children: int, keep: int, depth_max: int, *, scored: bool) -> None:
    """The greedy kind in a world without states. Samples of a score are equal here, and so is a vote's share."""
    kept, terminals = [ROOT], list[NodeId]()
    for _ in range(depth_max):
        calls = [Expand(node, "step", index) for node in sorted(kept) for index in range(children)]
        made = record.sample(calls, scored=scored)
        terminals += [node for node in made if record.terminal(node)]
        alive = [node for node in made if not record.terminal(node)]
        kept = sorted(alive, key=lambda node: (-record.reward(node), node))[:keep]
        if not kept:
            break
    record.end(terminals)


def step_or_solution(depth: int, depth_max: int) -> str:
    return "solution" if depth == depth_max else "step"
