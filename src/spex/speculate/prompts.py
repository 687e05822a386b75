"""What the prompts of calls cost an engine, learned from the calls that have ended.

The first calls of a problem have its whole prompt to compute, or to wait for; those behind a step have little more
than that step: what one kind costs says nothing of the other.
"""

from __future__ import annotations

from spex.speculate.lengths import Lengths


class Prompts:
    """Prompts of late: the tokens of them that were computed, and those that a cache had.

    depth: steps in a prompt (≥ 0).
    """

    def __init__(self) -> None:
        self._uncached = (Lengths(prior=0.0), Lengths(prior=0.0))
        self._cached = Lengths(prior=0.0)

    def observe(self, depth: int, uncached: float, cached: float) -> None:
        self._uncached[depth > 0].observe(uncached)
        self._cached.observe(cached)

    def knows(self, depth: int) -> bool:
        """Whether a call with such a prompt has ended."""
        return self._uncached[depth > 0].is_known

    def uncached(self, depth: int) -> float:
        """How many tokens of the next one are likely to be computed."""
        return self._uncached[depth > 0].mean

    def seconds(self, depth: int, uncached_token_seconds: float, cached_token_seconds: float) -> float:
        """What the next one costs, at so much a token."""
        return self.uncached(depth) * uncached_token_seconds + self._cached.mean * cached_token_seconds
