"""The choice of ETS (Hooper et al. 2025): which leaves of a level are worth keeping, as a programme of whole numbers.

Most Σ Oᵢ·xᵢ − λ_c/(M+N)·(Σ yⱼ + Σ xᵢ) + (λ_s/K)·Σ c_k over the N leaves i, the M nodes j above them and the K clusters
k of leaves that say the same: xᵢ, yⱼ, c_k are 1 for a leaf that is kept, for a node above one, and for a cluster with
one, else 0; one leaf is kept at least. Oᵢ is the leaf's share of the width. c_k is left out where λ_s = 0 or K = 1.
Of equally good choices the one with the smallest leaves, in NodeId order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import NamedTuple

from spex.ids import NodeId
from spex.search.programme import Branch, Group, Programme, best_leaves


class Candidate(NamedTuple):
    """A leaf: its share of the width (≥ 0; of all leaves, 1 at least), and what its cluster is known by."""

    node: NodeId
    share: int
    cluster: float = 0.0


class _Prices(NamedTuple):
    """What one of the width, one node, and one cluster are worth."""

    share: int
    node: int
    cluster: int


class _Span(NamedTuple):
    """Leaves from `first` to `last`."""

    first: int
    last: int


def chosen(candidates: Iterable[Candidate], cost: float, diversity: float) -> set[NodeId]:
    """The leaves to keep of some (one at least) of one depth, by `cost` λ_c and `diversity` λ_s (both ≥ 0)."""
    leaves = sorted(candidates)
    kept = best_leaves(programme_of(leaves, cost, diversity))
    return {leaf.node for leaf, is_kept in zip(leaves, kept, strict=True) if is_kept}


def programme_of(leaves: Sequence[Candidate], cost: float, diversity: float) -> Programme:
    """The choice's programme, without what is the same for every choice; `leaves` stand in NodeId order.

    A cluster of one leaf, and a node above one leaf alone, are in the leaf's own gain.
    """
    above = _nodes_above([leaf.node for leaf in leaves])
    clusters = _clusters(leaves)
    prices = _prices(leaves, above, clusters, cost, diversity)
    gains = [leaf.share * prices.share - prices.node for leaf in leaves]
    branches: dict[_Span, int] = {}
    for span, count in above.items():
        if span.first == span.last:
            gains[span.first] -= count * prices.node
        elif prices.node and span.last - span.first + 1 < len(leaves):
            branches[span] = count * prices.node
    groups: list[Group] = []
    for members in clusters:
        if len(members) == 1:
            gains[members[0]] += prices.cluster
        elif prices.cluster:
            groups.append(Group(members, prices.cluster))
    return Programme(tuple(gains), tuple(Branch(*span, value) for span, value in branches.items()), tuple(groups))


def _prices(
    leaves: Sequence[Candidate], above: Counter[_Span], clusters: Sequence[object], cost: float, diversity: float
) -> _Prices:
    """1/Σ shares, λ_c/(M+N) and λ_s/K times their common denominator."""
    width = sum(leaf.share for leaf in leaves)
    node, per_node = _exactly(cost)
    cluster, per_cluster = _exactly(diversity) if len(clusters) > 1 else (0, 1)
    per_node *= above.total() + len(leaves)
    per_cluster *= len(clusters)
    scale = lcm(width, per_node, per_cluster)
    return _Prices(scale // width, node * (scale // per_node), cluster * (scale // per_cluster))


@lru_cache
def _exactly(parameter: float) -> tuple[int, int]:
    """The number as it is written, as a ratio: 1.4 is 7/5."""
    return Fraction(str(parameter)).as_integer_ratio()


def _nodes_above(leaves: Sequence[NodeId]) -> Counter[_Span]:
    """How many of the nodes above the leaves have just these leaves below them, the root among them."""
    common = [_common(one, other) for one, other in pairwise(leaves)]
    depth = len(leaves[0])
    spans = Counter[_Span]()
    length = -1
    # Nodes of neighbouring depths have the same leaves, unless two leaves part there.
    for parting in sorted({*common, depth - 1}):
        starts = [0, *(place + 1 for place, shared in enumerate(common) if shared < parting)]
        for first, after in pairwise([*starts, len(leaves)]):
            spans[_Span(first, after - 1)] += parting - length
        length = parting
    return spans


def _common(one: NodeId, other: NodeId) -> int:
    """The depth of the last node on both paths."""
    for depth, (edge, another) in enumerate(zip(one, other, strict=True)):
        if edge != another:
            return depth
    return len(one)


def _clusters(leaves: Sequence[Candidate]) -> list[tuple[int, ...]]:
    """The leaves of each cluster, by the first of them."""
    members: dict[float, list[int]] = {}
    for place, leaf in enumerate(leaves):
        members.setdefault(leaf.cluster, []).append(place)
    return list(map(tuple, members.values()))
