"""REBASE shares its width by reward, exactly, and ends by width, depth or length."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil, exp
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score, child
from spex.search.balance import allocation
from spex.search.base import Demand, Outlook, Search
from spex.search.rebase import Rebase
from spex.testing import SHAPES, Shape, SyntheticWorld, run_alone
from spex.tree import Step

REWARDS = st.lists(st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]), st.floats(0.0, 1.0)), min_size=1, max_size=24)


def exact_allocation(rewards: list[float], width: int, temperature: float) -> list[int]:
    """The formula, over the exact values of the floating-point weights."""
    weights = [Fraction(exp(reward / temperature)) for reward in rewards]
    shares = [0] * len(rewards)
    rest = sum(weights, Fraction(0))
    for place in sorted(range(len(rewards)), key=lambda place: (-rewards[place], place)):
        shares[place] = ceil(width * weights[place] / rest)
        width -= shares[place]
        rest -= weights[place]
    return shares


def test_shares_are_those_of_exact_arithmetic_in_4000_random_cases_with_ties() -> None:
    random = Random(20_240_808)
    for _ in range(4000):
        grid = random.choice([1, 2, 4, 10, 1 << 30])
        rewards = [random.randint(0, grid) / grid for _ in range(random.randint(1, 24))]
        width, temperature = random.randint(1, 96), random.choice([0.2, 0.2, 0.05, 1.0, 3.0, 0.002])
        assert allocation(rewards, width, temperature) == exact_allocation(rewards, width, temperature)


@settings(max_examples=150, deadline=None)
@given(REWARDS, st.integers(1, 96), st.floats(0.002, 10.0))
def test_shares_are_those_of_exact_arithmetic(rewards: list[float], width: int, temperature: float) -> None:
    assert allocation(rewards, width, temperature) == exact_allocation(rewards, width, temperature)


@settings(max_examples=100, deadline=None)
@given(REWARDS, st.integers(1, 300))
def test_shares_give_out_the_whole_width_and_never_less_to_a_higher_reward(rewards: list[float], width: int) -> None:
    shares = allocation(rewards, width, 0.2)
    assert sum(shares) == width
    by_reward = sorted(range(len(rewards)), key=lambda place: (-rewards[place], place))
    assert all(shares[one] >= shares[other] for one, other in pairwise(by_reward))


def test_equal_rewards_share_evenly_and_the_rest_goes_to_the_first() -> None:
    assert allocation([0.3] * 4, 8, 0.2) == [2, 2, 2, 2]
    assert allocation([0.3] * 4, 6, 0.2) == [2, 2, 1, 1]
    assert allocation([0.3] * 4, 2, 0.2) == [1, 1, 0, 0]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_level_has_as_many_samples_as_width_remains(shape: Shape) -> None:
    search = Rebase(width=8, depth_max=6, tokens_max=200)
    run = run_alone(search, SyntheticWorld(4, shape))
    remaining = search.width
    for decided in run.courses[0].decisions:
        if isinstance(decided.outcome, Demand):
            expands = [call for call in decided.outcome.calls if isinstance(call, Expand)]
            assert len(expands) == remaining
            made = [node for call in expands for node in run.tree.expansions[call]]
            remaining -= sum(closed(run.tree.path(node), search) for node in made)


def closed(path: tuple[Step, ...], search: Rebase) -> bool:
    return path[-1].terminal or sum(step.token_count for step in path) > search.tokens_max


def test_every_child_is_scored_together_with_its_demand() -> None:
    run = run_alone(Rebase(width=3), SyntheticWorld(1))
    for decided in run.courses[0].decisions:
        if isinstance(decided.outcome, Demand):
            calls = decided.outcome.calls
            expands = [call for call in calls if isinstance(call, Expand)]
            assert set(calls) - set(expands) == {Score((child(call),)) for call in expands}


class Chain:
    """Every step has ten tokens and the reward 1/2, and goes on for ever."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step("", tuple(range(10))),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return (0.5,) * len(call.nodes)


def test_a_path_may_have_tokens_max_tokens_but_not_more() -> None:
    run = run_alone(Rebase(width=2, tokens_max=30), Chain())
    assert max(map(len, run.tree.steps)) == 4
    assert max(map(len, run_alone(Rebase(width=2, tokens_max=29), Chain()).tree.steps)) == 3


def test_no_node_lies_deeper_than_depth_max() -> None:
    run = run_alone(Rebase(width=2, depth_max=3), Chain())
    assert max(map(len, run.tree.steps)) == 3
    assert run.terminals == ()


class Proposals(Chain):
    """The first call proposes three children, of which the second is the best; then every path ends."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return tuple(Step("", terminal=bool(call.parent), answer="1" if call.parent else None) for _ in range(3))

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(1.0 if node[0].part == 1 else 0.0 for node in call.nodes)


def test_all_children_of_a_call_that_makes_several_are_scored_and_used() -> None:
    run = run_alone(Rebase(width=1, depth_max=4), Proposals())
    first = run.tree.expansions[Expand(ROOT)]
    assert [run.tree.reward(node) for node in first] == [0.0, 1.0, 0.0]
    assert [call.parent for call in run.tree.expansions] == [ROOT, first[1]]
    assert set(run.terminals) == set(run.tree.children_of(first[1]))


def test_a_call_with_more_terminal_children_than_width_remains_ends_the_search() -> None:
    class Burst(Proposals):
        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step("", terminal=True, answer="1"), Step("", terminal=True, answer="2"), Step(""))

    run = run_alone(Rebase(width=2, depth_max=4), Burst())
    assert len(run.courses[0].decisions) == 2
    assert len(run.terminals) == 4


def test_the_outlook_is_the_width_that_remains() -> None:
    search = Rebase(width=5)
    run = run_alone(search, SyntheticWorld(0, Shape("half", terminal_from=1, terminal=0.5)))
    course = run.courses[0]
    answers = [search.outlook(decided.state, course.view).answers for decided in course.decisions]  # type: ignore[arg-type]
    assert answers[0] == 5
    assert answers == sorted(answers, reverse=True)
    assert search.outlook(search.start(0), course.view) == Outlook(5, 1.0, keeps=True)


def test_siblings_stay_in_node_order_through_all_levels() -> None:
    run = run_alone(Rebase(width=6), SyntheticWorld(2))
    for decided in run.courses[0].decisions:
        if isinstance(decided.outcome, Demand):
            nodes: list[NodeId] = [child(call) for call in decided.outcome.calls if isinstance(call, Expand)]
            assert nodes == sorted(nodes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("width", 65_537),
        ("width", 1.0),
        ("width", True),
        ("width", "16"),
        ("temperature", 0.0),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("temperature", True),
        ("temperature", "0.2"),
        ("tokens_max", 0),
        ("depth_max", 0),
        ("depth_max", 1_001),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name_and_range(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        Rebase(**{field: value})  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.value is value) == (field, True)
    assert " to " in caught.value.allowed


def test_a_whole_number_is_a_temperature() -> None:
    assert Rebase(temperature=1).temperature == 1
    assert isinstance(Rebase(), Search)
