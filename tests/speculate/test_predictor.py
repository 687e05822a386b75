"""What is learned of rewards, ends and lengths."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.speculate.habits import Habits, Surroundings
from spex.speculate.linear_model import LinearModel
from spex.speculate.predictor import Predictor
from spex.tree import Step


def step(logprob: float = -1.0, tokens: int = 10, terminal: bool = False) -> Step:
    return Step("a thought", tuple(range(tokens)), (logprob,) * tokens, terminal=terminal)


def linear(parent: float, logprob: float) -> float:
    """A reward that can be learned exactly."""
    return 0.5 * parent + 0.3 + 0.1 * logprob


def test_before_any_reward_a_node_is_expected_to_score_as_its_parent() -> None:
    habits = Habits()
    assert habits.of_text(step(), Surroundings(0.3, 2)).mean == pytest.approx(0.3)
    assert habits.of_imagined(0.3, 2).mean == pytest.approx(0.3)


@settings(max_examples=20)
@given(st.lists(st.floats(-1 / 3, 1 / 3), min_size=3, max_size=3))  # rewards span 1, and so do these
def test_a_linear_model_learns_what_is_linear(weights: list[float]) -> None:
    random = Random(1)
    model = LinearModel((0.0, 0.0, 0.0))
    told = [(1.0, random.random(), random.random()) for _ in range(600)]
    truth = [sum(weight * feature for weight, feature in zip(weights, features, strict=True)) for features in told]
    for features, value in zip(told, truth, strict=True):
        model.observe(features, value)
    errors = [abs(model.mean(features) - value) for features, value in zip(told, truth, strict=True)]
    assert sum(errors) / len(errors) < 0.05


def test_a_reward_that_is_linear_in_the_log_probability_is_learned() -> None:
    random = Random(2)
    habits = Habits()
    for _ in range(400):
        parent, logprob = random.random(), -2 * random.random()
        habits.observe_reward(step(logprob), Surroundings(parent, 1), linear(parent, logprob))
    for parent, logprob in [(0.1, -0.1), (0.5, -1.0), (0.9, -1.9)]:
        expected = habits.of_text(step(logprob), Surroundings(parent, 1))
        assert expected.mean == pytest.approx(linear(parent, logprob), abs=0.02)


def test_what_is_learned_is_measured_against_the_trivial_guesses() -> None:
    random = Random(3)
    predictor = Predictor()
    for _ in range(300):
        parent, logprob = random.random(), -2 * random.random()
        predictor.observe_reward("step", step(logprob), Surroundings(parent, 1), linear(parent, logprob))
    assert predictor.errors.count == 300
    assert predictor.errors.learned < 0.2 * min(predictor.errors.parent, predictor.errors.constant)


def test_the_spread_comes_to_that_of_the_noise() -> None:
    random = Random(4)
    habits = Habits()
    for _ in range(2000):
        parent = random.random()
        habits.observe_reward(step(), Surroundings(parent, 1), parent + random.gauss(0, 0.05))
    assert habits.of_imagined(0.5, 1).spread == pytest.approx(0.05, abs=0.02)


@given(
    logprobs=st.none() | st.lists(st.floats(-1e300, 0), max_size=5).map(tuple),
    reward=st.floats(0, 1),
    around=st.builds(Surroundings, st.floats(0, 1), st.integers(1, 30), st.floats(0, 3), st.integers(0, 3)),
)
def test_no_step_upsets_the_predictor(logprobs: tuple[float, ...] | None, reward: float, around: Surroundings) -> None:
    habits = Habits()
    odd = Step("", tuple(range(len(logprobs or ()))), logprobs)
    for _ in range(3):
        habits.observe_reward(odd, around, reward)
    estimate = habits.of_text(odd, around)
    assert -10 < estimate.mean < 10
    assert 0 < estimate.spread < 10


@pytest.mark.parametrize("logprob", [float("-inf"), float("nan"), float("inf"), 3.0])
def test_a_log_probability_that_is_none_is_lived_with(logprob: float) -> None:
    habits = Habits()
    for parent in [0.2, 0.5, 0.8] * 50:
        habits.observe_reward(step(logprob), Surroundings(parent, 1), 0.7)
        habits.observe_reward(step(-1.0), Surroundings(parent, 1), 0.4)
    assert habits.of_text(step(-1.0), Surroundings(0.5, 1)).mean == pytest.approx(0.4, abs=0.1)
    assert habits.of_text(step(logprob), Surroundings(0.5, 1)).mean == pytest.approx(0.7, abs=0.1)


def test_hazards_are_learned_for_each_depth() -> None:
    habits = Habits()
    for number in range(400):
        habits.observe_step(step(terminal=number % 4 == 0), 3)
        habits.observe_step(step(), 2)
    assert habits.hazard(3) == pytest.approx(0.25, abs=0.02)
    assert habits.hazard(2) == pytest.approx(0.0, abs=0.02)
    assert habits.hazard(9) == pytest.approx(0.1)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), max_size=50), st.integers(1, 9))
def test_a_hazard_is_a_probability(seen: list[tuple[bool, int]], depth: int) -> None:
    habits = Habits()
    for terminal, at in seen:
        habits.observe_step(step(terminal=terminal), at)
    assert 0.0 < habits.hazard(depth) < 1.0


def test_lengths_are_log_normal_around_those_seen() -> None:
    habits = Habits()
    for tokens in [50, 100, 200] * 100:
        habits.observe_step(step(tokens=tokens), 1)
    assert habits.length(0.0) == pytest.approx(100, rel=0.05)
    assert habits.length(-1.0) < habits.length(0.0) < habits.length(1.0)


@given(st.lists(st.integers(0, 10**6), max_size=20), st.floats(-10, 10))
def test_an_imagined_length_is_at_least_a_token(lengths: list[int], z: float) -> None:
    habits = Habits()
    for tokens in lengths:
        habits.observe_step(Step("", (0,) * min(tokens, 1000)), 1)
    assert habits.length(z) >= 1


def test_the_same_observations_make_the_same_predictor() -> None:
    def taught() -> list[float]:
        random = Random(5)
        habits = Habits()
        for _ in range(50):
            around = Surroundings(random.random(), 2, random.random(), 1)
            habits.observe_reward(step(-random.random()), around, random.random())
        return habits._read.weights + habits._imagined.weights

    assert taught() == taught()


def test_each_action_has_habits_of_its_own() -> None:
    predictor = Predictor()
    for _ in range(200):
        predictor.observe_step("solution", step(tokens=500, terminal=True), 1)
        predictor.observe_step("step", step(tokens=20), 1)
        predictor.observe_reward("solution", step(), Surroundings(0.5, 1), 0.2)
    whole, one = predictor.habits("solution"), predictor.habits("step")
    assert whole.hazard(1) > 0.9
    assert one.hazard(1) < 0.1
    assert whole.length(0.0) > 300
    assert one.length(0.0) < 40
    assert whole.of_imagined(0.5, 1).mean == pytest.approx(0.2, abs=0.02)
    assert one.of_imagined(0.5, 1).mean == 0.5


def test_the_usual_log_probability_is_the_mean_of_those_told() -> None:
    habits = Habits()
    assert habits.logprob is None
    habits.observe_step(Step("", (1,)), 1)
    assert habits.logprob is None
    for logprob in (-1.0, -2.0):
        habits.observe_step(step(logprob), 1)
    assert habits.logprob == pytest.approx(-1.5)
