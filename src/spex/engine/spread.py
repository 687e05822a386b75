"""Several servers of one model as one engine.

All calls of a query go to one of them, so that its branches find their prefix in one cache: the one with the smallest
share of its slots taken when the query begins. Where that one is full a call goes to the next; where it is away, the
query does, and what failed there is asked for again: a call's seed is its own, so that it does not matter who answers
it. What may differ are texts of servers that do not answer equal requests equally; they do not on one server either.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Engine,
    Generation,
    Identity,
    Labelling,
    Message,
    Progress,
    identity_of,
    innermost,
    load_of,
)
from spex.errors import EngineError, InputError, Overloaded, TimedOut, Unreachable
from spex.profile import Curve
from spex.usage import Tokens

T = TypeVar("T")

_LOG = logging.getLogger("spex")
_REST_SECONDS = 30.0
_QUERIES_KEPT = 1 << 16
_ENDPOINTS_MAX = 64
_SEEDS = ("none", "whole", "positional")
_SAMPLE = "Ann has 3 bags of 4 apples; she said: “half of 12 is 6”.\n\n"


@dataclass(frozen=True, slots=True)
class Divided:
    """ℓ of `parts` equal servers that share what runs evenly."""

    curve: Curve
    parts: int

    def itl_seconds(self, running: float) -> float:
        return self.curve.itl_seconds(max(1.0, running / self.parts))


@dataclass(slots=True, eq=False)
class _Endpoint:
    """One of the servers. `moved`: calls that failed there and were asked for elsewhere."""

    engine: Engine
    running: int = 0
    placed: int = 0
    moved: int = 0
    back_at_seconds: float = 0.0

    @property
    def share(self) -> float:
        return self.running / max(1, self.engine.capabilities.slots)


class Spread:
    """`engines` (2 to 64) as one: its slots are the sum of theirs, and what it can do is what all of them can.

    The price sees all of them as one batch whose latency is that of an even share (`Divided`). One that was away is
    asked again after 30 seconds. `open` raises `InputError` for servers of different models or versions, or of
    different tokens.
    """

    def __init__(self, name: str, engines: Sequence[Engine]) -> None:
        if not 2 <= len(engines) <= _ENDPOINTS_MAX or len({engine.name for engine in engines}) < len(engines):
            raise InputError("policy", name, f"it must name 2 to {_ENDPOINTS_MAX} servers, each of them once")
        self._name = name
        self._endpoints = [_Endpoint(engine) for engine in engines]
        self._homes: OrderedDict[str, _Endpoint] = OrderedDict()
        self._told: dict[str, int] = {}
        self._freed = asyncio.Event()

    def each(self, wrap: Callable[[Engine], Engine]) -> Spread:
        """The same with each of the engines wrapped."""
        return Spread(self._name, [wrap(endpoint.engine) for endpoint in self._endpoints])

    @property
    def name(self) -> str:
        return self._name

    @property
    def moved(self) -> dict[str, int]:
        """How many calls failed at each server and were asked for at another, by the server's name."""
        return {endpoint.engine.name: endpoint.moved for endpoint in self._endpoints}

    @property
    def identity(self) -> Identity:
        return identity_of(self._endpoints[0].engine)

    @property
    def capabilities(self) -> Capabilities:
        all_of = [endpoint.engine.capabilities for endpoint in self._endpoints]
        contexts = [one.context_tokens for one in all_of if one.context_tokens is not None]
        return replace(
            all_of[0],
            seed=min((one.seed for one in all_of), key=_SEEDS.index),
            seed_bits=min(one.seed_bits for one in all_of),
            abort_confirmed=all(one.abort_confirmed for one in all_of),
            log_probabilities=all(one.log_probabilities for one in all_of),
            label_scores=all(one.label_scores for one in all_of),
            slots=sum(one.slots for one in all_of),
            context_tokens=min(contexts, default=None),
            curve=Divided(all_of[0].curve, len(all_of)),
            prefill_seconds=max(one.prefill_seconds for one in all_of),
            cancel_delay_seconds=max(one.cancel_delay_seconds for one in all_of),
        )

    def counters(self) -> Counters:
        counts = [endpoint.engine.counters() for endpoint in self._endpoints]
        cost = Tokens()
        for count in counts:
            cost = cost.plus(count.cost)
        return Counters(sum(count.running for count in counts), cost)

    async def load(self) -> int | None:
        """Of those that answer; None where one does not tell."""
        told = await asyncio.gather(*(self._load(endpoint.engine) for endpoint in self._endpoints))
        return None if None in told else sum(load for load in told if load is not None)

    async def _load(self, engine: Engine) -> int | None:
        try:
            return await load_of(engine)
        except EngineError:
            return 0

    async def open(self) -> None:
        """Raises `EngineError` and `InputError`; then none is left open."""
        async with AsyncExitStack() as stack:
            for endpoint in self._endpoints:
                await endpoint.engine.open()
                stack.push_async_callback(endpoint.engine.close)
            await self._refuse_different()
            stack.pop_all()

    async def _refuse_different(self) -> None:
        first = self._endpoints[0].engine
        token_ids = await first.encode(_SAMPLE)
        for endpoint in self._endpoints[1:]:
            other, one = identity_of(endpoint.engine), identity_of(first)
            if other != one:
                told = f"its servers must be of one model and version: {first.name} is {_said(one)}"
                raise InputError("policy", self._name, f"{told}, {endpoint.engine.name} is {_said(other)}")
            if await endpoint.engine.encode(_SAMPLE) != token_ids:
                told = f"{first.name} and {endpoint.engine.name} make different tokens of one text"
                raise InputError("policy", self._name, f"its servers must be of one model: {told}")

    async def close(self) -> None:
        async with AsyncExitStack() as stack:
            for endpoint in self._endpoints:
                stack.push_async_callback(endpoint.engine.close)
        told, self._told = self._told, self.moved
        for name, count in self.moved.items():
            if count > told.get(name, 0):
                _LOG.warning("%s: %d of its calls were asked for at other servers", name, count)

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._asked(None, lambda engine: engine.encode(text))

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self._asked(None, lambda engine: engine.encode_chat(messages))

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those. Raises `EngineError` and `InputError`."""

        async def ask(engine: Engine) -> tuple[int, ...]:
            read = getattr(innermost(engine), "tokens", None)
            if read is None:
                raise InputError("policy", engine.name, "it does not say what its control tokens are")
            return tuple(await read(text))

        return await self._asked(None, ask)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._asked(request.key, lambda engine: engine.generate(request, progress), progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._asked(request.key, lambda engine: engine.label(request, progress), progress)

    async def _asked(
        self, key: str | None, ask: Callable[[Engine], Awaitable[T]], progress: Progress | None = None
    ) -> T:
        """What the query's server says, or another one where it is away. Raises the last one's `EngineError`."""
        tried: list[_Endpoint] = []
        while True:
            while (endpoint := self._place(key, tried)).share >= 1.0:  # while one is away, the others are too few
                await self._freed.wait()
            endpoint.running += 1
            try:
                return await ask(endpoint.engine)
            except (Overloaded, TimedOut, Unreachable) as error:
                tried.append(endpoint)
                self._note(endpoint, error)
                if len(tried) == len(self._endpoints):
                    raise
                endpoint.moved += 1
                if progress is not None:
                    progress.fail()
            finally:
                endpoint.running -= 1
                self._freed.set()
                self._freed = asyncio.Event()

    def _place(self, key: str | None, tried: Sequence[_Endpoint]) -> _Endpoint:
        """Where a call goes: to its query's server, as long as that is there and has a slot."""
        now = asyncio.get_running_loop().time()
        able = [endpoint for endpoint in self._endpoints if endpoint not in tried]
        able = [endpoint for endpoint in able if endpoint.back_at_seconds <= now] or able
        free = [endpoint for endpoint in able if endpoint.share < 1.0] or able
        idlest = min(free, key=lambda endpoint: (endpoint.share, endpoint.placed))
        if key is None:
            return idlest
        query = key.rpartition("|")[0] or key
        home = self._homes.get(query)
        if home is not None and home.back_at_seconds <= now:
            self._homes.move_to_end(query)
            return home if home in free else idlest
        self._homes[query] = idlest
        idlest.placed += 1
        if len(self._homes) > _QUERIES_KEPT:
            self._homes.popitem(last=False)
        return idlest

    def _note(self, endpoint: _Endpoint, error: EngineError) -> None:
        """One that is full is there; one that is away gets a rest, which is told."""
        if isinstance(error, Overloaded):
            return
        now = asyncio.get_running_loop().time()
        if endpoint.back_at_seconds <= now:
            _LOG.warning("%s; for %g s its calls go to the other servers", error, _REST_SECONDS)
        endpoint.back_at_seconds = now + _REST_SECONDS


def _said(identity: Identity) -> str:
    return f"{identity.model or 'a model without a name'} ({identity.version or 'of no version that it tells'})"
