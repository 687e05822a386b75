"""The price of speculation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.profile import Affine, Curve, Roofline
from spex.speculate.price import credible, holding_price, price

curves = st.one_of(
    st.builds(Affine, st.floats(1e-4, 0.1), st.floats(0.0, 1e-2)),
    st.builds(Roofline, st.floats(1e-4, 0.1), st.floats(0.0, 1e-2), st.floats(0, 64)),
)
usefuls = st.floats(0, 200)
probabilities = st.floats(0, 1)


@given(curves, usefuls)
def test_an_idle_engine_speculates_for_nothing(curve: Curve, useful: float) -> None:
    assert price(curve, useful, 0) == 0.0


@given(usefuls, st.integers(0, 200))
def test_an_engine_that_never_slows_down_speculates_for_nothing(useful: float, running: int) -> None:
    assert price(Affine(0.010, 0.0), useful, running) == 0.0


@given(curves, usefuls, usefuls, st.integers(0, 200))
def test_the_more_useful_work_runs_the_dearer_is_speculation(
    curve: Curve, one: float, other: float, running: int
) -> None:
    cheap, dear = sorted([one, other])
    assert price(curve, cheap, running) <= price(curve, dear, running)


@given(curves, st.integers(1, 200), st.data())
def test_what_is_worth_its_price_is_what_raises_the_rate_of_useful_tokens(
    curve: Curve, running: int, data: st.DataObject
) -> None:
    useful = data.draw(st.floats(0, running))
    probability = data.draw(probabilities)
    before = useful / curve.itl_seconds(running)
    after = (useful + probability) / curve.itl_seconds(running + 1)
    gain = (after - before) / max(before, after, 1e-9)
    if abs(gain) > 1e-9:
        assert (probability > price(curve, useful, running)) == (gain > 0)


def test_a_compute_bound_engine_asks_for_its_share_of_useful_work() -> None:
    assert price(Affine(0.0, 0.010), 6.0, 8) == pytest.approx(6 / 8)
    assert price(Affine(0.0, 0.010), 1.0, 1) == pytest.approx(1.0)


@given(curves, usefuls, st.integers(1, 200), probabilities)
def test_what_runs_is_held_at_no_more_than_half_of_what_it_would_cost_to_start(
    curve: Curve, useful: float, running: int, remaining: float
) -> None:
    assert holding_price(curve, useful, running, remaining) <= 0.5 * price(curve, useful, running - 1) + 1e-12


@given(curves, usefuls, st.integers(1, 200), probabilities, probabilities)
def test_the_less_is_left_to_do_the_cheaper_it_is_to_finish(
    curve: Curve, useful: float, running: int, one: float, other: float
) -> None:
    less, more = sorted([one, other])
    assert holding_price(curve, useful, running, less) <= holding_price(curve, useful, running, more)


@given(curves, usefuls)
def test_a_speculation_that_runs_alone_costs_nothing_to_hold(curve: Curve, useful: float) -> None:
    assert holding_price(curve, useful, 1, 1.0) == 0.0


@given(curves, st.floats(0.1, 64), st.integers(1, 64), st.floats(0, 0.1), st.floats(0, 0.1))
def test_a_prompt_that_must_be_computed_makes_a_guess_dearer(
    curve: Curve, useful: float, running: int, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert price(curve, useful, running, low) <= price(curve, useful, running, high)
    assert price(curve, useful, running, 0.0) == price(curve, useful, running)


@given(probabilities, probabilities)
def test_no_guess_is_sure_and_the_likelier_stays_the_likelier(one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert 0.0 <= credible(low) <= credible(high) <= 8.5 / 9
