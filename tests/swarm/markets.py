"""Speculation rules that nobody should use: whatever they buy, the tree must stay the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from spex.speculate.market import C, Load


class Greedy:
    """Starts everything that it is offered and never stops anything."""

    def margin(self, load: Load) -> float:
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        return []

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        return list(wishes[:room])


class Whim:
    """Starts and stops at random."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def margin(self, load: Load) -> float:
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        return [candidate for candidate in running if self._random.random() < 0.2]

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        return [candidate for candidate in wishes if self._random.random() < 0.3][:room]
