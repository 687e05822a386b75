"""Faults around a simulated engine or reward, drawn from the request and the try, never from a clock.

What fails, fails three times at most: retries get through. Only what is `doomed` never does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Engine,
    Generation,
    Labelling,
    Message,
    Progress,
    Scoring,
    Server,
)
from spex.errors import Misbehaving, Unreachable
from spex.reward.base import Reward
from tests.swarm.register import Register
from tests.swarm.scenario import Faults

_FAILED_TRIES_MAX = 3

Doomed = Callable[[str], bool]
"""Whether the call of that key (problem id and call) fails however often it is tried."""


class FaultyEngine:
    """Refuses, breaks off, stalls, ignores aborts; what is doomed it refuses, or answers with nonsense."""

    def __init__(self, inner: Engine, faults: Faults, seed: int, register: Register, doomed: Doomed) -> None:
        self.inner = inner
        self._faults = faults
        self._seed = seed
        self._register = register
        self._doomed = doomed
        self._tries: Counter[str] = Counter()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def counters(self) -> Counters:
        return self.inner.counters()

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self.inner.encode(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self.inner.encode_chat(messages)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self.inner.label(request, progress)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        random = Random(f"{self._seed}|{request.key}|{self._tries[request.key]}")
        self._tries[request.key] += 1
        with self._register.entry(request):
            if self._doomed(request.key):
                await self._in_vain(request, progress, random)
            return await self._perhaps(request, progress, random)

    async def _in_vain(self, request: Generation, progress: Progress, random: Random) -> None:
        if random.random() < 1 / 2:
            raise Unreachable(self.name, "connection refused")
        await self._broken_off(request, progress, random.random())
        raise Misbehaving(self.name, "a text", "nonsense")

    async def _perhaps(self, request: Generation, progress: Progress, random: Random) -> Completion:
        may_fail = self._tries[request.key] <= _FAILED_TRIES_MAX
        if may_fail and random.random() < self._faults.refused:
            raise Unreachable(self.name, "connection refused")
        if random.random() < self._faults.stalled:
            await asyncio.sleep(random.random() * 3.0)
        if may_fail and random.random() < self._faults.broken_off:
            return await self._broken_off(request, progress, random.random())
        if random.random() < self._faults.abort_ignored:
            return await self._whole(request, progress)
        return await self.inner.generate(request, progress)

    async def _broken_off(self, request: Generation, progress: Progress, seconds: float) -> Completion:
        try:
            async with asyncio.timeout(seconds):
                return await self.inner.generate(request, progress)
        except TimeoutError:
            raise Unreachable(self.name, "connection reset in mid-stream") from None

    async def _whole(self, request: Generation, progress: Progress) -> Completion:
        """Go on to the end whatever is asked; only then does the cancellation come through."""
        working = asyncio.ensure_future(self.inner.generate(request, progress))
        cancelled = False
        while not working.done():
            try:
                await asyncio.wait([working])
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError
        return working.result()


class FaultyReward:
    """Refuses at times, takes up to four seconds more at times; what is doomed it refuses for good."""

    def __init__(self, inner: Reward, faults: Faults, seed: int, register: Register, doomed: Doomed) -> None:
        self.inner = inner
        self._faults = faults
        self._seed = seed
        self._register = register
        self._doomed = doomed
        self._tries: Counter[str] = Counter()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def server(self) -> Server:
        return self.inner.server

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        with self._register.entry(request):
            while True:
                random = Random(f"{self._seed}|{request.key}|{self._tries[request.key]}")
                self._tries[request.key] += 1
                if random.random() < self._faults.reward_slow:
                    await asyncio.sleep(random.random() * 4.0)
                if self._doomed(request.key):
                    raise Unreachable(self.name, "connection refused")
                if self._tries[request.key] > _FAILED_TRIES_MAX or random.random() >= self._faults.reward_refused:
                    return await self.inner.score(request, progress)
                await asyncio.sleep(0.1)
