"""Several servers of one model as one engine.

All calls of a query go to one of them, so that its branches find their prefix in one cache: the one with the smallest
share of its slots taken when the query begins. Where that one is full a call goes to the next; where it is away, the
query does, and what failed there is asked for again: a call's seed is its own, so that it does not matter who answers
it. What may differ are texts of servers that do not answer equal requests equally; they do not on one server either.
Whoever has most room makes the token ids of a text, and no slot is waited for or taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

from spex.engine.abilities import Identity, Reading, first_tokens_of, identity_of, namer_of, reader_of, renderer_of
from spex.engine.base import Capabilities, Completion, Counters, Engine, Generation, Labelling, Message, Progress
from spex.engine.places import Places
from spex.errors import InputError
from spex.visible import one_line

A = TypeVar("A")

_SHOWN = 200
_SAMPLE = "Ann has 3 bags of 4 apples; she said: “half of 12 is 6”.\n\n"
_CHAT = (Message("user", _SAMPLE),)


class Spread:
    """`engines` (2 to 64) as one: its slots are the sum of theirs, and what it can do is what all of them can.

    The price sees all of them as one batch whose latency is that of an even share (`spex.engine.places.Divided`). One
    that was away is asked again after 30 seconds. `open` raises `InputError` for servers of different models or
    versions, or of different tokens.
    """

    def __init__(self, name: str, engines: Sequence[Engine]) -> None:
        self._name = name
        self._places = Places("policy", name, engines)

    def each(self, wrap: Callable[[Engine], Engine]) -> Spread:
        """The same with each of the engines wrapped."""
        return Spread(self._name, [wrap(engine) for engine in self._places])

    @property
    def name(self) -> str:
        return self._name

    @property
    def places(self) -> tuple[Engine, ...]:
        """Its engines: it is able to what each of them is able to (`spex.engine.abilities`)."""
        return tuple(self._places)

    @property
    def moved(self) -> dict[str, int]:
        """How many calls failed at each server and were asked for at another, by the server's name."""
        return self._places.moved

    @property
    def identity(self) -> Identity:
        return self._places.identity

    @property
    def capabilities(self) -> Capabilities:
        return self._places.capabilities

    def counters(self) -> Counters:
        return self._places.counters()

    async def load(self) -> int | None:
        """Of those that answer; None where one does not tell."""
        return await self._places.load()

    async def queue(self) -> tuple[int, int] | None:
        """Of those that answer; None where one does not tell."""
        return await self._places.queue()

    async def open(self) -> None:
        """Raises `EngineError` and `InputError`; then none is left open."""
        async with AsyncExitStack() as stack:
            for engine in self._places:
                await engine.open()
                stack.push_async_callback(engine.close)
            await self._refuse_different()
            stack.pop_all()

    async def _refuse_different(self) -> None:
        first, *others = self._places
        token_ids = [await first.encode(_SAMPLE), await first.encode_chat(_CHAT)]
        for engine in others:
            other, one = identity_of(engine), identity_of(first)
            if other != one:
                told = f"its servers must be of one model and version: {first.name} is {_said(one)}"
                raise InputError("policy", self._name, f"{told}, {engine.name} is {_said(other)}")
            if [await engine.encode(_SAMPLE), await engine.encode_chat(_CHAT)] != token_ids:
                told = f"{first.name} and {engine.name} make different tokens of one text or chat"
                raise InputError("policy", self._name, f"its servers must be of one model: {told}")

    async def close(self) -> None:
        async with AsyncExitStack() as stack:
            for engine in self._places:
                stack.push_async_callback(engine.close)
        self._places.tell_moved()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._places.asked_anywhere(lambda engine: engine.encode(text))

    async def first_tokens(self) -> tuple[int, ...]:
        """What their model has before every text, as far as they say so. Raises `EngineError`."""
        return await self._places.asked_anywhere(first_tokens_of)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self._places.asked_anywhere(lambda engine: engine.encode_chat(messages))

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        """As `encode_chat`, with `enable_thinking` told to the template. Raises `EngineError` and `InputError`."""

        async def ask(engine: Engine) -> tuple[int, ...]:
            renderer = _able(renderer_of(engine), engine, "it renders no chat template")
            return await renderer.encode_thinking_chat(messages, enable_thinking=enable_thinking)

        return await self._places.asked_anywhere(ask)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those. Raises `EngineError` and `InputError`."""

        async def ask(engine: Engine) -> tuple[int, ...]:
            return await _able(namer_of(engine), engine, "it does not say what its control tokens are").tokens(text)

        return await self._places.asked_anywhere(ask)

    @property
    def reads(self) -> bool:
        return all(reader_of(engine) is not None for engine in self._places)

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for. Raises `EngineError` and `InputError`."""

        async def ask(engine: Engine) -> tuple[float, ...]:
            reader = _able(reader_of(engine), engine, "it tells no log-probabilities of a text that it has not written")
            return await reader.read(request, progress)

        return await self._places.asked(request.key, ask, progress)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._places.asked(request.key, lambda engine: engine.generate(request, progress), progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._places.asked(request.key, lambda engine: engine.label(request, progress), progress)


def _able(found: A | None, engine: Engine, told: str) -> A:
    if found is None:
        raise InputError("policy", engine.name, told)
    return found


def _said(identity: Identity) -> str:
    model, version = one_line(identity.model, _SHOWN), one_line(identity.version, _SHOWN)
    return f"{model or 'a model without a name'} ({version or 'of no version that it tells'})"
