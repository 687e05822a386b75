"""ReST-MCTS* looks into the best new child, mixes in what it finds, and is worth above what its children are below."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score, child
from spex.search.base import Demand
from spex.search.rest_mcts import RestMcts, State
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone, shuffled
from spex.tree import Step
from tests.builders import node as named

SEEDS = st.integers(0, 10_000)
SHAPE = st.sampled_from(SHAPES)


def states(run: Run) -> list[State]:
    found = [decided.state for decided in run.courses[0].decisions]
    assert all(isinstance(state, State) for state in found)
    return [state for state in found if isinstance(state, State)]


def demands(run: Run) -> list[list[NodeId]]:
    outcomes = [decided.outcome for decided in run.courses[0].decisions]
    demanded = [outcome.calls for outcome in outcomes if isinstance(outcome, Demand)]
    return [[child(call) for call in calls if isinstance(call, Expand)] for calls in demanded]


class Table:
    """Rewards by name; nothing ends."""

    REWARDS: ClassVar = {named(0): 0.5, named(1): 0.6, named(1, 0): 0.2, named(1, 0, 0): 0.8, named(0, 0): 0.9}

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step("", (1,)),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(self.REWARDS.get(node, 0.4) for node in call.nodes)


def test_an_iteration_worked_by_hand() -> None:
    run = run_alone(RestMcts(iterations=1, children=2), Table())
    # The second child is better; its rollout finds 0.2, then 0.8: V = 0.5·0.6 + 0.5·0.8 = 0.7, and so is the root's.
    assert demands(run) == [[named(0), named(1)], [named(1, 0)], [named(1, 0, 0)]]
    root, first, second = (states(run)[-1].valued[number] for number in range(3))
    assert (first.value, first.visits) == (0.5, 0)
    assert [second.value, root.value] == pytest.approx([0.7, 0.7])
    assert (second.visits, root.visits) == (1, 1)


def test_a_child_that_was_not_looked_into_comes_next() -> None:
    run = run_alone(RestMcts(iterations=2, children=2, rollout_steps=0), Table())
    assert demands(run) == [[named(0), named(1)], [named(0, 0), named(0, 1)]]
    root = states(run)[-1].valued[0]
    # Below the first child only (0, 0) of 0.9 was visited; the root's children have one visit each.
    assert root.value == pytest.approx((0.9 + 0.6) / 2)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE, st.integers(1, 3), st.integers(0, 3), st.integers(1, 2), st.integers(1, 6))
def test_values_visits_and_answers_add_up(
    seed: int, shape: Shape, children: int, rollout_steps: int, rollout_children: int, answers: int
) -> None:
    search = RestMcts(
        iterations=8,
        children=children,
        rollout_steps=rollout_steps,
        rollout_children=rollout_children,
        answers=answers,
        depth_max=5,
    )
    run = run_alone(search, SyntheticWorld(seed, shape))
    for state in states(run):
        if not state.path:
            for place in state.valued.values():
                kids = [state.valued[number] for number in place.kids]
                if visits := sum(kid.visits for kid in kids):
                    assert place.value == pytest.approx(sum(kid.visits * kid.value for kid in kids) / visits)
            assert state.valued[0].visits == state.iterations
        left = search.outlook(state, run.courses[0].view).answers
        assert len(run.terminals) <= len(state.terminals) + left
    assert len(set(run.terminals)) == len(run.terminals)
    assert set(run.terminals) == set(run.tree.terminals())
    assert all(len(node) <= 5 for node in run.tree.steps)
    assert not any(call.parent != ROOT and run.tree.steps[call.parent].terminal for call in run.tree.expansions)


def test_the_search_is_over_when_enough_answers_have_been_met() -> None:
    ends = SyntheticWorld(0, Shape("ends", terminal_from=1, terminal=1.0))
    assert len(run_alone(RestMcts(children=3, answers=2), ends).terminals) == 3


def test_the_order_of_arrival_changes_nothing() -> None:
    world = SyntheticWorld(5)
    plain = demands(run_alone(RestMcts(rollout_children=2), world))
    for order in range(20):
        assert demands(run_alone(RestMcts(rollout_children=2), world, order=shuffled(order))) == plain


def test_it_keeps_the_rules_of_a_search() -> None:
    check_search(RestMcts(iterations=6))
    check_search(RestMcts(iterations=6, rollout_children=2, children=2))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", 0),
        ("children", 0),
        ("c", -1.0),
        ("rollout_steps", -1),
        ("rollout_children", 0),
        ("alpha", 1.1),
        ("answers", 0),
        ("depth_max", 0),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        RestMcts(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field
