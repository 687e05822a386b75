"""The choice of ETS, restated from its formula: every set of leaves is tried."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from spex.ids import NodeId
from tests.golden.levels import balanced
from tests.golden.world import Record


def worthwhile(
    record: Record, nodes: list[NodeId], width: int, temperature: Fraction, cost: Fraction, diversity: Fraction
) -> list[NodeId]:
    shares = balanced(record, nodes, width, temperature)
    share = {node: Fraction(shares[node], sum(shares.values())) for node in nodes}
    meanings = {node: record.meaning(node) if diversity else Fraction(0) for node in nodes}
    return best_set(nodes, share, meanings, cost, diversity)


def best_set(
    nodes: Sequence[NodeId],
    share: dict[NodeId, Fraction],
    meanings: dict[NodeId, Fraction],
    cost: Fraction,
    diversity: Fraction,
) -> list[NodeId]:
    def value(kept: list[NodeId]) -> Fraction:
        reward = sum((share[node] for node in kept), Fraction(0))
        size = Fraction(len(above(kept)) + len(kept), len(above(nodes)) + len(nodes))
        said = Fraction(len({meanings[node] for node in kept}), len(set(meanings.values())))
        return reward - cost * size + diversity * said

    choices = [bits for bits in product([0, 1], repeat=len(nodes)) if any(bits)]
    sets = {bits: [node for node, bit in zip(nodes, bits, strict=True) if bit] for bits in choices}
    return sets[max(choices, key=lambda bits: (value(sets[bits]), bits))]


def above(leaves: Sequence[NodeId]) -> set[NodeId]:
    return {leaf[:depth] for leaf in leaves for depth in range(len(leaf))}
