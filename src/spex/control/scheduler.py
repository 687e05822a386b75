"""The scheduler: the lanes of a run, and when its queries look ahead."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Protocol

from spex.control.job import Job
from spex.control.lane import Lane
from spex.control.others import listen, tells
from spex.control.outcome import Outcome
from spex.control.pace import Pace
from spex.control.setup import Speculation
from spex.engine.base import Server, innermost
from spex.errors import InvariantError
from spex.speculate.predictor import Predictor
from spex.speculate.runahead import Effort

_REST_ITERATIONS_WHEN_FULL = 8.0


class Imagining(Protocol):
    """A query, as far as looking ahead goes."""

    def imagine(self, effort: Effort) -> None:
        """Look ahead, and tell the lanes what would be worth starting."""
        ...

    def check(self) -> None:
        """Raise `InvariantError` when the query is in a state that cannot be."""
        ...


class Scheduler:
    """One a run. Keeps a lane for each server, and passes results to their queries."""

    def __init__(self, group: asyncio.TaskGroup, speculation: Speculation | None) -> None:
        self.predictor: Predictor = Predictor()
        self._group = group
        self._speculation = speculation
        self._lanes: dict[int, Lane] = {}
        self._listening: list[asyncio.Task[None]] = []
        self._stale: dict[Imagining, None] = {}
        self._wake = asyncio.Event()
        self._defect: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pace = Pace(speculation.effort) if speculation else None
        self._looked_at_seconds = -inf

    def lane(self, server: Server, *, serves_text: bool) -> Lane:
        """The one lane of `server`; the first to ask says whether it serves text or scores alone."""
        key = id(innermost(server))
        found = self._lanes.get(key)
        if found is None:
            found = self._lanes[key] = Lane(
                server,
                self._group,
                market=self._speculation.market if self._speculation else None,
                serves_text=serves_text,
                settled=self._settled,
                defect=self._found_defect,
                speculations_max=self._speculation.in_flight_max if self._speculation else 0,
            )
            self._listen(found)
        return found

    def _listen(self, lane: Lane) -> None:
        """Hear from now on what others have on the lane's engine, where it tells and the price wants to know."""
        interval_seconds = self._speculation.load_interval_seconds if self._speculation else None
        if interval_seconds is not None and tells(lane.server):
            self._listening.append(self._group.create_task(listen(lane, interval_seconds, self.pump)))

    def close(self) -> None:
        """The run is over: ask no engine any more."""
        for task in self._listening:
            task.cancel()

    def pump(self) -> None:
        """Bring what runs in line with what is wanted, on every engine."""
        if self._defect.done():
            return  # The run is ending: its group takes no more tasks.
        for lane in self._lanes.values():
            lane.pump()

    def stale(self, query: Imagining) -> None:
        """The query has new results: it should look ahead again."""
        if self._speculation is not None:
            self._stale[query] = None
            self._wake.set()

    def forget(self, query: Imagining) -> None:
        """The query is over."""
        self._stale.pop(query, None)
        self.pump()

    async def foresee(self) -> None:
        """Look ahead for the queries with news, at a pace that the engines and our own cost set. Never ends."""
        try:
            while self._pace is not None:
                await self._wake.wait()
                self._wake.clear()
                await asyncio.sleep(self._look_ahead(self._pace))
        except Exception as error:  # noqa: BLE001  # told like any defect, so that nothing more is started
            self._found_defect(error)

    def _look_ahead(self, pace: Pace) -> float:
        """One pass over the queries with news, if one is due; how many seconds to rest after it."""
        loop = asyncio.get_running_loop()
        began, iteration_seconds = loop.time(), self._iteration_seconds()
        if began - self._looked_at_seconds < self._patience_seconds(pace, iteration_seconds):
            self._wake.set()
            return iteration_seconds
        self._looked_at_seconds = began
        queries, self._stale = self._stale, {}
        for query in queries:
            query.imagine(pace.effort)
        self.pump()
        self.check()
        for query in queries:
            query.check()
        pace.adapt(loop.time() - began, self._iteration_seconds())
        lanes = self._lanes.values()
        pace.heed(sum(lane.bought for lane in lanes), sum(lane.speculations for lane in lanes))
        return pace.rest_seconds(self._iteration_seconds())

    def _patience_seconds(self, pace: Pace, iteration_seconds: float) -> float:
        """How long after the last pass the next one may begin, by what could be won on any lane that serves text now.

        Where no text could be started a pass finds scores alone: now and then.
        """
        margin = max((lane.margin for lane in self._lanes.values() if lane.serves_text), default=0.0)
        least_seconds = 0.0 if margin else _REST_ITERATIONS_WHEN_FULL * iteration_seconds
        return max(least_seconds, pace.patience_seconds(iteration_seconds, margin))

    def check(self) -> None:
        """Raise `InvariantError` when a lane is in a state that cannot be."""
        for lane in self._lanes.values():
            lane.check()

    async def watch(self) -> None:
        """End with the defect that a result brought to light, if one does: then nothing can be trusted."""
        await self._defect

    def _settled(self, job: Job, outcome: Outcome) -> None:
        job.owner.settle(job, outcome)
        self.pump()

    def _found_defect(self, error: BaseException) -> None:
        if not self._defect.done():
            # Such a one, raised by somebody's callback, no future can hold or would be taken for a cancellation.
            untold = not isinstance(error, Exception) or isinstance(error, StopIteration)
            said = InvariantError(f"a callback raised {type(error).__name__}: {error}")
            self._defect.set_exception(said if untold else error)

    def _iteration_seconds(self) -> float:
        """The engine iteration of the fastest lane, as it is loaded now."""
        return min(
            (lane.profile.itl_seconds(max(1, lane.running)) for lane in self._lanes.values() if lane.serves_text),
            default=0.0,
        )
