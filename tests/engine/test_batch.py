"""Continuous batching, against a simulation that takes one small step after another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.clock import run_virtual
from spex.engine.batch import Batch
from spex.profile import Affine, Curve, Roofline


class Visit(NamedTuple):
    """A sequence of `tokens` that joins at `at` and is taken out after `stay` seconds, if it still runs then."""

    at: float
    tokens: int
    prefill: float = 0.0
    stay: float = 1e9


class Seen(NamedTuple):
    """When a sequence left, and with how many tokens."""

    at: float
    tokens: int


def batched(curve: Curve, visits: Items[Visit]) -> list[Seen]:
    async def one(batch: Batch, visit: Visit) -> Seen:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(visit.at)
        sequence = batch.join(visit.tokens, visit.prefill)
        await asyncio.wait([sequence.done], timeout=visit.stay)
        return Seen(loop.time(), batch.leave(sequence))

    async def main() -> list[Seen]:
        batch = Batch(curve)
        seen = await asyncio.gather(*(one(batch, visit) for visit in visits))
        assert batch.running == 0
        return list(seen)

    return run_virtual(main())


@dataclass(eq=False)
class Walker:
    """A sequence in the independent simulation."""

    visit: Visit
    tokens: float = 0.0
    left_at: float | None = None


def walked(curve: Curve, visits: Items[Visit]) -> list[Seen]:
    """The same by going from event to event: arrivals, ends of prefill, last tokens, departures."""
    walkers = [Walker(visit) for visit in visits]
    now, debt = 0.0, 0.0
    arrived: list[Walker] = []
    while any(walker.left_at is None for walker in walkers):
        inside = [walker for walker in arrived if walker.left_at is None]
        itl = curve.itl_seconds(len(inside)) if inside else 1.0
        moments = [walker.visit.at - now for walker in walkers if walker not in arrived]
        moments += [walker.visit.at + walker.visit.stay - now for walker in inside]
        moments += [debt] if debt > 0 else [(walker.visit.tokens - walker.tokens) * itl for walker in inside]
        step = max(0.0, min(moments))
        now += step
        paying, debt = debt > 0, max(0.0, debt - step)
        for walker in inside:
            walker.tokens += 0.0 if paying else step / itl
            done = walker.tokens >= walker.visit.tokens - 1e-9
            if done or now >= walker.visit.at + walker.visit.stay - 1e-12:
                walker.left_at = now
        for walker in walkers:
            if walker not in arrived and walker.visit.at <= now + 1e-12:
                arrived.append(walker)
                debt += walker.visit.prefill
    return [Seen(walker.left_at or 0.0, int(walker.tokens + 1e-6)) for walker in walkers]


# Times and lengths that never coincide by chance: what happens first must not hang on the last digit.
grid = st.integers(0, 60).map(lambda number: number * 0.0137)
curves = st.sampled_from([Affine(0.010, 0.0), Affine(0.010, 0.003), Affine(0.0, 0.007), Roofline(0.010, 0.002, 3)])
visits = st.builds(
    Visit,
    at=grid,
    tokens=st.integers(1, 50),
    prefill=st.sampled_from([0.0, 0.0, 0.0031, 0.25]),
    stay=st.one_of(st.just(1e9), st.integers(1, 90).map(lambda number: number * 0.01713)),
)


@settings(max_examples=150, deadline=None)
@given(curves, st.lists(visits, min_size=1, max_size=8))
def test_sequences_leave_when_and_with_what_a_step_by_step_simulation_says(curve: Curve, visits: list[Visit]) -> None:
    for seen, expected in zip(batched(curve, visits), walked(curve, visits), strict=True):
        assert seen.at == pytest.approx(expected.at, abs=1e-6)
        assert seen.tokens == expected.tokens


def test_a_sequence_alone_takes_its_tokens_times_the_latency_of_one() -> None:
    (seen,) = batched(Affine(0.010, 0.002), [Visit(0.5, 10)])
    assert seen.at == pytest.approx(0.5 + 10 * 0.012)
    assert seen.tokens == 10


def test_two_sequences_slow_each_other_while_both_run() -> None:
    seen = batched(Affine(0.010, 0.002), [Visit(0.0, 10), Visit(0.0, 30)])
    assert [at for at, _ in seen] == pytest.approx([10 * 0.014, 10 * 0.014 + 20 * 0.012])


def test_a_prefill_stops_everybody_until_it_is_paid() -> None:
    seen = batched(Affine(0.010, 0.0), [Visit(0.0, 20), Visit(0.1, 5, prefill=0.3)])
    assert [at for at, _ in seen] == pytest.approx([0.2 + 0.3, 0.1 + 0.3 + 0.05])


def test_prefills_are_paid_one_after_the_other() -> None:
    seen = batched(Affine(0.010, 0.0), [Visit(0.0, 5, prefill=0.1), Visit(0.0, 5, prefill=0.2)])
    assert [at for at, _ in seen] == pytest.approx([0.35, 0.35])


def test_who_leaves_early_has_the_tokens_of_the_time_it_ran() -> None:
    (seen,) = batched(Affine(0.010, 0.0), [Visit(0.0, 50, stay=0.125)])
    assert seen.at == pytest.approx(0.125)
    assert seen.tokens == 12


def test_who_leaves_during_its_prefill_has_no_token() -> None:
    assert batched(Affine(0.010, 0.0), [Visit(0.0, 50, prefill=1.0, stay=0.5)])[0].tokens == 0


def test_others_are_faster_once_one_has_left() -> None:
    seen = batched(Affine(0.0, 0.010), [Visit(0.0, 10), Visit(0.0, 100, stay=0.1)])
    assert seen[0].at == pytest.approx(0.1 + 5 * 0.010)


@pytest.mark.parametrize("itl", [1e-2, 1e-3, 1e-4, 1e-5])
def test_a_fast_engine_is_served_as_exactly_as_the_clock_allows(itl: float) -> None:
    visits = [Visit(number * 0.37 * itl, number) for number in (3, 5, 7, 11, 101, 997)]
    seen = batched(Affine(itl, itl / 7), visits)
    assert [tokens for _, tokens in seen] == [3, 5, 7, 11, 101, 997]


def test_leaving_twice_changes_nothing() -> None:
    async def main() -> tuple[int, int]:
        batch = Batch(Affine(0.010, 0.0))
        sequence = batch.join(5)
        await sequence.done
        first = batch.leave(sequence)
        await asyncio.sleep(1.0)
        return first, batch.leave(sequence)

    assert run_virtual(main()) == (5, 5)


def test_a_thousand_hours_are_exact_to_the_token() -> None:
    seen = batched(Affine(0.0101, 0.0), [Visit(3.6e6, 7)])
    assert seen[0].tokens == 7
