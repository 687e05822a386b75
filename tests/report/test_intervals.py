"""How far a ratio can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from spex.report.intervals import (
    RESAMPLES,
    Draws,
    Interval,
    Values,
    interval,
    makespan_ratio,
    makespans,
    mean_ratio,
    share,
    share_of,
)

PLAIN = [4.0, 6.0, 5.0, 9.0, 3.0, 7.0, 8.0, 2.0]


def test_runs_that_differ_by_one_factor_everywhere_leave_no_doubt() -> None:
    """Paired: what one query has more than another is in both runs."""
    halved = [seconds / 2 for seconds in PLAIN]
    assert interval(2.0, mean_ratio(PLAIN, halved), 8, seed=0) == pytest.approx((2.0, 2.0, 2.0))


def test_an_interval_holds_its_figure_and_is_the_same_for_the_same_seed() -> None:
    other = [2.0, 5.0, 5.0, 4.0, 3.0, 2.0, 5.0, 1.0]
    ratio = mean_ratio(PLAIN, other)
    found = interval(sum(PLAIN) / sum(other), ratio, 8, seed=1)
    assert found.low is not None
    assert found.high is not None
    assert found.low < sum(PLAIN) / sum(other) < found.high
    assert found == interval(sum(PLAIN) / sum(other), ratio, 8, seed=1)
    assert found != interval(sum(PLAIN) / sum(other), ratio, 8, seed=2)


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    sample = list(np.random.default_rng(0).normal(10.0, 2.0, 400))
    ones = [1.0] * 400
    found = interval(float(np.mean(sample)), mean_ratio(sample, ones), 400, seed=0)
    assert found.value is not None
    half = 1.96 * float(np.std(sample)) / 20
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half), rel=0.01)


def test_2000_draws_are_made_however_many_queries_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []

    def counting(draws: Draws) -> Values:
        rows.append(len(draws))
        assert (np.diff(draws, axis=1) >= 0).all()
        return np.ones(len(draws))

    interval(1.0, counting, 10, seed=0)
    monkeypatch.setattr("spex.report.intervals._CELLS_MAX", 1000)
    interval(1.0, counting, 10, seed=0)
    assert rows[0] == RESAMPLES == sum(rows[1:])
    assert len(rows) == 21


def test_what_has_no_value_has_no_interval() -> None:
    assert interval(None, mean_ratio(PLAIN, PLAIN), 8, seed=0) == Interval(None, None, None)


def test_a_share_is_the_part_of_the_gain_that_there_was() -> None:
    twice, thrice = [seconds / 2 for seconds in PLAIN], [seconds / 3 for seconds in PLAIN]
    found = interval(0.5, share(mean_ratio(PLAIN, twice), mean_ratio(PLAIN, thrice)), 8, seed=0)
    assert found == pytest.approx((0.5, 0.5, 0.5))
    assert share_of(2.0, 3.0) == 0.5
    assert share_of(0.9, 1.5) == pytest.approx(-0.2)


def test_where_there_is_nothing_to_gain_there_is_no_share() -> None:
    assert share_of(1.0, 1.0) is None
    found = interval(0.5, share(mean_ratio(PLAIN, PLAIN), mean_ratio(PLAIN, PLAIN)), 8, seed=0)
    assert found == Interval(0.5, None, None)


def test_a_makespan_is_that_of_workers_who_take_the_queries_in_order() -> None:
    latencies = np.array([[3.0, 1.0, 1.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    at_once = np.zeros_like(latencies)
    assert makespans(latencies, at_once, 1).tolist() == [9.0, 4.0]
    assert makespans(latencies, at_once, 2).tolist() == [6.0, 2.0]
    assert makespans(latencies, at_once, 4).tolist() == [4.0, 1.0]


def test_no_worker_takes_a_query_before_it_arrives() -> None:
    latencies, arrivals = np.array([[1.0, 1.0, 1.0]]), np.array([[0.0, 5.0, 5.5]])
    assert makespans(latencies, arrivals, 1).tolist() == [7.0]
    assert makespans(latencies, arrivals, 3).tolist() == [6.5]


def test_the_ratio_of_makespans_is_of_the_same_queries() -> None:
    every = np.arange(8)[None, :]
    halved = [seconds / 2 for seconds in PLAIN]
    assert makespan_ratio(PLAIN, halved, 2, None)(every).tolist() == [2.0]
    late = [100.0] * 8
    assert makespan_ratio(PLAIN, halved, 8, late)(every).tolist() == pytest.approx([109.0 / 104.5])
