"""What an engine may be able to do beside `Engine`'s methods: each is asked for by its own small protocol.

Wrappers do not have them: the innermost engine is who is asked. Several servers as one have what each of them has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from spex.engine.base import Message, Progress, Server, innermost
from spex.prompt import Prompt


class Identity(NamedTuple):
    """Who an open engine says it is: its program with its version, its model, and what it drafts with.

    Empty where it does not say, or drafts with nothing.
    """

    version: str = ""
    model: str = ""
    drafts: str = ""


@runtime_checkable
class Telling(Protocol):
    """What an open engine may tell beside `Engine`'s methods: `spex probe` asks for it."""

    @property
    def identity(self) -> Identity: ...

    async def load(self) -> int | None:
        """Requests that the server has by its own count, running and waiting; None where it does not tell.

        Raises `EngineError`.
        """
        ...


@runtime_checkable
class NamesControlTokens(Protocol):
    """An engine that can read a template: in its text the names of control tokens are those tokens."""

    async def tokens(self, text: str) -> tuple[int, ...]:
        """The token ids of a template's text. Raises `EngineError`."""
        ...


@runtime_checkable
class BeginsTexts(Protocol):
    """An engine that knows what its model has before every text. (Where texts are sent as text the server adds it.)"""

    async def first_tokens(self) -> tuple[int, ...]:
        """That (BOS), often nothing. Raises `EngineError`."""
        ...


@runtime_checkable
class RendersThinking(Protocol):
    """An engine whose chat template may know whether its model is to think."""

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        """As `encode_chat`, with `enable_thinking` told to the template. Raises `EngineError`."""
        ...


@runtime_checkable
class HasChats(Protocol):
    """An engine that may be of chats alone, once it is open: a prompt that is none is no prompt of its."""

    @property
    def has_chats_alone(self) -> bool: ...


@runtime_checkable
class Queueing(Protocol):
    """An open engine that may tell its requests, and how many of them wait; None: it does not. Raises `EngineError`."""

    async def queue(self) -> tuple[int, int] | None: ...


@runtime_checkable
class Renewable(Protocol):
    """An engine whose server may be started anew with another model while it is open.

    It is asked after a failure, and where it was not heard of for seconds.
    """

    async def recheck(self) -> None:
        """Raises `InputError` where model or mode are not those of when the engine was opened, and `EngineError`."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One request for the log-probabilities of the tokens of `prompt` from number `start` on (1 to its length - 1)."""

    key: str
    prompt: Prompt
    start: int

    @property
    def read(self) -> tuple[int, ...]:
        """The tokens whose log-probabilities are asked for."""
        return self.prompt.token_ids[self.start :]


@runtime_checkable
class Reads(Protocol):
    """An engine that tells how likely its model finds a text that it has not written."""

    @property
    def reads(self) -> bool:
        """Whether it does: an engine of this kind may be without."""
        ...

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for, given all before it. Raises `EngineError`.

        Cancelling the task that awaits it lets go of the request.
        """
        ...


@runtime_checkable
class Several(Protocol):
    """Several servers as one engine, which passes on what they are asked: it has an ability that each of them has."""

    @property
    def places(self) -> Sequence[Server]: ...


def identity_of(server: Server) -> Identity:
    """Who does the work, as far as it says so."""
    inner = innermost(server)
    return inner.identity if isinstance(inner, Telling) else Identity()


async def load_of(server: Server) -> int | None:
    """Requests that the innermost server has by its own count; None where it does not tell. Raises `EngineError`."""
    inner = innermost(server)
    return await inner.load() if isinstance(inner, Telling) else None


async def queue_of(server: Server) -> tuple[int, int] | None:
    """The innermost server's requests, and how many wait; None where it does not tell. Raises `EngineError`."""
    inner = innermost(server)
    return await inner.queue() if isinstance(inner, Queueing) else None


async def first_tokens_of(server: Server) -> tuple[int, ...]:
    """What stands before every text of the innermost engine's model, as far as it says so. Raises `EngineError`."""
    inner = innermost(server)
    return await inner.first_tokens() if isinstance(inner, BeginsTexts) else ()


def namer_of(server: Server) -> NamesControlTokens | None:
    """The innermost engine, if it can read a template."""
    inner = innermost(server)
    return inner if isinstance(inner, NamesControlTokens) and _each(inner, namer_of) else None


def renderer_of(server: Server) -> RendersThinking | None:
    """The innermost engine, if it renders its model's chat template."""
    inner = innermost(server)
    return inner if isinstance(inner, RendersThinking) and _each(inner, renderer_of) else None


def has_chats_alone(server: Server) -> bool:
    """Whether the innermost engine, or one of several, takes chats alone."""
    inner = innermost(server)
    if isinstance(inner, Several):
        return any(has_chats_alone(place) for place in inner.places)
    return isinstance(inner, HasChats) and inner.has_chats_alone


def reader_of(server: Server) -> Reads | None:
    """The innermost engine, if it tells log-probabilities of a text that it has not written; some know it once open."""
    inner = innermost(server)
    return inner if isinstance(inner, Reads) and inner.reads and _each(inner, reader_of) else None


def _each(engine: object, able: Callable[[Server], object | None]) -> bool:
    return not isinstance(engine, Several) or all(able(place) is not None for place in engine.places)
