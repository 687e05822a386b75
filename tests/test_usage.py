"""Tokens by what became of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spex.usage import Tokens, Usage

tokens = st.builds(Tokens, *[st.integers(0, 10**9)] * 4)
usages = st.builds(Usage, tokens, tokens, tokens, tokens)


def test_tokens_add_up_class_by_class() -> None:
    assert Tokens(1, 2, 3, 4).plus(Tokens(10, 20, 30, 40)) == Tokens(11, 22, 33, 44)


@given(usages, usages)
def test_usages_add_up_class_by_class(one: Usage, other: Usage) -> None:
    both = one.plus(other)
    assert both.wasted == one.wasted.plus(other.wasted)
    assert both.paid == one.paid.plus(other.paid)
    assert both == other.plus(one)


def test_what_was_replayed_was_not_paid_for_again() -> None:
    usage = Usage(useful=Tokens(10), wasted=Tokens(5), lost=Tokens(2), replayed=Tokens(7))
    assert usage.paid == Tokens(10)


def test_nothing_costs_nothing() -> None:
    assert Usage().paid == Tokens()
