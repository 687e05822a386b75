"""Continuous batching on the loop's clock: every running sequence gains a token each ℓ(b) seconds."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass

from spex.profile import Curve

_EPSILON_TOKENS = 1e-6
_TICK_SECONDS = 1e-8  # a timer shorter than the clock's resolution would fire for ever without time passing


@dataclass(slots=True, eq=False)
class Sequence:
    """A sequence in the batch: it joined at `start` and is done at `goal`, in shared tokens."""

    start: float
    goal: float
    done: asyncio.Future[None]


class Batch:
    """Sequences that decode together.

    Time is kept in *shared tokens*: how many tokens a sequence that ran from the beginning would
    have by now. All gain them at the same rate, so a sequence of n tokens is done n shared
    tokens after it joined, whatever comes and goes beside it. Prefill is a debt in seconds that
    is paid before anyone gains more.
    """

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._shared = 0.0
        self._at = 0.0
        self._debt_seconds = 0.0
        self._running: dict[Sequence, None] = {}
        self._goals: list[tuple[float, int, Sequence]] = []
        self._joined = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> int:
        return len(self._running)

    def join(self, tokens: int, prefill_seconds: float = 0.0) -> Sequence:
        """Start a sequence of `tokens` tokens (≥ 1); await its `done`, then `leave` it."""
        self._advance()
        self._debt_seconds += prefill_seconds
        loop = asyncio.get_running_loop()
        sequence = Sequence(self._shared, self._shared + tokens, loop.create_future())
        self._running[sequence] = None
        self._joined += 1
        heapq.heappush(self._goals, (sequence.goal, self._joined, sequence))
        self._schedule()
        return sequence

    def leave(self, sequence: Sequence) -> int:
        """Take a sequence out, finished or not; the tokens that it got."""
        self._advance()
        if sequence in self._running:
            del self._running[sequence]
            self._schedule()
        return int(min(sequence.goal, self._shared) - sequence.start + _EPSILON_TOKENS)

    def _advance(self) -> None:
        now = asyncio.get_running_loop().time()
        elapsed = now - self._at
        self._at = now
        paid = min(elapsed, self._debt_seconds)
        self._debt_seconds -= paid
        if self._running and elapsed > paid:
            self._shared += (elapsed - paid) / max(_TICK_SECONDS, self._curve.itl_seconds(len(self._running)))

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._goals and self._goals[0][2] not in self._running:
            heapq.heappop(self._goals)
        if self._goals:
            missing = max(0.0, self._goals[0][0] - self._shared)
            delay = self._debt_seconds + missing * self._curve.itl_seconds(len(self._running))
            delay = max(delay, _TICK_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(delay, self._finish)

    def _finish(self) -> None:
        self._timer = None
        self._advance()
        while self._goals and self._goals[0][0] <= self._shared + _EPSILON_TOKENS:
            sequence = heapq.heappop(self._goals)[2]
            if sequence in self._running and not sequence.done.done():
                self._running.pop(sequence)
                sequence.done.set_result(None)
        self._schedule()
