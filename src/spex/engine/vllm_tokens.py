"""vLLM's tokenizer, and which of its tokens are control tokens, of which the server has no list.

A text's control tokens are found in two steps. A name is a control token's only where it is read as that token in the
middle of anything: one request for all new names leaves few others. Those are asked for one by one: a text of that
single token is empty exactly where the token is a control token. What is once known of a token is not asked again.
A server that writes no texts cannot be asked that: there what is read amid many kinds of signs counts as a control
token.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec

from spex.engine.base import Message
from spex.engine.http import Http, TokenId
from spex.engine.server_tokens import chat_request

_AMID = "x{0}{0}e{0}s\n"
_TIMES = 3
# Behind a space, beside signs and beside its own ends an ordinary token is a part of a longer one.
_AMID_ANYTHING = (
    'a{0}b{0}c{0}d{0}f{0}l{0}m{0}n{0}p{0}r{0}s{0}t{0}v {0} 1{0}({0}){0}.{0},{0}:{0}*{0}/{0}={0}"{0}\n{0}{1}{0}{2}'
)


class _Ids(msgspec.Struct, frozen=True):
    tokens: list[TokenId]
    token_strs: list[str] | None = None


class _Text(msgspec.Struct, frozen=True):
    prompt: str


class _Spoken(msgspec.Struct, frozen=True):
    text: str


class _Answer(msgspec.Struct, frozen=True):
    choices: Annotated[list[_Spoken], msgspec.Meta(min_length=1)]


class VllmTokenizer:
    """The tokenizer of the model called `model` (none: of the server's only one); `writes`: whether it writes texts.

    Everything of it raises `EngineError`.
    """

    def __init__(self, http: Http, model: str | None, *, writes: bool = True) -> None:
        self._http = http
        self._asked = {"model": model} if model else {}
        self._writes = writes
        self._names: dict[int, str] = {}
        self._control: dict[int, bool] = {}

    async def tokens(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """`text` as token ids; special: with those that the model has before and behind every text."""
        return await self._encoded({"prompt": text, "add_special_tokens": special})

    async def _encoded(self, asked: Mapping[str, object]) -> tuple[int, ...]:
        """The token ids, whose names are known from then on."""
        answer = await self._http.post("/tokenize", {**self._asked, **asked, "return_token_strs": True}, _Ids)
        self._names.update(zip(answer.tokens, answer.token_strs or (), strict=False))
        return tuple(answer.tokens)

    async def chat_tokens(self, messages: Sequence[Message], enable_thinking: bool | None = None) -> tuple[int, ...]:
        return await self._encoded(chat_request(messages, enable_thinking))

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        dropped = set() if control else await self._controls(token_ids)
        kept = [token for token in token_ids if token not in dropped]
        if not kept:
            return ""
        return (await self._http.post("/detokenize", {**self._asked, "tokens": kept}, _Text)).prompt

    async def control_names(self, token_ids: Sequence[int]) -> list[str]:
        """The names of the control tokens among `token_ids`, of two characters at least."""
        return [self._names[token] for token in sorted(await self._controls(token_ids))]

    async def _controls(self, token_ids: Iterable[int]) -> set[int]:
        """The control tokens among `token_ids`."""
        asked = set(token_ids)
        unknown = sorted(asked - self._control.keys())
        suspects = await self._read_amid_anything(unknown) if unknown else []
        ask = self._is_silent if self._writes else self._stands_alone
        silent = await asyncio.gather(*map(ask, suspects), return_exceptions=True)
        for failure in silent:
            if isinstance(failure, BaseException):
                raise failure
        self._control.update(dict.fromkeys(unknown, False))
        self._control.update((token, empty is True) for token, empty in zip(suspects, silent, strict=True))
        return {token for token in asked if self._control[token]}

    async def _read_amid_anything(self, token_ids: Sequence[int]) -> list[int]:
        """Those whose name is read as them whatever stands beside it."""
        names = {token: self._names.get(token) or await self.text([token], control=True) for token in token_ids}
        self._names.update(names)
        found = Counter(await self.tokens("".join(_AMID.format(name) for name in names.values() if len(name) > 1)))
        return [token for token, name in names.items() if len(name) > 1 and found[token] >= _TIMES]

    async def _stands_alone(self, token: int) -> bool:
        """Whether the token's name is read as it whatever stands beside it, and not only beside some letters."""
        name = self._names[token]
        amid = _AMID_ANYTHING.format(name, name[0], name[-1])
        return (await self.tokens(amid)).count(token) == amid.count(name)

    async def _is_silent(self, token: int) -> bool:
        """Whether a text of this token alone is empty."""
        asked = {
            **self._asked,
            "prompt": [token],
            "max_tokens": 1,
            "temperature": 0.0,
            "allowed_token_ids": [token],
        }
        return not (await self._http.post("/v1/completions", asked, _Answer)).choices[0].text
