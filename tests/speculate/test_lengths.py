"""How long a text still takes."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.speculate.lengths import Lengths

observed = st.lists(st.floats(1, 1e5), max_size=30)


def seen(*lengths: float) -> Lengths:
    learned = Lengths()
    for length in lengths:
        learned.observe(length)
    return learned


def test_before_any_text_the_mean_is_the_prior_and_all_is_left() -> None:
    assert (Lengths(prior=40.0).mean, Lengths().remaining_share(10.0)) == (40.0, 1.0)


def test_the_mean_is_that_of_the_texts_seen() -> None:
    assert seen(10, 20, 60).mean == pytest.approx(30)


def test_the_remaining_share_is_that_of_the_texts_that_were_longer() -> None:
    assert seen(10, 20, 40, 50).remaining_share(20) == pytest.approx((45 - 20) / 30)


def test_a_text_longer_than_all_is_thought_to_be_half_done() -> None:
    assert seen(10, 20).remaining_share(20) == 0.5


@given(observed, st.floats(0, 1e6))
def test_a_share_is_a_share(lengths: list[float], produced: float) -> None:
    assert 0.0 <= seen(*lengths).remaining_share(produced) <= 1.0


@given(observed)
def test_a_text_that_has_not_begun_is_all_to_come(lengths: list[float]) -> None:
    assert seen(*lengths).remaining_share(0.0) == pytest.approx(1.0)


def test_old_texts_are_forgotten() -> None:
    learned = seen(*[1000.0] * 5, *[10.0] * 256)
    assert learned.mean == pytest.approx(10.0)
    assert learned.remaining_share(10.0) == 0.5


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(257, 600))
def test_the_last_256_texts_count_however_often_a_length_repeats(random: Random, count: int) -> None:
    lengths = [float(random.randint(1, 4)) for _ in range(count)]
    learned = seen(*lengths)
    assert learned.mean == pytest.approx(sum(lengths[-256:]) / 256)
    assert learned.remaining_share(0.5) == pytest.approx(min(1.0, (learned.mean - 0.5) / learned.mean))
