"""Intrinsic confidence."""

from __future__ import annotations

import asyncio
from math import exp, inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Path, Progress, Scoring
from spex.errors import InputError, Misbehaving
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.confidence import Confidence
from spex.tree import Step


def step(*logprobs: float) -> Step:
    return Step("x" * len(logprobs), tuple(range(len(logprobs))), logprobs)


def confidence(reward: Confidence, *steps: Step) -> float:
    request = Scoring("p", Problem("2 + 2", id="sum-7"), (Path(Prompt(), steps),), "reward", 0)
    return asyncio.run(reward.score(request, Progress()))[0]


def test_it_is_the_geometric_mean_of_the_last_steps_token_probabilities() -> None:
    assert confidence(Confidence(), step(-9.0), step(-1.0, -2.0)) == pytest.approx(exp(-1.5))


def test_it_may_look_at_the_whole_path() -> None:
    assert confidence(Confidence(over="path"), step(-9.0), step(-1.0, -2.0)) == pytest.approx(exp(-4.0))


@given(st.lists(st.floats(-200, 0), min_size=1, max_size=10))
def test_it_lies_between_the_least_and_the_greatest_token_probability(logprobs: list[float]) -> None:
    value = confidence(Confidence(), step(*logprobs))
    assert exp(min(logprobs)) * 0.999 <= value <= min(1.0, exp(max(logprobs)) * 1.001)


def test_an_impossible_token_leaves_no_confidence() -> None:
    assert confidence(Confidence(), step(-1.0, -inf)) == 0.0


def test_what_rounding_puts_above_one_counts_as_certain() -> None:
    assert confidence(Confidence(), step(1e-6, 0.0)) == 1.0


@pytest.mark.parametrize("steps", [(), (Step(""),), (Step("", (), ()),)])
def test_no_tokens_give_no_confidence(steps: tuple[Step, ...]) -> None:
    assert confidence(Confidence(), *steps) == 0.0


@pytest.mark.parametrize("logprobs", [None, (), (-1.0,), (-1.0, -1.0, -1.0)])
def test_missing_log_probabilities_name_reward_problem_and_step(logprobs: tuple[float, ...] | None) -> None:
    with pytest.raises(
        Misbehaving, match=r"confidence: expected 2 token log-probabilities .* problem 'sum-7', step 2, got"
    ):
        confidence(Confidence(), step(-1.0), Step("xx", (1, 2), logprobs))


@pytest.mark.parametrize("wrong", [nan, inf, 0.5])
def test_a_number_that_is_no_log_probability_is_misbehaviour(wrong: float) -> None:
    with pytest.raises(Misbehaving, match="log-probabilities of 0 or less for problem 'sum-7', step 1"):
        confidence(Confidence(over="path"), step(-1.0, wrong), step(-1.0))


def test_a_wrong_step_before_the_last_does_not_matter_to_the_last() -> None:
    assert confidence(Confidence(), step(nan), step(0.0)) == 1.0


def test_another_span_is_bad_input() -> None:
    with pytest.raises(InputError, match="over: 'line' is not valid; it must be step or path"):
        Confidence(over="line")  # type: ignore[arg-type]
