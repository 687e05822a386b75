"""MCTS backs up every reward once to every ancestor, and selects by UCT."""

from __future__ import annotations

from math import ceil, exp, log, sqrt
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score
from spex.search.base import Demand, Stop
from spex.search.exploration import c_at
from spex.search.mcts import Mcts, State
from spex.search.uct import Place
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, run_alone
from spex.tree import Step
from tests.builders import node as named

SEEDS = st.integers(0, 10_000)
SHAPE = st.sampled_from(SHAPES)
NO_END = Shape("no end", terminal=0.0)


def states(run: Run) -> list[State]:
    found = [decided.state for decided in run.courses[0].decisions]
    assert all(isinstance(state, State) for state in found)
    return [state for state in found if isinstance(state, State)]


def statistics(state: State) -> dict[NodeId, Place]:
    return {place.node: place for place in state.places.values()}


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE, st.integers(1, 4), st.sampled_from([0.0, 0.3, 1.0, 2.0]))
def test_visits_and_totals_add_up(seed: int, shape: Shape, children: int, c: float) -> None:
    run = run_alone(Mcts(iterations=10, children=children, c=c, depth_max=4), SyntheticWorld(seed, shape))
    for state in states(run):
        places = statistics(state)
        for node, place in places.items():
            kids = [state.places[number] for number in place.kids]
            # What was backed up through a node is its children's, and its own reward for every time it was the end.
            own_visits = place.visits - sum(kid.visits for kid in kids)
            own_total = own_visits * place.reward
            assert own_visits >= (1 if node != ROOT else 0)
            assert place.total == pytest.approx(sum(kid.total for kid in kids) + own_total)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE)
def test_an_iteration_that_expands_adds_one_visit_a_child_to_every_ancestor(seed: int, shape: Shape) -> None:
    run = run_alone(Mcts(iterations=10, children=3, depth_max=4), SyntheticWorld(seed, shape))
    for before, after in zip(states(run), states(run)[1:], strict=False):
        expanded = before.places[before.path[-1]].node
        made = [kid for index in range(3) for kid in run.tree.expansions[Expand(expanded, "step", index)]]
        # Between two decisions leaves that cannot grow may have been selected as well.
        between = after.iterations - before.iterations - 1
        assert after.places[0].visits == before.places[0].visits + max(len(made), 1 if expanded else 0) + between
        for node in made:
            assert statistics(after)[node].visits >= 1


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE, st.sampled_from([0.0, 0.5, 1.0]))
def test_the_expanded_leaf_is_the_one_that_uct_leads_to(seed: int, shape: Shape, c: float) -> None:
    run = run_alone(Mcts(iterations=10, children=3, c=c, depth_max=4), SyntheticWorld(seed, shape))
    for state in states(run)[:-1]:
        places = statistics(state)
        node: NodeId = ROOT
        while kids := [kid for kid in places if kid and kid[:-1] == node]:
            parent_visits = places[node].visits
            node = min(kids, key=lambda kid: (-bound(places[kid], parent_visits, c), kid))
        assert node == state.places[state.path[-1]].node


def bound(place: Place, parent_visits: int, c: float) -> float:
    return place.total / place.visits + c * sqrt(log(parent_visits) / place.visits)


def test_with_unvisited_first_every_child_is_expanded_before_one_is_expanded_again() -> None:
    run = run_alone(Mcts(iterations=5, children=4, unvisited="first"), SyntheticWorld(3, NO_END))
    parents = list(dict.fromkeys(call.parent for call in run.tree.expansions))
    assert parents == [ROOT, *sorted(node for node in run.tree.steps if len(node) == 1)]


def test_with_unvisited_first_a_child_starts_without_its_own_reward() -> None:
    run = run_alone(Mcts(iterations=1, children=2, unvisited="first"), SyntheticWorld(3, NO_END))
    places = statistics(states(run)[-1])
    assert [(place.visits, place.total) for node, place in places.items() if node] == [(0, 0.0)] * 2
    assert places[ROOT].visits == 2


def test_a_terminal_that_is_selected_again_backs_up_its_own_reward() -> None:
    class EndAndSlope:
        """The first child is terminal and best; the second leads on."""

        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step("", terminal=call.index == 0, answer="1" if call.index == 0 else None),)

        def scores(self, call: Score) -> tuple[float, ...]:
            return tuple(0.9 if node[-1].index == 0 else 0.1 for node in call.nodes)

    run = run_alone(Mcts(iterations=6, children=2, c=0.0), EndAndSlope())
    assert len(run.tree.expansions) == 2
    best = statistics(states(run)[-1])[run.terminals[0]]
    assert best.visits == 6
    assert best.total == pytest.approx(6 * 0.9)


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE, st.integers(1, 12), st.integers(1, 3))
def test_limits_hold(seed: int, shape: Shape, nodes_max: int, depth_max: int) -> None:
    search = Mcts(iterations=20, children=3, nodes_max=nodes_max, depth_max=depth_max)
    run = run_alone(search, SyntheticWorld(seed, shape))
    demands = [decided for decided in run.courses[0].decisions if isinstance(decided.outcome, Demand)]
    assert len(demands) <= search.iterations
    assert len(run.tree.steps) < nodes_max + search.children
    assert all(len(node) <= depth_max for node in run.tree.steps)
    assert set(run.terminals) == set(run.tree.terminals())


@pytest.mark.parametrize(("nodes_max", "nodes"), [(1, 3), (3, 3), (4, 6), (6, 6), (7, 9)])
def test_the_search_is_over_when_nodes_max_nodes_exist(nodes_max: int, nodes: int) -> None:
    run = run_alone(Mcts(iterations=20, children=3, nodes_max=nodes_max), SyntheticWorld(0, NO_END))
    assert len(run.tree.steps) == nodes


def test_a_leaf_that_is_expanded_in_vain_backs_up_its_own_reward() -> None:
    class Stump:
        """The root's child has no children."""

        def steps(self, call: Expand) -> tuple[Step, ...]:
            return () if call.parent else (Step(""),)

        def scores(self, call: Score) -> tuple[float, ...]:
            return (0.25,) * len(call.nodes)

    last = states(run_alone(Mcts(iterations=9, children=1), Stump()))[-1]
    assert [(place.visits, place.total) for place in last.places.values()] == [(2, 0.5), (2, 0.5)]
    assert (last.iterations, last.leaves) == (2, 0)


def test_a_tree_in_which_no_leaf_can_grow_ends_the_search_early() -> None:
    run = run_alone(Mcts(iterations=65_536), SyntheticWorld(0, Shape("ends", terminal_from=1, terminal=1.0)))
    last = states(run)[-1]
    assert (last.iterations, last.leaves) == (1, 0)
    assert len(run.terminals) == 4


class Told:
    """Two children of equal reward, the second of which the policy thinks likelier."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step("", (1, 2), (-0.5 if call.index else -2.0, -0.7)),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return (0.5,) * len(call.nodes)


def test_puct_goes_first_where_the_policy_thinks_it_likelier() -> None:
    def second(select: Literal["uct", "puct"]) -> NodeId:
        run = run_alone(Mcts(iterations=2, children=2, select=select), Told())
        return list(run.tree.expansions)[2].parent

    assert second("uct") == named(0)
    assert second("puct") == named(1)


def test_a_prior_is_the_exponential_of_the_mean_log_probability() -> None:
    run = run_alone(Mcts(iterations=1, children=2, select="puct"), Told())
    places = statistics(states(run)[-1])
    assert places[named(0)].weight == pytest.approx(exp(-1.35))
    assert places[named(1)].weight == pytest.approx(exp(-0.6))


def test_with_a_rollout_a_child_is_worth_what_its_solution_is_and_that_is_an_answer() -> None:
    class Deceptive:
        """What looks worse after one step ends better."""

        def steps(self, call: Expand) -> tuple[Step, ...]:
            whole = call.action == "solution"
            return (Step("", (1,), terminal=whole, answer="1" if whole else None),)

        def scores(self, call: Score) -> tuple[float, ...]:
            assert all(node[-1].action == "solution" for node in call.nodes)
            return tuple(0.9 if node[0].index else 0.2 for node in call.nodes)

    run = run_alone(Mcts(iterations=2, children=2, c=0.1, rollout=True), Deceptive())
    places = statistics(states(run)[-1])
    assert [places[named(index)].total for index in (0, 1)] == pytest.approx([0.2, 3 * 0.9])
    assert set(run.terminals) == set(run.tree.terminals())
    assert len(run.terminals) == 4


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE, st.sampled_from([0.3, 0.5, 1.0]), st.integers(1, 4))
def test_a_widened_node_never_has_more_samples_than_its_visits_allow(
    seed: int, shape: Shape, widening: float, children: int
) -> None:
    run = run_alone(Mcts(iterations=16, children=children, widening=widening, depth_max=4), SyntheticWorld(seed, shape))
    for state in states(run):
        for place in state.places.values():
            assert place.samples <= min(children, ceil(max(1, place.visits) ** widening))
            assert place.grows == (place.samples < children and not place.terminal and len(place.node) < 4)
    calls = [
        call
        for decided in run.courses[0].decisions
        if isinstance(decided.outcome, Demand)
        for call in decided.outcome.calls
    ]
    assert len(set(calls)) == len(calls)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SHAPE, st.booleans(), st.sampled_from([0.0, 0.5]), st.integers(1, 9))
def test_the_outlook_is_never_passed(seed: int, shape: Shape, rollout: bool, widening: float, nodes_max: int) -> None:
    search = Mcts(iterations=9, children=2, rollout=rollout, widening=widening, nodes_max=nodes_max, depth_max=5)
    run = run_alone(search, SyntheticWorld(seed, shape))
    assert len(run.terminals) == len(set(run.terminals))
    for state in states(run):
        known = sum(place.terminal for place in state.places.values()) + len(state.played)
        assert len(run.terminals) <= known + search.outlook(state, run.courses[0].view).answers


def test_the_constant_falls_from_the_first_iteration_to_the_last() -> None:
    assert [c_at("linear", 2.0, 1.0, passed) for passed in (0.0, 0.5, 1.0)] == [2.0, 1.5, 1.0]
    assert [c_at("exponential", 4.0, 1.0, passed) for passed in (0.0, 0.5, 1.0)] == pytest.approx([4.0, 2.0, 1.0])
    assert [c_at("constant", 2.0, 1.0, passed) for passed in (0.0, 1.0)] == [2.0, 2.0]


@pytest.mark.parametrize(("field", "c", "c_last"), [("c", 0.0, 0.1), ("c_last", 1.0, 0.0)])
def test_an_exponential_schedule_has_no_zero(field: str, c: float, c_last: float) -> None:
    with pytest.raises(InputError) as caught:
        Mcts(schedule="exponential", c=c, c_last=c_last)
    assert caught.value.field == field


def test_asking_again_after_the_end_gives_the_same_end() -> None:
    search = Mcts(iterations=4)
    course = run_alone(search, SyntheticWorld(0)).courses[0]
    assert search.advance(states_of_end(course.state), course.view)[1] == course.stop
    assert isinstance(course.stop, Stop)


def states_of_end(state: object) -> State:
    assert isinstance(state, State)
    return state


def test_the_outlook_counts_iterations_and_the_room_for_nodes() -> None:
    search = Mcts(iterations=5, children=2, nodes_max=7)
    view = run_alone(search, SyntheticWorld(0)).courses[0].view
    assert search.outlook(search.start(0), view).answers == 8
    assert Mcts(iterations=3, children=2).outlook(search.start(0), view).answers == 6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", 0),
        ("children", 1025),
        ("c", -0.1),
        ("c", float("nan")),
        ("nodes_max", 0),
        ("depth_max", 0),
        ("unvisited", "last"),
        ("select", "ucb"),
        ("rollout", 1),
        ("schedule", "cosine"),
        ("c_last", -1.0),
        ("widening", 1.5),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        Mcts(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field
