"""The driver without a controller: orders of arrival, calls on what was never made, and what it refuses."""

from __future__ import annotations

import pytest

import spex.testing
from spex.errors import SearchError
from spex.ids import ROOT, Expand, NodeId, Score, child
from spex.search.base import Demand, Outlook, Stop
from spex.search.rebase import Rebase
from spex.testing import FIRST_COME, LAST_COME, SHAPES, Shape, SyntheticWorld, run_alone, shuffled
from spex.tree import Step, TreeView, Unknown

FIRST = Expand(ROOT)
NODE = child(FIRST)
BELOW = Expand(NODE)


class Script:
    """Demands the calls of each turn, then stops."""

    def __init__(self, *turns: tuple[Expand | Score, ...]) -> None:
        self.turns = turns

    def start(self, seed: int) -> int:
        return 0

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        if state < len(self.turns):
            return state + 1, Demand(self.turns[state])
        tree.need([call for turn in self.turns for call in turn])
        return state, Stop(())

    def outlook(self, state: int, tree: TreeView) -> Outlook:
        return Outlook(0)


class One:
    """Every call makes one child, terminal under the root's first child."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step("", terminal=bool(call.parent)),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return (0.5,) * len(call.nodes)


class Nothing(One):
    def steps(self, call: Expand) -> tuple[Step, ...]:
        return ()


def test_calls_on_a_node_that_was_never_made_resolve_to_nothing() -> None:
    tree = run_alone(Script((FIRST, Score((NODE,)), BELOW, Score((child(BELOW),)))), Nothing()).tree
    assert set(tree.expansions.values()) == {()}
    assert set(tree.scores.values()) == {()}


def test_nothing_grows_under_a_terminal_node() -> None:
    deeper = Expand(child(BELOW))
    tree = run_alone(Script((FIRST, BELOW, deeper)), One()).tree
    assert tree.expansions[BELOW] == (child(BELOW),)
    assert tree.expansions[deeper] == ()


def test_a_call_finishes_after_what_it_builds_on_whatever_the_order() -> None:
    for order in (FIRST_COME, LAST_COME, *map(shuffled, range(8))):
        run = run_alone(Script((Score((child(BELOW),)), BELOW, FIRST)), One(), order=order)
        assert list(run.courses[0].arrived) == [FIRST, BELOW, Score((child(BELOW),))]


def test_orders_differ_in_what_arrives_first() -> None:
    calls = tuple(Expand(ROOT, "step", index) for index in range(6))
    arrivals = [
        list(run_alone(Script(calls), One(), order=order).courses[0].arrived) for order in (FIRST_COME, LAST_COME)
    ]
    assert arrivals == [list(calls), list(reversed(calls))]


def test_a_call_that_was_never_demanded_cannot_be_built_on() -> None:
    with pytest.raises(SearchError, match=r"Script: .*step\.0>step\.0, but never demanded expand:root>step\.0"):
        run_alone(Script((BELOW,)), One())


def test_strands_that_demand_the_same_call_read_one_result() -> None:
    class Twins:
        def strands(self) -> tuple[Script, ...]:
            return Script((FIRST,), (BELOW,)), Script((FIRST,))

    run = run_alone(Twins(), One(), order=LAST_COME)
    assert [list(course.arrived) for course in run.courses] == [[FIRST, BELOW], [FIRST]]
    assert list(run.tree.expansions) == [FIRST, BELOW]


def test_a_rule_that_waits_for_nothing_is_told_so() -> None:
    class Waiting(Script):
        def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
            raise Unknown

    with pytest.raises(SearchError, match="Waiting: raised Unknown, and nothing that it names is missing"):
        run_alone(Waiting(), One())


def test_a_rule_without_end_is_stopped() -> None:
    with pytest.raises(SearchError, match="Script: no end after 3 decisions"):
        run_alone(Script(*[(FIRST,)] * 9), One(), decisions_max=3)


def test_terminals_are_those_of_all_strands() -> None:
    run = run_alone(Rebase(width=4), SyntheticWorld(0))
    stop = run.courses[0].stop
    assert stop is not None
    assert run.terminals == stop.terminals


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_synthetic_world_gives_equal_answers_to_equal_questions(shape: Shape) -> None:
    calls = [Expand(ROOT, action, index) for action in ("step", "solution", "propose") for index in range(5)]
    one, other = SyntheticWorld(3, shape), SyntheticWorld(3, shape)
    assert [one.steps(call) for call in calls] == [other.steps(call) for call in reversed(calls)][::-1]
    nodes: tuple[NodeId, ...] = tuple(child(call) for call in calls)
    scores = one.scores(Score(nodes))
    assert scores == tuple(other.scores(Score((node,)))[0] for node in nodes)
    assert all(0.0 <= score <= 1.0 for score in scores)


def test_synthetic_worlds_differ_by_seed_and_propose_makes_several_children() -> None:
    calls = [Expand(ROOT, "propose", index) for index in range(20)]
    assert [SyntheticWorld(1).steps(call) for call in calls] != [SyntheticWorld(2).steps(call) for call in calls]
    assert {len(SyntheticWorld(1).steps(call)) for call in calls} == {1, 2, 3}


def test_only_terminal_steps_have_answers() -> None:
    world = SyntheticWorld(1, Shape("half", terminal=0.5, answerless=0.5))
    steps = [step for index in range(50) for step in world.steps(Expand(ROOT, "solution", index))]
    assert {step.terminal for step in steps} == {True, False}
    assert not any(step.answer for step in steps if not step.terminal)
    assert any(step.answer is None for step in steps if step.terminal)


def test_the_package_knows_its_public_names_and_no_others() -> None:
    assert all(getattr(spex.testing, name) is not None for name in spex.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'check_serach'"):
        spex.testing.check_serach  # noqa: B018  # type: ignore[attr-defined]
