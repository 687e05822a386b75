"""When queries look ahead, how hard, and on which lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
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


@pytest.mark.parametrize(("margin", "again_after"), [(1.0, 0.1), (0.25, 0.4), (0.0, 0.8)])
def test_the_less_can_be_won_on_any_lane_of_texts_the_later_a_pass_that_costs_comes_again(
    margin: float, again_after: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    margins = {"policy": 0.0, "other": margin, "reward": 1.0}
    assert looked(margins, monkeypatch)[:2] == pytest.approx([0.0, again_after], abs=0.011)


def test_where_more_can_be_won_than_when_it_began_to_wait_it_waits_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    margins = {"policy": 0.0, "other": 0.0, "reward": 1.0}
    assert looked(margins, monkeypatch, {"policy": 1.0})[:2] == pytest.approx([0.0, 0.2], abs=0.011)


def looked(
    margins: dict[str, float], monkeypatch: pytest.MonkeyPatch, after_twenty: Mapping[str, float] | None = None
) -> list[float]:
    """When a query that has news all the time was looked ahead for, where a pass seems to cost an iteration."""
    monkeypatch.setattr(Pace, "adapt", lambda pace, cost, iteration: setattr(pace, "_cost_seconds", 0.010))
    monkeypatch.setattr(Pace, "heed", lambda pace, bought, running: None)
    monkeypatch.setattr(Lane, "margin", property(lambda lane: margins[names[lane]]))
    names: dict[Lane, str] = {}
    looker = Looker()

    async def scene(scheduler: Scheduler) -> None:
        for name in margins:
            names[scheduler.lane(policy(), serves_text=name != "reward")] = name
        foreseeing = asyncio.ensure_future(scheduler.foresee())
        for iteration in range(90):
            scheduler.stale(looker)
            await asyncio.sleep(0.010)
            if iteration == 19:
                margins.update(after_twenty or {})
        foreseeing.cancel()

    scheduled(scene)
    return looker.looked_seconds
