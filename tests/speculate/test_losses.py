"""How much of the work on guesses is kept where an engine keeps no tokens of what is stopped."""

from __future__ import annotations

import pytest

from spex.speculate.losses import Losses


def test_before_anything_was_lost_all_is_kept() -> None:
    losses = Losses()
    assert losses.kept_share == 1.0
    losses.keep(1000.0)
    assert losses.kept_share == 1.0


def test_the_share_is_that_of_the_tokens_beside_a_text_or_two_that_are_taken_for_kept() -> None:
    losses = Losses()
    losses.lose(128.0)
    assert losses.kept_share == pytest.approx(0.5)
    losses.keep(256.0)
    assert losses.kept_share == pytest.approx(0.75)


def test_where_nothing_is_bought_any_more_what_was_lost_is_forgotten() -> None:
    losses = Losses()
    losses.lose(10_000.0)
    assert losses.kept_share < 0.02
    for _ in range(1000):
        losses.age()
    assert losses.kept_share > 0.99
