"""Beliefs are what Bayes' rule makes of the rewards, and numbers are drawn as they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import asin, atan, erf, exp, inf, isfinite, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.search.posteriors import NUMBERS_MAX, Beta, Gaussian, Posterior, gamma, normal
from spex.seeds import draw

REWARDS = st.lists(st.fractions(0, 1, max_denominator=1000), max_size=30)
DRAWS = 4000
# 5 standard errors, and for distribution functions what one run in 50,000 exceeds. The draws are keyed: no run differs.
ERRORS = 5.0
DISTANCE_MAX = 2.4 / sqrt(DRAWS)


def told(belief: Posterior, rewards: Iterable[float | Fraction]) -> Posterior:
    for reward in rewards:
        belief = belief.told(float(reward))
    return belief


def many(number: Callable[[Callable[[int], float]], float]) -> list[float]:
    return sorted(number(lambda k, place=place: draw(11, 0, place, k)) for place in range(DRAWS))  # type: ignore[misc]


def distance(values: Sequence[float], distribution: Callable[[float], float]) -> float:
    """The greatest distance of the share of values up to x from the distribution function (Kolmogorov)."""
    count = len(values)
    return max(
        max(abs(distribution(value) - place / count), abs(distribution(value) - (place + 1) / count))
        for place, value in enumerate(values)
    )


@given(REWARDS)
def test_a_gaussian_belief_is_the_posterior_of_all_rewards_at_once(rewards: list[Fraction]) -> None:
    count = len(rewards)
    average = sum(rewards, Fraction(0)) / max(1, count)
    around = sum(((reward - average) ** 2 for reward in rewards), Fraction(0))
    scatter = Fraction(1, 10) + around + Fraction(count, count + 1) * average**2
    expected = Gaussian(float(count * average / (count + 1)), count + 1.0, count + 1.0, float(scatter))
    assert told(Gaussian(), rewards) == pytest.approx(expected)


@given(REWARDS)
def test_a_beta_belief_counts_rewards_and_what_they_lack(rewards: list[Fraction]) -> None:
    total = sum(rewards, Fraction(0))
    expected = Beta(0.5 + float(total), 0.5 + float(len(rewards) - total))
    assert told(Beta(), rewards) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [0.25, 0.5, 1.0, 1.5, 3.0, 16.5, 200.0])
def test_gamma_numbers_have_the_mean_and_the_variance_of_their_shape(shape: float) -> None:
    values = many(lambda chance: gamma(shape, chance, 0))
    mean = sum(values) / DRAWS
    variance = sum((value - mean) ** 2 for value in values) / DRAWS
    assert abs(mean - shape) < ERRORS * sqrt(shape / DRAWS)
    # The fourth central moment is shape²·(3 + 6/shape).
    assert abs(variance - shape) < ERRORS * sqrt(shape**2 * (2.0 + 6.0 / shape) / DRAWS)


@pytest.mark.parametrize(
    ("shape", "distribution"),
    [
        (0.5, lambda x: erf(sqrt(x))),
        (1.0, lambda x: 1.0 - exp(-x)),
        (2.0, lambda x: 1.0 - exp(-x) * (1.0 + x)),
        (3.0, lambda x: 1.0 - exp(-x) * (1.0 + x + x * x / 2.0)),
    ],
)
def test_gamma_numbers_are_distributed_as_they_should_be(shape: float, distribution: Callable[[float], float]) -> None:
    assert distance(many(lambda chance: gamma(shape, chance, 0)), distribution) < DISTANCE_MAX


def student(degrees: float, x: float) -> float:
    """Student's distribution function where it has a simple form."""
    if degrees == 1:
        return 0.5 + atan(x) / pi
    if degrees == 2:
        return 0.5 + x / (2.0 * sqrt(2.0 + x * x))
    share = x / sqrt(1.0 + x * x / 4.0)
    return 0.5 + 0.375 * share * (1.0 - x * x / (12.0 * (1.0 + x * x / 4.0)))


@pytest.mark.parametrize("rewards", [(), (0.75,), (1.0, 0.0, 0.5)])
def test_means_drawn_from_a_gaussian_belief_have_students_distribution(rewards: tuple[float, ...]) -> None:
    belief = told(Gaussian(), rewards)
    assert isinstance(belief, Gaussian)
    scale = sqrt(belief.scatter / belief.nu / belief.kappa)
    values = many(belief.drawn)
    assert distance(values, lambda x: student(belief.nu, (x - belief.mean) / scale)) < DISTANCE_MAX


@pytest.mark.parametrize(
    ("rewards", "distribution"),
    [
        ((), lambda x: 2.0 / pi * asin(sqrt(x))),
        ((0.5,), lambda x: x),
        ((0.5, 1.0), lambda x: x * x),
        ((0.5, 1.0, 0.0), lambda x: x * x * (3.0 - 2.0 * x)),
    ],
)
def test_means_drawn_from_a_beta_belief_are_distributed_as_they_should_be(
    rewards: tuple[float, ...], distribution: Callable[[float], float]
) -> None:
    assert distance(many(told(Beta(), rewards).drawn), distribution) < DISTANCE_MAX


def test_a_wrong_distribution_would_be_found() -> None:
    values = many(Beta(1.0, 1.0).drawn)
    assert distance(values, lambda x: x**1.2) > DISTANCE_MAX


@pytest.mark.parametrize("belief", [Gaussian(), Beta()])
def test_a_belief_narrows_with_what_it_is_told(belief: Posterior) -> None:
    spreads = []
    for count in (4, 16, 64, 256):
        values = many(told(belief, [0.25, 0.75] * (count // 2)).drawn)
        spreads.append(values[DRAWS * 3 // 4] - values[DRAWS // 4])
    assert all(wide > 1.5 * narrow for wide, narrow in pairwise(spreads))


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2.0**-53, 1.0])
@pytest.mark.parametrize("belief", [Gaussian(), Gaussian(nu=2.0), Beta(), Beta(5.0, 7.0)])
def test_chance_at_its_ends_gives_a_number_after_64_rejections_at_most(belief: Posterior, uniform: float) -> None:
    asked: set[int] = set()

    def chance(k: int) -> float:
        asked.add(k)
        return uniform

    assert isfinite(belief.drawn(chance))
    assert asked <= set(range(NUMBERS_MAX))


def test_a_proposal_that_is_always_rejected_ends_with_its_mode() -> None:
    asked: list[int] = []

    def chance(k: int) -> float:
        asked.append(k)
        return 0.0

    assert gamma(1.0, chance, 0) == pytest.approx(2.0 / 3.0)
    assert len(asked) == 64


@pytest.mark.parametrize("belief", [Gaussian(), Gaussian(nu=4.0), Beta(), Beta(3.0, 4.0)])
def test_a_draw_uses_no_number_twice(belief: Posterior) -> None:
    for place in range(200):
        asked: list[int] = []

        def chance(k: int, place: int = place, asked: list[int] = asked) -> float:
            asked.append(k)
            return draw(3, 0, place, k)

        belief.drawn(chance)
        assert len(set(asked)) == len(asked)


def test_normal_numbers_are_quantiles() -> None:
    assert normal(0.5) == 0.0
    assert normal(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert -inf < normal(0.0) < normal(1.0) < inf
