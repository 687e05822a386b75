"""How much of the work on guesses is kept: what is stopped for want of room may be lost, to be done again.

Where an engine keeps no tokens a guess is worth its probability times the chance that it is let run to its end.
"""

from __future__ import annotations

_PRIOR_TOKENS = 128.0
_MEMORY = 0.99


class Losses:
    """Tokens of guesses that were lost of late, and those that were not."""

    def __init__(self) -> None:
        self._lost = 0.0
        self._kept = 0.0

    def lose(self, tokens: float) -> None:
        """A guess was stopped, with so many."""
        self._lost += tokens

    def keep(self, tokens: float) -> None:
        """One was demanded, or came to its end, with so many."""
        self._kept += tokens

    def age(self) -> None:
        """A text has ended: what was before counts less, so that one learns anew where nothing is bought any more."""
        self._lost *= _MEMORY
        self._kept *= _MEMORY

    @property
    def kept_share(self) -> float:
        """In (0, 1]; 1 before anything was lost."""
        kept = self._kept + _PRIOR_TOKENS
        return kept / (kept + self._lost)
