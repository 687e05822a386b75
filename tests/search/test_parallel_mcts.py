"""Parallel MCTS keeps several selections apart, takes their results in order, and is sequential with one worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score
from spex.search.base import AnySearch, Demand
from spex.search.in_flight import State
from spex.search.mcts import Mcts
from spex.search.virtual_loss import VirtualLoss
from spex.search.wu_uct import WuUct
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone, shuffled
from spex.tree import Step

SEEDS = st.integers(0, 10_000)
SHAPE = st.sampled_from(SHAPES)
NO_END = Shape("no end", terminal=0.0)
Maker = Callable[..., AnySearch]
BOTH = pytest.mark.parametrize("make", [VirtualLoss, WuUct])


def parents(run: Run) -> list[list[NodeId]]:
    """Whose children each decision demands."""
    outcomes = [decided.outcome for decided in run.courses[0].decisions]
    demands = [outcome.calls for outcome in outcomes if isinstance(outcome, Demand)]
    return [list(dict.fromkeys(call.parent for call in calls if isinstance(call, Expand))) for calls in demands]


@BOTH
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, shape=SHAPE, children=st.integers(1, 3), c=st.sampled_from([0.0, 0.3, 1.0]))
def test_one_worker_is_sequential_mcts(make: Maker, seed: int, shape: Shape, children: int, c: float) -> None:
    world = SyntheticWorld(seed, shape)
    alone = run_alone(make(iterations=10, children=children, c=c, workers=1, depth_max=5), world)
    sequential = run_alone(Mcts(iterations=10, children=children, c=c, depth_max=5), world)
    assert parents(alone) == parents(sequential)
    assert alone.terminals == sequential.terminals


@BOTH
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, shape=SHAPE, workers=st.integers(1, 5), nodes_max=st.sampled_from([4, 11, 1000]))
def test_no_more_are_in_flight_than_there_are_workers(
    make: Maker, seed: int, shape: Shape, workers: int, nodes_max: int
) -> None:
    search = make(iterations=12, children=2, workers=workers, nodes_max=nodes_max, depth_max=4)
    run = run_alone(search, SyntheticWorld(seed, shape))
    for decided in run.courses[0].decisions:
        state = decided.state
        assert isinstance(state, State)
        assert len(state.flights) <= workers
        out = [number for flight in state.flights for number in flight.path]
        assert dict(state.waiting) == {number: out.count(number) for number in out}
        left = search.outlook(state, run.courses[0].view).answers  # type: ignore[union-attr]
        assert len(run.terminals) <= sum(place.terminal for place in state.places.values()) + left
    expanded = [parent for batch in parents(run) for parent in batch]
    assert len(expanded) == len(set(expanded)) <= 12
    assert len(run.tree.steps) < nodes_max + workers * 2
    assert set(run.terminals) == set(run.tree.terminals())


@BOTH
def test_workers_go_to_different_leaves_at_once(make: Maker) -> None:
    run = run_alone(make(iterations=5, children=4, workers=4, c=5.0), SyntheticWorld(3, NO_END))
    assert list(map(len, parents(run))) == [1, 4]
    assert len(set(parents(run)[1])) == 4


@BOTH
def test_what_arrives_first_is_not_taken_first(make: Maker) -> None:
    world = SyntheticWorld(7, NO_END)
    plain = run_alone(make(iterations=16, children=2, workers=3), world)
    for order in range(20):
        assert parents(run_alone(make(iterations=16, children=2, workers=3), world, order=shuffled(order))) == parents(
            plain
        )


@BOTH
def test_it_keeps_the_rules_of_a_search(make: Maker) -> None:
    check_search(make(iterations=10, children=2, workers=3))


class Steep:
    """The first child is far better than the second, everywhere."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step("", (1,)),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(0.9 if node[-1].index == 0 else 0.1 for node in call.nodes)


def at_once(search: AnySearch) -> list[int]:
    return [len(batch) for batch in parents(run_alone(search, Steep()))]


def test_a_loss_turns_the_next_one_away() -> None:
    # After the root Q/N is 0.9 and 0.1. With one in flight on the first, that one's bound is, by a loss of 1,
    # 0.9/2 + 0.5·√(ln 3 / 2) = 0.82, by the count 0.9 + 0.37, against 0.1 + 0.5·√(ln 3) = 0.62: both go on to the
    # first, whose children are still out, and wait. By a loss of 9 that is 0.9/10 + 0.5·√(ln 11 / 10),
    # 0.33, against 0.87.
    assert at_once(VirtualLoss(iterations=3, children=2, c=0.5, workers=2))[:2] == [1, 1]
    assert at_once(WuUct(iterations=3, children=2, c=0.5, workers=2))[:2] == [1, 1]
    assert at_once(VirtualLoss(iterations=3, children=2, c=0.5, workers=2, loss=9.0)) == [1, 2]


def test_in_a_tree_whose_ends_are_all_met_the_search_is_over() -> None:
    run = run_alone(WuUct(iterations=1000, workers=3), SyntheticWorld(0, Shape("ends", terminal_from=1, terminal=1.0)))
    assert parents(run) == [[ROOT]]
    assert len(run.terminals) == 4


@BOTH
@pytest.mark.parametrize(("field", "value"), [("workers", 0), ("iterations", 0), ("c", -1.0), ("depth_max", 1001)])
def test_a_bad_parameter_is_refused_with_its_name(make: Maker, field: str, value: float) -> None:
    with pytest.raises(InputError) as caught:
        make(**{field: value})
    assert caught.value.field == field


def test_a_negative_loss_is_refused() -> None:
    with pytest.raises(InputError, match="loss"):
        VirtualLoss(loss=-1.0)
