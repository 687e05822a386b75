"""SGLang over HTTP, by its native interface: a stock server of 0.5.23 or newer.

Texts continue by token ids. Seeds are positional where the server runs with `--enable-deterministic-inference` (an
aborted text then goes on bit for bit from its tokens), whole at most where it drafts too, and without effect elsewhere.
An abort is asked for by the request's own id, and has come through when the server says that the request is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from spex.engine.abilities import Identity, Reading
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.first_tokens import found_first_tokens
from spex.engine.http import Deadlines, Http, checked_url
from spex.engine.keys import key_for
from spex.engine.other_kind import told_of_another_kind
from spex.engine.same_model import refuse_other_model, refuse_other_seeds
from spex.engine.server_tokens import encoded, encoded_chat
from spex.engine.sglang_abort import answered
from spex.engine.sglang_requests import SglangRequests
from spex.engine.sglang_stream import Piece
from spex.engine.sglang_tokens import SglangTokenizer
from spex.engine.sglang_told import Info, Loads
from spex.engine.told import rooted
from spex.errors import InputError, Misbehaving

T = TypeVar("T")


class _HttpLine:
    """The way to a server, for its requests."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def pieces(self, body: Mapping[str, object], size: Callable[[], int]) -> AsyncGenerator[Piece, None]:
        return self._http.events("/generate", body, Piece, size)

    async def answer(self, body: Mapping[str, object], kind: type[T]) -> T:
        # The server looks only every few seconds whether who waits for a whole answer is still there.
        answering = asyncio.ensure_future(self._http.post("/generate", body, kind))
        return await answered(answering, str(body["rid"]), self.abort)

    async def abort(self, rid: str) -> None:
        await self._http.send("/abort_request", {"rid": rid})


class Sglang:
    """An engine for the SGLang server at `url`.

    key: what the server was started with, where it was; `SGLANG_API_KEY` if not given. Raises `InputError` for what
    is no address.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:30000", *, key: str | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._name = f"sglang:{url}"
        address, model = rooted(url)
        checked_url(address)  # what may be a password is not repeated
        if model is not None:
            raise InputError("url", url, "an SGLang server has one model: leave out what follows #")
        known = key_for("sglang", address, key)
        self._http = Http(self._name, address, known.value, deadlines, advice=known.advice)
        self._tokenizer = SglangTokenizer(self._http)
        self._requests = SglangRequests(self._name, _HttpLine(self._http), self._tokenizer)
        self._identity = Identity()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._requests.capabilities

    def counters(self) -> Counters:
        return self._requests.counters()

    @property
    def identity(self) -> Identity:
        return self._identity

    async def load(self) -> int | None:
        """As of the last time that the server took note of it: when it ran out of work, or 15 tokens ago."""
        loads = await self._loads()
        return None if loads is None else loads.requests

    async def queue(self) -> tuple[int, int] | None:
        """As of the same moment as `load`."""
        loads = await self._loads()
        return None if loads is None else (loads.requests, loads.waiting)

    async def _loads(self) -> Loads | None:
        with suppress(InputError):
            return await self._http.get("/v1/loads?include=core", Loads)
        return None

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for another kind of server or model."""
        self._http.open()
        try:
            async with told_of_another_kind(self._http, "sglang", self._name):
                info = await self._http.get("/server_info", Info)
            self._requests.learn(info)
            self._identity = info.identity
        except BaseException:
            await self._http.close()
            raise

    async def recheck(self) -> None:
        """Raises `InputError` where the server has another model or other seeds by now, and `EngineError`."""
        found: Info | None = None
        with suppress(InputError, Misbehaving):  # what stands before a server may not pass it on
            found = await self._http.get("/server_info", Info)
        if found is not None:
            refuse_other_model(found.model_path, self._identity.model, self._name)
            refuse_other_seeds(found.applied(self.capabilities, self._name).seed, self.capabilities.seed, self._name)

    async def close(self) -> None:
        await self._http.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await encoded(self._tokenizer, text)

    async def first_tokens(self) -> tuple[int, ...]:
        """What the model has before every text. Raises `EngineError`."""
        return await found_first_tokens(self._tokenizer.tokens)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await encoded_chat(self._tokenizer, messages, self._name)

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        render = partial(self._tokenizer.chat_tokens, enable_thinking=enable_thinking)
        return await encoded_chat(self._tokenizer, messages, self._name, render)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those. Raises `EngineError`."""
        return await self._tokenizer.tokens(text)

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        """What the ids say, with the names of control tokens or without. Raises `EngineError`."""
        return await self._tokenizer.text(token_ids, control=control)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._requests.generate(request, progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._requests.label(request, progress)

    @property
    def reads(self) -> bool:
        return True

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for. Raises `EngineError`."""
        return await self._requests.read(request, progress)
