"""Texts that a limit has cut: none ends within a character, and what is left to the next one is its whole character."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Completion
from spex.engine.whole_characters import without_half_character
from spex.tree import End


class Bytes:
    """A token is a byte."""

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        assert control
        return bytes(token_ids).decode(errors="replace")


def cut(data: bytes, end: End = "length", *, told: bool = True) -> Completion:
    logprobs = tuple(-0.01 * place for place in range(len(data))) if told else None
    written = Completion(data.decode(errors="replace"), tuple(data), logprobs, end)
    return asyncio.run(without_half_character(written, Bytes()))


@pytest.mark.parametrize("character", ["√", "½", "😀", "中"])
@pytest.mark.parametrize("told", [True, False])
def test_the_tokens_of_half_a_character_are_left_to_the_text_that_goes_on(character: str, told: bool) -> None:
    for parts in range(1, len(character.encode())):
        found = cut(b"The side is " + character.encode()[:parts], told=told)
        assert (found.text, bytes(found.token_ids), found.end) == ("The side is ", b"The side is ", "length")
        assert found.logprobs == (tuple(-0.01 * place for place in range(12)) if told else None)


WORDS = {1: b"The", 2: b" x", 3: b" \xe2", 4: b"\x88\x9a", 5: b" \xe2\x88", 6: b"\x9a"}


class Words:
    """A token may begin a character behind something whole."""

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        assert control
        return b"".join(WORDS[token] for token in token_ids).decode(errors="replace")


@pytest.mark.parametrize("token_ids", [(1, 2, 3), (1, 2, 5)])
@pytest.mark.parametrize("text", ["The x \ufffd", "The x"])  # as SGLang tells it, and vLLM
def test_what_the_first_token_of_half_a_character_says_before_it_goes_with_it(
    token_ids: tuple[int, ...], text: str
) -> None:
    found = asyncio.run(without_half_character(Completion(text, token_ids, None, "length"), Words()))
    assert found == ("The x", (1, 2), None, "length")
    whole = Completion("The x √", (1, 2, 3, 4), None, "length")
    assert asyncio.run(without_half_character(whole, Words())) == whole


# A character that is itself the mark of half a one cannot be told from it.
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), min_size=1), st.data())
def test_wherever_a_text_is_cut_both_parts_are_whole_and_together_the_text(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    place = data.draw(st.integers(1, len(whole)))
    found = cut(whole[:place])
    first = bytes(found.token_ids)
    if first == whole[:place] and place < 4:  # a text that is nothing but half a character stays
        return
    assert first.decode() == found.text
    assert first.decode() + whole[len(first) :].decode() == whole.decode()


@pytest.mark.parametrize("end", ["delimiter", "eos", "context"])
def test_what_did_not_end_by_its_limit_stays(end: End) -> None:
    assert bytes(cut("a √".encode()[:-1], end).token_ids) == "a √".encode()[:-1]


@pytest.mark.parametrize("data", [b"", "√".encode()[:2], b"a" + b"\xff" * 9, b"a \xf0\x9f\xe2\x88\xe2\x88"])
def test_what_is_nothing_else_or_no_character_at_all_stays(data: bytes) -> None:
    assert bytes(cut(data).token_ids) == data
