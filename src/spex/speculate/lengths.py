"""How long a piece of work still takes, learned from those that have ended."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque

_KEPT = 256
_PRIOR = 64.0


class Lengths:
    """The lengths of the last 256 texts (tokens) and what they say of one that still runs."""

    def __init__(self, prior: float = _PRIOR) -> None:
        self._recent: deque[float] = deque(maxlen=_KEPT)
        self._sorted: list[float] = []
        self._total = 0.0
        self._prior = prior

    def observe(self, length: float) -> None:
        if len(self._recent) == _KEPT:
            self._sorted.remove(self._recent[0])
            self._total -= self._recent[0]
        self._recent.append(length)
        self._total += length
        insort(self._sorted, length)

    @property
    def is_known(self) -> bool:
        """Whether one has ended."""
        return bool(self._recent)

    @property
    def mean(self) -> float:
        return self._total / len(self._recent) if self._recent else self._prior

    def remaining_share(self, produced: float) -> float:
        """Expected tokens still to come after `produced`, over the mean length; at most 1."""
        longer = self._sorted[bisect_right(self._sorted, produced) :]
        if longer:
            return min(1.0, (sum(longer) / len(longer) - produced) / self.mean)
        return 1.0 if not self._sorted else 0.5
