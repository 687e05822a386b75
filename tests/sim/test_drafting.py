"""Token-level speculative decoding as a curve, against hand calculations."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.profile import Affine, Curve, Roofline
from spex.sim.drafting import Drafted, drafted
from spex.sim.presets import PRESETS, find_preset
from spex.sim.workload import WORKLOADS

SLOPED = Affine(0.010, 0.001)

curves = st.one_of(
    st.builds(Affine, st.floats(1e-4, 0.1), st.floats(0.0, 1e-2)),
    st.builds(Roofline, st.floats(1e-4, 0.1), st.floats(0.0, 1e-2), st.floats(0, 300)),
    st.sampled_from(list(PRESETS.values())),
)


def test_half_accepted_of_two_by_hand() -> None:
    # 1 + 0.5 + 0.25 tokens a round of 2 · 0.1 · itl(2) + itl(2 · 3) = 2 · 0.0012 + 0.016 seconds.
    curve = drafted(SLOPED, 0.5, 2, 0.1)
    assert curve.tokens_per_round == pytest.approx(1.75)
    assert curve.itl_seconds(2) == pytest.approx(0.0184 / 1.75)


def test_four_in_five_accepted_of_four_with_a_model_that_drafts_by_hand() -> None:
    # (1 - 0.8^5) / 0.2 = 3.3616 tokens a round of 4 · 0.002 + itl(5) = 0.008 + 0.015 seconds.
    curve = drafted(SLOPED, 0.8, 4, Affine(0.002, 0.0))
    assert curve.tokens_per_round == pytest.approx(3.3616)
    assert curve.itl_seconds(1) == pytest.approx(0.023 / 3.3616)


def test_a_verifier_is_sure_of_one_token_and_at_best_gives_one_more_than_was_drafted() -> None:
    assert drafted(SLOPED, 0.0, 5).tokens_per_round == 1.0
    assert drafted(SLOPED, 1.0, 5).tokens_per_round == 6.0


@given(curves, st.floats(0, 1), st.floats(1, 500))
def test_without_drafts_a_curve_is_itself(curve: Curve, acceptance: float, running: float) -> None:
    assert drafted(curve, acceptance, 0).itl_seconds(running) == curve.itl_seconds(running)


@settings(deadline=None)
@given(
    curves,
    st.floats(0, 1),
    st.integers(0, 8),
    st.floats(0, 1),
    st.lists(st.floats(1, 1000), min_size=2, max_size=9).map(sorted),
)
def test_a_drafted_curve_never_falls(
    curve: Curve, acceptance: float, draft_tokens: int, cost: float, loads: list[float]
) -> None:
    faster = drafted(curve, acceptance, draft_tokens, cost)
    for fewer, more in pairwise(loads):
        assert 0.0 < faster.itl_seconds(fewer) <= faster.itl_seconds(more) * (1 + 1e-12)


@given(curves, st.floats(0, 0.9), st.integers(1, 8), st.floats(1, 500))
def test_the_more_is_accepted_the_faster(curve: Curve, acceptance: float, draft_tokens: int, running: float) -> None:
    worse, better = drafted(curve, acceptance, draft_tokens), drafted(curve, acceptance + 0.1, draft_tokens)
    assert better.itl_seconds(running) < worse.itl_seconds(running)


def test_drafts_pay_where_memory_is_the_limit_and_cost_where_computing_is() -> None:
    memory_bound, compute_bound = Affine(0.010, 0.00008), Affine(0.0026, 0.0034)
    assert drafted(memory_bound, 0.7, 4).itl_seconds(1) < 0.5 * memory_bound.itl_seconds(1)
    assert drafted(compute_bound, 0.7, 4).itl_seconds(16) > 1.5 * compute_bound.itl_seconds(16)


def test_a_model_on_a_gpu_reads_the_kv_of_a_sequence_once() -> None:
    preset = find_preset("8b-a100")
    exact, bound = drafted(preset, 0.7, 4), preset.itl_seconds(64 * 5)
    assert exact.itl_seconds(64) * exact.tokens_per_round == pytest.approx(
        4 * 0.05 * preset.itl_seconds(64) + preset.pass_seconds(64, 5)
    )
    assert preset.pass_seconds(64, 5) < bound


def test_a_workload_runs_on_an_engine_that_drafts() -> None:
    curve = drafted(WORKLOADS["reference"].curve, 0.7, 4)
    assert WORKLOADS["reference"].on(curve).curve == curve


@pytest.mark.parametrize(("acceptance", "draft_tokens"), [(-0.1, 2), (1.1, 2), (0.5, -1), (0.5, 65), (float("nan"), 1)])
def test_impossible_drafts_are_refused(acceptance: float, draft_tokens: int) -> None:
    with pytest.raises(InputError):
        drafted(SLOPED, acceptance, draft_tokens)


def test_a_draft_that_costs_less_than_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="draft"):
        drafted(SLOPED, 0.5, 2, -0.1)


def test_what_was_asked_for_can_be_read() -> None:
    assert isinstance(drafted(SLOPED, 0.5, 2), Drafted)
    assert drafted(SLOPED, 0.5, 2).draft_tokens == 2
