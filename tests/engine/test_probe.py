"""Probing: what is found of simulated engines is what they are, whatever they say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from spex.control.clock import run_virtual
from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Completion, Generation, Progress
from spex.engine.drafts import Drafts
from spex.engine.measured import Itl, MeasuredPoint, Seeds, Share
from spex.engine.probe import probe
from spex.engine.probe_itl import fitted
from spex.errors import Unreachable
from spex.profile import Affine, Curve, Points, Roofline
from spex.sim.drafting import drafted
from tests.engine.probed import Blocks, Odd, digit, probed, simulated, written

CURVE = Affine(0.010, 0.0008)


def deviation(found: Itl | None, truth: Curve, up_to: int = 32) -> float:
    """By how much of the truth the found curve misses it at most."""
    assert found is not None
    curve = found.curve
    return max(abs(curve.itl_seconds(b) / truth.itl_seconds(b) - 1) for b in range(1, up_to + 1))


@pytest.mark.parametrize("truth", [CURVE, Affine(0.010, 0.00008), Affine(0.0026, 0.0034), Affine(0.020, 0.0)], ids=repr)
@pytest.mark.parametrize("prefill_seconds", [0.0, 0.0003])
def test_an_affine_curve_is_found_and_told_as_a_line(truth: Affine, prefill_seconds: float) -> None:
    found = probed(simulated(truth, prefill_seconds=prefill_seconds)).itl
    assert deviation(found, truth, 64) < 0.02
    assert found is not None
    assert found.line is not None
    assert [point.running for point in found.points] == [1, 2, 4, 8, 16, 32]


def test_a_curve_with_a_bend_is_found_and_told_by_its_points() -> None:
    truth = Roofline(0.010, 0.003, 8)
    found = probed(simulated(truth)).itl
    assert found is not None
    assert found.line is None
    assert isinstance(found.curve, Points)
    assert deviation(found, truth) < 0.02


def test_nothing_is_asked_beyond_the_slots() -> None:
    found = probed(simulated(CURVE, slots=6)).itl
    assert found is not None
    assert [point.running for point in found.points] == [1, 2, 4, 6]
    assert found.at_once is None


class Uneven(Odd):
    """Of every other text the drafts are seldom accepted: it takes twice as long."""

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        completion = await super().generate(request, progress)
        if digit(request.prompt.digest) % 2:
            await asyncio.sleep(CURVE.itl_seconds(1) * len(completion.token_ids))
        return completion


def test_of_an_engine_that_drafts_the_pace_of_tokens_is_measured_and_an_uneven_one_has_all_its_slots() -> None:
    truth = drafted(CURVE, 0.8, 4)

    def drafting(told: Capabilities) -> Capabilities:
        return replace(told, drafts=Drafts("EAGLE", 4, alone=True), priority=True)

    found = probed(Odd(simulated(truth), told=drafting, who=Identity("Engine 1", "a model", "EAGLE")))
    assert deviation(found.itl, truth) < 0.02
    assert (found.drafts, found.priority, found.retain) == ("EAGLE", True, False)
    uneven = probed(Uneven(simulated(CURVE), told=drafting)).itl
    assert uneven is not None
    assert uneven.at_once is None
    assert [point.running for point in uneven.points] == [1, 2, 4, 8, 16, 32]
    without = probed(Uneven(simulated(CURVE))).itl
    assert without is not None
    assert without.at_once is not None


def test_an_engine_of_one_slot_is_measured_as_far_as_that_goes() -> None:
    found = probed(simulated(CURVE, slots=1))
    assert found.unmeasured == {}
    assert found.itl is not None
    assert found.itl.line is None
    assert found.itl.curve.itl_seconds(1) == pytest.approx(0.0108, rel=0.02)
    assert found.seeds is not None
    assert found.seeds.beside is None


def test_who_lets_requests_wait_has_fewer_slots_than_it_says() -> None:
    found = probed(Odd(simulated(CURVE), waits_beyond=3))
    assert found.itl is not None
    assert found.itl.at_once == 3
    assert [point.running for point in found.itl.points] == [1, 2]
    assert found.applied(simulated(CURVE).capabilities).slots == 3


def test_who_refuses_requests_has_fewer_slots_than_it_says() -> None:
    found = probed(Odd(simulated(CURVE, slots=5), told=lambda told: replace(told, slots=200)))
    assert found.itl is not None
    assert found.itl.at_once == 4
    assert [point.running for point in found.itl.points] == [1, 2, 4]


def test_what_a_prompt_costs_is_found() -> None:
    found = probed(simulated(CURVE, prefill_seconds=0.0004))
    assert found.prefill_seconds == pytest.approx(0.0004, rel=0.02)
    assert probed(simulated(CURVE)).prefill_seconds == pytest.approx(0.0, abs=1e-6)


def test_where_prompts_are_dear_they_are_short() -> None:
    found = probed(simulated(CURVE, prefill_seconds=0.02, cache=Blocks(1)))
    assert found.prefill_seconds == pytest.approx(0.02, rel=0.02)
    assert found.unmeasured == {}
    assert found.cache is not None
    assert found.cache.cold_seconds < 2.5


ALL = Share(4, 4, 4)
NONE = Share(0, 4, 0)


def test_positional_seeds_are_found() -> None:
    seeds = probed(simulated(CURVE)).seeds
    assert seeds is not None
    assert (seeds.told, seeds.found) == ("positional", "positional")
    assert (seeds.again, seeds.cached, seeds.beside, seeds.resumed) == (ALL, ALL, ALL, Share(4, 4))


def test_seeds_that_repeat_whole_texts_are_found() -> None:
    seeds = probed(simulated(CURVE, seed="whole")).seeds
    assert seeds is not None
    assert seeds.found == "whole"
    assert seeds.resumed == Share(0, 4)


def test_who_says_positional_and_is_not_is_found_out() -> None:
    engine = Odd(simulated(CURVE), forgets_its_tokens=True)
    found = probed(engine)
    assert found.seeds is not None
    assert (found.seeds.told, found.seeds.found) == ("positional", "whole")
    assert found.applied(engine.capabilities).seed == "whole"


def test_seeds_without_effect_are_none() -> None:
    draws = count()
    by_chance = probed(simulated(CURVE, lambda request: written(request, next(draws)))).seeds
    assert by_chance is not None
    assert by_chance.again == NONE
    assert by_chance.found == "none"
    always_one = probed(simulated(CURVE, lambda request: written(replace(request, seed=0)))).seeds
    assert always_one is not None
    assert (always_one.again, always_one.differing, always_one.found) == (ALL, False, "none")


def seeds_in_crowds(write: Callable[[Generation, bool], Completion]) -> Seeds:
    """What is found of an engine that writes so: what is asked for, and whether others run beside it."""
    running = [lambda: 0]
    engine = simulated(CURVE, lambda request: write(request, running[0]() > 1))
    running[0] = lambda: engine.counters().running
    seeds = probed(engine).seeds
    assert seeds is not None
    return seeds


def test_a_text_that_depends_on_what_runs_beside_it_is_found() -> None:
    seeds = seeds_in_crowds(written)
    assert (seeds.again, seeds.cached) == (ALL, ALL)
    assert seeds.beside is not None
    assert seeds.beside.equal < 4
    assert seeds.found == "none"


def test_log_probabilities_that_depend_on_what_runs_beside_them_are_found_where_the_text_is_the_same() -> None:
    def crowded(request: Generation, is_beside: bool) -> Completion:
        text = written(request)
        assert text.logprobs is not None
        return text._replace(logprobs=(*text.logprobs[:-1], text.logprobs[-1] - 1e-7)) if is_beside else text

    seeds = seeds_in_crowds(crowded)
    assert (seeds.again, seeds.cached) == (ALL, ALL)
    assert seeds.beside is not None
    assert seeds.beside.all
    assert seeds.beside.exact is not None
    assert seeds.beside.exact < 4
    assert (seeds.found, seeds.moves_logprobs) == ("positional", True)


def test_an_engine_that_tells_no_log_probabilities_is_not_said_to_move_them() -> None:
    seeds = probed(simulated(CURVE, lambda request: written(request)._replace(logprobs=None))).seeds
    assert seeds is not None
    assert (seeds.again, seeds.moves_logprobs) == (Share(4, 4), False)


def test_a_text_that_depends_on_what_is_in_the_cache_is_found() -> None:
    met: set[str] = set()

    def cold_at_first(request: Generation) -> Completion:
        cold = request.prompt.digest not in met
        met.add(request.prompt.digest)
        return written(request, cold)

    seeds = probed(simulated(CURVE, cold_at_first)).seeds
    assert seeds is not None
    assert (seeds.again, seeds.cached) == (ALL, NONE)
    assert seeds.found == "none"


@pytest.mark.parametrize("grain", [1, 16, 32, 128])
def test_the_grain_of_a_cache_is_found_and_what_a_child_computes_again(grain: int) -> None:
    cache = probed(simulated(CURVE, cache=Blocks(grain), prefill_seconds=0.0004)).cache
    assert cache is not None
    assert cache.grain == grain
    assert 1 <= cache.child_uncached <= grain
    assert cache.child_cached + cache.child_uncached == cache.child_tokens
    assert cache.cached_seconds < cache.cold_seconds / 2


@pytest.mark.parametrize("grain", [1, 32])
@pytest.mark.parametrize("cached_seconds", [0.0, 0.0006])
def test_what_a_cached_prompt_token_costs_is_found(grain: int, cached_seconds: float) -> None:
    engine = simulated(CURVE, cache=Blocks(grain), prefill_seconds=0.003, cached_seconds=cached_seconds)
    profile = probed(engine)
    assert profile.cache is not None
    assert profile.cache.token_seconds == pytest.approx(cached_seconds, rel=0.05, abs=1e-5)
    assert profile.applied(Capabilities()).cached_seconds == profile.cache.token_seconds


def test_a_cache_that_never_hits_is_found() -> None:
    cache = probed(simulated(CURVE, cache=Blocks(None), prefill_seconds=0.0004)).cache
    assert cache is not None
    assert (cache.grain, cache.child_cached, cache.token_seconds) == (None, 0.0, None)
    assert cache.cached_seconds == pytest.approx(cache.cold_seconds, rel=0.05)


def test_aborts_that_stop_their_requests_are_found() -> None:
    engine = Odd(simulated(CURVE, cancel_delay_seconds=0.1), counts=lambda running: running + 2)
    aborts = probed(engine).aborts  # two are somebody else's
    assert aborts is not None
    assert aborts.seconds == pytest.approx(0.1)
    assert (aborts.asked, aborts.left, aborts.left_later) == (8, 0, 0)
    assert aborts.confirmed
    assert aborts.effective


def test_where_no_server_counts_the_pace_tells_that_aborts_have_effect() -> None:
    aborts = probed(simulated(Affine(0.01, 0.002))).aborts
    assert aborts is not None
    assert aborts.pace == pytest.approx(1.0, rel=0.02)
    assert aborts.effective
    assert not aborts.confirmed
    flat = probed(simulated(Affine(0.01, 0.0))).aborts
    assert flat is not None
    assert flat.effective is None


@pytest.mark.parametrize(
    "engine",
    [
        Odd(simulated(CURVE), ignores_aborts=True),
        Odd(simulated(CURVE), ignores_aborts=True, hides_what_runs=True, counts=lambda running: running),
        Odd(simulated(Affine(0.01, 0.002)), ignores_aborts=True, hides_what_runs=True),
    ],
    ids=["its own counters", "its server's count", "the pace"],
)
def test_aborts_that_are_ignored_are_found_out_by(engine: Odd) -> None:
    aborts = probed(engine).aborts
    assert aborts is not None
    assert aborts.effective is False
    assert not aborts.confirmed


def test_labels_are_compared_with_a_greedy_text() -> None:
    right = probed(Odd(simulated(CURVE), label_error=0.0)).labels
    assert right is not None
    assert right.difference == pytest.approx(0.0, abs=1e-9)
    assert right.likeliest.all
    off = probed(Odd(simulated(CURVE), label_error=0.2)).labels
    assert off is not None
    assert off.difference == pytest.approx(0.2)


def test_labels_that_are_no_probabilities_are_told_as_unmeasured() -> None:
    found = probed(Odd(simulated(CURVE), label_error=2.0))
    assert found.labels is None
    assert "a probability for each label" in found.unmeasured["labels"]


def test_an_engine_without_labels_is_not_asked_for_them() -> None:
    found = probed(simulated(CURVE))
    assert (found.labels, found.unmeasured) == (None, {})


def test_time_is_kept_and_what_it_does_not_allow_is_told() -> None:
    found = probed(simulated(Affine(1.0, 0.5)), seconds_max=60.0)
    assert found.seconds <= 60.0
    assert found.itl is not None
    assert found.unmeasured["aborts"] == "time ran out"


def test_a_dead_engine_ends_it() -> None:
    def dead(request: Generation) -> Completion:
        raise Unreachable("simulated", "it is not there")

    with pytest.raises(Unreachable):
        probed(simulated(CURVE, dead))


@pytest.mark.parametrize("after_seconds", [0.05, 1.0, 5.0, 8.0, 10.0, 12.0, 14.0])
def test_a_probe_that_is_stopped_leaves_nothing_running(after_seconds: float) -> None:
    engine = simulated(CURVE, prefill_seconds=0.0004, cancel_delay_seconds=0.05)

    async def main() -> None:
        probing = asyncio.ensure_future(probe(engine, nonce="a nonce"))
        await asyncio.sleep(after_seconds)
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing
        assert engine.counters().running == 0

    run_virtual(main())


def test_a_profile_says_whose_it_is() -> None:
    found = probed(Odd(simulated(CURVE), who=Identity("Engine 1.2", "a model"), counts=lambda running: running))
    assert (found.engine, found.version, found.model, found.load_before) == ("simulated", "Engine 1.2", "a model", 0)


def test_a_line_is_told_where_it_misses_no_point_by_more_than_a_tenth() -> None:
    line = fitted([MeasuredPoint(1, 0.011), MeasuredPoint(2, 0.012), MeasuredPoint(4, 0.0145)])
    assert line is not None
    assert line.error < 0.1
    assert fitted([MeasuredPoint(1, 0.010), MeasuredPoint(2, 0.010), MeasuredPoint(4, 0.050)]) is None
    assert fitted([MeasuredPoint(1, 0.010)]) is None


def test_points_that_fall_are_drawn_together_and_one_that_is_told_twice_counts_once() -> None:
    points = [MeasuredPoint(2, 0.5), MeasuredPoint(4, 0.020), MeasuredPoint(1, 0.010), MeasuredPoint(2, 0.040)]
    itl = Itl(points, None)
    assert [itl.curve.itl_seconds(b) for b in (1, 2, 4)] == pytest.approx([0.010, 0.030, 0.030])
