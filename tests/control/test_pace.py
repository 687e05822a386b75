"""How often queries look ahead, and how hard."""

from __future__ import annotations

import pytest

from spex.control.pace import Pace
from spex.speculate.runahead import Effort

MOST = Effort(8, 48)


def paced(*costs: float) -> list[Effort]:
    """The effort after passes that cost so many engine iterations."""
    pace = Pace(MOST)
    efforts = []
    for cost in costs:
        pace.adapt(cost * 0.010, 0.010)
        efforts.append(pace.effort)
    return efforts


def test_a_pass_that_costs_little_is_made_with_full_effort() -> None:
    assert paced(0.0, 0.1, 0.19) == [MOST] * 3


def test_passes_that_cost_much_are_made_with_less_and_less_effort_but_never_none() -> None:
    assert paced(*[0.5] * 3) == [Effort(7, 44), Effort(6, 40), Effort(5, 36)]
    assert paced(*[9.9] * 5) == [Effort(4, 24), Effort(2, 12), Effort(2, 6), Effort(2, 4), Effort(2, 4)]


def test_between_much_and_little_the_effort_stays() -> None:
    assert paced(0.5, 0.3, 0.39, 0.21) == [Effort(7, 44)] * 4


def test_passes_that_become_cheap_are_made_with_more_effort_again() -> None:
    assert paced(0.5, 0.5, 0.1, 0.1, 0.1) == [Effort(7, 44), Effort(6, 40), Effort(7, 44), MOST, MOST]


def pace_after(cost_seconds: float, in_vain: int = 0) -> Pace:
    """After so many passes in vain, the last of which took so long, at iterations of 10 ms."""
    pace = Pace(MOST)
    for _ in range(in_vain):
        pace.heed(bought=0, running=0)
    pace.adapt(cost_seconds, 0.010)
    return pace


@pytest.mark.parametrize(("cost", "rest"), [(0.0, 0.010), (0.0005, 0.010), (0.001, 0.010), (0.010, 0.100)])
def test_looking_ahead_takes_a_tenth_of_the_time_at_most(cost: float, rest: float) -> None:
    assert pace_after(cost).rest_seconds(0.010) == pytest.approx(rest)
    assert pace_after(cost).patience_seconds(0.010, 1.0) <= rest


def test_while_nothing_is_bought_it_takes_less_and_less_of_the_time_but_never_none() -> None:
    waits = [pace_after(0.010, in_vain).patience_seconds(0.010, 1.0) for in_vain in range(20)]
    assert waits == sorted(waits)
    assert waits[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert waits[-1] == pytest.approx(0.8)


@pytest.mark.parametrize(("bought", "running"), [(1, 0), (0, 1)])
def test_one_purchase_or_one_that_runs_and_it_is_a_tenth_again(bought: int, running: int) -> None:
    pace = pace_after(0.010, in_vain=9)
    pace.heed(bought, running)
    assert pace.patience_seconds(0.010, 1.0) == pytest.approx(0.1)


@pytest.mark.parametrize(("margin", "wait"), [(1.0, 0.1), (0.5, 0.2), (0.125, 0.8), (0.01, 0.8), (0.0, 0.8)])
def test_where_little_can_be_won_looking_ahead_takes_as_much_less_of_the_time(margin: float, wait: float) -> None:
    assert pace_after(0.010).patience_seconds(0.010, margin) == pytest.approx(wait)


@pytest.mark.parametrize(("in_vain", "margin", "wait"), [(3, 0.5, 0.4), (1, 0.25, 0.4), (9, 0.0, 0.8)])
def test_of_both_reasons_to_wait_the_greater_one_counts(in_vain: int, margin: float, wait: float) -> None:
    assert pace_after(0.010, in_vain).patience_seconds(0.010, margin) == pytest.approx(wait)


@pytest.mark.parametrize(("in_vain", "margin"), [(9, 1.0), (0, 0.0)])
def test_after_a_pass_that_took_very_long_no_query_waits_for_longer_than_a_text_takes(
    in_vain: int, margin: float
) -> None:
    assert pace_after(0.040, in_vain).patience_seconds(0.010, margin) == pytest.approx(1.28)
    assert pace_after(0.200, in_vain).rest_seconds(0.010) == pytest.approx(2.0)  # a tenth it stays


@pytest.mark.parametrize(("in_vain", "margin"), [(9, 1.0), (0, 0.0)])
def test_where_looking_ahead_costs_nothing_it_is_done_at_each_iteration_whatever_comes_of_it(
    in_vain: int, margin: float
) -> None:
    pace = pace_after(0.0, in_vain)
    assert pace.rest_seconds(0.010) == pytest.approx(0.010)
    assert pace.patience_seconds(0.010, margin) == 0.0
