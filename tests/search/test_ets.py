"""ETS: REBASE on the leaves alone that are worth keeping, with what they mean asked for together with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score, child
from spex.search.base import Demand, Outlook, Stop
from spex.search.catalog import models_of
from spex.search.ets import Ets
from spex.search.merging import Merging
from spex.search.rebase import Rebase
from spex.testing import SHAPES, Shape, SyntheticWorld, check_search, run_alone, shuffled
from spex.testing.trial import Course, Run
from spex.tree import Step
from tests.builders import node


@dataclass(frozen=True)
class Told:
    """A world of given rewards (usually ½) and meanings (usually 0); some nodes end, some are never made."""

    rewards: dict[NodeId, float] = field(default_factory=dict)
    meanings: dict[NodeId, float] = field(default_factory=dict)
    ends: frozenset[NodeId] = frozenset()
    barren: frozenset[NodeId] = frozenset()

    def steps(self, call: Expand) -> tuple[Step, ...]:
        made = child(call)
        if made in self.barren:
            return ()
        return (Step("", tuple(range(10)), terminal=made in self.ends, answer="1" if made in self.ends else None),)

    def scores(self, call: Score) -> tuple[float, ...]:
        known, usual = (self.rewards, 0.5) if call.model == "reward" else (self.meanings, 0.0)
        return tuple(known.get(made, usual) for made in call.nodes)


def demands(run: Run) -> list[Demand]:
    return [one.outcome for one in run.courses[0].decisions if isinstance(one.outcome, Demand)]


def grown(run: Run, depth: int) -> dict[NodeId, int]:
    """The children of each node of `depth` that has any."""
    parents = [call.parent for call in run.tree.expansions if len(call.parent) == depth]
    return {parent: parents.count(parent) for parent in parents}


def asked(run: Run) -> list[tuple[NodeId, ...]]:
    return [call.nodes for call in run.tree.scores if call.model == "clusters"]


def test_leaves_that_are_not_worth_their_cost_get_no_children() -> None:
    # M + N = 5: a leaf costs 1/5. By exp(r/T) the shares are 4, 0, 0, 0, of which one alone is worth that.
    world = Told({node(0): 1.0, node(1): 0.0, node(2): 0.0, node(3): 0.0})
    assert grown(run_alone(Ets(width=4, depth_max=2), world), 1) == {node(0): 4}


def test_a_meaning_of_its_own_keeps_a_leaf_that_rebase_gives_children() -> None:
    # T = 1: shares 2, 1, 1, 0. Without meanings a leaf of 1/4 is worth its cost of 1/5, one of 0 is not.
    rewards = {node(0): 1.0, node(1): 0.5, node(2): 0.5, node(3): 0.0}
    alike = run_alone(Ets(width=4, temperature=1.0, cost=2.0, depth_max=2), Told(rewards))
    assert grown(alike, 1) == {node(0): 4}
    apart = run_alone(Ets(width=4, temperature=1.0, cost=2.0, depth_max=2), Told(rewards, {node(2): 0.5}))
    assert set(grown(apart, 1)) == {node(0), node(2)}
    assert set(grown(run_alone(Rebase(4, 1.0, depth_max=2), Told(rewards)), 1)) == {node(0), node(1), node(2)}


def test_without_cost_and_diversity_it_is_rebase() -> None:
    for shape in SHAPES:
        world = SyntheticWorld(3, shape)
        one = run_alone(Ets(width=6, cost=0.0, diversity=0.0, depth_max=6), world)
        other = run_alone(Rebase(width=6, depth_max=6), world)
        assert (one.tree, one.terminals) == (other.tree, other.terminals)


def test_what_the_nodes_of_a_level_mean_is_asked_by_one_call_together_with_them() -> None:
    run = run_alone(Ets(width=5, depth_max=4), Told())
    for demand in demands(run)[:-1]:
        children = tuple(child(call) for call in demand.calls if isinstance(call, Expand))
        assert demand.calls[-1] == Score(children, "clusters")
        assert sum(isinstance(call, Score) and call.model == "clusters" for call in demand.calls) == 1


def test_no_meaning_is_asked_for_that_decides_nothing() -> None:
    assert asked(run_alone(Ets(width=4, diversity=0.0, depth_max=3), Told())) == []
    assert asked(run_alone(Ets(width=1, depth_max=3), Told())) == []
    # The nodes of the last level get no children, whatever they mean.
    assert [len(nodes[0]) for nodes in asked(run_alone(Ets(width=4, depth_max=3), Told()))] == [1, 2]


def test_where_a_sample_made_no_child_the_others_are_asked_about_once_more() -> None:
    run = run_alone(Ets(width=3, depth_max=2), Told(barren=frozenset({node(1)})))
    assert run.tree.scores[Score((node(0), node(1), node(2)), "clusters")] == ()
    assert asked(run) == [(node(0), node(1), node(2)), (node(0), node(2))]


def test_the_meaning_of_a_terminal_node_does_not_count() -> None:
    # Node 2 would be the only one of its meaning; it has ended, and the two others say the same.
    ended = Told({node(0): 1.0, node(1): 0.0}, {node(2): 0.5}, ends=frozenset({node(2)}))
    run = run_alone(Ets(width=3, depth_max=2), ended)
    assert grown(run, 1) == {node(0): 2}
    assert run.terminals == (node(2),)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_level_has_as_many_samples_as_width_remains(shape: Shape) -> None:
    run = run_alone(Ets(width=7, depth_max=6), SyntheticWorld(5, shape))
    remaining = 7
    for demand in demands(run):
        expands = [call for call in demand.calls if isinstance(call, Expand)]
        assert len(expands) == remaining
        remaining -= sum(run.tree.steps[made].terminal for call in expands for made in run.tree.expansions[call])


@pytest.mark.parametrize("search", [Ets(width=6, depth_max=6), Ets(8, cost=2.0, diversity=0.3, depth_max=5)])
def test_it_keeps_to_the_contract(search: Ets) -> None:
    check_search(search, seeds=[1])


def test_it_keeps_to_the_contract_where_equal_states_are_merged() -> None:
    check_search(Merging(Ets(width=5, depth_max=4)), seeds=[2])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_no_order_of_arrival_changes_anything(shape: Shape) -> None:
    world, search = SyntheticWorld(9, shape), Ets(width=5, depth_max=5)
    first = run_alone(search, world)
    for number in range(20):
        other = run_alone(search, world, order=shuffled(number))
        assert (other.tree, other.terminals) == (first.tree, first.terminals)


def outlooks(search: Ets, course: Course) -> list[Outlook]:
    going_on = [decided for decided in course.decisions if not isinstance(decided.outcome, Stop)]
    return [search.outlook(decided.state, course.view) for decided in going_on]  # type: ignore[arg-type]


def test_the_outlook_is_the_width_that_remains() -> None:
    search = Ets(width=5)
    run = run_alone(search, SyntheticWorld(0, Shape("half", terminal_from=1, terminal=0.5)))
    found = outlooks(search, run.courses[0])
    assert found[0] == Outlook(5, 1.0, keeps=True)
    assert [one.answers for one in found] == sorted((one.answers for one in found), reverse=True)


def test_it_asks_for_clusters_unless_diversity_counts_for_nothing() -> None:
    assert models_of(Ets()) == models_of(Merging(Ets())) == ("clusters",)
    assert models_of(Ets(diversity=0.0)) == models_of(Rebase()) == ()


def test_the_root_is_grown_to_the_whole_width() -> None:
    assert grown(run_alone(Ets(width=9, depth_max=1), Told()), 0) == {ROOT: 9}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("temperature", 0.0),
        ("cost", -0.1),
        ("cost", True),
        ("cost", float("nan")),
        ("diversity", 1000.5),
        ("diversity", "1.5"),
        ("tokens_max", 0),
        ("depth_max", 1_001),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name_and_range(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        Ets(**{field: value})  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.value is value) == (field, True)
    assert " to " in caught.value.allowed


def test_without_the_solver_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.search.highs.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"it needs the package highspy: pip install 'spex-search\[ets\]'"):
        Ets()
