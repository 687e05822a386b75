"""Beam search keeps the best nodes of each level and lets terminal ones leave."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId
from spex.search.beam import Beam
from spex.search.levels import answers_at_most
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, run_alone

SHAPE = st.sampled_from(SHAPES)


def level(run: Run, depth: int) -> list[NodeId]:
    return sorted(node for node in run.tree.steps if len(node) == depth)


def reward(run: Run, node: NodeId) -> float:
    found = run.tree.reward(node)
    assert found is not None
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), SHAPE, st.integers(1, 3), st.integers(1, 3))
def test_the_kept_nodes_are_the_best_open_ones(seed: int, shape: Shape, keep: int, children: int) -> None:
    run = run_alone(Beam(width=keep * children, children=children, depth_max=5), SyntheticWorld(seed, shape))
    for depth in range(1, 5):
        open_nodes = [node for node in level(run, depth) if not run.tree.steps[node].terminal]
        expected = sorted(open_nodes, key=lambda node: (-reward(run, node), node))[:keep]
        assert {call.parent for call in run.tree.expansions if len(call.parent) == depth} == set(expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), SHAPE)
def test_a_kept_node_gets_its_own_children_and_all_terminals_are_answers(seed: int, shape: Shape) -> None:
    run = run_alone(Beam(width=6, children=3, depth_max=4), SyntheticWorld(seed, shape))
    indices: dict[NodeId, list[int]] = {}
    for call in run.tree.expansions:
        indices.setdefault(call.parent, []).append(call.index)
    assert indices.pop(ROOT) == [0, 1, 2, 3, 4, 5]
    assert all(found == [0, 1, 2] for found in indices.values())
    assert set(run.terminals) == set(run.tree.terminals())


def test_the_last_level_alone_runs_to_the_end_of_the_solution() -> None:
    run = run_alone(Beam(width=4, children=2, depth_max=3), SyntheticWorld(1, Shape("no end", terminal=0.0)))
    actions = {len(call.parent): call.action for call in run.tree.expansions}
    assert actions == {0: "step", 1: "step", 2: "solution"}


def test_one_level_is_best_of_n() -> None:
    run = run_alone(Beam(width=4, children=2, depth_max=1), SyntheticWorld(1))
    assert list(run.tree.expansions) == [Expand(ROOT, "solution", index) for index in range(4)]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 12), st.integers(0, 4), st.integers(1, 4), st.integers(1, 3))
def test_the_bound_on_answers_is_that_of_the_best_play(samples: int, levels: int, keep: int, children: int) -> None:
    def best_play(samples: int, levels: int) -> int:
        if not levels:
            return samples
        kept = range(min(keep, samples) + 1)
        return max(samples - open_ + (best_play(open_ * children, levels - 1) if open_ else 0) for open_ in kept)

    assert answers_at_most(samples, levels, keep, children) == best_play(samples, levels)


def test_the_first_outlook_counts_all_levels() -> None:
    search = Beam(width=4, children=2, depth_max=3)
    run = run_alone(search, SyntheticWorld(1))
    assert search.outlook(search.start(0), run.courses[0].view).answers == 2 + 2 + 4


@pytest.mark.parametrize(
    ("field", "parameters"),
    [
        ("width", {"width": 0}),
        ("children", {"children": 0}),
        ("children", {"width": 16, "children": 3}),
        ("children", {"width": 2, "children": 4}),
        ("depth_max", {"depth_max": 0}),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, parameters: dict[str, int]) -> None:
    with pytest.raises(InputError) as caught:
        Beam(**parameters)
    assert caught.value.field == field
