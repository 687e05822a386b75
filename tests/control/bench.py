"""A lane alone on the virtual clock, with an owner that writes down what happens to its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from spex.control.clock import run_virtual
from spex.control.job import Job
from spex.control.lane import Lane
from spex.control.ledger import Foreseen
from spex.control.outcome import Cancelled, Failed, Made, Ok, Outcome
from spex.engine.base import Engine, Generation, Progress
from spex.ids import ROOT, Expand, NodeId
from spex.prompt import Prompt
from spex.speculate.market import C, Load, Market

T = TypeVar("T")


class Eager:
    """A market that buys whatever there is room for, and never sells."""

    def margin(self, load: Load) -> float:
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        return []

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        return list(wishes[:room])


class Moment(NamedTuple):
    """Something that happened to a job: `started`, `done`, `failed` or `cancelled`."""

    t: float
    what: str
    job: str


class Bench:
    """Jobs are known by the action of their call; a cancelled one that is demanded is asked for again."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        engine: Engine,
        market: Market | None = None,
        speculations_max: int | None = None,
    ) -> None:
        self.engine = engine
        self.foreseen = Foreseen()
        self.moments: list[Moment] = []
        self.defects: list[BaseException] = []
        self._left: set[Job] = set()
        self.lane = Lane(
            engine,
            group,
            market=market,
            serves_text=True,
            settled=lambda job, outcome: job.owner.settle(job, outcome),
            defect=self.defects.append,
            speculations_max=speculations_max,
        )

    def job(self, name: str, probability: float = 0.5, parent: NodeId = ROOT) -> Job:
        async def work(progress: Progress) -> Made:
            request = Generation(f"p|expand:root>{name}.0", Prompt([(1, 2, 3)]), 7, ("\n",), 1000)
            await self.engine.generate(request, progress)
            return Made(())

        return Job(Expand(parent, name), self, work, probability=probability)

    def demand(self, *jobs: Job) -> None:
        for job in jobs:
            self.lane.demand(job)
        self.pump()

    def wish(self, *jobs: Job) -> None:
        for job in jobs:
            self.lane.wish(job)
        self.pump()

    def drop(self, *jobs: Job) -> None:
        """The owner leaves, and asks for nothing again."""
        self._left.update(jobs)
        for job in jobs:
            self.lane.drop(job)
        self.pump()

    def stop(self, job: Job) -> None:
        """What the market does when a speculation is not worth its place."""
        self.lane._stop(job)

    def pump(self) -> None:
        self.lane.pump()
        self.lane.check()

    def started(self, job: Job) -> None:
        self._note("started", job)

    def settle(self, job: Job, outcome: Outcome) -> None:
        self._note({Ok: "done", Failed: "failed", Cancelled: "cancelled"}[type(outcome)], job)
        if isinstance(outcome, Cancelled) and job.demanded and job not in self._left:
            self.lane.demand(job)
        self.pump()

    def names(self, what: str) -> list[str]:
        return [moment.job for moment in self.moments if moment.what == what]

    def _note(self, what: str, job: Job) -> None:
        call = job.call
        assert isinstance(call, Expand)
        self.moments.append(Moment(asyncio.get_running_loop().time(), what, call.action))


def on_bench(
    scene: Callable[[Bench], Awaitable[T]],
    engine: Engine,
    market: Market | None = None,
    speculations_max: int | None = None,
) -> T:
    """Play `scene` in virtual time, let everything that it left end, and look that nothing went wrong."""

    async def main() -> T:
        async with asyncio.TaskGroup() as group:
            bench = Bench(group, engine, market, speculations_max)
            result = await scene(bench)
        await asyncio.sleep(0)
        assert bench.defects == []
        assert engine.counters().running == bench.lane.running == 0
        return result

    return run_virtual(main())


async def at(seconds: float) -> None:
    """Let the virtual clock come to `seconds`."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())
