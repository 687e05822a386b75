"""SGLang's tokenizer, asked over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from spex.engine.base import Message
from spex.engine.http import Http, TokenId
from spex.engine.server_tokens import chat_request


class _Ids(msgspec.Struct, frozen=True):
    tokens: list[TokenId]


class _Text(msgspec.Struct, frozen=True):
    text: str


class SglangTokenizer:
    """The tokenizer of the server's model. Everything of it raises `EngineError`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def tokens(self, text: str) -> tuple[int, ...]:
        asked = {"prompt": text, "add_special_tokens": False}
        return tuple((await self._http.post("/v1/tokenize", asked, _Ids)).tokens)

    async def chat_tokens(self, messages: Sequence[Message], enable_thinking: bool | None = None) -> tuple[int, ...]:
        asked = chat_request(messages, enable_thinking)
        return tuple((await self._http.post("/v1/tokenize", asked, _Ids)).tokens)

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        asked = {"tokens": list(token_ids), "skip_special_tokens": not control}
        return (await self._http.post("/v1/detokenize", asked, _Text)).text
