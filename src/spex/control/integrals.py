"""What a lane has seen go by: integrals over its time, of which each job's are a difference of two readings."""

from __future__ import annotations

import asyncio
from math import exp

from spex.profile import LearnedCurve
from spex.speculate.lengths import Lengths


class Integrals:
    """`area`: of the number running. `expected_tokens`: of 1/ℓ, at the level of the curve's prior.

    `stalled_seconds`: for so long nobody gets a token yet, for prompts are read. `demanded_of_late`: the demanded ones
    that ran, over about a text's life.
    """

    def __init__(self) -> None:
        self.area: float = 0.0
        self.expected_tokens: float = 0.0
        self.stalled_seconds: float = 0.0
        self.demanded_of_late: float = 0.0
        self._at_seconds = 0.0

    def advance(self, on_engine: int) -> float:
        """So many have run on the engine since the last time; the seconds since then."""
        now = asyncio.get_running_loop().time()
        elapsed, self._at_seconds = now - self._at_seconds, now
        self.area += on_engine * elapsed
        return elapsed

    def expect(self, elapsed: float, on_engine: int, demanded: int, profile: LearnedCurve, lengths: Lengths) -> None:
        """What is to be expected of those seconds; `demanded` of ours ran."""
        stalled = min(elapsed, self.stalled_seconds)
        self.stalled_seconds -= stalled
        itl_seconds = profile.itl_seconds(max(1, on_engine))
        # At the level of the prior: when the level moves, what ran meanwhile is not to be counted as news again.
        self.expected_tokens += (elapsed - stalled) * profile.level / itl_seconds
        lived = 1.0 - exp(-elapsed / (lengths.mean * itl_seconds))
        self.demanded_of_late += lived * (demanded - self.demanded_of_late)
