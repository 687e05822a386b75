"""One engine: what waits for it, what runs on it, what is stopped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.job import Job, Phase
from spex.control.outcome import Failed, Outcome
from spex.engine.base import Completion, Generation, Progress, SeedKind
from spex.engine.function import FunctionPolicy
from spex.engine.kv_pool import Hold, Segment
from spex.engine.retrying import Retrying
from spex.engine.simulated import SimulatedPolicy
from spex.errors import EngineError, InvariantError, Misbehaving, Overloaded, Unreachable
from spex.ids import ROOT, Expand, child
from spex.profile import Affine, Scaled
from spex.prompt import Prompt
from spex.speculate.market import RateMarket
from spex.usage import Tokens
from tests.builders import FLAT
from tests.control.bench import Bench, Eager, at, on_bench

TEN = 10


def ten_tokens(request: Generation) -> Completion:
    return Completion("ten tokens", tuple(range(TEN)), None, "delimiter")


def engine(**more: object) -> SimulatedPolicy:
    """Ten tokens a text, 10 ms each, whoever else runs."""
    return SimulatedPolicy(ten_tokens, FLAT, **more)  # type: ignore[arg-type]  # options by name


def test_the_demanded_start_before_the_speculative() -> None:
    async def scene(bench: Bench) -> list[str]:
        guess, wanted = bench.job("guess", 0.9), bench.job("wanted")
        bench.lane.wish(guess)
        bench.demand(wanted)
        await at(1)
        return bench.names("started")

    assert on_bench(scene, engine(slots=1), Eager()) == ["wanted", "guess"]


def test_the_demanded_start_in_the_order_of_their_demand() -> None:
    async def scene(bench: Bench) -> list[str]:
        bench.demand(*(bench.job(name) for name in "abcd"))
        await at(1)
        return bench.names("done")

    assert on_bench(scene, engine(slots=1)) == ["a", "b", "c", "d"]


def test_an_engine_is_told_what_is_demanded_and_what_is_demanded_meanwhile() -> None:
    async def scene(bench: Bench) -> list[bool]:
        guess, wanted = bench.job("guess", 0.9), bench.job("wanted")
        bench.demand(wanted)
        bench.wish(guess)
        told = [wanted.progress.demanded, guess.progress.demanded]
        bench.demand(guess)  # it runs: another attempt at it would say so
        return [*told, guess.progress.demanded]

    assert on_bench(scene, engine(), Eager()) == [True, False, True]


def test_what_is_stopped_and_demanded_later_is_told_as_demanded() -> None:
    async def scene(bench: Bench) -> bool:
        guess = bench.job("guess", 0.9)
        bench.wish(guess)
        bench.stop(guess)
        await at(0.01)
        bench.demand(guess)
        return guess.progress.demanded

    assert on_bench(scene, engine(), Eager())


def test_without_a_market_nothing_is_speculated() -> None:
    async def scene(bench: Bench) -> list[str]:
        bench.wish(bench.job("guess", 1.0))
        await at(1)
        return bench.names("started")

    assert on_bench(scene, engine()) == []


def test_a_plan_that_is_demanded_is_queued_and_no_longer_a_wish() -> None:
    async def scene(bench: Bench) -> list[str]:
        running, job = bench.job("running"), bench.job("job")
        bench.demand(running)
        bench.wish(job)
        bench.demand(job)
        assert job.phase is Phase.QUEUED
        bench.lane.unwish(job)
        await at(1)
        return bench.names("started")

    assert on_bench(scene, engine(slots=1), Eager()) == ["running", "job"]


def test_a_wish_that_is_taken_back_is_not_started() -> None:
    async def scene(bench: Bench) -> list[str]:
        wanted, guess, other = bench.job("wanted"), bench.job("guess"), bench.job("other")
        bench.demand(wanted)
        bench.wish(guess, other)
        bench.lane.unwish(guess)
        bench.lane.unwish(guess)
        await at(1)
        return bench.names("started")

    assert on_bench(scene, engine(slots=1), Eager()) == ["wanted", "other"]


def test_a_demand_that_is_repeated_is_one_demand() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        for moment in (0.0, 0.05, 0.5):
            await at(moment)
            bench.demand(job)
        assert bench.names("started") == ["job"]

    on_bench(scene, engine())


def test_a_speculation_that_is_demanded_while_it_runs_just_goes_on() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.05)
        bench.demand(job)
        assert job.phase is Phase.RUNNING
        await at(1)
        assert [(round(t, 6), what) for t, what, _ in bench.moments] == [(0.0, "started"), (0.1, "done")]
        assert job.progress.cost.generated == bench.engine.counters().cost.generated == TEN

    on_bench(scene, engine(), Eager())


def test_a_job_that_is_demanded_while_it_is_cancelled_runs_again_and_makes_the_missing_tokens_alone() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.045)
        bench.stop(job)
        await at(0.055)
        bench.demand(job)
        assert job.phase is Phase.CANCELLING
        await at(1)
        # It decoded on until 65 ms: six tokens are there, four are missing.
        moments = [(round(t, 6), what) for t, what, _ in bench.moments]
        assert moments == [(0.0, "started"), (0.065, "cancelled"), (0.065, "started"), (0.105, "done")]
        assert bench.engine.counters().cost.generated == TEN
        assert (job.progress.cost.generated, job.dropped) == (TEN, Tokens())

    on_bench(scene, engine(cancel_delay_seconds=0.02), Eager())


def test_where_seeds_are_whole_it_starts_anew_and_what_it_had_is_dropped() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.045)
        bench.stop(job)
        await at(0.055)
        bench.demand(job)
        await at(1)
        assert [round(t, 6) for t, *_ in bench.moments] == [0.0, 0.065, 0.065, 0.165]
        assert job.dropped == Tokens(generated=6, prompt_uncached=3)
        assert job.progress.cost == Tokens(generated=TEN, prompt_uncached=3)
        assert bench.engine.counters().cost == job.dropped.plus(job.progress.cost)

    on_bench(scene, engine(cancel_delay_seconds=0.02, seed="whole"), Eager())


def test_a_text_that_ends_before_its_cancellation_is_through_is_not_made_again() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.095)
        bench.stop(job)
        bench.demand(job)
        await at(1)
        assert bench.names("done") == ["job"]
        assert bench.engine.counters().cost.generated == TEN

    on_bench(scene, engine(cancel_delay_seconds=0.02), Eager())


def test_a_job_that_was_stopped_can_be_wished_for_again_and_goes_on() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.045)
        bench.stop(job)
        await at(0.5)
        assert job.phase is Phase.PLANNED
        bench.wish(job)
        await at(1)
        assert bench.names("done") == ["job"]
        assert bench.engine.counters().cost.generated == TEN
        assert job.first_started_at_seconds == 0.0

    on_bench(scene, engine(), Eager())


def test_when_a_demand_waits_the_cheapest_speculation_is_stopped_and_no_other() -> None:
    async def scene(bench: Bench) -> None:
        guesses = [bench.job(name, probability) for name, probability in (("a", 0.6), ("b", 0.1), ("c", 0.3))]
        bench.wish(*guesses)
        await at(0.03)
        bench.demand(bench.job("wanted"))
        assert [job.phase for job in guesses] == [Phase.RUNNING, Phase.CANCELLING, Phase.RUNNING]
        await at(1)
        assert bench.names("cancelled") == ["b"]

    on_bench(scene, engine(slots=3), RateMarket())


def test_what_has_run_long_is_stopped_last_for_its_work_would_be_lost_or_late() -> None:
    async def scene(bench: Bench) -> None:
        bench.wish(bench.job("old", 0.5))
        await at(0.05)
        bench.wish(bench.job("new", 0.9), bench.job("newest but sure", 1.0))
        await at(0.06)
        bench.demand(bench.job("wanted"), bench.job("wanted, too"))
        await at(1)
        assert sorted(bench.names("cancelled")) == ["new", "newest but sure"]

    on_bench(scene, engine(slots=3), Eager())


def test_as_many_are_stopped_as_demands_wait_however_often_it_is_looked_at() -> None:
    async def scene(bench: Bench) -> None:
        bench.wish(*(bench.job(name, 0.5) for name in "abcd"))
        await at(0.03)
        bench.demand(bench.job("one"), bench.job("two"))
        for _ in range(3):
            bench.pump()
        await at(0.031)
        bench.pump()
        await at(0.06)
        assert len(bench.names("cancelled")) == 2
        assert bench.names("started")[-2:] == ["one", "two"]

    on_bench(scene, engine(slots=4, cancel_delay_seconds=0.02), RateMarket())


def test_nothing_is_speculated_while_a_demand_waits() -> None:
    async def scene(bench: Bench) -> None:
        bench.demand(*(bench.job(name) for name in ("one", "two", "three")))
        bench.wish(bench.job("guess", 1.0))
        await at(0.09)
        assert bench.names("started") == ["one", "two"]
        await at(1)
        assert bench.names("started") == ["one", "two", "three", "guess"]

    on_bench(scene, engine(slots=2), RateMarket())


def test_a_demanded_job_is_never_stopped_for_another() -> None:
    async def scene(bench: Bench) -> None:
        bench.demand(bench.job("one"), bench.job("two"))
        await at(1)
        assert bench.names("cancelled") == []

    on_bench(scene, engine(slots=1), RateMarket())


def test_what_is_not_worth_its_place_any_more_is_stopped_and_keeps_its_tokens() -> None:
    async def scene(bench: Bench) -> None:
        guess = bench.job("guess", 0.9)
        bench.demand(bench.job("one"), bench.job("two"))
        bench.wish(guess)
        await at(0.05)
        guess.probability = 0.0
        bench.pump()
        await at(0.06)
        assert bench.names("cancelled") == ["guess"]
        assert guess.progress.cost.generated == len(guess.progress.token_ids) > 0

    steep = SimulatedPolicy(ten_tokens, Affine(0.005, 0.002))
    on_bench(scene, steep, RateMarket())


def test_speculation_never_exceeds_its_bound_those_that_leave_included() -> None:
    async def scene(bench: Bench) -> None:
        guesses = [bench.job(name) for name in "abcdef"]
        bench.wish(*guesses)
        assert bench.lane.speculations == 2
        await at(0.02)
        bench.stop(guesses[0])
        bench.pump()
        assert bench.names("started") == ["a", "b"]
        await at(0.06)
        assert bench.names("started") == ["a", "b", "c"]

    on_bench(scene, engine(cancel_delay_seconds=0.03), Eager(), speculations_max=2)


# Leaving


async def planned(bench: Bench, job: Job) -> None:
    pass


async def wished(bench: Bench, job: Job) -> None:
    bench.lane.wish(job)


async def queued(bench: Bench, job: Job) -> None:
    bench.demand(bench.job("other"), job)


async def running(bench: Bench, job: Job) -> None:
    bench.wish(job)


async def promoted(bench: Bench, job: Job) -> None:
    bench.wish(job)
    bench.demand(job)


async def cancelling(bench: Bench, job: Job) -> None:
    bench.wish(job)
    await at(0.02)
    bench.stop(job)


async def cancelling_and_demanded(bench: Bench, job: Job) -> None:
    await cancelling(bench, job)
    bench.demand(job)


async def done(bench: Bench, job: Job) -> None:
    bench.demand(job)
    await at(0.2)


PHASES = [planned, wished, queued, running, promoted, cancelling, cancelling_and_demanded, done]


@pytest.mark.parametrize("bring", PHASES, ids=[phase.__name__ for phase in PHASES])
def test_a_job_is_dropped_in_any_phase_and_dropping_it_twice_is_dropping_it(
    bring: Callable[[Bench, Job], Awaitable[None]],
) -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        await bring(bench, job)
        before = bench.names("done")
        bench.drop(job)
        bench.drop(job)
        await at(1)
        assert job.task is None
        assert not job.occupies
        assert [name for name in bench.names("done") if name == "job"] == before
        assert bench.engine.counters().cost.generated == TEN * len(bench.names("done")) + (
            0 if before else len(job.progress.token_ids)
        )

    on_bench(scene, engine(slots=1, cancel_delay_seconds=0.02), Eager())


# Failing


def failing_once(error: Exception) -> FunctionPolicy:
    """An engine that fails the first time that it is asked."""
    left = [error]

    def speak(prompt: str, seed: int) -> str:
        if left:
            raise left.pop()
        return "a text"

    return FunctionPolicy(speak, latency_seconds=0.1)


def test_a_speculation_that_failed_can_be_demanded_and_is_done_again() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.5)
        assert (bench.names("failed"), job.phase) == (["job"], Phase.PLANNED)
        bench.demand(job)
        await at(1)
        assert bench.names("done") == ["job"]
        assert job.lost == Tokens(prompt_uncached=3)
        assert bench.engine.counters().cost == job.lost.plus(job.progress.cost)

    on_bench(scene, failing_once(Unreachable("engine", "away")), Eager())


def test_a_demand_that_failed_is_over() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.demand(job)
        await at(0.5)
        assert (bench.names("failed"), job.phase) == (["job"], Phase.DONE)

    on_bench(scene, failing_once(Unreachable("engine", "away")))


def test_a_defect_of_an_engine_is_told_as_its_misbehaviour() -> None:
    outcomes: list[Outcome] = []

    class Defective(SimulatedPolicy):
        async def generate(self, request: Generation, progress: Progress) -> Completion:
            raise ZeroDivisionError("a bug")

    async def scene(bench: Bench) -> None:
        bench.lane._settled = lambda job, outcome: outcomes.append(outcome)
        bench.demand(bench.job("job"))
        await at(0.5)

    on_bench(scene, Defective(ten_tokens, FLAT))
    (outcome,) = outcomes
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Misbehaving)
    assert "ZeroDivisionError: a bug" in str(outcome.error)


def test_what_failed_attempts_lost_is_kept_when_the_next_attempt_is_stopped() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.25)
        bench.stop(job)
        await at(0.5)
        bench.demand(job)
        await at(1)
        assert job.lost == job.dropped == job.progress.cost.plus(Tokens(generated=-6)) == Tokens(prompt_uncached=3)
        assert bench.engine.counters().cost == job.lost.plus(job.dropped).plus(job.progress.cost)

    away = failing_once(Unreachable("engine", "away"))
    on_bench(scene, Retrying(away, wait_jitter_seconds=0.0), Eager())


def test_a_defect_in_the_lanes_own_books_is_reported_and_nobody_waits_for_the_job() -> None:
    async def scene(bench: Bench) -> None:
        def broken() -> None:
            raise ZeroDivisionError("a bug")

        job = bench.job("job")
        bench.demand(job)
        bench.lane._account = broken  # type: ignore[method-assign]
        await at(0.5)
        assert [str(error) for error in bench.defects] == ["a bug"]
        assert (job.task, job.phase, bench.lane.running) == (None, Phase.DONE, 0)
        bench.defects.clear()

    on_bench(scene, engine())


def test_a_defect_of_the_owner_is_reported_and_the_slot_is_free() -> None:
    async def scene(bench: Bench) -> None:
        def broken(job: Job, outcome: object) -> None:
            raise RuntimeError("a bug")

        bench.lane._settled = broken
        bench.demand(bench.job("job"))
        await at(0.5)
        assert [str(error) for error in bench.defects] == ["a bug"]
        assert bench.lane.running == 0
        bench.defects.clear()

    on_bench(scene, engine())


# What it learns


def test_the_curve_is_learned_from_what_ran() -> None:
    truth = Affine(0.010, 0.001)

    async def scene(bench: Bench) -> None:
        for round_ in range(40):
            bench.demand(*(bench.job(f"{round_}-{number}") for number in range(1 + round_ % 8)))
            await at((round_ + 1) * 0.5)
        for load in range(1, 9):
            assert bench.lane.profile.itl_seconds(load) == pytest.approx(truth.itl_seconds(load), rel=0.1)
        assert bench.lane.lengths.mean == TEN

    on_bench(scene, SimulatedPolicy(ten_tokens, truth, believed=Scaled(truth, 2.0)), RateMarket())


def test_seconds_in_which_cached_prompts_are_read_bend_no_curve() -> None:
    """All wait while the prompt of one is read: what starts among others makes them late, and their pace no other."""
    truth = Affine(0.010, 0.001)
    behind = child(Expand(ROOT, "step"))
    server = SimulatedPolicy(ten_tokens, truth, cached_seconds=0.03, cache=Known())

    async def scene(bench: Bench) -> None:
        for round_ in range(60):
            bench.demand(*(bench.job(f"{round_}-{number}", parent=behind) for number in range(1 + round_ % 8)))
            await at((round_ + 1) * 2.0)
        for load in range(1, 9):
            assert bench.lane.profile.itl_seconds(load) == pytest.approx(truth.itl_seconds(load), rel=0.1)
        assert bench.lane.prefill_seconds == pytest.approx(3 * 0.03 / TEN)

    on_bench(scene, server, RateMarket())


def test_seconds_in_which_prompts_are_computed_bend_no_curve() -> None:
    """Every text has its own taken off its time by itself; here those of the others are told apart from the pace."""
    truth = Affine(0.010, 0.001)
    server = SimulatedPolicy(ten_tokens, truth, prefill_seconds=0.03, cache=New())

    async def scene(bench: Bench) -> None:
        for round_ in range(60):
            bench.demand(*(bench.job(f"{round_}-{number}") for number in range(1 + round_ % 8)))
            await at((round_ + 1) * 2.0)
        for load in range(1, 9):
            assert bench.lane.profile.itl_seconds(load) == pytest.approx(truth.itl_seconds(load), rel=0.1)

    on_bench(scene, server, RateMarket())


@pytest.mark.parametrize("at_once", [1, 8])
def test_texts_that_began_before_it_was_known_what_prompts_cost_teach_no_pace(at_once: int) -> None:
    truth = Affine(0.010, 0.001)

    async def scene(bench: Bench) -> None:
        bench.demand(*(bench.job(f"{number}") for number in range(at_once)))
        await at(5.0)
        assert bench.lane.profile.itl_seconds(at_once) == truth.itl_seconds(at_once)
        assert bench.lane.lengths.mean == TEN
        bench.demand(bench.job("next"))
        await at(6.0)
        assert bench.lane.profile.observations == 1

    on_bench(scene, SimulatedPolicy(ten_tokens, truth, prefill_seconds=0.03, cache=New()), RateMarket())


class New:
    """A cache that has nothing of any prompt."""

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:
        return Hold(0, prompt.token_count)

    def release(self, hold: Hold, text: Segment) -> None: ...


class Known:
    """A cache that has all three tokens of every prompt."""

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:
        return Hold(prompt.token_count, 0)

    def release(self, hold: Hold, text: Segment) -> None: ...


def test_a_text_that_was_stopped_between_teaches_the_pace_of_its_last_stretch() -> None:
    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(0.045)
        bench.stop(job)
        await at(10.0)
        bench.demand(job)
        await at(11.0)
        assert bench.lane.profile.itl_seconds(1) == pytest.approx(0.010)

    on_bench(scene, engine(), Eager())


class Faltering:
    """The simulated engine, away for a while after half of its first text, and in error then."""

    def __init__(self, error: EngineError, away_seconds: float = 10.0) -> None:
        self._away_seconds = away_seconds
        self.inner = engine()
        self.name, self.capabilities, self.counters = self.inner.name, self.inner.capabilities, self.inner.counters
        self._error: EngineError | None = error

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if self._error is None:
            return await self.inner.generate(request, progress)
        error, self._error = self._error, None
        with suppress(TimeoutError):
            async with asyncio.timeout(0.055):
                await self.inner.generate(request, progress)
        await asyncio.sleep(self._away_seconds)
        raise error


def test_seconds_in_which_an_engine_was_away_teach_no_pace() -> None:
    async def scene(bench: Bench) -> None:
        bench.demand(bench.job("job"))
        await at(20.0)
        assert bench.names("done") == ["job"]
        assert bench.lane.profile.itl_seconds(1) == pytest.approx(0.010)

    faltering = Faltering(Unreachable("engine", "gone"))
    on_bench(scene, Retrying(faltering, wait_jitter_seconds=0.0), RateMarket())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "generated"), [(Unreachable("engine", "gone"), 10), (Misbehaving("engine", "a text", None), 15)]
)
def test_a_guess_that_failed_for_a_while_goes_on_from_its_tokens_and_one_that_was_wrong_does_not(
    error: EngineError, generated: int
) -> None:
    faltering = Faltering(error)

    async def scene(bench: Bench) -> None:
        job = bench.job("job")
        bench.wish(job)
        await at(15.0)
        assert bench.names("failed") == ["job"]
        bench.demand(job)
        await at(20.0)
        assert bench.names("done") == ["job"]
        assert faltering.counters().cost.generated == generated

    on_bench(scene, faltering, Eager())  # type: ignore[arg-type]


@pytest.mark.parametrize(("after", "again_at"), [(None, 2.0), (5.0, 5.0)])
def test_where_an_engine_has_no_room_guesses_stop_for_a_while_and_what_is_demanded_goes_on_asking(
    after: float | None, again_at: float
) -> None:
    faltering = Faltering(Overloaded("engine", "queue full", after), away_seconds=0.0)

    async def scene(bench: Bench) -> None:
        first, second, wanted = bench.job("first"), bench.job("second"), bench.job("wanted")
        bench.wish(first)
        await at(0.1)
        bench.wish(second)
        bench.demand(wanted)
        await at(again_at)
        assert (bench.names("failed"), bench.names("started")) == (["first"], ["first", "wanted"])
        bench.pump()  # it is full until 0.055 s later
        await at(again_at + 0.1)
        bench.pump()
        assert bench.names("started") == ["first", "wanted", "second"]
        await at(again_at + 1.0)

    on_bench(scene, Retrying(faltering, wait_jitter_seconds=0.0), Eager())  # type: ignore[arg-type]


def test_what_is_left_of_a_job_shrinks_as_it_runs() -> None:
    async def scene(bench: Bench) -> list[float]:
        bench.demand(bench.job("first"))
        await at(0.2)
        job = bench.job("job")
        bench.demand(job)
        shares = []
        for seconds in (0.201, 0.23, 0.26, 0.29):
            await at(seconds)
            shares.append(bench.lane.remaining_share(job))
        return shares

    assert on_bench(scene, engine(), RateMarket()) == pytest.approx([0.99, 0.7, 0.4, 0.1])


# Invariants


def too_many(bench: Bench) -> None:
    bench.lane.slots = 0


def no_runner(bench: Bench) -> None:
    next(iter(bench.lane._running)).phase = Phase.QUEUED


def no_plan(bench: Bench) -> None:
    bench.lane._wishes[next(iter(bench.lane._running))] = None


def no_market(bench: Bench) -> None:
    bench.lane._market = None


def no_guess(bench: Bench) -> None:
    bench.lane._guesses.clear()


@pytest.mark.parametrize("spoil", [too_many, no_runner, no_plan, no_market, no_guess])
def test_a_lane_finds_out_that_it_is_in_a_state_that_cannot_be(spoil: Callable[[Bench], None]) -> None:
    async def scene(bench: Bench) -> None:
        bench.wish(bench.job("job"))
        spoil(bench)
        with pytest.raises(InvariantError, match="simulated"):
            bench.lane.check()
        bench.defects.clear()
        bench.lane._wishes.clear()
        await at(1)
        bench.defects.clear()

    on_bench(scene, engine(), Eager())


# All together

Deed = tuple[str, int, float]
deeds = st.lists(
    st.tuples(
        st.sampled_from(["demand", "wish", "unwish", "drop", "stop", "wait"]),
        st.integers(0, 7),
        st.sampled_from([0.003, 0.01, 0.05, 0.12]),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    deeds=deeds,
    slots=st.integers(1, 4),
    speculations_max=st.integers(0, 4),
    cancel_delay_seconds=st.sampled_from([0.0, 0.03]),
    seed=st.sampled_from(["none", "whole", "positional"]),
    market=st.sampled_from([Eager(), RateMarket()]),
)
def test_whatever_is_asked_slots_are_kept_demands_are_served_and_tokens_add_up(
    deeds: list[Deed],
    slots: int,
    speculations_max: int,
    cancel_delay_seconds: float,
    seed: str,
    market: Eager | RateMarket,
) -> None:
    server = engine(slots=slots, cancel_delay_seconds=cancel_delay_seconds, seed=seed)

    async def scene(bench: Bench) -> None:
        jobs = [bench.job(f"j{number}", number / 8) for number in range(8)]
        dropped: set[int] = set()
        for deed, number, seconds in deeds:
            if number not in dropped:
                act(bench, deed, jobs[number])
                dropped |= {number} if deed == "drop" else set()
            if deed == "wait":
                await asyncio.sleep(seconds)
            assert server.counters().running <= bench.lane.running <= slots
            assert bench.lane.speculations <= speculations_max
        await at(100.0)
        for number, job in enumerate(jobs):
            assert job.phase is Phase.DONE or number in dropped or not job.demanded
        assert all(times == 1 for times in Counter(bench.names("done")).values())
        spent = [job.progress.cost.plus(job.dropped).plus(job.lost) for job in jobs]
        assert server.counters().cost == Tokens(*map(sum, zip(*spent, strict=True)))
        bench.drop(*jobs)

    on_bench(scene, server, market, speculations_max)


def act(bench: Bench, deed: str, job: Job) -> None:
    if deed == "demand":
        bench.demand(job)
    elif deed == "wish" and not job.demanded:
        bench.wish(job)
    elif deed == "unwish":
        bench.lane.unwish(job)
    elif deed == "drop":
        bench.drop(job)
    elif deed == "stop" and job.speculates:
        bench.stop(job)
    bench.pump()


def test_one_that_leaves_the_middle_of_the_queue_leaves_the_others_in_their_order() -> None:
    async def scene(bench: Bench) -> list[str]:
        jobs = [bench.job(name) for name in "abcd"]
        bench.demand(*jobs)
        bench.drop(jobs[2])
        await at(1)
        return bench.names("done")

    assert on_bench(scene, engine(slots=1)) == ["a", "b", "d"]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_belief_is_put_right_once_however_many_ran_under_it(factor: float) -> None:
    truth = Affine(0.0026, 0.0034)

    async def scene(bench: Bench) -> float:
        bench.demand(*(bench.job(str(number)) for number in range(16)))
        await at(10)
        return bench.lane.profile.itl_seconds(16)

    server = SimulatedPolicy(ten_tokens, truth, believed=Scaled(truth, factor))
    assert on_bench(scene, server, RateMarket()) == pytest.approx(truth.itl_seconds(16), rel=0.02)


def test_there_is_something_to_win_on_a_lane_while_speculation_runs_or_could_be_started() -> None:
    async def scene(bench: Bench) -> list[float]:
        margins = [bench.lane.margin]
        guess = bench.job("guess")
        bench.wish(guess)
        margins.append(bench.lane.margin)
        bench.demand(guess)
        margins.append(bench.lane.margin)
        bench.demand(bench.job("one"), bench.job("other"))  # two slots: one has to wait
        margins.append(bench.lane.margin)
        return margins

    two = engine(slots=2)
    assert on_bench(scene, two, Eager()) == [1.0, 1.0, 1.0, 0.0]
    assert on_bench(scene, two, Eager(), 0) == [0.0] * 4
    assert on_bench(scene, two) == [0.0] * 4


@pytest.mark.parametrize(("seed", "lost"), [("whole", True), ("positional", False)])
def test_what_was_stopped_for_want_of_room_makes_guesses_worth_less_where_lost(seed: SeedKind, lost: bool) -> None:
    async def scene(bench: Bench) -> list[float]:
        shares = [bench.lane.kept_share]
        bench.wish(bench.job("guess"))
        await at(0.05)
        bench.demand(bench.job("wanted"))
        shares.append(bench.lane.kept_share)
        for round_ in range(400):
            await at(1.0 + round_)
            bench.demand(bench.job(f"next{round_}"))
        return [*shares, bench.lane.kept_share]

    before, after, later = on_bench(scene, engine(slots=1, seed=seed), Eager())
    assert before == 1.0
    assert (after < 1.0) == lost
    assert later == pytest.approx(1.0, abs=0.01)
