"""Beam search keeps the best nodes of each level and lets terminal ones leave."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score
from spex.search.base import Demand
from spex.search.beam import Beam
from spex.search.levels import answers_at_most
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone
from spex.tree import Step
from tests.builders import node as named

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


class Lines:
    """Two of three siblings say the same; every reward is told by the last step's index, the deeper the more so."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step(("a", "a", "b")[call.index % 3], (1,), terminal=call.action == "solution", answer="1"),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple((0.9, 0.8, 0.7)[node[-1].index % 3] for node in call.nodes)


def test_of_equal_texts_the_first_alone_is_kept() -> None:
    def second_level(*, dedup: bool) -> set[NodeId]:
        run = run_alone(Beam(width=6, children=3, depth_max=2, dedup=dedup), Lines())
        return {call.parent for call in run.tree.expansions if call.parent}

    assert second_level(dedup=False) == {named(0), named(3)}
    assert second_level(dedup=True) == {named(0), named(2)}


def test_the_same_text_below_two_nodes_is_kept_twice() -> None:
    run = run_alone(Beam(width=6, children=3, depth_max=3, dedup=True), Lines())
    assert {call.parent for call in run.tree.expansions if len(call.parent) == 2} == {named(0, 0), named(2, 0)}


def test_with_a_lookahead_a_step_is_worth_what_it_leads_to_and_alone_is_kept() -> None:
    class Turning:
        """The first step looks better, the second leads further."""

        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step("", (1,), terminal=call.action == "solution", answer="1"),)

        def scores(self, call: Score) -> tuple[float, ...]:
            return tuple(0.9 if len(node) == 1 + node[0].index else 0.2 for node in call.nodes)

    def second_level(lookahead: int) -> NodeId:
        run = run_alone(Beam(width=2, children=2, depth_max=2, lookahead=lookahead), Turning())
        (parent,) = {call.parent for call in run.tree.expansions if call.action == "solution"}
        return parent

    assert second_level(0) == named(0)
    assert second_level(1) == named(1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), SHAPE, st.integers(0, 3), st.booleans())
def test_with_its_options_a_beam_keeps_no_more_and_answers_with_what_was_no_rollout(
    seed: int, shape: Shape, lookahead: int, dedup: bool
) -> None:
    search = Beam(width=6, children=2, depth_max=4, lookahead=lookahead, dedup=dedup)
    run = run_alone(search, SyntheticWorld(seed, shape))
    outcomes = [decided.outcome for decided in run.courses[0].decisions]
    for outcome in outcomes:
        if isinstance(outcome, Demand):
            samples = [call for call in outcome.calls if isinstance(call, Expand)]
            assert len(samples) <= 6 * (1 + lookahead)
    assert len(set(run.terminals)) == len(run.terminals) <= search.outlook(search.start(0), run.courses[0].view).answers
    plain = run_alone(Beam(width=6, children=2, depth_max=4), SyntheticWorld(seed, shape))
    assert lookahead or dedup or run.tree.expansions == plain.tree.expansions


def test_with_its_options_a_beam_keeps_the_rules_of_a_search() -> None:
    check_search(Beam(width=4, children=2, depth_max=4, lookahead=2, dedup=True))


@pytest.mark.parametrize(
    ("field", "parameters"),
    [
        ("width", {"width": 0}),
        ("children", {"children": 0}),
        ("children", {"width": 16, "children": 3}),
        ("children", {"width": 2, "children": 4}),
        ("depth_max", {"depth_max": 0}),
        ("lookahead", {"lookahead": -1}),
        ("dedup", {"dedup": 1}),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, parameters: dict[str, int]) -> None:
    with pytest.raises(InputError) as caught:
        Beam(**parameters)  # type: ignore[arg-type]
    assert caught.value.field == field
