"""Token ids where there is no tokenizer: a token is a byte of the UTF-8 text, and every text round-trips."""

from __future__ import annotations

from collections.abc import Sequence

from spex.engine.base import Message
from spex.errors import InputError, Misbehaving


def encoded(text: str) -> tuple[int, ...]:
    """The bytes of `text`. Raises `InputError` for lone surrogates, which have none."""
    try:
        return tuple(text.encode())
    except UnicodeEncodeError:
        raise InputError("text", text, "it must be valid Unicode (it has lone surrogates)") from None


def decoded(token_ids: Sequence[int], name: str) -> str:
    """The text of `token_ids`. Raises `Misbehaving` of the engine `name` where they are none."""
    try:
        return bytes(token_ids).decode()
    except ValueError:
        raise Misbehaving(name, "token ids that are the bytes of UTF-8 text", token_ids) from None


def transcript(messages: Sequence[Message]) -> str:
    """`System: …`, `User: …`, `Assistant: …` turns with a blank line between them, up to where the assistant speaks."""
    turns = [f"{message.role.capitalize()}: {message.content}\n\n" for message in messages]
    return "".join([*turns, "Assistant: "])
