"""The search on imagined results says what it will ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.ids import ROOT, Call, Expand, Score, call_key, child
from spex.search.base import AnySearch, Demand, Stop, strands_of
from spex.search.beam import Beam
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.speculate.course import Strand
from spex.speculate.habits import Surroundings
from spex.speculate.imagined import ImaginedTree
from spex.speculate.particle import Particle
from spex.speculate.predictor import Predictor
from spex.speculate.runahead import Effort, RunAhead
from spex.testing.world import SHAPES, SyntheticWorld
from spex.tree import Step, Tree, TreeView, Unknown
from tests.builders import Decision, demand, grow, node, rate, read, rule, stop

EFFORT = Effort(particles=8, depth=24)
SEARCHES: list[AnySearch] = [Rebase(6), Beam(6, 2), Dvts(6, 2), Mcts(8, 2)]


def strands(search: AnySearch) -> list[Strand]:
    """A search at its beginning."""
    return [Strand(strand, strand.start(7), number) for number, strand in enumerate(strands_of(search))]


def foreseen(search: AnySearch, tree: Tree, effort: Effort = EFFORT, seed: int = 1) -> dict[Call, float]:
    return RunAhead(tree, Predictor(), seed).foresee(strands(search), effort)


def half_grown(world: SyntheticWorld, search: AnySearch, calls: int) -> Tree:
    """What is there when `calls` calls have been made, each the likeliest of those foreseen."""
    tree = Tree()
    for _ in range(calls):
        wanted = foreseen(search, tree)
        if not wanted:
            break
        make(tree, world, max(wanted, key=lambda call: (wanted[call], call_key(call))))
    return tree


def make(tree: Tree, world: SyntheticWorld, call: Call) -> None:
    if isinstance(call, Score):
        tree.scores[call] = world.scores(call)
    elif call.parent != ROOT and tree.steps[call.parent].terminal:
        tree.expand(call, ())
    else:
        tree.expand(call, world.steps(call))


def test_what_is_demanded_at_once_is_certain() -> None:
    ahead = rule(demand(grow(0), grow(1)), read(grow(0), grow(1)), stop())
    assert foreseen(ahead, Tree()) == {grow(0): 1.0, grow(1): 1.0}


def test_a_call_whose_prompt_does_not_exist_yet_is_no_candidate() -> None:
    ahead = rule(demand(grow(0), rate(0), grow(0, 0)), stop())
    assert foreseen(ahead, Tree()) == {grow(0): 1.0}


def test_a_text_that_has_come_makes_candidates_of_what_builds_on_it() -> None:
    tree = Tree()
    tree.expand(grow(0), [Step("a")])
    ahead = rule(demand(grow(0), rate(0)), read(grow(0), rate(0)), demand(grow(0, 0)), read(grow(0, 0)), stop())
    assert foreseen(ahead, tree) == {rate(0): 1.0, grow(0, 0): 1.0}


def test_what_has_a_result_is_no_candidate() -> None:
    tree = Tree()
    tree.expand(grow(0), [Step("a")])
    tree.scores[rate(0)] = (0.4,)
    assert foreseen(rule(demand(grow(0), rate(0)), read(grow(0), rate(0)), stop()), tree) == {}


def greedy(*paths: tuple[int, ...]) -> Decision:
    """Grow the best of some nodes."""

    def decide(tree: TreeView) -> Demand:
        best = max(paths, key=lambda path: tree.score(rate(*path))[0])
        return Demand((grow(*best, 0),))

    return decide


def test_branches_share_the_probability_of_being_the_best() -> None:
    tree = Tree()
    for index in (0, 1):
        tree.expand(grow(index), [Step("a", (1, 2, 3))])
    ahead = foreseen(rule(greedy((0,), (1,)), stop()), tree, Effort(64, 4))
    assert ahead[grow(0, 0)] + ahead[grow(1, 0)] == 1.0
    assert 0.2 < ahead[grow(0, 0)] < 0.8


def test_a_real_reward_settles_what_was_a_guess() -> None:
    tree = Tree()
    for index, reward in ((0, 0.0), (1, 1.0)):
        tree.expand(grow(index), [Step("a", (1, 2, 3))])
        tree.scores[rate(index)] = (reward,)
    assert foreseen(rule(greedy((0,), (1,)), stop()), tree) == {grow(1, 0): 1.0}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SEARCHES), st.sampled_from(SHAPES), st.integers(0, 99), st.integers(0, 25))
def test_probabilities_are_probabilities_of_calls_that_could_be_made_and_have_no_result(
    search: AnySearch, shape: Any, seed: int, calls: int
) -> None:
    tree = half_grown(SyntheticWorld(seed, shape), search, calls)
    for call, probability in foreseen(search, tree).items():
        assert 0.0 < probability <= 1.0
        assert call not in tree
        assert all(tree.exists(place) for place in (call.nodes if isinstance(call, Score) else (call.parent,)))


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SEARCHES), st.sampled_from(SHAPES), st.integers(0, 99), st.integers(0, 25))
def test_a_child_is_never_likelier_than_what_its_parent_waits_for(
    search: AnySearch, shape: Any, seed: int, calls: int
) -> None:
    ahead = foreseen(search, half_grown(SyntheticWorld(seed, shape), search, calls))
    for call, probability in ahead.items():
        if isinstance(call, Expand):
            # These searches grow a node after they have read its score, and siblings in order.
            assert probability <= ahead.get(Score((call.parent,)), 1.0)
            assert probability <= ahead.get(call._replace(index=call.index - 1), 1.0) or call.index == 0


@pytest.mark.parametrize("search", SEARCHES)
def test_the_same_innovations_give_the_same_probabilities(search: AnySearch) -> None:
    tree = half_grown(SyntheticWorld(3), search, 12)
    ahead = RunAhead(tree, Predictor(), 5)
    first = ahead.foresee(strands(search), EFFORT)
    assert [ahead.foresee(strands(search), EFFORT) for _ in range(3)] == [first] * 3
    assert RunAhead(tree, Predictor(), 5).foresee(strands(search), EFFORT) == first


def test_other_innovations_give_other_probabilities() -> None:
    tree = half_grown(SyntheticWorld(3), Mcts(8, 2), 12)
    assert len({tuple(foreseen(Mcts(8, 2), tree, seed=seed).items()) for seed in range(5)}) > 1


def test_a_decision_deeper_than_the_effort_is_not_seen() -> None:
    eights = [demand(*map(grow, range(first, first + 8))) for first in range(0, 48, 8)]
    assert len(foreseen(rule(*eights, stop()), Tree(), Effort(2, 4))) == 32


def test_of_decisions_that_demand_little_more_are_followed() -> None:
    ones = [demand(grow(index)) for index in range(48)]
    assert len(foreseen(rule(*ones, stop()), Tree(), Effort(2, 4))) == 32
    none = [decision for index in range(6) for decision in (demand(grow(index)), read(grow(index)))]
    assert len(foreseen(rule(*none, stop()), Tree(), Effort(2, 4))) == 6


def test_no_more_than_a_few_barren_decisions_are_followed() -> None:
    seen: list[int] = []

    def descend(tree: TreeView) -> Demand:
        seen.append(len(seen))
        return Demand((grow(*[0] * len(seen)),))

    foreseen(rule(descend), Tree(), Effort(1, 10_000))
    assert 1 < len(seen) < 50


def test_all_strands_are_run_ahead() -> None:
    ahead = foreseen(Dvts(6, 2), Tree())
    assert ahead == {Expand(ROOT, "step", index): 1.0 for index in range(6)}


@pytest.mark.parametrize("name", ["text", "token_ids", "end", "answer"])
def test_an_imagined_step_has_no_text_nor_anything_read_from_it(name: str) -> None:
    view = ImaginedTree(Tree(), Particle(1), Predictor(), {})
    with pytest.raises(Unknown) as unknown:
        getattr(view.step(node(0)), name)
    assert unknown.value.calls == ()


def test_imagined_log_probabilities_are_the_usual_ones_and_real_ones_put_back_what_read_them() -> None:
    predictor = Predictor()
    tree = Tree()
    view = ImaginedTree(tree, Particle(1), predictor, {})
    view.attempt(0)
    silent = view.step(node(0))
    assert silent.logprobs is None
    tree.expand(grow(0), [Step("a", (1,), terminal=silent.terminal)])
    assert view.put_back([grow(0)]) is None
    tree.expand(grow(0), [Step("a", (1,), (-1.0,), terminal=silent.terminal)])
    assert view.put_back([grow(0)]) == 0
    for logprob in (-1.0, -2.0):
        predictor.observe_step("step", Step("a", (1,), (logprob,)), 1)
    tree = Tree()
    view = ImaginedTree(tree, Particle(1), predictor, {})
    view.attempt(0)
    step = view.step(node(0))
    assert step.logprobs == (-1.5,) * step.token_count
    tree.expand(grow(0), [Step("a", (1, 2), (-0.5, -0.5), terminal=step.terminal)])
    assert view.put_back([grow(0)]) == 0


def test_an_imagined_solution_ends_as_often_as_solutions_have() -> None:
    predictor = Predictor()
    for _ in range(100):
        predictor.observe_step("solution", Step("a", (1,), terminal=True), 1)
        predictor.observe_step("step", Step("a", (1,)), 1)
    views = [ImaginedTree(Tree(), Particle(seed), predictor, {}) for seed in range(30)]
    assert sum(view.step(child(Expand(ROOT, "solution", 0))).terminal for view in views) > 25
    assert sum(view.step(node(0)).terminal for view in views) < 5


def test_an_imagined_state_is_like_no_other() -> None:
    view = ImaginedTree(Tree(), Particle(1), Predictor(), {})
    assert view.step(node(0)).state == view.step(node(0)).state
    assert view.step(node(0)).state != view.step(node(1)).state


def test_an_imagined_step_has_an_end_and_a_length() -> None:
    view = ImaginedTree(Tree(), Particle(1), Predictor(), {})
    imagined = [view.step(node(index)) for index in range(200)]
    assert 0 < sum(step.terminal for step in imagined) < 100
    assert all(step.token_count >= 1 for step in imagined)


def test_an_imagined_reward_is_a_reward_and_does_not_change() -> None:
    particle, view = Particle(1), None
    values = []
    for _ in range(2):
        view = ImaginedTree(Tree(), particle, Predictor(), {})
        values.append([view.score(rate(*[0] * depth))[0] for depth in range(1, 30)])
    assert values[0] == values[1]
    assert all(0.0 <= value <= 1.0 for value in values[0])


def test_a_score_of_several_nodes_is_imagined_for_each() -> None:
    view = ImaginedTree(Tree(), Particle(1), Predictor(), {})
    call = Score((node(0), node(1), ROOT))
    assert view.score(call) == (*view.score(rate(0)), *view.score(rate(1)), 0.5)


def reads_text(tree: TreeView) -> Demand:
    assert tree.step(node(0)).text
    return Demand((grow(1),))


def test_a_rule_that_needs_the_text_of_an_imagined_step_is_followed_up_to_there() -> None:
    assert foreseen(rule(demand(grow(0)), reads_text, stop()), Tree()) == {grow(0): 1.0}


def breaks(tree: TreeView) -> Stop:
    return Stop((child(grow(0), 1 // len(tree.children(grow(0))[1:])),))


@pytest.mark.parametrize("decision", [breaks, lambda tree: None])
def test_a_rule_that_breaks_on_imagined_results_is_followed_up_to_there(
    decision: Callable[[TreeView], Demand | Stop],
) -> None:
    assert foreseen(rule(demand(grow(0)), decision), Tree()) == {grow(0): 1.0}


class Spy(Predictor):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[Surroundings, float]] = []

    def observe_reward(self, action: str, step: Step, around: Surroundings, reward: float) -> None:
        self.told.append((around, reward))
        super().observe_reward(action, step, around, reward)


def test_a_score_is_learned_with_its_parents_and_its_siblings_rewards() -> None:
    tree, spy = Tree(), Spy()
    ahead = RunAhead(tree, spy, 1)
    for path, reward in (((0,), 0.75), ((0, 0), 0.5), ((0, 1), 0.25), ((0, 2), 1.0)):
        tree.expand(grow(*path), [Step("a", (1, 2))])
        tree.scores[rate(*path)] = (reward,)
        ahead.scored(node(*path), reward)
    assert spy.told == [
        (Surroundings(0.5, 1), 0.75),
        (Surroundings(0.75, 2, 0.0, 0), 0.5),
        (Surroundings(0.75, 2, 0.5, 1), 0.25),
        (Surroundings(0.75, 2, 0.75, 2), 1.0),
    ]


@pytest.mark.parametrize(
    "call", [rate(0, model="clusters"), Score((node(0),), "reward", 1), Score((node(0), node(1))), Score(())]
)
def test_what_is_not_a_nodes_reward_is_not_learned_as_one(call: Score) -> None:
    tree, spy = Tree(), Spy()
    ahead = RunAhead(tree, spy, 1)
    for index in (0, 1):
        tree.expand(grow(index), [Step("a", (1, 2))])
    tree.scores[call] = (0.75,) * len(call.nodes)
    ahead.learn(call)
    assert spy.told == []
    tree.scores[rate(0)] = (0.25,)
    ahead.learn(rate(0))
    assert spy.told == [(Surroundings(0.5, 1), 0.25)]


CLUSTERS = Score((node(0), node(1), node(0, 0)), "clusters")


def test_what_another_model_would_say_is_imagined_as_different_for_every_node() -> None:
    view = ImaginedTree(Tree(), Particle(1), Predictor(), {})
    imagined = view.score(CLUSTERS)
    assert len(set(imagined)) == 3
    assert all(0.0 <= value <= 1.0 for value in imagined)
    assert imagined == ImaginedTree(Tree(), Particle(2), Predictor(), {}).score(CLUSTERS)


def test_what_another_model_has_said_is_no_nodes_reward() -> None:
    tree = Tree()
    view = ImaginedTree(tree, Particle(1), Predictor(), {})
    before = view.score(rate(0))
    tree.expand(grow(0), [Step("a", (1, 2, 3))])
    tree.scores[rate(0, model="clusters")] = (0.0,)
    view.settle([grow(0), rate(0, model="clusters")])
    assert view.score(rate(0)) == before
    assert view.score(rate(0, model="clusters")) == (0.0,)


def test_only_decisions_that_have_read_it_go_back_when_another_model_answers() -> None:
    view = ImaginedTree(Tree(), Particle(1), Predictor(), {})
    view.attempt(3)
    view.score(rate(0))
    view.attempt(4)
    view.score(CLUSTERS)
    assert view.put_back([CLUSTERS]) == 4
    assert view.put_back([CLUSTERS._replace(index=1)]) is None
    assert view.put_back([rate(0)]) == 3


def test_an_unscored_parent_counts_as_its_nearest_scored_ancestor() -> None:
    tree, spy = Tree(), Spy()
    ahead = RunAhead(tree, spy, 1)
    for path in ((0,), (0, 0), (0, 0, 0), (1,), (1, 0)):
        tree.expand(grow(*path), [Step("a", (1, 2))])
    tree.scores[rate(0)] = (0.75,)
    ahead.scored(node(0, 0, 0), 0.5)
    ahead.scored(node(1, 0), 0.5)
    assert [around.parent for around, _ in spy.told] == [0.75, 0.5]


def test_imagined_rewards_are_spread_around_what_is_expected() -> None:
    tree = Tree()
    tree.expand(grow(0), [Step("a", (1, 2))])
    tree.scores[rate(0)] = (0.6,)
    predictor = Predictor()
    values = [
        ImaginedTree(tree, Particle(seed), predictor, {}).score(rate(0, index))[0]
        for seed in range(40)
        for index in range(5)
    ]
    expected = predictor.habits("step").of_imagined(0.6, 2)
    assert sum(values) / len(values) == pytest.approx(expected.mean, abs=0.05)
    assert sum(abs(value - expected.mean) for value in values) / len(values) == pytest.approx(0.16, abs=0.05)


def test_one_particle_is_one_world() -> None:
    tree = Tree()
    for index in (0, 1):
        tree.expand(grow(index), [Step("a", (1, 2, 3))])
    ahead = foreseen(rule(greedy((0,), (1,)), stop()), tree, Effort(1, 4))
    assert {ahead.get(grow(0, 0)), ahead.get(grow(1, 0))} == {1.0, None}
