"""The benchmark of the predictor counts what it says."""

from __future__ import annotations

import pytest

from benchmarks.predictor import calibration, measure


def test_calibration_is_the_share_that_was_demanded_of_each_probability() -> None:
    outcomes = [(0.5, True), (0.5, False), (0.25, False), (1.0, True), (0.5, False)]
    assert calibration(outcomes) == {0.25: (1, 0.0), 0.5: (3, pytest.approx(1 / 3)), 1.0: (1, 1.0)}


def test_a_predictor_that_reads_texts_wins_where_they_tell_of_rewards() -> None:
    measured = measure("readable", 4, 2, 5)
    assert measured.learned < 0.8 * min(measured.parent, measured.constant)
    assert {0.0 < probability <= 1.0 for probability, _ in measured.outcomes} == {True}
    assert {demanded for _, demanded in measured.outcomes} == {True, False}
