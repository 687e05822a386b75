"""Many problems over the same engines: order, concurrency, interruption, and defects that are never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from spex.control.clock import new_virtual_loop, run_virtual
from spex.control.query import Query
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.engine.base import Completion, Generation, Progress
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.errors import InputError, InvariantError, Unreachable
from spex.events import Event
from spex.problem import Problem
from spex.search.rebase import Rebase
from spex.solution import Solution
from spex.speculate.runahead import Effort
from spex.usage import Tokens
from tests.builders import FLAT, Words, breadth, path_of, policy, problems, reward, setup
from tests.control.bench import Eager

T = TypeVar("T")

EAGER = Speculation(Effort(2, 6), Eager())
BOTH = pytest.mark.parametrize("speculation", [None, EAGER], ids=["plain", "speculative"])


def ran(made: Setup, count: int, **conduct: Any) -> Run:
    return run_virtual(run(problems(count), made, Conduct(**conduct)))


# What a run gives


def test_solutions_stand_in_the_order_of_the_problems_whoever_ends_first() -> None:
    def write(request: Generation) -> Completion:
        return Words(usual=50 if request.key.startswith("p0") else 5)(request)

    told: list[str] = []
    made = setup(breadth(1), SimulatedPolicy(write, FLAT))
    result = ran(made, 3, concurrency=3, on_solution=lambda solution: told.append(solution.problem.id))
    assert [solution.problem.id for solution in result.solutions] == ["p0", "p1", "p2"]
    assert told == ["p1", "p2", "p0"]


@pytest.mark.parametrize("concurrency", [1, 2, 3, 100])
def test_no_more_queries_run_at_once_than_were_asked_for(concurrency: int) -> None:
    open_queries: set[str] = set()
    most = 0

    def watch(event: Event) -> None:
        nonlocal most
        if event.event == "query_started":
            open_queries.add(event.query)
        elif event.event == "query_finished":
            open_queries.remove(event.query)
        most = max(most, len(open_queries))

    ran(setup(breadth(2)), 5, concurrency=concurrency, on_event=watch)
    assert most == min(5, concurrency)


def test_the_next_query_starts_when_one_ends() -> None:
    result = ran(setup(breadth(1)), 5, concurrency=2)
    started = [round(solution.timings.started_at_seconds, 6) for solution in result.solutions]
    assert started == [0.0, 0.0, 0.14, 0.14, 0.28]
    assert [solution.timings.latency_seconds for solution in result.solutions] == pytest.approx([0.14] * 5)
    assert result.seconds == pytest.approx(0.42)


def test_no_problem_begins_before_it_arrives_or_before_there_is_a_place() -> None:
    made = setup(breadth(1))
    alone = ran(made, 1).seconds
    result = ran(made, 4, concurrency=1, arrivals_seconds=(1.0, 1.0, 1.0 + alone / 2, 100.0))
    began = [solution.timings.started_at_seconds for solution in result.solutions]
    lasted = [solution.timings.latency_seconds for solution in result.solutions]
    assert began == pytest.approx([1.0, 1.0 + lasted[0], 1.0 + lasted[0] + lasted[1], 100.0])


def test_a_stop_while_nothing_has_arrived_is_a_run_of_nothing() -> None:
    async def stopped() -> Run:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, stop.set)
        return await run(problems(2), setup(breadth(1)), Conduct(stop=stop, arrivals_seconds=(5.0, 6.0)))

    result = run_virtual(stopped())
    assert (result.solutions, result.interrupted, result.seconds) == ((), True, 1.0)


def test_arrivals_for_other_problems_are_refused() -> None:
    with pytest.raises(InputError, match="one time for each of 2"):
        ran(setup(breadth(1)), 2, arrivals_seconds=(1.0,))


def test_a_run_of_no_problems_is_over_at_once() -> None:
    assert ran(setup(breadth(1)), 0) == Run((), 0.0)


def test_the_usage_of_a_run_is_that_of_its_queries() -> None:
    result = ran(setup(breadth(2)), 3)
    assert result.usage.useful.generated == 3 * 2 * 10
    assert result.usage.paid.reward == sum(solution.usage.paid.reward for solution in result.solutions)


# What is refused


def test_two_problems_of_one_id_are_refused_before_anything_starts() -> None:
    engine = policy()
    twins = [Problem("one", "same"), Problem("two", "same")]
    with pytest.raises(InputError, match="same"):
        run_virtual(run(twins, setup(breadth(1), engine)))
    assert engine.counters().cost == Tokens()


@pytest.mark.parametrize("concurrency", [0, -1, 65537, 2.5, True, "4", float("nan"), None])
def test_a_concurrency_that_is_none_is_refused(concurrency: object) -> None:
    with pytest.raises(InputError, match="concurrency"):
        Conduct(concurrency=concurrency)  # type: ignore[arg-type]  # that it is wrong is the point


@pytest.mark.parametrize("deadline", [0, -1.0, float("inf"), float("nan"), "soon", True])
def test_a_deadline_that_is_none_is_refused(deadline: object) -> None:
    with pytest.raises(InputError, match="deadline"):
        Conduct(deadline_seconds=deadline)  # type: ignore[arg-type]  # that it is wrong is the point


# Stopping


def stopped_at(seconds: float, made: Setup, count: int, told: list[Solution]) -> Run:
    """A run that is asked to stop then."""

    async def main() -> Run:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        return await run(problems(count), made, Conduct(concurrency=2, stop=stop, on_solution=told.append))

    return run_virtual(main())


@BOTH
def test_a_run_that_is_stopped_gives_what_was_begun_and_leaves_nothing_in_flight(
    speculation: Speculation | None,
) -> None:
    told: list[Solution] = []
    engine, scorer = policy(cancel_delay_seconds=0.02), reward()
    result = stopped_at(0.2, setup(breadth(1), engine, scorer, speculation), 5, told)
    assert result.interrupted
    assert [solution.partial for solution in result.solutions] == [None, None, "interrupted", "interrupted"]
    assert [solution.error for solution in result.solutions] == [None] * 4
    assert sorted(told, key=lambda solution: solution.problem.id) == list(result.solutions)
    assert (engine.counters().running, scorer.counters().running) == (0, 0)
    assert result.usage.paid == engine.counters().cost.plus(scorer.counters().cost)


def test_a_run_that_is_stopped_before_it_begins_makes_no_call() -> None:
    engine = policy()

    async def main() -> Run:
        stop = asyncio.Event()
        stop.set()
        return await run(problems(5), setup(breadth(1), engine), Conduct(concurrency=2, stop=stop))

    result = run_virtual(main())
    assert result.interrupted
    assert engine.counters().cost.generated == 0
    assert all(solution.partial == "interrupted" for solution in result.solutions)


def test_a_run_that_is_asked_to_stop_after_its_end_is_whole() -> None:
    told: list[Solution] = []
    result = stopped_at(100.0, setup(breadth(1)), 3, told)
    assert not result.interrupted
    assert [solution.partial for solution in result.solutions] == [None] * 3


# Defects


class Boom(Exception):
    """What a broken callback raises."""


def breaking_at(kind: str, number: int) -> Callable[[Event], None]:
    """A sink that breaks at the `number`-th event of that kind."""
    left = number

    def sink(event: Event) -> None:
        nonlocal left
        if event.event == kind:
            left -= 1
            if left == 0:
                raise Boom(kind)

    return sink


EVENTS = ["query_started", "demanded", "started", "promoted", "finished", "cancelled", "decided", "query_finished"]


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("kind", EVENTS)
def test_a_sink_that_breaks_ends_the_run_with_its_error_and_leaves_nothing_in_flight(kind: str, number: int) -> None:
    engine, scorer = policy(cancel_delay_seconds=0.01, slots=3), reward(0.3)
    made = setup(Rebase(4, depth_max=3), engine, scorer, Speculation())
    with pytest.raises(Boom, match=kind):
        ran(made, 6, concurrency=3, on_event=breaking_at(kind, number))
    assert (engine.counters().running, scorer.counters().running) == (0, 0)


def test_a_callback_for_solutions_that_breaks_ends_the_run_with_its_error() -> None:
    engine = policy()

    def broken(solution: Solution) -> None:
        raise Boom

    with pytest.raises(Boom):
        ran(setup(breadth(2), engine), 5, concurrency=2, on_solution=broken)
    assert engine.counters().running == 0


@BOTH
def test_an_invariant_that_breaks_ends_the_run_loudly(
    speculation: Speculation | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = Query._finished

    def broken(self: Query, call: Any) -> None:
        finished(self, call)
        if self.problem.id == "p1":
            raise InvariantError("p1: this cannot be")

    monkeypatch.setattr(Query, "_finished", broken)
    engine = policy()
    with pytest.raises(InvariantError):
        ran(setup(breadth(2), engine, speculation=speculation), 3)
    assert engine.counters().running == 0


# Cancellation at every step of the loop


class Stepped:
    """Runs `main` in virtual time and cancels it at the given steps of the loop; counts the steps."""

    def __init__(self, main: Coroutine[Any, Any, T], cancel_at: tuple[int, ...]) -> None:
        self.steps = 0
        self.complaints: list[dict[str, Any]] = []
        self.left_over: list[str] = []
        with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
            loop = runner.get_loop()
            loop.set_exception_handler(lambda _, context: self.complaints.append(context))
            self._task = loop.create_task(main)
            run_once = loop._run_once  # type: ignore[attr-defined]  # a step of the loop

            def step() -> None:
                self.steps += not self._task.done()
                if self.steps in cancel_at:
                    self._task.cancel()
                run_once()

            loop._run_once = step  # type: ignore[attr-defined]
            loop.run_until_complete(asyncio.wait([self._task]))
            self.left_over = [task.get_name() for task in asyncio.all_tasks(loop)]

    @property
    def cancelled(self) -> bool:
        return self._task.cancelled()

    @property
    def result(self) -> Any:
        return self._task.result()


class Trial:
    """One small run on fresh engines, cancelled at some steps; `away`: calls of that node fail."""

    def __init__(
        self, speculation: Speculation | None, cancel_at: tuple[int, ...] = (), away: tuple[int, ...] | None = None
    ) -> None:
        def write(request: Generation) -> Completion:
            if path_of(request.key) == away:
                raise Unreachable("engine", "away")
            return Words()(request)

        self.engine = SimulatedPolicy(write, FLAT, cancel_delay_seconds=0.013, slots=3)
        self.scorer: SimulatedReward = reward(slots=2)
        self.told: list[Solution] = []
        made = setup(Rebase(3, depth_max=2), self.engine, self.scorer, speculation)
        conduct = Conduct(concurrency=2, on_solution=self.told.append)
        self.stepped = Stepped(run(problems(2), made, conduct), cancel_at)

    def look(self) -> None:
        """Nothing is in flight, no task is left, nobody complained, and everything paid for is accounted for."""
        assert (self.engine.counters().running, self.scorer.counters().running) == (0, 0)
        assert self.stepped.left_over == []
        assert self.stepped.complaints == []
        paid = Tokens()
        for solution in self.told:
            paid = paid.plus(solution.usage.paid)
        assert paid == self.engine.counters().cost.plus(self.scorer.counters().cost)


@BOTH
def test_a_run_that_is_cancelled_at_any_step_leaves_nothing_behind(speculation: Speculation | None) -> None:
    whole = Trial(speculation)
    assert [solution.partial for solution in whole.stepped.result.solutions] == [None] * 2
    assert whole.stepped.steps > 50
    for step in range(1, whole.stepped.steps + 1):
        trial = Trial(speculation, (step,))
        trial.look()
        assert trial.stepped.cancelled


@BOTH
def test_a_failing_run_that_is_cancelled_at_any_step_leaves_nothing_behind(speculation: Speculation | None) -> None:
    whole = Trial(speculation, away=(1,))
    assert [type(solution.error) for solution in whole.stepped.result.solutions] == [Unreachable] * 2
    for step in range(1, whole.stepped.steps + 1):
        trial = Trial(speculation, (step,), away=(1,))
        trial.look()
        assert trial.stepped.cancelled


@BOTH
@pytest.mark.parametrize("later", [1, 2, 4])
def test_a_run_that_is_cancelled_twice_leaves_nothing_behind(speculation: Speculation | None, later: int) -> None:
    for first in range(1, Trial(speculation).stepped.steps, 3):
        trial = Trial(speculation, (first, first + later))
        trial.look()
        assert trial.stepped.cancelled


def test_a_cancelled_run_tells_what_it_had() -> None:
    trial = Trial(None, (Trial(None).stepped.steps // 2,))
    assert "interrupted" in [solution.partial for solution in trial.told]
    assert any(solution.tree.steps for solution in trial.told if solution.partial)


@BOTH
def test_a_stop_at_any_time_gives_a_run(speculation: Speculation | None) -> None:
    for number in range(1, 40):
        engine, scorer = policy(cancel_delay_seconds=0.013), reward()
        made = setup(Rebase(3, depth_max=2), engine, scorer, speculation)
        result = stopped_at(number * 0.0117, made, 3, [])
        assert (engine.counters().running, scorer.counters().running) == (0, 0)
        assert result.usage.paid == engine.counters().cost.plus(scorer.counters().cost)
        assert result.interrupted == (len(result.solutions) < 3 or any(done.partial for done in result.solutions))


class Stubborn(SimulatedPolicy):
    """An engine that lets nothing be cancelled before it is done."""

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        work = asyncio.ensure_future(super().generate(request, progress))
        cancelled = False
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError
        return work.result()


def test_an_engine_that_takes_its_time_to_cancel_is_waited_for() -> None:
    engine = Stubborn(Words(usual=100), FLAT)
    result = ran(setup(breadth(3), engine), 1, deadline_seconds=0.5)
    assert result.solutions[0].timings.latency_seconds == pytest.approx(1.0)
    assert engine.counters().running == 0
    assert result.usage.paid.generated == engine.counters().cost.generated == 300
