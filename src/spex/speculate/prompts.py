"""What the prompts of calls cost an engine, learned from the calls that have ended.

The first calls of a problem have its whole prompt to compute, or to wait for; those behind a step have little more
than that step, and scores have prompts of their own: what one kind costs says nothing of the others.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from spex.speculate.lengths import Lengths

Kind: TypeAlias = Literal["problem", "step", "score"]


class Prompts:
    """Prompts of late, by their kind: the tokens of them that were computed, and those that a cache had."""

    def __init__(self) -> None:
        self._uncached = {kind: Lengths(prior=0.0) for kind in get_args(Kind)}
        self._cached = {kind: Lengths(prior=0.0) for kind in get_args(Kind)}

    def observe(self, kind: Kind, uncached: float, cached: float) -> None:
        self._uncached[kind].observe(uncached)
        self._cached[kind].observe(cached)

    def knows(self, kind: Kind) -> bool:
        """Whether a call of that kind has ended."""
        return self._uncached[kind].is_known

    def uncached(self, kind: Kind) -> float:
        """How many tokens of the next one are likely to be computed."""
        return self._uncached[kind].mean

    def seconds(self, kind: Kind, uncached_token_seconds: float, cached_token_seconds: float) -> float:
        """What the next one costs, at so much a token."""
        return self.uncached(kind) * uncached_token_seconds + self._cached[kind].mean * cached_token_seconds
