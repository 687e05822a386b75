"""Algorithms of TreeQuest are searches as any other, and decide as they do in TreeQuest."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from spex.bridges.shared_chance import keyed
from spex.bridges.treequest import State, TreeQuest
from spex.control.setup import Speculation
from spex.errors import InputError
from spex.ids import ROOT, Edge, Expand, NodeId, Score, node_key
from spex.search.ab_mcts import AbMcts
from spex.search.base import Search
from spex.seeds import draw, strand_seed
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS
from spex.speculate.runahead import Effort
from spex.testing import Run, Shape, SyntheticWorld, check_search, run_alone, shuffled
from spex.tree import Step
from tests.builders import grow, node
from tests.search.worlds import Drawn

treequest = pytest.importorskip("treequest", reason="the extra `treequest` is not installed")

ALGORITHMS = {
    "ABMCTSA": lambda: treequest.ABMCTSA(dist_type="gaussian"),
    "ABMCTSA beta": lambda: treequest.ABMCTSA(dist_type="beta"),
    "StandardMCTS": lambda: treequest.StandardMCTS(samples_per_action=2),
    "TreeOfThoughtsBFSAlgo": lambda: treequest.TreeOfThoughtsBFSAlgo(breadth_limit=2, size_limit=3),
}
NO_END = SyntheticWorld(3, Shape("no end", terminal=0.0))


@pytest.fixture(params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> Any:
    return ALGORITHMS[request.param]()


def made_by(run: Run) -> list[Expand]:
    return [call for call in run.courses[0].demanded if isinstance(call, Expand)]


def test_it_is_a_search_as_any_other(algorithm: Any) -> None:
    check_search(TreeQuest(algorithm, iterations=4), seeds=[0])


def test_it_is_one_with_several_actions_and_trials_at_a_time(algorithm: Any) -> None:
    check_search(TreeQuest(algorithm, 5, batch=3, actions=("step", "propose"), depth_max=3), seeds=[0])


def by_itself(algorithm: Any, world: SyntheticWorld, trials: int, seed: int) -> list[tuple[NodeId, float]]:
    """What TreeQuest makes of the same world in a loop of its own, its generators seeded the same before each turn."""
    state, calls = algorithm.init_tree(), dict[NodeId, int]()
    told: Any = None
    for turn in range(trials + 1):
        with keyed(int(draw(strand_seed(seed, "alone", 0), 0, turn) * 2**32)):
            if told is not None:
                state = algorithm.tell(state, *told)
            if turn < trials:
                state, trial = algorithm.ask(state, ["step"])
        parent = trial.parent_state or ROOT
        index = calls[parent] = calls.get(parent, -1) + 1
        made = (*parent, Edge("step", index))
        told = trial.trial_id, (made, world.scores(Score((made,)))[0])
    return list(algorithm.get_state_score_pairs(state))


def test_it_decides_as_in_treequest(algorithm: Any) -> None:
    run = run_alone(TreeQuest(algorithm, iterations=20), NO_END, seed=5)
    expected = [made for made, _ in by_itself(algorithm, NO_END, 20, 5)]
    assert [(*call.parent, Edge("step", call.index)) for call in made_by(run)] == expected


def test_the_order_of_arrival_changes_nothing(algorithm: Any) -> None:
    search = TreeQuest(algorithm, iterations=10, batch=2)
    first = made_by(run_alone(search, SyntheticWorld(4)))
    for number in range(5):
        assert made_by(run_alone(search, SyntheticWorld(4), order=shuffled(number))) == first


def test_speculation_gains_and_keeps_the_tree(algorithm: Any) -> None:
    simulation = Simulation(TreeQuest(algorithm, iterations=10), WORKLOADS["reference"], queries=2, concurrency=1)
    plain, speculative = simulation.run(None), simulation.run(Speculation(effort=Effort(2, 8)))
    assert same_trees(plain, speculative)
    seconds = [sum(solution.timings.latency_seconds for solution in run.solutions) for run in (plain, speculative)]
    assert seconds[1] < 0.8 * seconds[0]


def test_a_trial_below_a_terminal_makes_no_call_and_is_told_the_terminal_again() -> None:
    world = Drawn({node(place): None for place in range(40)}, {node(0): 0.9, node(1): 0.2})
    run = run_alone(TreeQuest(treequest.StandardMCTS(samples_per_action=2), iterations=8), world)
    assert made_by(run) == [grow(0), grow(1)]
    state = run.courses[0].state
    assert isinstance(state, State)
    assert len(state.learned) == 8
    assert {(told.node, told.score) for told in state.learned} == {(node(0), 0.9), (node(1), 0.2)}
    assert run.terminals == (node(0), node(1))


def test_at_depth_max_a_node_does_not_grow() -> None:
    run = run_alone(TreeQuest(treequest.StandardMCTS(), iterations=12, depth_max=1), NO_END)
    assert {call.parent for call in made_by(run)} == {ROOT}


def test_a_call_without_a_child_is_told_as_its_parent_with_a_score_of_0() -> None:
    class Barren:
        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step(""),) if call.parent == ROOT and call.index == 0 else ()

        def scores(self, call: Score) -> tuple[float, ...]:
            return (0.5,)

    run = run_alone(TreeQuest(treequest.ABMCTSA(), iterations=6), Barren())
    state = run.courses[0].state
    assert isinstance(state, State)
    assert [(told.node in (ROOT, node(0)), told.score) for told in state.learned] == [(True, 0.5), *[(True, 0.0)] * 5]
    assert len(made_by(run)) == 6


def test_of_several_children_of_a_call_the_best_is_told() -> None:
    class Pairs:
        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step(""), Step(""))

        def scores(self, call: Score) -> tuple[float, ...]:
            return tuple((0.25, 0.75)[made[-1].part] for made in call.nodes)

    run = run_alone(TreeQuest(treequest.ABMCTSA(), iterations=4, actions=("propose",)), Pairs())
    state = run.courses[0].state
    assert isinstance(state, State)
    assert {(told.node[-1].part, told.score) for told in state.learned} == {(1, 0.75)}


def test_an_action_is_an_action_of_ours() -> None:
    search = TreeQuest(treequest.StandardMCTS(samples_per_action=1), iterations=4, batch=2, actions=("step", "revise"))
    assert [node_key((Edge(call.action, call.index),)) for call in made_by(run_alone(search, NO_END))[:2]] == [
        "step.0",
        "revise.0",
    ]


def test_our_ab_mcts_deepens_as_often_as_treequests() -> None:
    class Same:
        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step(""),)

        def scores(self, call: Score) -> tuple[float, ...]:
            return (0.25,)

    def depths(search: Search[Any]) -> list[float]:
        """The mean depth of the nodes of 150 runs, and its standard error."""
        means = []
        for seed in range(150):
            calls = made_by(run_alone(search, Same(), seed=seed))
            means.append(sum(len(call.parent) for call in calls) / len(calls))
        mean = sum(means) / len(means)
        return [mean, sqrt(sum((value - mean) ** 2 for value in means)) / len(means)]

    for form in ("gaussian", "beta"):
        ours, error = depths(AbMcts(6, form))
        theirs, their_error = depths(TreeQuest(treequest.ABMCTSA(dist_type=form), 6))
        assert abs(ours - theirs) < 4 * sqrt(error**2 + their_error**2)
        assert error < 0.06


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("algorithm", "ABMCTSA"),
        ("iterations", 0),
        ("batch", 0),
        ("depth_max", 0),
        ("actions", ()),
        ("actions", "step"),
    ],
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        TreeQuest(**{"algorithm": treequest.ABMCTSA()} | {field: value})
    assert caught.value.field == field
