"""SGLang's tokenizer, which says what token ids mean with its control tokens and without."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from spex.engine.base import Message
from spex.engine.http import Http, TokenId
from spex.engine.server_tokens import chat_request, control_names


class _Ids(msgspec.Struct, frozen=True):
    tokens: list[TokenId]


class _Text(msgspec.Struct, frozen=True):
    text: str


class SglangTokenizer:
    """That of the server's model, whether it writes texts or scores. Everything of it raises `EngineError`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def tokens(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """`text` as token ids; special: with those that the model has before and behind every text."""
        asked = {"prompt": text, "add_special_tokens": special}
        return tuple((await self._http.post("/v1/tokenize", asked, _Ids)).tokens)

    async def chat_tokens(self, messages: Sequence[Message], enable_thinking: bool | None = None) -> tuple[int, ...]:
        asked = chat_request(messages, enable_thinking)
        return tuple((await self._http.post("/v1/tokenize", asked, _Ids)).tokens)

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        asked = {"tokens": list(token_ids), "skip_special_tokens": not control}
        return (await self._http.post("/v1/detokenize", asked, _Text)).text

    async def control_names(self, token_ids: Sequence[int]) -> list[str]:
        """The names of the control tokens among `token_ids`, of two characters at least."""
        return await control_names(self, token_ids)
