"""AB-MCTS widens or deepens as numbers drawn from its beliefs say."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId, Score, call_key, child
from spex.search.ab_mcts import AbMcts, Place, State
from spex.search.base import Demand, Stop
from spex.search.posteriors import NUMBERS_MAX, Beta, Gaussian, Posterior
from spex.seeds import strand_seed
from spex.testing import SHAPES, Run, Shape, SyntheticWorld, check_search, run_alone, shuffled
from spex.testing import World as AnyWorld
from spex.tree import Step
from tests.builders import grow, node
from tests.golden.adaptive import Adaptive
from tests.golden.world import Record, World
from tests.search.worlds import Drawn

FORMS = ["gaussian", "beta"]
NO_END = Shape("no end", terminal=0.0)
WIDEN, DEEPEN, OWN = range(3)


def states(run: Run) -> list[State]:
    found = [decided.state for decided in run.courses[0].decisions]
    return [state for state in found if isinstance(state, State)]


def places(run: Run) -> dict[NodeId, Place]:
    return {place.node: place for place in states(run)[-1].places.values()}


def widened(run: Run) -> list[Expand]:
    """What each iteration asked for."""
    demands = [decided.outcome for decided in run.courses[0].decisions if isinstance(decided.outcome, Demand)]
    assert all(demand.calls == (demand.calls[0], Score((child(demand.calls[0]),))) for demand in demands)  # type: ignore[arg-type]
    return [call for demand in demands for call in demand.calls if isinstance(call, Expand)]


def after(prior: Posterior, *rewards: float) -> Posterior:
    for reward in rewards:
        prior = prior.told(reward)
    return prior


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[tuple[int, int, int], float]], None]:
    """Loads the dice: what is drawn is the mean of the belief, but for (iteration, node, belief) with a quantile."""

    def load(quantiles: dict[tuple[int, int, int], float]) -> None:
        def draw(seed: int, strand: int, iteration: int, k: int) -> float:
            belief, number = divmod(k, NUMBERS_MAX)
            return quantiles.get((iteration, *divmod(belief, 3)), 0.5) if number == 0 else 0.5

        monkeypatch.setattr("spex.search.ab_mcts.draw", draw)

    return load


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("depth_max", [1, 2, 25])
def test_it_is_a_search_as_any_other(form: str, depth_max: int) -> None:
    check_search(AbMcts(16, form, depth_max))  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(
    st.builds(
        World,
        seed=st.integers(0, 10_000),
        levels=st.sampled_from([1, 2, 5, 33]),
        terminal_from=st.integers(1, 3),
        terminal=st.sampled_from([0, 25, 100]),
        barren=st.sampled_from([0, 30, 100]),
    ),
    st.integers(1, 24),
    st.sampled_from(FORMS),
    st.sampled_from([1, 2, 3, 25]),
    st.integers(0, 100),
)
def test_it_widens_the_nodes_that_a_restatement_from_all_rewards_widens(
    world: World, iterations: int, form: str, depth_max: int, seed: int
) -> None:
    record = Record(world)
    try:
        Adaptive(record, iterations, form, depth_max, strand_seed(seed, "alone", 0)).run()
    except ArithmeticError:
        assume(False)  # a near tie, which floats may decide either way

    class Restated:
        def steps(self, call: Expand) -> tuple[Step, ...]:
            known = [world.node(made) for made in world.children(call)]
            return tuple(Step("", terminal=made.terminal, answer=made.answer) for made in known)

        def scores(self, call: Score) -> tuple[float, ...]:
            return tuple(float(world.node(made).reward) for made in call.nodes)

    run = run_alone(AbMcts(iterations, form, depth_max), Restated(), seed=seed)  # type: ignore[arg-type]
    assert [call_key(call) for call in widened(run)] == [names[0] for names in record.decisions]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SHAPES), st.integers(1, 30), st.sampled_from(FORMS), st.integers(1, 4))
def test_every_iteration_makes_one_call_and_none_below_a_terminal_or_the_depth(
    seed: int, shape: Shape, iterations: int, form: str, depth_max: int
) -> None:
    run = run_alone(AbMcts(iterations, form, depth_max), SyntheticWorld(seed, shape))  # type: ignore[arg-type]
    calls = widened(run)
    assert len(calls) == len(set(calls)) == iterations
    assert not any(call.parent != ROOT and run.tree.steps[call.parent].terminal for call in calls)
    assert all(len(call.parent) < depth_max for call in calls)
    assert set(run.terminals) == set(run.tree.terminals())
    # Calls under one node are numbered on.
    for parent in {call.parent for call in calls}:
        indices = [call.index for call in calls if call.parent == parent]
        assert indices == list(range(len(indices)))


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_arrival_and_a_second_run_change_nothing(form: str) -> None:
    search = AbMcts(20, form)  # type: ignore[arg-type]
    first = run_alone(search, SyntheticWorld(4), seed=9)
    for number in range(20):
        assert widened(run_alone(search, SyntheticWorld(4), seed=9, order=shuffled(number))) == widened(first)
    assert widened(run_alone(search, SyntheticWorld(4), seed=10)) != widened(first)


def test_a_reward_is_told_to_widen_to_the_own_belief_and_up_the_path(
    loaded: Callable[[dict[tuple[int, int, int], float]], None],
) -> None:
    # Iterations 1, 2 and 4 deepen at the root, 2 at its first child as well; 3 widens the root.
    likely = [(1, 0, DEEPEN), (2, 0, DEEPEN), (2, 1, DEEPEN), (3, 0, WIDEN), (4, 0, DEEPEN), (4, 4, OWN)]
    loaded(dict.fromkeys(likely, 0.999))
    rewards = {node(0): 0.5, node(0, 0): 0.25, node(0, 0, 0): 1.0, node(1): 0.75, node(1, 0): 0.125}
    run = run_alone(AbMcts(5), Drawn(dict.fromkeys(rewards, "on"), rewards))
    assert widened(run) == [grow(0), grow(0, 0), grow(0, 0, 0), grow(1), grow(1, 0)]
    prior, found = Gaussian(), places(run)
    assert found[ROOT].widen == after(prior, 0.5, 0.75)
    assert found[ROOT].deepen == after(prior, 0.25, 1.0, 0.125)
    assert found[ROOT].own == prior
    assert found[node(0)][-3:] == (after(prior, 0.25), after(prior, 1.0), after(prior, 0.5, 0.25, 1.0))
    assert found[node(0, 0)][-3:] == (after(prior, 1.0), prior, after(prior, 0.25, 1.0))
    assert found[node(1)][-3:] == (after(prior, 0.125), prior, after(prior, 0.75, 0.125))
    assert found[node(1, 0)][-3:] == (prior, prior, after(prior, 0.125))


def test_what_is_drawn_decides_which_child_is_followed(
    loaded: Callable[[dict[tuple[int, int, int], float]], None],
) -> None:
    world = Drawn({node(place): "on" for place in range(3)}, {node(0): 0.5, node(1): 0.75, node(2): 0.75})
    loaded({(3, 0, DEEPEN): 0.999})
    assert widened(run_alone(AbMcts(4), world))[-1] == grow(1, 0), "of equal means the first"
    loaded({(3, 0, DEEPEN): 0.999, (3, 3, OWN): 0.6})
    assert widened(run_alone(AbMcts(4), world))[-1] == grow(2, 0)
    loaded({(3, 0, DEEPEN): 0.999, (3, 1, OWN): 0.99})
    assert widened(run_alone(AbMcts(4), world))[-1] == grow(0, 0)


def test_where_both_numbers_are_equal_the_node_is_widened(
    loaded: Callable[[dict[tuple[int, int, int], float]], None],
) -> None:
    loaded({})
    run = run_alone(
        AbMcts(4), Drawn({node(place): "on" for place in range(4)}, {node(place): 0.0 for place in range(4)})
    )
    assert widened(run) == [grow(0), grow(1), grow(2), grow(3)]
    assert places(run)[ROOT].widen.drawn(lambda _: 0.5) == places(run)[ROOT].deepen.drawn(lambda _: 0.5) == 0.0


def test_a_terminal_child_is_never_followed_and_counts_by_its_reward(
    loaded: Callable[[dict[tuple[int, int, int], float]], None],
) -> None:
    loaded({(iteration, number, DEEPEN): 0.999 for iteration in range(9) for number in range(9)})
    rewards = {node(0): 1.0, node(1): 0.25, node(1, 0): 0.5, node(1, 1): 0.5}
    states = {node(0): None, node(1): "on", node(1, 0): None, node(1, 1): None}
    run = run_alone(AbMcts(4), Drawn(states, rewards))
    assert widened(run) == [grow(0), grow(1), grow(1, 0), grow(1, 1)]
    assert places(run)[ROOT].widen == after(Gaussian(), 1.0, 0.25)
    assert places(run)[ROOT].kids == (2,)
    assert run.terminals == (node(0), node(1, 0), node(1, 1))


class Uneven:
    """The root's calls make no child, then two; all else makes one."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        return (Step(""),) * ((0, 2)[call.index] if call.parent == ROOT else 1)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple((0.25, 0.75)[made[-1].part] for made in call.nodes)


@pytest.mark.parametrize(("form", "prior"), [("gaussian", Gaussian()), ("beta", Beta())])
def test_a_widening_without_a_child_counts_as_a_reward_of_0_and_one_with_two_as_both(
    form: str, prior: Posterior, loaded: Callable[[dict[tuple[int, int, int], float]], None]
) -> None:
    loaded({})
    run = run_alone(AbMcts(2, form), Uneven())  # type: ignore[arg-type]
    found = places(run)
    assert found[ROOT].widen == after(prior, 0.0, 0.25, 0.75)
    assert [place.own for name, place in found.items() if name] == [after(prior, 0.25), after(prior, 0.75)]
    assert found[ROOT].kids == (1, 2)


@pytest.mark.parametrize("form", FORMS)
def test_the_way_to_the_high_rewards_is_followed(form: str) -> None:
    class TwoWays:
        """Below the root's second child all is good, elsewhere all is bad."""

        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step(""),)

        def scores(self, call: Score) -> tuple[float, ...]:
            return tuple(float(made[0].index == 1 and len(made) > 1) for made in call.nodes)

    shares = []
    for seed in range(10):
        calls = widened(run_alone(AbMcts(60, form), TwoWays(), seed=seed))  # type: ignore[arg-type]
        shares.append(sum(call.parent[:1] == node(1) for call in calls[30:]) / 30)
    assert sum(shares) / len(shares) > 0.6


def share_of_deepening(form: str, reward: float, seeds: int) -> float:
    """How often the second iteration goes down."""

    class Same:
        def steps(self, call: Expand) -> tuple[Step, ...]:
            return (Step(""),)

        def scores(self, call: Score) -> tuple[float, ...]:
            return (reward,)

    world: AnyWorld = Same()
    runs = (run_alone(AbMcts(2, form), world, seed=seed) for seed in range(seeds))  # type: ignore[arg-type]
    return sum(len(widened(run)[1].parent) for run in runs) / seeds


@pytest.mark.parametrize(("form", "neutral"), [("gaussian", 0.0), ("beta", 0.5)])
def test_widening_and_deepening_are_as_likely_where_the_first_reward_is_what_was_believed(
    form: str, neutral: float
) -> None:
    # Both beliefs are symmetric about the same mean.
    seeds = 1500
    assert abs(share_of_deepening(form, neutral, seeds) - 0.5) < 5 * sqrt(0.25 / seeds)
    assert share_of_deepening(form, 1.0, seeds) < 0.5 - 5 * sqrt(0.25 / seeds)


def test_asking_again_after_the_end_gives_the_same_end() -> None:
    search = AbMcts(4)
    course = run_alone(search, SyntheticWorld(0, NO_END)).courses[0]
    assert isinstance(course.state, State)
    assert isinstance(course.stop, Stop)
    assert search.advance(course.state, course.view)[1] == course.stop


def test_the_outlook_counts_iterations() -> None:
    search = AbMcts(5)
    course = run_alone(search, SyntheticWorld(0, NO_END)).courses[0]
    assert isinstance(course.state, State)
    assert search.outlook(search.start(0), course.view).answers == 5
    assert search.outlook(course.state, course.view).answers == 0


@pytest.mark.parametrize(
    ("field", "value"), [("iterations", 0), ("iterations", 65_537), ("posterior", "normal"), ("depth_max", 0)]
)
def test_a_bad_parameter_is_refused_with_its_name(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        AbMcts(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field
