"""The published SPEX's selection, picked by hand on small trees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import Call, Expand, Score
from spex.search.base import AnySearch, Demand, Search, strands_of
from spex.search.beam import Beam
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.speculate.course import Strand
from spex.speculate.paper_selection import PaperForesight, PaperSelection, is_broad
from spex.speculate.predictor import Predictor
from spex.speculate.runahead import Effort
from spex.speculate.supposed import AsParent, SupposedTree, Worthless
from spex.tree import Step, Tree, TreeView, Unknown, Visible
from tests.builders import demand, grow, node, rate, read, rule, stop

EFFORT = Effort(particles=8, depth=24)


def tree_of(rewards: Mapping[tuple[int, ...], float | None], ended: frozenset[tuple[int, ...]] = frozenset()) -> Tree:
    """Nodes that have a text, with their rewards; None: the reward is pending."""
    tree = Tree()
    for path, reward in rewards.items():
        tree.expand(grow(*path), [Step("text", (1,) * 10, terminal=path in ended)])
        if reward is not None:
            tree.scores[rate(*path)] = (reward,)
    return tree


def waiting(search: Search[Any], tree: Tree) -> Strand:
    """The search as it stands when it has decided as far as `tree` lets it, its demands made."""
    state, decisions = search.start(7), 0
    view = Visible()
    while True:
        try:
            state, outcome = search.advance(state, view)
        except Unknown:
            return Strand(search, state, 0, decisions)
        assert isinstance(outcome, Demand)
        decisions += 1
        for call in outcome.calls:
            if call in tree:
                view.reveal(call, tree)


def foreseen(search: Search[Any], tree: Tree, effort: Effort = EFFORT, picks: int | None = None) -> dict[Call, float]:
    ahead = PaperSelection(picks).begin("p", tree, Predictor(), 0)
    return ahead.foresee([waiting(search, tree)], effort)


def texts(found: Mapping[Call, float]) -> dict[Expand, float]:
    return {call: probability for call, probability in found.items() if isinstance(call, Expand)}


# Depth

GREEDY = Mcts(iterations=8, children=2, c=0.0)
CURIOUS = Mcts(iterations=8, children=2, c=3.0)
HALF_OPEN: Mapping[tuple[int, ...], float | None] = {(0,): 0.6, (1,): 0.4}


def test_the_picks_after_the_one_that_is_waited_for_come_in_order_each_with_one_over_its_number() -> None:
    # Waited for: the children of 0, here supposed to be worth 0.6 each. Bounds then, with c = 3 and ln N(root) = ln 5
    # (N starts at 0, plus 2 and 2; visited once: 1): node 0 has N = 3, node 1 has N = 1 and so the higher bound.
    found = texts(foreseen(CURIOUS, tree_of(HALF_OPEN)))
    assert found[grow(0, 0)] == found[grow(0, 1)] == 1.0  # demanded: it goes on being asked for
    assert found[grow(1, 0)] == found[grow(1, 1)] == 1.0  # the next pick
    assert len(found) == 4  # all later picks grow what has no text yet


def test_where_nothing_is_explored_the_picks_stay_below_the_best_and_nothing_of_them_can_be_made() -> None:
    # With c = 0 the supposed children of 0, worth 0.6 as it is, stay ahead of node 1, worth 0.4.
    assert texts(foreseen(GREEDY, tree_of(HALF_OPEN))) == {grow(0, 0): 1.0, grow(0, 1): 1.0}


def test_a_pending_reward_is_taken_for_the_parents_and_its_node_can_be_picked() -> None:
    # Children of 0 are there, one scored 0.2, one pending: the pending one counts 0.6 and is picked first.
    tree = tree_of({**HALF_OPEN, (0, 0): 0.2, (0, 1): None})
    found = foreseen(GREEDY, tree)
    assert found[rate(0, 1)] == 1.0
    assert found[grow(0, 1, 0)] == found[grow(0, 1, 1)] == 1.0
    assert grow(0, 0, 0) not in found


def test_the_reward_of_a_speculation_that_has_finished_counts() -> None:
    # As before; the undemanded children of (0, 1) have come and are poor: after them 1, worth 0.4, beats (0, 0).
    tree = tree_of({**HALF_OPEN, (0, 0): 0.2, (0, 1): None, (0, 1, 0): 0.0, (0, 1, 1): 0.0})
    found = texts(foreseen(GREEDY, tree))
    assert found == {grow(1, 0): 1.0 / 2, grow(1, 1): 1.0 / 2}


def test_each_pick_counts_as_visits_so_that_the_next_goes_elsewhere() -> None:
    tree = tree_of({(0,): 0.5, (1,): 0.5, (2,): 0.5})
    found = texts(foreseen(Mcts(iterations=8, children=3, c=3.0), tree))
    first, second, third = (found[grow(path, 0)] for path in range(3))
    assert (first, second, third) == (1.0, 1.0, 1.0 / 2)


def test_no_more_than_the_first_picks_are_wished() -> None:
    tree = tree_of({(0,): 0.5, (1,): 0.5, (2,): 0.5})
    assert {call.parent for call in texts(foreseen(Mcts(children=3, c=3.0), tree, picks=1))} == {node(0), node(1)}


def test_no_more_decisions_are_looked_ahead_than_the_effort_allows() -> None:
    tree = tree_of({(0,): 0.5, (1,): 0.5, (2,): 0.5})
    found = texts(foreseen(Mcts(children=3, c=3.0), tree, Effort(1, 1)))
    assert {call.parent for call in found} == {node(0), node(1)}


# Breadth


def test_the_finished_nodes_of_a_level_share_what_is_theirs_of_the_width() -> None:
    # Width 4; one straggler has no text, one is not scored: they take one each, two are left for the equal others.
    tree = tree_of({(0,): 0.5, (1,): 0.5, (2,): None})
    assert foreseen(Rebase(4), tree) == {grow(0, 0): 1.0, grow(1, 0): 1.0 / 2}


def test_the_children_of_the_higher_reward_come_first() -> None:
    # Three of the width of five are left. e^0.09, e^0.05, e^0.01 are 1.094, 1.051, 1.010: ⌈3·1.094/3.155⌉ = 2, then 1.
    tree = tree_of({(0,): 0.1, (1,): 0.5, (2,): 0.9})
    assert list(texts(foreseen(Rebase(5, temperature=10.0), tree))) == [grow(2, 0), grow(2, 1), grow(1, 0)]


def test_a_search_by_level_remains_one_where_a_single_node_gets_all_of_the_next() -> None:
    # ⌈2·e^4.5/(e^4.5 + e^0.5)⌉ = 2 for the better one, nothing for the other.
    tree = tree_of({})
    ahead = PaperForesight(tree)
    ahead.foresee([waiting(Rebase(4), tree)], EFFORT)
    for path, reward in ((0, 0.1), (1, 0.9)):
        tree.expand(grow(path), [Step("text")])
        tree.scores[rate(path)] = (reward,)
    assert list(texts(ahead.foresee([waiting(Rebase(4), tree)], EFFORT))) == [grow(1, 0), grow(1, 1)]


def test_while_nobody_has_finished_nothing_is_speculated() -> None:
    assert texts(foreseen(Rebase(4), tree_of({(0,): None, (1,): None}))) == {}


def test_a_finished_node_that_ends_its_path_gets_no_children() -> None:
    tree = tree_of({(0,): 0.5, (1,): 0.5}, frozenset({(1,)}))
    assert {call.parent for call in texts(foreseen(Rebase(4), tree))} == {node(0)}


def test_no_more_children_are_speculated_than_nodes_have_finished() -> None:
    # One of four has finished: a beam gives that node two children.
    assert list(texts(foreseen(Beam(4, 2, depth_max=4), tree_of({(0,): 0.9})))) == [grow(0, 0)]
    # One of the two that two finished nodes are worth has been made.
    assert list(texts(foreseen(Rebase(4), tree_of({(0,): 0.5, (1,): 0.5, (0, 0): None})))) == [grow(1, 0)]


def test_what_has_been_made_of_the_next_level_is_scored() -> None:
    tree = tree_of({(0,): 0.5, (1,): 0.5, (0, 0): None})
    assert foreseen(Rebase(4), tree)[rate(0, 0)] == 1.0


# Which of them


@pytest.mark.parametrize(
    ("search", "broad"), [(Rebase(4), True), (Beam(4, 2), True), (Mcts(children=3), False), (Dvts(4, 2), False)]
)
def test_a_search_that_grows_several_nodes_at_once_is_broad(search: AnySearch, broad: bool) -> None:
    tree = tree_of({(0,): 0.5, (1,): 0.4})
    strand = waiting(strands_of(search)[0], tree)
    assert is_broad(strand, tree) is broad


# What is supposed


def test_a_node_that_is_missing_is_as_its_nearest_scored_ancestor_and_goes_on() -> None:
    view = SupposedTree(tree_of({(0,): 0.7, (0, 0): None}), AsParent())
    assert view.score(rate(0, 0)) == view.score(rate(0, 0, 0)) == (0.7,)
    assert view.score(rate(1)) == (0.5,)
    assert view.score(Score((node(0), node(0, 0)))) == (0.7, 0.7)
    assert not view.step(node(1)).terminal
    assert view.step(node(0, 0, 0)).token_count == 10


def test_a_text_without_its_reward_is_worth_nothing_either_and_ends() -> None:
    view = SupposedTree(tree_of({(0,): 0.7, (1,): None}), Worthless())
    view.need([rate(0), rate(1), rate(2)])
    assert [view.score(rate(path)) for path in range(3)] == [(0.7,), (0.0,), (0.0,)]
    assert [view.step(node(path)).terminal for path in range(3)] == [False, True, True]


@pytest.mark.parametrize("what", ["text", "token_ids", "end", "answer"])
def test_what_only_a_text_could_tell_is_unknown(what: str) -> None:
    with pytest.raises(Unknown):
        getattr(SupposedTree(Tree(), AsParent()).step(node(0)), what)


def test_a_rule_that_needs_a_text_is_followed_up_to_there() -> None:
    def curious(tree: TreeView) -> Demand:
        tree.children(grow(0))
        return Demand((grow(1),) if tree.step(node(0)).text else ())

    assert foreseen(rule(demand(grow(0)), curious), Tree()) == {grow(0): 1.0}


def test_a_search_that_stops_asks_for_nothing_more() -> None:
    ahead = rule(demand(grow(0), rate(0)), read(grow(0), rate(0)), stop())
    assert foreseen(ahead, tree_of({(0,): None})) == {rate(0): 1.0}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(1, 5))
def test_strands_that_want_the_same_get_the_sooner_of_their_picks(rewards: list[float], depth: int) -> None:
    tree = tree_of({(number,): reward for number, reward in enumerate(rewards)})
    strand = waiting(Mcts(children=8), tree)
    ahead = PaperForesight(tree)
    one = ahead.foresee([strand], Effort(1, depth))
    assert ahead.foresee([strand, strand._replace(number=1)], Effort(1, depth)) == one
    assert all(0 < probability <= 1 for probability in one.values())


@pytest.mark.parametrize("picks", [0, -1, 1.0, True])
def test_picks_are_a_whole_number_from_one(picks: int) -> None:
    with pytest.raises(InputError, match="picks"):
        PaperSelection(picks)


def test_what_another_model_would_say_is_different_for_every_node_and_leaves_their_rewards_alone() -> None:
    tree = tree_of({(0,): 0.6, (1,): 0.4})
    for assumption in (AsParent(), Worthless()):
        view = SupposedTree(tree, assumption)
        said = view.score(Score((node(0), node(1), node(2)), "clusters"))
        assert len(set(said)) == 3
        assert view.score(rate(0)) == (0.6,)
        view.children(grow(0))
        assert view.finished == {node(0)}
