"""One imagined world's departures from what is expected: drawn once a node, and kept for ever."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from spex.ids import NodeId

_DIGITS = 2.0**20


class Innovation(NamedTuple):
    """How one node departs from what is expected, in standard normal or uniform numbers."""

    reward: float
    end: float
    length: float

    @property
    def answer(self) -> float:
        """A uniform number of its own: the digits of `end` that no hazard is told apart by."""
        return self.end * _DIGITS % 1.0


class Particle:
    """Draws made once a node, so that probabilities do not jitter."""

    __slots__ = ("_innovations", "_random")

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # imagination, not secrecy
        self._innovations: dict[NodeId, Innovation] = {}

    def innovation(self, node: NodeId) -> Innovation:
        found = self._innovations.get(node)
        if found is None:
            random = self._random
            found = Innovation(random.gauss(0.0, 1.0), random.random(), random.gauss(0.0, 1.0))
            self._innovations[node] = found
        return found
