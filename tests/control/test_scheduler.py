"""When queries look ahead, how hard, and on which lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest

from spex.control.clock import run_virtual
from spex.control.lane import Lane
from spex.control.pace import Pace
from spex.control.query import Query
from spex.control.run import Conduct, run
from spex.control.scheduler import Scheduler
from spex.control.setup import Speculation
from spex.engine.recorded import Recorded
from spex.engine.retrying import Retrying
from spex.errors import InvariantError
from spex.events import Event
from spex.record import MemoryLog
from spex.speculate.runahead import Effort
from tests.builders import breadth, policy, problems, reward, setup


def scheduled(scene: Callable[[Scheduler], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            await scene(Scheduler(group, Speculation(in_flight_max=3)))

    run_virtual(main())


def test_wrappers_of_one_engine_share_its_lane() -> None:
    async def scene(scheduler: Scheduler) -> None:
        engine, other = policy(), policy()
        lane = scheduler.lane(engine, serves_text=True)
        assert scheduler.lane(Recorded(Retrying(engine), MemoryLog()), serves_text=False) is lane
        assert lane.serves_text
        assert lane.speculations_max == 3
        assert scheduler.lane(other, serves_text=True) is not lane

    scheduled(scene)


def test_the_first_defect_is_the_one_that_is_told() -> None:
    async def scene(scheduler: Scheduler) -> None:
        scheduler._found_defect(ZeroDivisionError("first"))
        scheduler._found_defect(KeyError("second"))
        with pytest.raises(ZeroDivisionError, match="first"):
            await scheduler.watch()

    scheduled(scene)


def test_a_lane_that_finds_a_fault_in_itself_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(self: Lane) -> None:
        if self.running:
            raise InvariantError("this cannot be")

    monkeypatch.setattr(Lane, "check", faulty)
    engine = policy()
    with pytest.raises(InvariantError, match="this cannot be"):
        run_virtual(run(problems(2), setup(breadth(2), engine, speculation=Speculation())))
    assert engine.counters().running == 0


def test_a_query_that_is_over_is_not_looked_ahead_for(monkeypatch: pytest.MonkeyPatch) -> None:
    over: set[str] = set()
    looked: list[str] = []
    imagine = Query.imagine

    def watched(self: Query, effort: Effort) -> None:
        assert self.problem.id not in over
        looked.append(self.problem.id)
        imagine(self, effort)

    def listen(event: Event) -> None:
        if event.event == "query_finished":
            over.add(event.query)

    monkeypatch.setattr(Query, "imagine", watched)
    made = setup(breadth(2, 2), scorer=reward(), speculation=Speculation())
    run_virtual(run(problems(4), made, Conduct(concurrency=2, on_event=listen)))
    assert set(looked) == over == {"p0", "p1", "p2", "p3"}


def test_a_plain_run_never_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: Query, effort: Effort) -> None:
        raise AssertionError

    monkeypatch.setattr(Query, "imagine", never)
    assert run_virtual(run(problems(2), setup(breadth(2, 2)))).solutions


class Looker:
    """A query that has news all the time, and knows when it looked ahead."""

    def __init__(self) -> None:
        self.looked_seconds: list[float] = []

    def imagine(self, effort: Effort) -> None:
        self.looked_seconds.append(asyncio.get_running_loop().time())

    def check(self) -> None: ...


@pytest.mark.parametrize(("margin", "iterations"), [(1.0, 1), (0.01, 1), (0.0, 8)])
def test_where_no_text_could_be_started_it_is_looked_ahead_now_and_then(
    margin: float, iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lane, "margin", property(lambda lane: margin))
    looker = Looker()

    async def scene(scheduler: Scheduler) -> None:
        lane = scheduler.lane(policy(), serves_text=True)
        iteration_seconds = lane.profile.itl_seconds(1)
        foreseeing = asyncio.ensure_future(scheduler.foresee())
        for _ in range(80):
            scheduler.stale(looker)
            await asyncio.sleep(iteration_seconds / 2)
        foreseeing.cancel()
        gaps = [later - earlier for earlier, later in pairwise(looker.looked_seconds)]
        assert gaps == pytest.approx([iterations * iteration_seconds] * len(gaps), abs=1.01 * iteration_seconds)
        assert len(gaps) >= 40 // iterations - 2

    scheduled(scene)


def test_how_long_to_rest_after_a_pass_hangs_on_the_most_that_could_be_won_before_or_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[float] = []

    def rest_seconds(self: Pace, cost_seconds: float, iteration_seconds: float, margin: float) -> float:
        told.append(margin)
        return iteration_seconds

    margins = {"policy": 0.25, "other": 0.5, "reward": 1.0}
    monkeypatch.setattr(Pace, "rest_seconds", rest_seconds)
    monkeypatch.setattr(Lane, "margin", property(lambda lane: margins[names[lane]]))
    names: dict[Lane, str] = {}
    looker = Looker()

    async def scene(scheduler: Scheduler) -> None:
        for name in margins:
            names[scheduler.lane(policy(), serves_text=name != "reward")] = name
        foreseeing = asyncio.ensure_future(scheduler.foresee())
        scheduler.stale(looker)
        await asyncio.sleep(10)
        margins["policy"] = 0.75
        scheduler.stale(looker)
        await asyncio.sleep(10)
        foreseeing.cancel()

    scheduled(scene)
    assert told == [0.5, 0.75]
