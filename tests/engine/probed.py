"""Simulated engines of known truth, and some that do not do what they say: what `probe` is tried on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from math import log

from spex.control.clock import run_virtual
from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.kv_pool import Hold, Segment
from spex.engine.measured import EngineProfile
from spex.engine.probe import probe
from spex.engine.simulated import Script, SimulatedPolicy
from spex.prompt import Prompt

NOBODY = Identity()


def digit(*parts: object) -> int:
    """A number below 256 that is a function of `parts`."""
    return blake2b(repr(parts).encode(), digest_size=1).digest()[0]


def written(request: Generation, salt: object = "") -> Completion:
    """A text as long as it may be; every token is a function of prompt, seed and place."""
    seed = 0 if request.sampling.temperature == 0.0 else request.seed
    token_ids = tuple(digit(request.prompt.digest, seed, salt, place) for place in range(request.tokens_max))
    return Completion("", token_ids, tuple(log(chance(token)) for token in token_ids), "length")


def chance(token: int) -> float:
    """The probability that tokens are written with."""
    return 0.5 + token / 1024


@dataclass
class Blocks:
    """A prefix cache that keeps tokens in blocks of `grain`; None: it keeps nothing."""

    grain: int | None
    kept: list[tuple[int, ...]] = field(default_factory=list)
    held: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:
        token_ids = (*prompt.token_ids, *kept)
        found = max((common(token_ids, other) for other in self.kept), default=0)
        cached = 0 if self.grain is None else min(found, len(token_ids) - 1) // self.grain * self.grain
        hold = Hold(cached, len(token_ids) - cached)
        self.held[id(hold)] = prompt.token_ids
        return hold

    def release(self, hold: Hold, text: Segment) -> None:
        self.kept.append((*self.held.pop(id(hold)), *text))


def common(some: Sequence[int], others: Sequence[int]) -> int:
    return next((place for place, (a, b) in enumerate(zip(some, others, strict=False)) if a != b), len(some))


@dataclass
class Odd:
    """A simulated engine with something about it that is not as it says; by default there is nothing."""

    inner_engine: SimulatedPolicy
    told: Callable[[Capabilities], Capabilities] = lambda told: told
    forgets_its_tokens: bool = False
    ignores_aborts: bool = False
    hides_what_runs: bool = False
    waits_beyond: int = 1 << 20
    label_error: float | None = None
    counts: Callable[[int], int | None] = lambda running: None
    who: Identity = NOBODY
    waiting: asyncio.Semaphore | None = None
    ghosts: set[asyncio.Task[Completion]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.inner_engine.name

    @property
    def capabilities(self) -> Capabilities:
        told = replace(self.inner_engine.capabilities, label_scores=self.label_error is not None)
        return self.told(told)

    def counters(self) -> Counters:
        counters = self.inner_engine.counters()
        return counters._replace(running=0) if self.hides_what_runs else counters

    @property
    def identity(self) -> Identity:
        return self.who

    async def load(self) -> int | None:
        return self.counts(self.inner_engine.counters().running)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self.inner_engine.encode(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self.inner_engine.encode_chat(messages)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if self.forgets_its_tokens and progress.token_ids:
            request = replace(request, seed=request.seed + 1)
        self.waiting = self.waiting or asyncio.Semaphore(self.waits_beyond)
        async with self.waiting:
            if not self.ignores_aborts:
                return await self.inner_engine.generate(request, progress)
            ghost = asyncio.ensure_future(self.inner_engine.generate(request, progress))
            self.ghosts.add(ghost)
            return await asyncio.shield(ghost)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        assert self.label_error is not None
        whole = request.prompt
        first, text = whole.segments[0], [token for segment in whole.segments[1:] for token in segment]
        prompt = Prompt([first])
        likely = digit(prompt.digest, 0, "", len(text))
        rest = (1.0 - chance(likely)) / 256
        return tuple(chance(label) - self.label_error if label == likely else rest for label in request.labels)


def simulated(curve: object, script: Script = written, **options: object) -> SimulatedPolicy:
    return SimulatedPolicy(script, curve, **options)  # type: ignore[arg-type]


def probed(engine: SimulatedPolicy | Odd, seconds_max: float = 60.0) -> EngineProfile:
    """What is found of `engine` in virtual time; nothing of it runs afterwards but what ignores aborts."""

    async def main() -> EngineProfile:
        found = await probe(engine, seconds_max=seconds_max, nonce="a nonce")
        if isinstance(engine, Odd) and engine.ghosts:
            await asyncio.gather(*engine.ghosts, return_exceptions=True)
        assert engine.counters().running == 0
        return found

    return run_virtual(main())
