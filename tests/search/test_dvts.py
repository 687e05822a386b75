"""DVTS is a set of independent subtrees, each of which keeps its best node."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand
from spex.search.base import Demand, Parallel, strands_of
from spex.search.dvts import Dvts
from spex.testing import FIRST_COME, LAST_COME, SHAPES, Shape, SyntheticWorld, run_alone, shuffled

SHAPE = st.sampled_from(SHAPES)


def test_strands_share_out_the_root_samples() -> None:
    search = Dvts(width=6, children=2)
    assert isinstance(search, Parallel)
    run = run_alone(search, SyntheticWorld(0))
    for number, course in enumerate(run.courses):
        first = course.decisions[0].outcome
        assert isinstance(first, Demand)
        expands = [call for call in first.calls if isinstance(call, Expand)]
        assert expands == [Expand(ROOT, "step", 2 * number), Expand(ROOT, "step", 2 * number + 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), SHAPE)
def test_a_strand_does_the_same_alone_as_among_others(seed: int, shape: Shape) -> None:
    search = Dvts(width=6, children=2, depth_max=4)
    world = SyntheticWorld(seed, shape)
    orders = [FIRST_COME, LAST_COME, shuffled(seed)]
    together = [run_alone(search, world, order=order).courses for order in orders]
    for number, strand in enumerate(strands_of(search)):
        alone = run_alone(strand, world).courses[0]
        for courses in together:
            assert list(courses[number].demanded) == list(alone.demanded)
            assert courses[number].stop == alone.stop


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), SHAPE)
def test_a_strand_follows_its_best_child_until_that_is_terminal(seed: int, shape: Shape) -> None:
    run = run_alone(Dvts(width=3, children=3, depth_max=4), SyntheticWorld(seed, shape))
    followed = [ROOT]
    while kids := run.tree.children_of(followed[-1]):
        best = min(kids, key=lambda node: (-(run.tree.reward(node) or 0.0), node))
        if run.tree.steps[best].terminal or len(best) == 4:
            break
        followed.append(best)
    assert list(dict.fromkeys(call.parent for call in run.tree.expansions)) == followed
    assert set(run.terminals) == set(run.tree.terminals())


def test_the_last_level_alone_runs_to_the_end_of_the_solution() -> None:
    run = run_alone(Dvts(width=4, children=2, depth_max=3), SyntheticWorld(1, Shape("no end", terminal=0.0)))
    actions = {len(call.parent): call.action for call in run.tree.expansions}
    assert actions == {0: "step", 1: "step", 2: "solution"}


def test_a_strand_promises_its_own_answers_only() -> None:
    strand = Dvts(width=8, children=4, depth_max=3).strands()[1]
    run = run_alone(strand, SyntheticWorld(1))
    assert strand.outlook(strand.start(0), run.courses[0].view).answers == 3 + 3 + 4


@pytest.mark.parametrize("parameters", [{"width": 0}, {"children": 5}, {"children": -1}, {"depth_max": 0}])
def test_a_bad_parameter_is_refused_with_its_name(parameters: dict[str, int]) -> None:
    with pytest.raises(InputError) as caught:
        Dvts(**parameters)
    assert caught.value.field == next(iter(parameters))
