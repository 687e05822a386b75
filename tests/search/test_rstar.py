"""rStar grows what may follow each action, walks to an end, and backs up how far the end's own samples agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import log, sqrt
from typing import Any, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spex.answer import answer_of, answer_rule
from spex.errors import InputError
from spex.ids import ROOT, Edge, Expand, NodeId, Score, child, node_key
from spex.search.base import Demand
from spex.search.catalog import answer_rule_of
from spex.search.rstar import RStar, State
from spex.search.uct import Place
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone
from spex.tree import Step
from tests.golden import rstar as restated
from tests.golden.world import Record, World

Confidence = Literal["votes", "reward"]

SEEDS = st.integers(0, 10_000)
SHAPE = st.sampled_from(SHAPES)
CONFIDENCE = st.sampled_from(["votes", "reward"])
AFTER = {
    "question": {"step", "solution", "subquestion", "rephrase"},
    "rephrase": {"step", "solution", "subquestion"},
    "step": {"step", "solution", "subquestion"},
    "subquestion": {"step", "solution", "subquestion", "reanswer"},
    "reanswer": {"step", "solution", "subquestion"},
}


def states(run: Run) -> list[State]:
    found = [decided.state for decided in run.courses[0].decisions]
    assert all(isinstance(state, State) for state in found)
    return [state for state in found if isinstance(state, State)]


def places(state: State) -> dict[NodeId, Place]:
    return {place.node: place for place in state.places.values()}


def demands(run: Run) -> list[list[Any]]:
    outcomes = [decided.outcome for decided in run.courses[0].decisions]
    return [list(outcome.calls) for outcome in outcomes if isinstance(outcome, Demand)]


def named(*edges: str) -> NodeId:
    """`named("step.1", "solution.0")` is that path."""
    return tuple(Edge(edge.split(".")[0], int(edge.split(".")[1])) for edge in edges)


@dataclass(frozen=True)
class Told:
    """What a test says of nodes: the answers of those that end (None: an end without), rewards; `barren` make none.

    A solution that is not named ends without an answer, everything else goes on.
    """

    ends: Mapping[NodeId, str | None] = field(default_factory=dict)
    rewards: Mapping[NodeId, float] = field(default_factory=dict)
    barren: frozenset[NodeId] = frozenset()

    def steps(self, call: Expand) -> tuple[Step, ...]:
        made = child(call)
        if made in self.barren:
            return ()
        ends = call.action == "solution" or made in self.ends
        return (Step(node_key(made), (1,), terminal=ends, answer=self.ends.get(made)),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(self.rewards[node] for node in call.nodes)


def solutions(*answers: str | None, below: NodeId = ROOT) -> dict[NodeId, str | None]:
    return {(*below, Edge("solution", index)): answer for index, answer in enumerate(answers)}


# What is grown


@pytest.mark.parametrize("confidence", ["votes", "reward"])
@pytest.mark.parametrize("depth_max", [1, 2, 4])
def test_every_node_gets_what_may_follow_it_and_at_the_last_depth_solutions_alone(
    confidence: Confidence, depth_max: int
) -> None:
    met: set[str] = set()
    for seed in range(20):
        search = RStar(iterations=8, children=2, votes=3, depth_max=depth_max, confidence=confidence)
        run = run_alone(search, SyntheticWorld(seed, Shape("no end", terminal=0.0)), seed=seed)
        for demand in demands(run):
            calls = [call for call in demand if isinstance(call, Expand)]
            (parent,) = {call.parent for call in calls}
            before = parent[-1].action if parent else "question"
            met.add(before)
            last = len(parent) == depth_max - 1
            numbers = {"step": 2, "subquestion": 2, "solution": 3 if confidence == "votes" else 1}
            assert (
                sorted(calls)
                == calls
                == sorted(
                    Expand(parent, action, index)
                    for action in ({"solution"} if last else AFTER[before])
                    for index in range(numbers.get(action, 1))
                )
            )
            scored = [] if confidence == "votes" else [Score(((*parent, Edge("solution", 0)),))]
            assert demand == [*calls, *scored]
    assert met == (set(AFTER) if depth_max == 4 else {"question"} if depth_max == 1 else set(AFTER) - {"reanswer"})


@settings(max_examples=60, deadline=None)
@given(SEEDS, SHAPE, CONFIDENCE)
def test_no_node_grows_twice_and_no_end_ever(seed: int, shape: Shape, confidence: Confidence) -> None:
    search = RStar(iterations=8, children=2, votes=3, depth_max=4, confidence=confidence)
    run = run_alone(search, SyntheticWorld(seed, shape), seed=seed)
    parents = [demand[0].parent for demand in demands(run)]
    assert len(parents) == len(set(parents))
    grown = [parent for parent in parents if parent]
    assert not any(run.tree.steps[parent].terminal or parent[-1].action == "solution" for parent in grown)
    assert all(len(node) <= 4 for node in run.tree.steps)


# What ends are worth


def grown_once(world: Told, votes: int) -> tuple[dict[NodeId, Place], tuple[NodeId, ...]]:
    """The children of the root, and the terminals that vote, after a walk of two steps at most."""
    search = RStar(iterations=1, children=2, votes=votes, depth_max=2)
    run = run_alone(search, world)
    return {node: place for node, place in places(states(run)[-1]).items() if len(node) == 1}, run.terminals


def test_solutions_are_one_edge_worth_the_share_of_their_commonest_answer() -> None:
    kids, voting = grown_once(Told(solutions("7", "3", "3", None, "5", "3")), votes=6)
    edge = [place for node, place in kids.items() if node[-1].action == "solution"]
    assert [(place.node, place.reward) for place in edge] == [(named("solution.1"), 0.5)]
    assert voting == (named("solution.1"), named("solution.2"), named("solution.5"))


def test_of_answers_that_are_as_common_the_one_that_comes_first_stands() -> None:
    kids, voting = grown_once(Told(solutions("7", "3", "3", "7")), votes=4)
    assert kids[named("solution.0")].reward == 0.5
    assert named("solution.1") not in kids
    assert voting == (named("solution.0"), named("solution.3"))


def test_solutions_without_any_answer_are_worth_nothing_and_do_not_vote() -> None:
    kids, voting = grown_once(Told(), votes=3)
    assert kids[named("solution.0")].reward == 0.0
    assert voting == ()


def test_a_call_that_made_no_solution_is_a_sample_without_an_answer() -> None:
    barren = frozenset({named("solution.0"), named("solution.2")})
    kids, voting = grown_once(Told(solutions(None, "7"), barren=barren), votes=4)
    assert kids[named("solution.1")].reward == 0.25
    assert voting == (named("solution.1"),)


def test_another_end_is_worth_what_it_and_the_solutions_beside_it_agree_on() -> None:
    ends = solutions("7", "3", "3", "5") | {named("step.0"): "3", named("step.1"): "9", named("rephrase.0"): None}
    kids, voting = grown_once(Told(ends), votes=4)
    values = {name: kids[named(name)].reward for name in ("step.0", "step.1", "rephrase.0")}
    assert values == {"step.0": 3 / 5, "step.1": 1 / 5, "rephrase.0": 0.0}
    assert not any(kids[named(name)].grows for name in values)
    assert set(voting) == {named(name) for name in ("solution.1", "solution.2", *values)}


def test_by_reward_every_end_is_worth_its_score_and_nothing_else_is_scored() -> None:
    ends = solutions("7") | {named("step.0"): "3", named("rephrase.0"): None}
    rewards = {named("solution.0"): 0.3, named("step.0"): 0.9, named("rephrase.0"): 0.2}
    deeper = {(*named(name), Edge("solution", 0)): 0.4 for name in ("step.1", "subquestion.0", "subquestion.1")}
    search = RStar(iterations=1, children=2, depth_max=2, confidence="reward")
    run = run_alone(search, Told(ends, rewards | deeper))
    kids = places(states(run)[-1])
    assert {node: kids[node].reward for node in rewards} == rewards
    scored = {call.nodes[0] for call in run.tree.scores}
    assert scored == {node for node, step in run.tree.steps.items() if step.terminal}
    assert set(run.terminals) == scored


# Iterations


def test_an_iteration_worked_by_hand() -> None:
    # One child of each kind, all go on but solutions: the walk ends at a solution at depth 2, or at the root's own.
    ends = solutions("7", "7", "3")
    for name in ("step.0", "subquestion.0", "rephrase.0"):
        ends |= solutions("3", "5", "8", below=named(name))
    run = run_alone(RStar(iterations=1, children=1, votes=3, depth_max=2), Told(ends))
    found = places(states(run)[-1])
    visited = [node for node, place in found.items() if place.visits]
    assert visited[0] == ROOT
    end = visited[-1]
    assert end[-1].action == "solution"
    worth = 2 / 3 if len(end) == 1 else 1 / 3
    assert [(found[node].visits, found[node].total) for node in visited] == [(1, worth)] * (len(end) + 1)
    assert visited == [end[:depth] for depth in range(len(end) + 1)]


def test_all_children_are_visited_before_the_best_is_visited_again() -> None:
    for iterations, visits in ((4, 1), (5, 2)):
        search = RStar(iterations, children=1, votes=3, depth_max=3)
        run = run_alone(search, Told(solutions("7", "7", "3")))
        kids = {node[-1].action: place.visits for node, place in places(states(run)[-1]).items() if len(node) == 1}
        assert kids == {"step": 1, "subquestion": 1, "rephrase": 1, "solution": visits}


@settings(max_examples=80, deadline=None)
@given(SEEDS, SHAPE, CONFIDENCE, st.sampled_from([0.0, 0.5, 2.0]))
def test_visits_and_totals_add_up_and_the_way_goes_by_uct(
    seed: int, shape: Shape, confidence: Confidence, c: float
) -> None:
    search = RStar(iterations=12, children=1, c=c, votes=3, depth_max=4, confidence=confidence)
    run = run_alone(search, SyntheticWorld(seed, shape), seed=seed)
    for state in states(run):
        numbers = state.places
        assert numbers[0].visits == state.iterations
        for place in numbers.values():
            kids = [numbers[number] for number in place.kids]
            own = place.visits - sum(kid.visits for kid in kids)
            assert own >= 0
            assert not (own and kids)
            assert place.total == pytest.approx(sum(kid.total for kid in kids) + own * place.reward)
            assert all(kid.node[:-1] == place.node for kid in kids)
            assert [kid.node for kid in kids] == sorted(kid.node for kid in kids)
            assert max((kid.visits for kid in kids), default=0) <= 1 or all(kid.visits for kid in kids)
    for before, after in zip(states(run), states(run)[1:], strict=False):
        if after.iterations == before.iterations + 1 and after.path:
            assert follows_uct(after, c)


def follows_uct(after: State, c: float) -> bool:
    """Whether the path of `after` goes by the highest bound wherever all had been visited."""
    for above, below in zip(after.path, after.path[1:], strict=False):
        place = after.places[above]
        kids = [after.places[number] for number in place.kids]
        if all(kid.visits for kid in kids):
            bounds = [kid.total / kid.visits + c * sqrt(log(place.visits) / kid.visits) for kid in kids]
            if place.kids[bounds.index(max(bounds))] != below:
                return False
        elif after.places[below].visits:
            return False
    return True


def test_a_walk_that_meets_a_node_without_children_backs_up_nothing() -> None:
    names = ("step.0", "rephrase.0", "subquestion.0")
    below = [named(name, f"{action}.0") for name in names for action in ("solution", "step", "subquestion", "reanswer")]
    search = RStar(iterations=9, children=1, votes=1, depth_max=3)
    run = run_alone(search, Told(solutions("7"), barren=frozenset(below)))
    found = places(states(run)[-1])
    assert set(found) == {ROOT, named("solution.0"), *map(named, names)}
    assert [(found[named(name)].visits, found[named(name)].total) for name in names] == [(1, 0.0)] * 3
    assert found[ROOT].total == found[named("solution.0")].visits == found[ROOT].visits - 3


def test_a_tree_in_which_nothing_can_grow_ends_the_search_early() -> None:
    run = run_alone(RStar(iterations=65_536, votes=4, depth_max=1), Told(solutions("1", "1", "2", "3")))
    assert states(run)[-1].iterations == 1
    assert len(run.terminals) == 2


def test_other_seeds_walk_otherwise_and_one_seed_always_alike() -> None:
    search, world = RStar(iterations=3, children=2, votes=2), SyntheticWorld(1)
    runs = [demands(run_alone(search, world, seed=seed)) for seed in (1, 2, 3, 1)]
    assert runs[0] == runs[3]
    assert runs[0] != runs[1] != runs[2]


# A restatement on drawn worlds


@dataclass(frozen=True)
class Readable:
    """A world of the golden trees as a search reads it."""

    world: World

    def steps(self, call: Expand) -> tuple[Step, ...]:
        nodes = [self.world.node(made) for made in self.world.children(call)]
        return tuple(Step("", (1,), terminal=node.terminal, answer=node.answer) for node in nodes)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(float(self.world.node(node).reward) for node in call.nodes)


@settings(max_examples=120, deadline=None)
@given(
    st.builds(
        World,
        st.integers(0, 1 << 30),
        levels=st.sampled_from([1, 2, 5, 33]),
        terminal_from=st.integers(1, 3),
        terminal=st.sampled_from([0, 25, 60, 100]),
        barren=st.sampled_from([0, 0, 30, 60]),
        answerless=st.sampled_from([0, 10, 100]),
    ),
    st.integers(1, 14),
    st.integers(1, 2),
    st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(2)]),
    st.integers(1, 5),
    st.integers(0, 5),
)
def test_it_comes_to_the_tree_of_its_restatement(
    world: World, iterations: int, children: int, c: Fraction, depth_max: int, votes: int
) -> None:
    record = Record(world)
    reference = restated.RStar(record, iterations, children, c, depth_max, votes)
    try:
        reference.run()
    except ArithmeticError:
        assume(False)
    confidence: Confidence = "votes" if votes else "reward"
    search = RStar(iterations, children, float(c), depth_max, max(1, votes), confidence)
    run = run_alone(search, Readable(world))
    found = places(states(run)[-1])
    assert set(map(node_key, run.tree.steps)) == set(record.nodes)
    assert sorted(map(node_key, run.terminals)) == sorted(record.stop)
    assert {node: place.visits for node, place in found.items()} == {
        node: statistic.visits for node, statistic in reference.statistics.items()
    }
    for node, place in found.items():
        assert place.total == pytest.approx(float(reference.statistics[node].total))


# Answers, limits, refusals


def test_an_answer_weighs_what_its_edges_are_worth() -> None:
    # Of the root's samples three of five say 7; two walks find two edges that say 3, by one sample of five each.
    ends = solutions("7", "7", "3", "3", "7")
    for name in ("step.0", "subquestion.0", "rephrase.0"):
        ends |= solutions(None, "3", None, None, None, below=named(name))
    search = RStar(iterations=2, children=1, votes=5, depth_max=2)
    run = run_alone(search, Told(ends))
    winner = answer_of(run.tree, run.terminals, answer_rule(answer_rule_of(search)), str)
    assert winner is not None
    assert (winner.answer, winner.weight) == ("7", 3.0)
    assert answer_rule_of(RStar(confidence="reward")) == "weighted"


@pytest.mark.parametrize("confidence", ["votes", "reward"])
def test_no_more_terminals_come_than_the_outlook_says(confidence: Confidence) -> None:
    search = RStar(iterations=5, children=2, votes=3, depth_max=4, confidence=confidence)
    for seed in range(10):
        run = run_alone(search, SyntheticWorld(seed, Shape("ends", terminal_from=1, terminal=0.6)), seed=seed)
        course = run.courses[0]
        known = 0
        for state in states(run):
            outlook = search.outlook(state, course.view)
            assert len(run.terminals) - len(state.terminals) <= outlook.answers
            assert len(state.terminals) >= known
            known = len(state.terminals)
            assert outlook.keeps is (confidence == "reward")


def test_asking_again_after_the_end_gives_the_same_end() -> None:
    search = RStar(iterations=3, votes=2)
    course = run_alone(search, SyntheticWorld(0)).courses[0]
    assert isinstance(course.state, State)
    assert search.advance(course.state, course.view)[1] == course.stop


@pytest.mark.parametrize("confidence", ["votes", "reward"])
def test_it_keeps_to_the_contract_of_a_search(confidence: Confidence) -> None:
    check_search(RStar(iterations=4, children=2, votes=3, depth_max=4, confidence=confidence), seeds=[3])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iterations", 0),
        ("children", 0),
        ("children", 1025),
        ("c", -0.1),
        ("c", float("nan")),
        ("depth_max", 0),
        ("votes", 0),
        ("votes", True),
        ("confidence", "vote"),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        RStar(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field
