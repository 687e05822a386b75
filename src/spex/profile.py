"""ℓ(b): seconds from token to token with b sequences running, as given and as learned."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from math import exp, log
from typing import Protocol


class Curve(Protocol):
    """ℓ(b) for b ≥ 1, in seconds, never falling in b."""

    def itl_seconds(self, running: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Affine:
    """ℓ(b) = base + slope·b."""

    base_seconds: float
    slope_seconds: float

    def itl_seconds(self, running: float) -> float:
        return self.base_seconds + self.slope_seconds * running


@dataclass(frozen=True, slots=True)
class Roofline:
    """ℓ(b) = memory + the greater of nothing and compute·(b − ridge): flat, then linear."""

    memory_seconds: float
    compute_seconds: float
    ridge: float

    def itl_seconds(self, running: float) -> float:
        return self.memory_seconds + max(0.0, running - self.ridge) * self.compute_seconds


@dataclass(frozen=True, slots=True)
class Scaled:
    """Another curve times a factor: what a wrong belief about an engine looks like."""

    curve: Curve
    factor: float

    def itl_seconds(self, running: float) -> float:
        return self.curve.itl_seconds(running) * self.factor


@dataclass(frozen=True, slots=True)
class Points:
    """Measured times at some numbers running, in rising order, with straight lines between them.

    `values`: pairs of a number running and its seconds a token, one at least, neither falling. Beyond the last it goes
    on as steeply as at its end or on average, whichever is more: a stretch that was flat need not go on for ever.
    """

    values: tuple[tuple[float, float], ...]

    def itl_seconds(self, running: float) -> float:
        first, last = self.values[0], self.values[-1]
        if running <= first[0] or len(self.values) == 1:
            return first[1]
        if running >= last[0]:
            return last[1] + max(_slope(self.values[-2], last), _slope(first, last)) * (running - last[0])
        high = bisect_right(self.values, running, key=_running)
        low = self.values[high - 1]
        return low[1] + _slope(low, self.values[high]) * (running - low[0])


def _running(point: tuple[float, float]) -> float:
    return point[0]


def _slope(low: tuple[float, float], high: tuple[float, float]) -> float:
    return (high[1] - low[1]) / (high[0] - low[0])


_KNOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 1536, 2048, 3072, 4096)
_LEAST_SECONDS = 1e-9  # something that takes no time has no logarithm
_SHARED_RATE = 0.05
_KNOT_RATE = 0.1
_KNOTS_FOLLOW_AFTER = 10


class LearnedCurve:
    """A curve that starts from a prior and follows what is observed.

    Log-linear corrections to the prior: one shared by all of the curve (a prior that is wrong
    by a factor is put right everywhere) and one a knot, interpolated between knots; beyond the last
    it rises as the prior does. Reading never falls in b: each knot is at least the one before.
    """

    def __init__(self, prior: Curve) -> None:
        self._prior = prior
        self._shared = 0.0
        self._offsets = [0.0] * len(_KNOTS)
        self._values = [0.0] * len(_KNOTS)
        self.observations: int = 0
        self._refresh()

    def itl_seconds(self, running: float) -> float:
        low, weight = _place(running)
        if weight == 0.0:
            return self._values[low] * (self._beyond(running) if running > _KNOTS[-1] else 1.0)
        return self._values[low] * (1 - weight) + self._values[low + 1] * weight

    def _beyond(self, running: float) -> float:
        last = max(self._prior.itl_seconds(_KNOTS[-1]), _LEAST_SECONDS)
        return max(1.0, self._prior.itl_seconds(running) / last)

    @property
    def level(self) -> float:
        """By what factor the whole curve has moved from its prior (1 at first)."""
        return exp(self._shared)

    def observe(self, running: float, itl_seconds: float, expected_seconds: float | None = None) -> None:
        """Learn from one sequence: its seconds per token while `running` sequences ran on average.

        `expected_seconds`: what this curve made of the numbers that ran, moment by moment. Where those varied it is
        less than ℓ at their mean, and to take that for news would bend a curve that is right. None: they did not.
        """
        if itl_seconds <= 0.0:
            return
        error = log(itl_seconds / (self.itl_seconds(running) if expected_seconds is None else expected_seconds))
        error = max(-1.0, min(1.0, error))
        self.observations += 1
        # The first observations move the whole curve, and knots follow later: a prior may be off by far, and a
        # dent where it was observed first would be read as a price of nothing.
        self._shared += max(_SHARED_RATE, 1.0 / self.observations) * error
        rate = _KNOT_RATE * min(1.0, (self.observations - 1) / _KNOTS_FOLLOW_AFTER)
        low, weight = _place(running)
        self._offsets[low] += rate * (1 - weight) * error
        if weight > 0.0:
            self._offsets[low + 1] += rate * weight * error
        self._refresh()

    def _refresh(self) -> None:
        highest = 0.0
        for position, knot in enumerate(_KNOTS):
            value = self._prior.itl_seconds(knot) * exp(self._shared + self._offsets[position])
            highest = max(highest, value)
            self._values[position] = max(highest, _LEAST_SECONDS)


def _place(running: float) -> tuple[int, float]:
    """The knot at or below `running`, and how far it is towards the next one (0 to 1)."""
    if running <= _KNOTS[0]:
        return 0, 0.0
    if running >= _KNOTS[-1]:
        return len(_KNOTS) - 1, 0.0
    low = bisect_right(_KNOTS, running) - 1
    return low, (running - _KNOTS[low]) / (_KNOTS[low + 1] - _KNOTS[low])
