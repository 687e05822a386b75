"""What the prompt of one more call costs an engine, learned from the calls that have ended."""

from __future__ import annotations

from spex.speculate.lengths import Lengths


class Prompts:
    """Prompts of late: the tokens of them that were computed, and those that a cache had."""

    def __init__(self) -> None:
        self._uncached = Lengths(prior=0.0)
        self._cached = Lengths(prior=0.0)

    def observe(self, uncached: float, cached: float) -> None:
        self._uncached.observe(uncached)
        self._cached.observe(cached)

    def cached_seconds(self, token_seconds: float) -> float:
        """What the cached part of the next one costs, at so much a token."""
        return self._cached.mean * token_seconds

    def seconds(self, uncached_token_seconds: float, cached_token_seconds: float) -> float:
        """What the next one costs."""
        return self._uncached.mean * uncached_token_seconds + self.cached_seconds(cached_token_seconds)
