"""Published stopping rules, beside ours.

`Paper` (SPEX, arXiv 2605.10195): n ≥ t answers and conf₁ − conf₂ > α · left · w̄₂, where conf₁ and conf₂ are the
summed rewards of the best two answers, w̄₂ is the runner-up's mean reward, `left` the answers expected; α = 0.5.
Its t is not published; ours is 3. `AdaptiveConsistency` (Aggarwal et al. 2023, "Let's sample step by step"): with
v₁ and v₂ votes for the first two answers, P(p > ½) under Beta(v₁ + 1, v₂ + 1) above the threshold 0.95.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, fsum

from spex.errors import InputError
from spex.speculate.standing import Standing


@dataclass(frozen=True, slots=True)
class Paper:
    """The published SPEX's rule. `alpha` is from 0 to 100, `answers_min` (t) at least 1. Raises `InputError`."""

    alpha: float = 0.5
    answers_min: int = 3

    def __post_init__(self) -> None:
        if type(self.alpha) not in (int, float) or not 0 <= self.alpha <= 100:
            raise InputError("stop_early", self.alpha, "the alpha of paper must be a number from 0 to 100")
        if type(self.answers_min) is not int or self.answers_min < 1:
            raise InputError("stop_early", self.answers_min, "the answers_min of paper must be a whole number from 1")

    @property
    def name(self) -> str:
        return f"paper:{self.alpha:g}"

    def stops(self, standing: Standing) -> bool:
        if standing.answers < self.answers_min:
            return False
        rewards = [[ballot.score for ballot in candidate.ballots] for candidate in standing.candidates]
        first, second = sorted((*rewards, []), key=fsum, reverse=True)[:2]
        mean = fsum(second) / len(second) if second else 0.0
        return fsum(first) - fsum(second) > self.alpha * standing.expected_left * mean


@dataclass(frozen=True, slots=True)
class AdaptiveConsistency:
    """Adaptive-Consistency's Beta criterion. `threshold` is from 0.5 to 1 (not 1 itself). Raises `InputError`."""

    threshold: float = 0.95

    def __post_init__(self) -> None:
        if type(self.threshold) not in (int, float) or not 0.5 <= self.threshold < 1.0:
            raise InputError(
                "stop_early",
                self.threshold,
                "the threshold of adaptive-consistency must be a number from 0.5 to below 1",
            )

    @property
    def name(self) -> str:
        return f"adaptive-consistency:{self.threshold:g}"

    def stops(self, standing: Standing) -> bool:
        votes = sorted((len(candidate.ballots) for candidate in standing.candidates), reverse=True)
        first, second, *_ = (*votes, 0, 0)
        return leads(first, second) > self.threshold


def leads(first: int, second: int) -> float:
    """P(p > ½) for p of Beta(first + 1, second + 1): that so many fair coins show at most `first` heads."""
    coins = first + second + 1
    return sum(comb(coins, heads) for heads in range(first + 1)) / (1 << coins)
