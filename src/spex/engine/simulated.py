"""Simulated engines: what a model says is a script, how long it takes is a curve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Generation,
    Labelling,
    Message,
    Progress,
    Scoring,
    SeedKind,
)
from spex.engine.batch import Batch
from spex.engine.kv_pool import Boundless, Hold, PrefixCache
from spex.errors import Misbehaving
from spex.profile import Affine, Curve
from spex.usage import Tokens

Script = Callable[[Generation], Completion]
"""What the model answers: a pure function of the request."""

Judgement = Callable[[Scoring], tuple[float, ...]]
"""What the reward model answers: a pure function of the request."""


class SimulatedPolicy:
    """An engine on the loop's clock. A stopped text goes on from its tokens, unless its seeds are `whole`.

    curve: ℓ(b), what the engine really does; `believed` is what it says of itself, if different.
    prefill_seconds: for each prompt token that is not in `cache`; cached_seconds: for each that is.
    By default the cache remembers every text, so a child pays for nothing but its parent's last
    token; what a cache says changes times and counts, never a text.
    cancel_delay_seconds: how long an aborted sequence goes on decoding.
    """

    def __init__(
        self,
        script: Script,
        curve: Curve,
        *,
        believed: Curve | None = None,
        slots: int = 256,
        prefill_seconds: float = 0.0,
        cached_seconds: float = 0.0,
        cancel_delay_seconds: float = 0.0,
        cache: PrefixCache | None = None,
        seed: SeedKind = "positional",
        name: str = "simulated",
    ) -> None:
        self._script = script
        self._batch = Batch(curve)
        self._cache = Boundless() if cache is None else cache
        self._name = name
        self._running = 0
        self._cost = Tokens()
        self._capabilities = Capabilities(
            seed=seed,
            resumes=True,
            slots=slots,
            curve=believed or curve,
            prefill_seconds=prefill_seconds,
            cached_seconds=cached_seconds,
            cancel_delay_seconds=cancel_delay_seconds,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def encode(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode("utf-8", "replace"))

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self.encode("".join(message.content for message in messages))

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        completion = self._script(request)
        kept = tuple(progress.token_ids)
        self._admit()
        hold = self._cache.hold(request.prompt, kept, len(completion.token_ids))
        try:
            self._spend(progress, prompt_uncached=hold.uncached, prompt_cached=hold.cached)
            await self._decode(completion, self._prompt_seconds(hold), progress)
        finally:
            self._cache.release(hold, tuple(progress.token_ids))
            self._running -= 1
        return completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        raise Misbehaving(self._name, "a request for text (the simulated policy gives no label probabilities)", request)

    def _prompt_seconds(self, hold: Hold) -> float:
        known = self._capabilities
        return hold.uncached * known.prefill_seconds + hold.cached * known.cached_seconds

    def _admit(self) -> None:
        if self._running >= self._capabilities.slots:
            raise Misbehaving(self._name, f"at most {self._capabilities.slots} requests at once", self._running + 1)
        self._running += 1

    async def _decode(self, completion: Completion, prefill_seconds: float, progress: Progress) -> None:
        kept = len(progress.token_ids)
        missing = len(completion.token_ids) - kept
        if missing <= 0:
            return
        sequence = self._batch.join(missing, prefill_seconds)
        try:
            await sequence.done
        except asyncio.CancelledError:
            await _uninterrupted(self._capabilities.cancel_delay_seconds)
            raise
        finally:
            got = self._batch.leave(sequence)
            self._spend(progress, generated=got)
            progress.token_ids.extend(completion.token_ids[kept : kept + got])
            if completion.logprobs is not None:
                progress.logprobs.extend(completion.logprobs[kept : kept + got])

    def _spend(self, progress: Progress, **counts: int) -> None:
        progress.spend(**counts)
        self._cost = self._cost.plus(Tokens(**counts))


class SimulatedReward:
    """A reward server on the loop's clock: a score takes one token of its own curve, and one of its `slots`.

    A score that is cancelled leaves at once. One beyond the slots is `Misbehaving`: who asks is to queue.
    """

    def __init__(
        self,
        judgement: Judgement,
        curve: Curve = Affine(0.040, 0.0),
        *,
        slots: int = 4096,
        name: str = "reward",
    ) -> None:
        self._judgement = judgement
        self._batch = Batch(curve)
        self._name = name
        self._running = 0
        self._cost = Tokens()
        self._capabilities = replace(Capabilities(), curve=curve, slots=slots)

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> SimulatedReward:
        return self

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        if self._running >= self._capabilities.slots:
            raise Misbehaving(self._name, f"at most {self._capabilities.slots} scores at once", self._running + 1)
        tokens = sum(path.prompt.token_count for path in request.paths)
        self._running += 1
        sequence = self._batch.join(1)
        try:
            await sequence.done
        finally:
            self._batch.leave(sequence)
            self._running -= 1
            progress.spend(reward=tokens)
            self._cost = self._cost.plus(Tokens(reward=tokens))
        return self._judgement(request)


async def _uninterrupted(seconds: float) -> None:
    """Wait, whatever further cancellations come: the engine takes its time all the same."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        try:
            await asyncio.sleep(until - loop.time())
        except asyncio.CancelledError:
            continue
