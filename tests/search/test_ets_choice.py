"""ETS keeps the leaves that are worth the tree above them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.ids import NodeId
from spex.search.ets_choice import Candidate, chosen
from tests.builders import node

WEIGHTS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.0, 1.4, 1.5, 2.0])


@st.composite
def leaves_of_a_level(draw: st.DrawFn, largest: int = 10) -> list[Candidate]:
    """Leaves of one depth with shares and clusters from few levels, so that many sets are equally good."""
    size, depth = draw(st.integers(1, largest)), draw(st.integers(1, 4))
    paths = draw(
        st.sets(st.tuples(*[st.integers(0, 3)] * depth), min_size=min(size, 4**depth), max_size=min(size, 4**depth))
    )
    shares = draw(st.lists(st.integers(0, 2), min_size=len(paths), max_size=len(paths)).filter(any))
    clusters = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5]), min_size=len(paths), max_size=len(paths)))
    return [
        Candidate(node(*path), share, cluster)
        for path, share, cluster in zip(sorted(paths), shares, clusters, strict=True)
    ]


def above(leaves: Sequence[Candidate]) -> set[NodeId]:
    return {leaf.node[:depth] for leaf in leaves for depth in range(len(leaf.node))}


def worth(kept: Sequence[Candidate], leaves: Sequence[Candidate], cost: float, diversity: float) -> Fraction:
    """The formula as it is published, in exact arithmetic."""
    rewards = Fraction(sum(leaf.share for leaf in kept), sum(leaf.share for leaf in leaves))
    price = Fraction(str(cost)) / (len(above(leaves)) + len(leaves))
    clusters = {leaf.cluster for leaf in leaves}
    bonus = Fraction(str(diversity)) / len(clusters) * len({leaf.cluster for leaf in kept})
    return rewards - price * (len(above(kept)) + len(kept)) + bonus


def by_enumeration(leaves: Sequence[Candidate], cost: float, diversity: float) -> set[NodeId]:
    def kept(choice: tuple[bool, ...]) -> list[Candidate]:
        return [leaf for leaf, is_in in zip(leaves, choice, strict=True) if is_in]

    choices = (choice for choice in product([False, True], repeat=len(leaves)) if any(choice))
    best = max(choices, key=lambda choice: (worth(kept(choice), leaves, cost, diversity), choice))
    return {leaf.node for leaf in kept(best)}


@settings(max_examples=300, deadline=None)
@given(leaves_of_a_level(7), WEIGHTS, WEIGHTS)
def test_the_choice_is_that_of_enumeration(leaves: list[Candidate], cost: float, diversity: float) -> None:
    assert chosen(leaves, cost, diversity) == by_enumeration(leaves, cost, diversity)


@settings(max_examples=40, deadline=None)
@given(leaves_of_a_level(10), WEIGHTS, WEIGHTS)
def test_the_choice_among_ten_leaves_is_that_of_enumeration(
    leaves: list[Candidate], cost: float, diversity: float
) -> None:
    assert chosen(leaves, cost, diversity) == by_enumeration(leaves, cost, diversity)


@settings(max_examples=100, deadline=None)
@given(leaves_of_a_level(), WEIGHTS, WEIGHTS, st.integers(0, 99))
def test_the_order_in_which_leaves_are_given_does_not_matter(
    leaves: list[Candidate], cost: float, diversity: float, seed: int
) -> None:
    shuffled = Random(seed).sample(leaves, len(leaves))
    assert chosen(shuffled, cost, diversity) == chosen(leaves, cost, diversity)


@settings(max_examples=100, deadline=None)
@given(leaves_of_a_level(), WEIGHTS, WEIGHTS)
def test_what_clusters_are_known_by_does_not_matter(leaves: list[Candidate], cost: float, diversity: float) -> None:
    renamed = [leaf._replace(cluster=1.0 - leaf.cluster) for leaf in leaves]
    assert chosen(renamed, cost, diversity) == chosen(leaves, cost, diversity)


def test_leaves_that_share_their_ancestors_are_kept_and_one_that_does_not_is_not() -> None:
    # Nodes above: the root, 0, 1, 0/0, 1/0: M + N = 8, a node costs 1/8. The third leaf alone needs 1 and 1/0.
    pair = [Candidate(node(0, 0, 0), 3), Candidate(node(0, 0, 1), 2)]
    lone = Candidate(node(1, 0, 0), 2)
    # 2/7 < 3/8, and 2/7 > 1/8 for the second of the pair.
    assert chosen([*pair, lone], 1.0, 0.0) == {leaf.node for leaf in pair}
    # With 3 of 8 it is as good with it as without it: equally good sets come to the one with more of the first leaves.
    assert chosen([*pair, lone._replace(share=3)], 1.0, 0.0) == {pair[0].node, pair[1].node, lone.node}


def test_a_cluster_of_its_own_saves_a_weak_leaf() -> None:
    # M + N = 4. Without clusters 1/10 < 1/4; a second cluster is worth 1/2 · λ_s.
    strong, second, weak = (Candidate(node(index), share) for index, share in enumerate([5, 4, 1]))
    assert chosen([strong, second, weak], 1.0, 1.0) == {strong.node, second.node}
    other = weak._replace(cluster=0.5)
    assert chosen([strong, second, other], 1.0, 1.0) == {strong.node, second.node, other.node}
    assert chosen([strong, second, other], 1.0, 0.25) == {strong.node, second.node}


def test_of_two_leaves_that_say_the_same_the_cheaper_one_is_kept() -> None:
    # M + N = 6, and K = 2. For the second cluster leaf 0/1 costs 1/6, leaf 1/0 with the node above it 2/6: for 1/3 more
    # of the width it is worth that, for as much it is not.
    leaves = [Candidate(node(0, 0), 2, 0.0), Candidate(node(0, 1), 0, 0.5), Candidate(node(1, 0), 1, 0.5)]
    assert chosen(leaves, 1.0, 1.0) == {leaves[0].node, leaves[2].node}
    dearer = [leaves[0], leaves[1]._replace(share=1), leaves[2]]
    assert chosen(dearer, 1.0, 1.0) == {dearer[0].node, dearer[1].node}


def test_the_best_leaf_is_kept_even_where_none_is_worth_its_cost() -> None:
    leaves = [Candidate(node(0), 1), Candidate(node(1), 2), Candidate(node(2), 1)]
    assert chosen(leaves, 100.0, 0.0) == {node(1)}


def test_without_a_cost_every_leaf_is_kept() -> None:
    leaves = [Candidate(node(index // 2, index % 2), index % 2) for index in range(8)][::-1]
    assert chosen(leaves, 0.0, 1.5) == {leaf.node for leaf in leaves}


@pytest.mark.parametrize("diversity", [1.4, 1.5])
def test_a_single_leaf_is_kept(diversity: float) -> None:
    assert chosen([Candidate(node(3, 1), 1)], 1.0, diversity) == {node(3, 1)}
