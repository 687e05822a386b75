"""Tokens by what became of them."""

from __future__ import annotations

from typing import NamedTuple


class Tokens(NamedTuple):
    """Token counts of one class of work."""

    generated: int = 0
    prompt_cached: int = 0
    prompt_uncached: int = 0
    reward: int = 0

    def plus(self, other: Tokens) -> Tokens:
        # Several times a call: written out, it takes a quarter of the time of a loop.
        return Tokens(
            self.generated + other.generated,
            self.prompt_cached + other.prompt_cached,
            self.prompt_uncached + other.prompt_uncached,
            self.reward + other.reward,
        )

    def minus(self, other: Tokens) -> Tokens:
        return Tokens(
            self.generated - other.generated,
            self.prompt_cached - other.prompt_cached,
            self.prompt_uncached - other.prompt_uncached,
            self.reward - other.reward,
        )


class Usage(NamedTuple):
    """What a query or a run cost.

    `useful`: of demanded calls, in all attempts that were gone on with; `wasted`: of calls never
    demanded, and of stopped attempts whose tokens could not be kept; `lost`: of failed attempts.
    `replayed` repeats what of these came from a call log and cost the engine nothing.
    """

    useful: Tokens = Tokens()
    wasted: Tokens = Tokens()
    lost: Tokens = Tokens()
    replayed: Tokens = Tokens()

    def plus(self, other: Usage) -> Usage:
        return Usage(
            self.useful.plus(other.useful),
            self.wasted.plus(other.wasted),
            self.lost.plus(other.lost),
            self.replayed.plus(other.replayed),
        )

    @property
    def paid(self) -> Tokens:
        """What the engines were asked for in this process: everything but what was replayed."""
        total = self.useful.plus(self.wasted).plus(self.lost)
        return Tokens(*(all_ - old for all_, old in zip(total, self.replayed, strict=True)))
