"""What the texts of one action are usually like: their rewards, their ends, lengths and log-probabilities.

Rewards: linear regression on the parent's reward, the depth, the step's mean and least token log-probability, its
length and its scored siblings. Two models: one for texts that exist, one for imagined nodes, of which only parent and
depth are known. The prior is "as the parent". Ends: a hazard for each depth, Beta prior.
"""

from __future__ import annotations

from collections import defaultdict
from math import exp, log, log1p, sqrt
from typing import NamedTuple

from spex.speculate.linear_model import LinearModel
from spex.tree import Step

_HAZARD_PRIOR = 0.1
_HAZARD_WEIGHT = 4.0


class Surroundings(NamedTuple):
    """What is known around a node: its parent's reward, its depth, its scored siblings."""

    parent: float
    depth: int
    siblings: float = 0.0
    sibling_count: int = 0


class Estimate(NamedTuple):
    """A reward expected at `mean`, give or take `spread` (one standard deviation)."""

    mean: float
    spread: float


class Habits:
    """Learned from one result at a time; deterministic in their order."""

    def __init__(self) -> None:
        self._read = LinearModel((0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
        self._imagined = LinearModel((0.0, 1.0, 0.0))
        self._ends: defaultdict[int, float] = defaultdict(float)
        self._steps: defaultdict[int, float] = defaultdict(float)
        self._log_lengths = LogLengths()
        self._logprobs, self._told = 0.0, 0

    def of_text(self, step: Step, around: Surroundings) -> Estimate:
        """The reward of a step whose text is there."""
        return Estimate(self._read.mean(_features(step, around)), self._read.spread)

    def of_imagined(self, parent: float, depth: int) -> Estimate:
        """The reward of a step that does not exist yet."""
        constant, slope, deeper = self._imagined.weights
        return Estimate(constant + slope * parent + deeper * depth / 10.0, self._imagined.spread)

    def hazard(self, depth: int) -> float:
        """The probability that a step at `depth` (≥ 1) ends its path."""
        prior = _HAZARD_PRIOR * _HAZARD_WEIGHT
        return (self._ends[depth] + prior) / (self._steps[depth] + _HAZARD_WEIGHT)

    def length(self, z: float) -> int:
        """A step's tokens at `z` standard deviations of their logarithm."""
        return self._log_lengths.at(z)

    @property
    def logprob(self) -> float | None:
        """The mean log-probability of a token; None where the engine has told none."""
        return self._logprobs / self._told if self._told else None

    def observe_step(self, step: Step, depth: int) -> None:
        """A text has come in."""
        self._steps[depth] += 1.0
        self._ends[depth] += float(step.terminal)
        self._log_lengths.observe(step.token_count)
        if step.logprobs:
            self._logprobs += _log_probabilities(step.logprobs)[0]
            self._told += 1

    def observe_reward(self, step: Step, around: Surroundings, reward: float) -> float:
        """A text has been scored; what was expected."""
        features = _features(step, around)
        expected = self._read.mean(features)
        self._read.observe(features, reward)
        self._imagined.observe((1.0, around.parent, around.depth / 10.0), reward)
        return expected


class LogLengths:
    """Mean and spread of the logarithm of step lengths in tokens."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 2.0, 2.0 * log(64.0), 2.0 * (log(64.0) ** 2 + 0.25)
        self._mean, self._spread = log(64.0), 0.5

    def observe(self, tokens: int) -> None:
        value = log(max(1, tokens))
        self._count += 1.0
        self._sum += value
        self._squares += value * value
        self._mean = self._sum / self._count
        self._spread = sqrt(max(0.0, self._squares / self._count - self._mean * self._mean))

    def at(self, z: float) -> int:
        return max(1, round(exp(self._mean + min(3.0, z) * self._spread)))


def _features(step: Step, around: Surroundings) -> tuple[float, ...]:
    mean, least = _log_probabilities(step.logprobs)
    siblings = around.siblings / around.sibling_count - around.parent if around.sibling_count else 0.0
    length = log1p(step.token_count) - 4.0
    return (1.0, around.parent, around.depth / 10.0, mean, least, length, siblings)


def _log_probabilities(logprobs: tuple[float, ...] | None) -> tuple[float, float]:
    """Mean and least log-probability, scaled to about one; zeros where the engine gives none.

    Whatever an engine calls a log-probability is brought into the range of one.
    """
    if not logprobs:
        return 0.0, 0.0
    mean, least = sum(logprobs) / len(logprobs), min(logprobs)
    return min(0.0, max(-5.0, mean)), min(0.0, max(-20.0, least)) / 10.0
