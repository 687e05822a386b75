"""A call of two texts: what was paid is what the engine counted, wherever the call was interrupted."""

from __future__ import annotations

import pytest

from spex.control.job import Job
from spex.control.ledger import usage_of
from spex.control.outcome import Made
from spex.engine.base import Completion, Generation, Progress, SeedKind
from spex.engine.recorded import Recorded
from spex.engine.simulated import SimulatedPolicy
from spex.errors import Unreachable
from spex.ids import ROOT, Expand
from spex.policy import Policy
from spex.problem import Problem
from spex.record import MemoryLog
from spex.tasks.text import Text
from spex.tasks.thinking import Thinking
from spex.usage import Tokens, Usage
from tests.builders import FLAT
from tests.control.bench import Bench, Eager, at, on_bench

FIRST, SECOND = b"I think so far", b"Answer: 4"
BOTH = len(FIRST) + len(SECOND)
IN_SECOND_SECONDS = 0.18
SEEDS = pytest.mark.parametrize("seed", ["whole", "positional"])


def written(request: Generation) -> Completion:
    """Thinks until its tokens are spent, then answers; 10 ms a token."""
    if request.key.endswith("+1"):
        return Completion(SECOND.decode(), tuple(SECOND), None, "eos")
    return Completion(FIRST.decode(), tuple(FIRST), None, "length")


def writing(bench: Bench, log: MemoryLog | None) -> Job:
    """The call, not yet asked for; no speculation until it is wished for."""
    engine = bench.engine if log is None else Recorded(bench.engine, log)
    policy = Policy(engine, Thinking(Text(), tokens_max=len(FIRST)))
    problem, call = Problem("What is 2 + 2?", id="p"), Expand(ROOT, "solution")

    async def work(progress: Progress) -> Made:
        await policy.write(problem, await policy.prompt(problem), (), call, 0, progress)
        return Made(())

    return Job(call, bench, work, probability=0.5)


async def stopped(bench: Bench, log: MemoryLog | None, times: int) -> Usage:
    """The usage of a call that was stopped in its second text so often, and then demanded."""
    job = writing(bench, log)
    for attempt in range(times):
        bench.wish(job)
        from_log = log is not None and attempt > 0  # then the first text takes no time
        await at(attempt + (0.05 if from_log else IN_SECOND_SECONDS))
        bench.stop(job)
        await at(attempt + 1)
    bench.demand(job)
    await at(times + 1)
    assert bench.names("done") == ["solution"]
    return usage_of([job])


@SEEDS
def test_a_call_that_was_killed_in_its_second_text_pays_for_that_alone_when_it_goes_on(seed: SeedKind) -> None:
    log = MemoryLog()

    async def killed(bench: Bench) -> Usage:
        job = writing(bench, log)
        bench.demand(job)
        await at(IN_SECOND_SECONDS)
        bench.drop(job)
        await at(1)
        return usage_of([job])

    async def resumed(bench: Bench) -> Usage:
        job = writing(bench, log)
        bench.demand(job)
        await at(1)
        return usage_of([job])

    engine = SimulatedPolicy(written, FLAT, seed=seed)
    assert on_bench(killed, engine).paid == engine.counters().cost
    engine = SimulatedPolicy(written, FLAT, seed=seed)
    usage = on_bench(resumed, engine)
    assert usage.paid == engine.counters().cost
    assert (usage.paid.generated, usage.replayed.generated) == (len(SECOND), len(FIRST))
    assert usage.useful.generated == BOTH


@SEEDS
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("logged", [False, True])
def test_a_call_that_was_stopped_in_its_second_text_and_demanded_is_paid_for_as_the_engine_counts(
    seed: SeedKind, times: int, logged: bool
) -> None:
    engine = SimulatedPolicy(written, FLAT, seed=seed)
    usage = on_bench(lambda bench: stopped(bench, MemoryLog() if logged else None, times), engine, Eager())
    assert usage.paid == engine.counters().cost
    assert usage.useful.generated == BOTH
    read_again = logged and seed == "whole"  # where tokens are kept, whole texts are kept with them
    assert usage.replayed.generated == (times * len(FIRST) if read_again else 0)
    assert usage.lost == Tokens()


@SEEDS
def test_a_call_that_failed_in_its_second_text_and_is_demanded_is_paid_for_as_the_engine_counts(seed: SeedKind) -> None:
    failures = [Unreachable("simulated", "it was away")]

    def failing(request: Generation) -> Completion:
        if failures and request.key.endswith("+1"):
            raise failures.pop()
        return written(request)

    async def scene(bench: Bench) -> Usage:
        job = writing(bench, MemoryLog())
        bench.wish(job)
        await at(1)
        assert bench.names("failed") == ["solution"]
        bench.demand(job)
        await at(2)
        return usage_of([job])

    engine = SimulatedPolicy(failing, FLAT, seed=seed)
    usage = on_bench(scene, engine, Eager())
    assert usage.paid == engine.counters().cost
    assert (usage.useful.generated, usage.lost.generated) == (BOTH, len(FIRST) if seed == "whole" else 0)


class Told(SimulatedPolicy):
    """Keeps the progress of every request that it was asked."""

    def __init__(self) -> None:
        super().__init__(written, FLAT)
        self.asked: list[Progress] = []

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        self.asked.append(progress)
        return await super().generate(request, progress)


def test_the_second_text_of_a_guess_is_asked_for_as_a_guess_until_it_is_demanded() -> None:
    async def scene(bench: Bench) -> list[bool]:
        job = writing(bench, None)
        bench.wish(job)
        await at(IN_SECOND_SECONDS)
        before = [progress.demanded for progress in engine.asked]
        bench.demand(job)  # it runs: another attempt at its second text would say so
        return [*before, *(progress.demanded for progress in engine.asked)]

    engine = Told()
    assert on_bench(scene, engine, Eager()) == [False, False, True, True]
