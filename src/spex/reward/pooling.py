"""The kinds of servers of scores: vLLM's `/pooling` and SGLang's `/classify`, and how each is asked.

Token ids go in; numbers come out, at tokens that the server chooses: all of them, those of a step's tag, or the last
one. Which of these it was is seen by their count, and judged by who asked.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple, Protocol, TypeAlias

import msgspec

from spex.engine.abilities import Identity
from spex.engine.http import Count, Http
from spex.engine.sglang_abort import answered
from spex.engine.sglang_tokens import SglangTokenizer
from spex.engine.sglang_told import Loads
from spex.engine.vllm_tokens import VllmTokenizer
from spex.engine.vllm_told import Models, chosen, told_load, told_version
from spex.errors import InputError
from spex.reward.head_tokens import HeadTokenizer

Rows: TypeAlias = list[list[float]]
"""The numbers of one token after another."""


class Answer(NamedTuple):
    """`prompt_tokens`: how many the server has read, as it says itself."""

    rows: Rows
    prompt_tokens: int


class Pooling(Protocol):
    """How one kind of server is asked."""

    @property
    def kind(self) -> str:
        """What engines of this kind are called."""
        ...

    def tokenizer(self, http: Http, model: str | None) -> HeadTokenizer: ...

    async def identity(self, http: Http, model: str | None) -> Identity:
        """Who the server says it is. Raises `EngineError` and `InputError`."""
        ...

    async def load(self, http: Http) -> int | None:
        """The requests that it has, by its own count; None where it does not tell. Raises `EngineError`."""
        ...

    @property
    def last_only(self) -> bool:
        """Whether there are numbers at the last token alone."""
        ...

    @property
    def takes_model(self) -> bool:
        """Whether a request may say which of the server's models it is for."""
        ...

    async def ask(self, http: Http, token_ids: Sequence[int], model: Mapping[str, str]) -> Answer:
        """The numbers at `token_ids`. `model`: its name as a part of the request, or nothing where none is wanted.

        When a cancellation comes through, it is over. Raises `EngineError` and `InputError`.
        """
        ...


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: Count


class _Pooled(msgspec.Struct, frozen=True):
    data: list[list[float] | float]


class _VllmAnswer(msgspec.Struct, frozen=True):
    data: Annotated[list[_Pooled], msgspec.Meta(min_length=1, max_length=1)]
    usage: _Usage


class VllmPooling:
    """vLLM's `/pooling` for the task `token_classify`: at each step's tag (STEP), or at all tokens (ALL)."""

    kind: str = "vllm"
    last_only: bool = False
    takes_model: bool = True

    def tokenizer(self, http: Http, model: str | None) -> HeadTokenizer:
        return VllmTokenizer(http, model, writes=False)

    async def identity(self, http: Http, model: str | None) -> Identity:
        found = chosen((await http.get("/v1/models", Models)).data, model, http.url)
        return Identity(await told_version(http), found.root or found.id)

    async def load(self, http: Http) -> int | None:
        return await told_load(http)

    async def ask(self, http: Http, token_ids: Sequence[int], model: Mapping[str, str]) -> Answer:
        body = {**model, "input": list(token_ids), "task": "token_classify", "encoding_format": "float"}
        answer = await http.post("/pooling", body, _VllmAnswer)
        rows = [row if isinstance(row, list) else [row] for row in answer.data[0].data]
        return Answer(rows, answer.usage.prompt_tokens)


class _SglangAnswer(msgspec.Struct, frozen=True):
    embedding: Annotated[list[float], msgspec.Meta(min_length=1)]
    meta_info: _Usage


class _Info(msgspec.Struct, frozen=True):
    model_path: str = ""
    version: str = ""


class SglangClassify:
    """SGLang's `/classify`, of a server that runs with `--is-embedding`: at the last token alone."""

    kind: str = "sglang"
    last_only: bool = True
    takes_model: bool = False

    def tokenizer(self, http: Http, model: str | None) -> HeadTokenizer:  # noqa: ARG002
        return SglangTokenizer(http)

    async def identity(self, http: Http, model: str | None) -> Identity:  # noqa: ARG002
        info = await http.get("/server_info", _Info)
        return Identity(f"SGLang {info.version}", info.model_path)

    async def load(self, http: Http) -> int | None:
        with suppress(InputError):
            return (await http.get("/v1/loads?include=core", Loads)).requests
        return None

    async def ask(self, http: Http, token_ids: Sequence[int], model: Mapping[str, str]) -> Answer:  # noqa: ARG002
        async def abort(rid: str) -> None:
            await http.send("/abort_request", {"rid": rid})

        # It aborts by prefix: ids of one length, so that none is the beginning of another.
        rid = secrets.token_hex(16)
        body = {"rid": rid, "input_ids": list(token_ids)}
        # The server looks only every few seconds whether who waits for a whole answer is still there.
        answer = await answered(asyncio.ensure_future(http.post("/classify", body, _SglangAnswer)), rid, abort)
        return Answer([answer.embedding], answer.meta_info.prompt_tokens)


POOLINGS: Mapping[str, type[VllmPooling | SglangClassify]] = {"vllm": VllmPooling, "sglang": SglangClassify}
"""The kinds of servers by the names that engines have."""
