"""Prompts that grow step by step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spex.prompt import Prompt

segments = st.lists(st.lists(st.integers(0, 2**62), max_size=5), max_size=5)


@given(segments)
def test_a_prompt_has_the_token_ids_of_its_segments(parts: list[list[int]]) -> None:
    prompt = Prompt(parts)
    assert prompt.token_ids == tuple(token for part in parts for token in part)
    assert prompt.token_count == len(prompt.token_ids)


@given(segments, st.lists(st.integers(0, 2**62), max_size=5))
def test_growing_is_the_same_as_beginning_with_more(parts: list[list[int]], more: list[int]) -> None:
    grown = Prompt(parts).extended(more)
    whole = Prompt([*parts, more])
    assert (grown, grown.digest, grown.segments) == (whole, whole.digest, whole.segments)


@given(segments)
def test_where_segments_end_does_not_matter(parts: list[list[int]]) -> None:
    flat = Prompt([[token for part in parts for token in part]])
    assert Prompt(parts) == flat
    assert hash(Prompt(parts)) == hash(flat)


@given(segments, segments)
def test_prompts_are_equal_exactly_when_their_token_ids_are(one: list[list[int]], other: list[list[int]]) -> None:
    assert (Prompt(one) == Prompt(other)) == (Prompt(one).token_ids == Prompt(other).token_ids)


def test_siblings_do_not_disturb_each_other() -> None:
    parent = Prompt([[1, 2]])
    one, other = parent.extended([3]), parent.extended([4])
    assert (parent.token_ids, one.token_ids, other.token_ids) == ((1, 2), (1, 2, 3), (1, 2, 4))
    assert one.segments[0] is other.segments[0] is parent.segments[0]


def test_a_prompt_equals_nothing_but_a_prompt() -> None:
    assert Prompt([[1]]) != (1,)


def test_a_prompt_is_shown_by_its_length() -> None:
    assert repr(Prompt([[1], [2, 3]])).startswith("Prompt(3 tokens, ")
