"""Texts as token ids, by a server's own tokenizer: what people wrote never becomes a control token.

Servers read the names of control tokens in any text as those tokens. So what has some is cut within their names, and
each part is encoded alone: the token ids decode to the same text, and none of them is a control token. A chat is
rendered by the server, as it is and with marks in the place of its contents: where the contents make no control tokens
the former is it, as its model was trained; else the frame is the server's, and the contents are encoded so.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from spex.engine import text_tokens
from spex.engine.base import Message
from spex.errors import Misbehaving

_MARK = "spexcontent{}spex"


class Speller(Protocol):
    """Who says what token ids mean."""

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        """What the ids say, with the names of control tokens or without."""
        ...


class Tokenizer(Speller, Protocol):
    """What a server's tokenizer is asked for."""

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, nothing added; names of control tokens become those."""
        ...

    async def chat_tokens(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """A chat up to where the assistant speaks next."""
        ...


async def encoded(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """`text` as token ids, none of them a control token. Raises `EngineError`, `InputError` for lone surrogates."""
    text_tokens.encoded(text)
    if not text:
        return ()
    token_ids = await tokenizer.tokens(text)
    names = await control_names(tokenizer, token_ids)
    if not names:
        return token_ids
    parts = cut_within(text, names)
    known = {part: await tokenizer.tokens(part) for part in dict.fromkeys(parts)}
    return tuple(token for part in parts for token in known[part])


def chat_request(messages: Sequence[Message], enable_thinking: bool | None = None) -> dict[str, object]:
    """What both servers are asked for, where they are to render a chat up to where the assistant speaks."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    asked: dict[str, object] = {"messages": turns, "add_generation_prompt": True}
    if enable_thinking is not None:
        asked["chat_template_kwargs"] = {"enable_thinking": enable_thinking}
    return asked


async def encoded_chat(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    name: str,
    render: Callable[[Sequence[Message]], Awaitable[tuple[int, ...]]] | None = None,
) -> tuple[int, ...]:
    """A chat as token ids; `name` is the engine's, for `Misbehaving`, which a template that drops contents is.

    render: in the place of the tokenizer's `chat_tokens`.
    """
    for message in messages:
        text_tokens.encoded(message.content)
    render = render or tokenizer.chat_tokens
    marks = [_MARK.format(number) for number in range(len(messages))]
    marked = await render([message._replace(content=mark) for message, mark in zip(messages, marks, strict=True)])
    rendered = await tokenizer.text(marked, control=True)
    if all(mark in rendered for mark in marks):
        whole = await render(messages)
        named = await tokenizer.text(whole, control=True)
        if await _control_characters(tokenizer, whole, named) == await _control_characters(tokenizer, marked, rendered):
            return whole
    token_ids: list[int] = []
    for message, mark in zip(messages, marks, strict=True):
        frame, found, rendered = rendered.partition(mark)
        if not found:
            raise Misbehaving(name, "a chat template that keeps every message", rendered)
        token_ids += await tokenizer.tokens(frame) if frame else ()
        token_ids += await encoded(tokenizer, message.content)
    return (*token_ids, *(await tokenizer.tokens(rendered) if rendered else ()))


async def _control_characters(tokenizer: Speller, token_ids: Sequence[int], named: str) -> int:
    """How many characters of `named`, the text of `token_ids`, are names of control tokens. Raises `EngineError`."""
    return len(named) - len(await tokenizer.text(token_ids, control=False))


def cut_within(text: str, names: Sequence[str]) -> list[str]:
    """`text` in parts, each name (of two characters at least) cut after its first character."""
    longest_first = sorted(set(names), key=len, reverse=True)
    name = re.compile("|".join(map(re.escape, longest_first)))
    parts, begun = [], 0
    while longest_first and (found := name.search(text, begun)):
        parts.append(text[begun : found.start() + 1])
        begun = found.start() + 1  # another name may begin within this one
    return [part for part in (*parts, text[begun:]) if part]


async def control_names(tokenizer: Speller, token_ids: Sequence[int]) -> list[str]:
    """The names of the control tokens among `token_ids`, of two characters at least. Raises `EngineError`."""
    spoken = await tokenizer.text(token_ids, control=False)
    if spoken == await tokenizer.text(token_ids, control=True):
        return []
    names = {token: await tokenizer.text([token], control=True) for token in sorted(set(token_ids))}
    return [name for token, name in names.items() if len(name) > 1 and not await tokenizer.text([token], control=False)]
