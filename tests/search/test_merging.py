"""Equal states are explored once, for whatever search, and what was met in several places votes as often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.answer import Majority, Weighted, tally
from spex.api import solve_sync
from spex.engine.function import FunctionPolicy
from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score
from spex.search.base import AnySearch, Demand, Outlook, Stop
from spex.search.beam import Beam
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.merging import Merging
from spex.search.rebase import Rebase
from spex.search.self_consistency import SelfConsistency
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone
from spex.tree import Step, TreeView
from tests.builders import grow, node
from tests.search.worlds import Drawn

SHAPE = st.sampled_from(SHAPES)
SEARCHES: list[AnySearch] = [Rebase(6), Beam(6, 2), Dvts(6, 2), Mcts(12, 3), Mcts(12, 2, c=0.1), SelfConsistency(4)]


@pytest.mark.parametrize("search", SEARCHES, ids=repr)
def test_merged_it_is_a_search_as_any_other(search: AnySearch) -> None:
    check_search(Merging(search))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SEARCHES), SHAPE, st.integers(0, 10_000))
def test_no_two_nodes_of_a_depth_grow_from_one_state(search: AnySearch, shape: Shape, seed: int) -> None:
    for course in run_alone(Merging(search), SyntheticWorld(seed, shape)).courses:
        grown = {call.parent for call in course.view.read if isinstance(call, Expand) and call.parent != ROOT}
        states = Counter((len(parent), course.view.step(parent).state) for parent in grown)
        assert not states or max(states.values()) == 1


def alone(search: AnySearch, world: SyntheticWorld | Drawn) -> Run:
    return run_alone(search, world)


@dataclass(frozen=True)
class Stateless:
    """A world whose task tracks no states."""

    world: SyntheticWorld

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return tuple(
            Step(step.text, step.token_ids, step.logprobs, step.end, terminal=step.terminal, answer=step.answer)
            for step in self.world.steps(call)
        )

    def scores(self, call: Score) -> tuple[float, ...]:
        return self.world.scores(call)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(SEARCHES), SHAPE, st.integers(0, 10_000))
def test_without_states_it_is_the_search_inside(search: AnySearch, shape: Shape, seed: int) -> None:
    world = Stateless(SyntheticWorld(seed, shape))
    merged, usual = run_alone(Merging(search), world), run_alone(search, world)
    assert merged.tree == usual.tree
    assert merged.terminals == usual.terminals


def test_the_first_of_a_state_grows_for_all_and_its_terminals_have_the_votes_of_all() -> None:
    # Two nodes of one state, 0 and 1, and another, 2, whose child ends with the same reward.
    states = {node(0): "a", node(1): "a", node(2): "b", node(0, 0): None, node(2, 0): None}
    run = alone(Merging(Rebase(width=3)), Drawn(states, {}))
    assert set(run.tree.expansions) == {grow(0), grow(1), grow(2), grow(0, 0), grow(2, 0)}
    assert run.terminals == (node(0, 0), node(0, 0), node(2, 0))
    votes = tally(run.tree, run.terminals, Weighted(), str)
    assert [(vote.answer, vote.weight) for vote in votes] == [("0/0", 1.0), ("2/0", 0.5)]
    assert [vote.weight for vote in tally(run.tree, run.terminals, Majority(), str)] == [2.0, 1.0]


def test_each_node_keeps_its_own_reward_and_the_search_its_shares() -> None:
    # Of three places left, the better of two equal states has two and the other one: both are below the first.
    states: dict[NodeId, str | None] = {node(0): "a", node(1): "a", node(2): None, node(3): "b"}
    rewards = {node(0): 0.45, node(1): 0.55, node(3): 0.01}
    run = alone(Merging(Rebase(width=4, depth_max=2)), Drawn(states, rewards))
    assert set(run.tree.expansions) == {grow(0), grow(1), grow(2), grow(3), grow(0, 0), grow(0, 1)}
    assert run.tree.reward(node(1)) == 0.55


def test_states_of_different_depths_are_different() -> None:
    states: dict[NodeId, str | None] = {node(0): "a", node(0, 0): "a", node(0, 0, 0): None}
    run = alone(Merging(Rebase(width=1)), Drawn(states, {}))
    assert run.terminals == (node(0, 0, 0),)


@dataclass(frozen=True)
class Chain:
    """Demands two paths of six steps at once, each call on one that is not there yet."""

    def start(self, seed: int) -> int:
        return 0

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        calls = [grow(first, *[0] * depth) for first in range(2) for depth in range(6)]
        if state == 0:
            return 1, Demand(tuple(calls))
        tree.need(calls)
        made = [kid for call in calls for kid in tree.children(call)]
        return 2, Stop(tuple(kid for kid in made if tree.step(kid).terminal))

    def outlook(self, state: int, tree: TreeView) -> Outlook:
        return Outlook(12)


def test_paths_that_are_demanded_before_they_are_there_are_merged_as_well() -> None:
    check_search(Merging(Chain()))
    states: dict[NodeId, str | None] = {node(0): "a", node(1): "a", node(0, 0): None}
    assert alone(Merging(Chain()), Drawn(states, {})).terminals == (node(0, 0), node(0, 0))


def test_what_has_been_merged_is_merged_below_as_well() -> None:
    # 1 is 0 again; below it, 1/0 is seen as 0/0, which has the state of 2/0.
    states: dict[NodeId, str | None] = {node(0): "a", node(1): "a", node(2): "b"}
    states |= {node(0, 0): "c", node(2, 0): "c", node(0, 0, 0): None}
    run = alone(Merging(Rebase(width=3)), Drawn(states, {}))
    assert run.terminals == (node(0, 0, 0),) * 3


def test_terminals_are_never_merged() -> None:
    states: dict[NodeId, str | None] = {node(0): None, node(1): None}
    run = alone(Merging(Rebase(width=2)), Drawn(states, {}))
    assert run.terminals == (node(0), node(1))


def test_strands_are_merged_each_for_itself() -> None:
    states = {node(index): "a" for index in range(4)}
    run = alone(Merging(Dvts(width=4, children=2, depth_max=2)), Drawn(dict(states), {}))
    assert {call.parent for call in run.tree.expansions} == {ROOT, node(0), node(2)}


@pytest.mark.parametrize("inner", [Rebase, "rebase", None])
def test_what_is_no_search_cannot_be_merged(inner: object) -> None:
    with pytest.raises(InputError, match="inner"):
        Merging(inner)  # type: ignore[arg-type]


def test_answers_vote_as_in_the_search_inside() -> None:
    assert Merging(SelfConsistency(4)).answer_rule == SelfConsistency.answer_rule


def test_a_search_that_merges_is_not_stopped_early() -> None:
    with pytest.raises(InputError, match=r"stop_early: 'exact' is not valid; it must be off"):
        solve_sync(
            "q",
            policy=FunctionPolicy(lambda prompt, seed: "Answer: 1"),
            reward="arithmetic",
            search=Merging(Rebase(2)),
            stop_early="exact",
        )
