"""Token-level speculation as an engine does it by itself: what drafts, and what becomes of seeds and texts by that.

Beside SPEX it is another ℓ(b): tokens come in lumps, sooner on average, and SPEX speculates on whole steps above it.
Verified drafts leave the distribution of texts as it was; they do not leave the text of a seed as it was. What is drawn
where a draft is accepted or not depends on the draft, so that a text goes on from its tokens differently than in one
go; and where drafts are taken from what other requests wrote (SGLang's n-grams, vLLM's suffixes), or their number
follows the load, equal requests give other texts each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spex.errors import InputError

if TYPE_CHECKING:
    from spex.engine.base import SeedKind


@dataclass(frozen=True, slots=True)
class Drafts:
    """How an engine drafts. `method` is its own word; `tokens`: drafted at once (≥ 1), None where it does not tell.

    alone: what is drafted for a request depends on that request alone, as far as is known. greedy_only: known to write
    wrong texts above temperature 0; `remedy` says what to start it without.
    """

    method: str
    tokens: int | None = None
    alone: bool = False
    greedy_only: bool = False
    remedy: str = ""

    def __str__(self) -> str:
        return self.method if self.tokens is None else f"{self.method}, {self.tokens} tokens at once"

    def seed(self, without: SeedKind) -> SeedKind:
        """What seeds are with drafts, where they are `without` otherwise: never positional."""
        return "whole" if self.alone and without != "none" else "none"

    def check(self, temperature: float) -> None:
        """Raises `InputError` for a temperature (≥ 0) at which texts would be wrong."""
        if self.greedy_only and temperature > 0.0:
            raise InputError("temperature", temperature, f"its drafts ({self.method}) are wrong above 0: {self.remedy}")
