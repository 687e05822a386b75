"""ℓ(b), given and learned."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.profile import Affine, Curve, LearnedCurve, Points, Roofline, Scaled

LOADS = [1, 1.5, 2, 5, 7.3, 16, 40, 100, 333, 1024, 5000]

curves = st.one_of(
    st.builds(Affine, st.floats(1e-4, 0.1), st.floats(0.0, 1e-2)),
    st.builds(Roofline, st.floats(1e-4, 0.1), st.floats(0.0, 1e-2), st.floats(0, 300)),
    st.lists(
        st.tuples(st.floats(1, 300), st.floats(1e-4, 0.1)), min_size=1, unique_by=lambda point: round(point[0])
    ).map(lambda points: Points(tuple(zip(sorted(x for x, _ in points), sorted(y for _, y in points), strict=True)))),
)
observations = st.lists(st.tuples(st.floats(1, 2000), st.floats(1e-5, 10.0)), max_size=40)


def taught(curve: Curve, truth: Curve, loads: list[int], times: int = 20) -> LearnedCurve:
    learned = LearnedCurve(curve)
    for _ in range(times):
        for load in loads:
            learned.observe(load, truth.itl_seconds(load))
    return learned


def test_an_affine_curve_rises_by_its_slope() -> None:
    assert Affine(0.010, 0.001).itl_seconds(5) == pytest.approx(0.015)


def test_a_roofline_is_flat_up_to_its_ridge() -> None:
    curve = Roofline(0.010, 0.001, 8)
    assert [curve.itl_seconds(load) for load in (1, 8, 10)] == pytest.approx([0.010, 0.010, 0.012])


def test_points_are_joined_by_straight_lines_and_go_on_as_steeply_as_at_their_end() -> None:
    curve = Points(((2, 0.010), (4, 0.012), (8, 0.020)))
    loads = (1, 2, 3, 4, 6, 8, 10)
    found = [curve.itl_seconds(load) for load in loads]
    assert found == pytest.approx([0.010, 0.010, 0.011, 0.012, 0.016, 0.020, 0.024])


def test_beyond_points_that_end_flat_a_curve_rises_as_it_did_on_average() -> None:
    assert Points(((1, 0.010), (2, 0.030), (5, 0.030))).itl_seconds(9) == pytest.approx(0.050)
    assert Points(((3, 0.010),)).itl_seconds(300) == 0.010


def test_a_scaled_curve_is_wrong_by_its_factor_everywhere() -> None:
    assert Scaled(Affine(0.010, 0.001), 2.0).itl_seconds(10) == pytest.approx(0.040)


@given(curves)
def test_before_any_observation_a_learned_curve_is_its_prior_at_its_knots(prior: Curve) -> None:
    learned = LearnedCurve(prior)
    for load in (1, 2, 3, 64, 1024):
        assert learned.itl_seconds(load) == pytest.approx(prior.itl_seconds(load))


@pytest.mark.parametrize("running", [700, 1500, 4095, 4096, 9000])
def test_one_more_of_thousands_costs_what_its_prior_says(running: int) -> None:
    learned = LearnedCurve(Affine(0.010, 0.00008))
    assert learned.itl_seconds(running + 1) - learned.itl_seconds(running) == pytest.approx(0.00008)


@settings(deadline=None)
@given(curves, observations, st.lists(st.floats(1, 2000), min_size=2).map(sorted))
def test_a_learned_curve_never_falls(prior: Curve, seen: list[tuple[float, float]], loads: list[float]) -> None:
    learned = LearnedCurve(prior)
    for load, seconds in seen:
        learned.observe(load, seconds)
    for fewer, more in pairwise(loads):
        assert learned.itl_seconds(fewer) <= learned.itl_seconds(more) * (1 + 1e-12)


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("truth", [Affine(0.010, 0.0005), Roofline(0.008, 0.0005, 16)], ids=["affine", "roofline"])
def test_a_prior_that_is_wrong_by_two_is_put_right_where_the_engine_runs(truth: Curve, factor: float) -> None:
    learned = taught(Scaled(truth, factor), truth, list(range(1, 33)))
    for load in range(1, 33):
        assert learned.itl_seconds(load) == pytest.approx(truth.itl_seconds(load), rel=0.06)


def test_what_is_wrong_by_a_factor_is_put_right_where_nothing_was_seen_too() -> None:
    truth = Affine(0.010, 0.0005)
    learned = taught(Scaled(truth, 3.0), truth, [1, 2])
    assert learned.itl_seconds(64) == pytest.approx(truth.itl_seconds(64), rel=0.25)


def test_a_shape_that_was_believed_flat_is_learned() -> None:
    truth = Affine(0.010, 0.001)
    learned = taught(Affine(0.010, 0.0), truth, [1, 2, 4, 8, 16, 32, 64], times=100)
    for load in (1, 8, 64):
        assert learned.itl_seconds(load) == pytest.approx(truth.itl_seconds(load), rel=0.1)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_what_took_no_time_teaches_nothing(seconds: float) -> None:
    learned = LearnedCurve(Affine(0.010, 0.0))
    learned.observe(1, seconds)
    assert learned.observations == 0
    assert learned.itl_seconds(1) == pytest.approx(0.010)


def test_one_absurd_observation_does_not_ruin_the_curve() -> None:
    truth = Affine(0.010, 0.0005)
    learned = taught(truth, truth, [1, 8, 64], times=50)
    learned.observe(8, 1e6)
    assert learned.itl_seconds(8) < 1.2 * truth.itl_seconds(8)


@given(curves, observations)
def test_a_learned_curve_is_finite_and_positive(prior: Curve, seen: list[tuple[float, float]]) -> None:
    learned = LearnedCurve(prior)
    for load, seconds in seen:
        learned.observe(load, seconds)
    for load in LOADS:
        assert 0.0 < learned.itl_seconds(load) < 1e6


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_prior_that_is_wrong_by_a_factor_keeps_its_shape_while_it_is_put_right(factor: float) -> None:
    truth = Affine(0.0026, 0.0034)
    learned = LearnedCurve(Scaled(truth, factor))
    for _ in range(3):
        learned.observe(40, truth.itl_seconds(40))
        for load in (12, 32, 40, 48, 96):
            rise = learned.itl_seconds(load + 16) / learned.itl_seconds(load)
            assert rise == pytest.approx(truth.itl_seconds(load + 16) / truth.itl_seconds(load), rel=0.02)
    assert learned.itl_seconds(96) == pytest.approx(truth.itl_seconds(96), rel=0.01)


def test_numbers_that_varied_do_not_bend_a_curve_that_is_right() -> None:
    truth = Affine(0.0026, 0.0034)
    learned = LearnedCurve(truth)
    # A second beside nobody and a second as one of 64: the mean ITL is far below that of 32.5 sequences.
    tokens = 1 / truth.itl_seconds(1) + 1 / truth.itl_seconds(64)
    learned.observe(32.5, 2 / tokens, expected_seconds=2 / tokens)
    assert 2 / tokens < truth.itl_seconds(32.5) / 4
    assert learned.itl_seconds(32) == truth.itl_seconds(32)


def test_the_level_is_the_factor_by_which_the_whole_curve_has_moved() -> None:
    truth = Affine(0.010, 0.001)
    learned = LearnedCurve(Scaled(truth, 2.0))
    assert learned.level == 1.0
    learned.observe(8, truth.itl_seconds(8))
    assert learned.level == pytest.approx(0.5)
