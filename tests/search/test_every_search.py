"""What holds of every search of the catalogue, in any world, in whatever order results come."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.ids import ROOT, Expand
from spex.search.base import Demand
from spex.search.catalog import search_names
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone, shuffled
from tests.search.small import NAMES, SMALL, small

ORDERS = 20
AGAIN = frozenset({"rest-mcts"})
"""Searches that demand a call again: a step of a rollout may become a child later."""


def worlds() -> st.SearchStrategy[SyntheticWorld]:
    """The worlds of the conformance suite, and worlds that nobody has thought of."""
    chance = st.floats(0.0, 1.0)
    drawn = st.builds(
        Shape,
        st.just("drawn"),
        barren=st.one_of(st.just(0.0), chance),
        terminal_from=st.integers(1, 4),
        terminal=chance,
        reward_levels=st.sampled_from([1, 2, 4, 8, 1001]),
        tokens_max=st.sampled_from([1, 20, 60]),
    )
    return st.builds(SyntheticWorld, st.integers(0, 1 << 32), st.one_of(st.sampled_from(SHAPES), drawn))


def outcomes(run: Run) -> list[list[object]]:
    """What each strand decided, in its order."""
    return [[decided.outcome for decided in course.decisions] for course in run.courses]


def expansions(run: Run) -> list[Expand]:
    """Every expansion that a decision demands, as often as it does."""
    demands = [outcome for strand in outcomes(run) for outcome in strand if isinstance(outcome, Demand)]
    return [call for demand in demands for call in demand.calls if isinstance(call, Expand)]


def test_each_has_small_parameters_and_only_these_do() -> None:
    assert set(SMALL) == set(NAMES) <= set(search_names())


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_to_the_contract_of_a_search(name: str) -> None:
    check_search(small(name), seeds=[11])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(world=worlds())
def test_no_call_is_demanded_twice_no_terminal_grows_and_no_depth_is_wider_than_the_width(
    name: str, world: SyntheticWorld
) -> None:
    search = small(name)
    run = run_alone(search, world, seed=world.seed)
    made = expansions(run)
    assert len(made) == len(set(made)) or name in AGAIN
    assert {call.parent for call in made if call.parent != ROOT and run.tree.steps[call.parent].terminal} == set()
    width = getattr(search, "width", None)
    if width is not None:
        assert max(Counter(len(call.parent) for call in made).values()) <= width


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(world=worlds())
def test_in_twenty_orders_of_arrival_it_decides_the_same(name: str, world: SyntheticWorld) -> None:
    run = run_alone(small(name), world, seed=world.seed)
    for order in map(shuffled, range(ORDERS)):
        other = run_alone(small(name), world, seed=world.seed, order=order)
        assert outcomes(other) == outcomes(run)
        assert set(other.tree.steps) == set(run.tree.steps)
