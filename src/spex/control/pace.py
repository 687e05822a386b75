"""How often to look ahead and how hard: what it takes of our own time is bounded by what comes of it."""

from __future__ import annotations

from spex.speculate.runahead import Effort

_COST_SHARE = 0.1
_REST_ITERATIONS = 1.0
_FRUITLESS_MAX = 7
_MARGIN_MIN = 0.125
_REST_ITERATIONS_IN_VAIN = 128.0  # about a text's life: by then an engine may have room again


class Pace:
    """Keeps our own work a tenth of the time, and down to an eightieth while little can come of it.

    Where an engine is full or gains little by larger batches, a pass can win little, and may cost as much less. Each
    pass that was in vain makes the next one wait longer; with one purchase that is over.
    """

    def __init__(self, most: Effort) -> None:
        self.effort: Effort = most
        self._most = most
        self._bought = 0
        self._fruitless = 0
        self._cost_seconds = 0.0

    def adapt(self, cost_seconds: float, iteration_seconds: float) -> None:
        """After a pass: fewer particles while passes cost much of an engine iteration, half while most of it."""
        particles, depth = self.effort
        if cost_seconds > 8 * _COST_SHARE * iteration_seconds:
            particles, depth = max(2, particles // 2), max(4, depth // 2)
        elif cost_seconds > 4 * _COST_SHARE * iteration_seconds:
            particles, depth = max(2, particles - 1), max(4, depth - 4)
        elif cost_seconds < 2 * _COST_SHARE * iteration_seconds:
            particles, depth = min(self._most.particles, particles + 1), min(self._most.depth, depth + 4)
        self.effort = Effort(particles, depth)
        self._cost_seconds = cost_seconds

    def heed(self, bought: int, running: int) -> None:
        """After a pass: how many speculations have been started in all, and how many of them run."""
        in_vain = bought == self._bought and not running
        self._fruitless = min(_FRUITLESS_MAX, self._fruitless + 1) if in_vain else 0
        self._bought = bought

    def rest_seconds(self, iteration_seconds: float) -> float:
        """How long to let events gather after the last pass, whatever the next one may win."""
        return max(_REST_ITERATIONS * iteration_seconds, self._cost_seconds / _COST_SHARE)

    def patience_seconds(self, iteration_seconds: float, margin: float) -> float:
        """How long after the last pass the next one may begin, which can win by `margin` in [0, 1] as things are now.

        At once where passes cost nothing.
        """
        if not self._cost_seconds:
            return 0.0
        rests = max(1.0 + self._fruitless, 1.0 / max(margin, _MARGIN_MIN))
        return min(rests * self.rest_seconds(iteration_seconds), _REST_ITERATIONS_IN_VAIN * iteration_seconds)
