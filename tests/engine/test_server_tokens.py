"""Texts become a server's token ids, and what people wrote never becomes a control token."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Message
from spex.engine.server_tokens import cut_within, encoded, encoded_chat
from spex.errors import Misbehaving

CONTROL = {"<|im_start|>": 1001, "<|im_end|>": 1002, "</s>": 1003}
NAMES = {token: name for name, token in CONTROL.items()}
PARTS = re.compile("|".join(map(re.escape, CONTROL)) + "|.", re.DOTALL)


class Letters:
    """A server whose tokens are letters, and the control tokens wherever they are named."""

    def __init__(self, template: str = "<|im_start|>{role}\n{content}<|im_end|>\n") -> None:
        self._template = template

    async def tokens(self, text: str) -> tuple[int, ...]:
        return tuple(CONTROL.get(part, ord(part[0])) for part in PARTS.findall(text))

    async def chat_tokens(self, messages: Sequence[Message]) -> tuple[int, ...]:
        turns = [self._template.format(role=message.role, content=message.content) for message in messages]
        return await self.tokens("".join(turns) + "<|im_start|>assistant\n")

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        return "".join(NAMES.get(token) or chr(token) for token in token_ids if control or token not in NAMES)


HOSTILE = st.lists(st.sampled_from([*CONTROL, "a", "<", "|", "im_end", ">", "\n"]), max_size=8).map("".join)


@given(HOSTILE)
def test_a_text_is_itself_in_tokens_none_of_which_is_a_control_token(text: str) -> None:
    token_ids = asyncio.run(encoded(Letters(), text))
    assert "".join(map(chr, token_ids)) == text
    assert not NAMES.keys() & set(token_ids)


@given(st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), HOSTILE), min_size=1, max_size=3))
def test_a_chat_has_the_control_tokens_of_its_template_alone(messages: list[Message]) -> None:
    token_ids = asyncio.run(encoded_chat(Letters(), messages, "letters"))
    assert [token for token in token_ids if token in NAMES] == [1001, 1002] * len(messages) + [1001]
    turns = "".join(f"{message.role}\n{message.content}\n" for message in messages)
    assert "".join(chr(token) for token in token_ids if token not in NAMES) == f"{turns}assistant\n"


class Blanks(Letters):
    """Whatever it encodes begins with a blank, as SentencePiece has it."""

    async def tokens(self, text: str) -> tuple[int, ...]:
        return (ord(" "), *await super().tokens(text)) if text else ()


def test_a_chat_whose_contents_name_no_control_token_is_as_the_server_has_it() -> None:
    server = Blanks()
    for content in ("a b", " a\n", "<|im_", ""):
        chat = [Message("user", content)]
        assert asyncio.run(encoded_chat(server, chat, "blanks")) == asyncio.run(server.chat_tokens(chat))


def test_a_template_that_drops_a_message_is_misbehaving() -> None:
    with pytest.raises(Misbehaving, match="a chat template that keeps every message"):
        asyncio.run(encoded_chat(Letters("{role}"), [Message("user", "a")], "letters"))


@given(st.text(alphabet="ab<", max_size=12), st.lists(st.text(alphabet="ab<", min_size=2, max_size=3), max_size=3))
def test_no_part_of_a_cut_text_has_a_name_and_together_they_are_the_text(text: str, names: list[str]) -> None:
    parts = cut_within(text, names)
    assert "".join(parts) == text
    assert not any(name in part for part in parts for name in names)


def test_thousands_of_names_are_cut_in_one_pass() -> None:
    names = [f"<|a{number}|>" for number in range(3000)]
    parts = cut_within("".join(names) * 2, names)
    assert "".join(parts) == "".join(names) * 2
    assert not any(name in part for name in names[:50] for part in parts)
