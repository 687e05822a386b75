"""A run: many problems, one after another and several at once, over the same engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from spex.control.group import task_group
from spex.control.journal import Journal
from spex.control.query import Query
from spex.control.scheduler import Scheduler
from spex.control.setup import Setup
from spex.errors import InputError, LogMismatch, LogUnwritable
from spex.events import Sink
from spex.problem import Problem
from spex.solution import Solution
from spex.usage import Usage


@dataclass(frozen=True, slots=True)
class Run:
    """The solutions, in the order of the problems; after an interruption only those that were begun.

    `seconds` is the run's length on its clock. `interrupted`: it was asked to stop before its end. `unread`: verdicts
    that rewards which a model writes asked for, and could not read.
    """

    solutions: tuple[Solution, ...]
    seconds: float
    interrupted: bool = False
    unread: int = 0

    @property
    def usage(self) -> Usage:
        total = Usage()
        for solution in self.solutions:
            total = total.plus(solution.usage)
        return total


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a run is carried out; nothing here can change a tree.

    concurrency: queries at once (≥ 1). deadline_seconds: for each query (> 0). on_event, on_solution:
    called in the run's own thread. stop: set it to end the run with partial solutions.
    arrivals_seconds: when each problem may begin at the earliest, since the run's start, rising; None: at once.
    """

    concurrency: int = 4
    deadline_seconds: float | None = None
    on_event: Sink | None = None
    on_solution: Callable[[Solution], None] | None = None
    stop: asyncio.Event | None = None
    arrivals_seconds: Sequence[float] | None = None

    def __post_init__(self) -> None:
        if type(self.concurrency) is not int or not 1 <= self.concurrency <= 65536:
            raise InputError("concurrency", self.concurrency, "it must be a whole number from 1 to 65536")
        seconds = self.deadline_seconds
        if seconds is not None and (type(seconds) not in (int, float) or not 0 < seconds < float("inf")):
            raise InputError("deadline", seconds, "it must be a positive number of seconds")
        for name, callback in (("on_event", self.on_event), ("on_solution", self.on_solution)):
            if callback is not None and not callable(callback):
                raise InputError(name, callback, "it must be a function")
        if self.stop is not None and not isinstance(self.stop, asyncio.Event):
            raise InputError("stop", self.stop, "it must be an asyncio.Event")


async def run(problems: Sequence[Problem], setup: Setup, conduct: Conduct | None = None) -> Run:
    """Search every problem. Engines must be open. Raises `InputError` for repeated problem ids."""
    conduct = conduct or Conduct()
    refuse_repeated(problems)
    if conduct.arrivals_seconds is not None and len(conduct.arrivals_seconds) != len(problems):
        raise InputError("arrivals", len(conduct.arrivals_seconds), f"it must be one time for each of {len(problems)}")
    began = asyncio.get_running_loop().time()
    work = _Work(problems, setup, conduct, began)
    async with task_group() as group:
        scheduler = Scheduler(group, setup.speculation)
        helpers = [group.create_task(scheduler.foresee()), group.create_task(scheduler.watch())]
        try:
            await work.carry_out(scheduler)
        finally:
            scheduler.close()
            for helper in helpers:
                helper.cancel()
    seconds = asyncio.get_running_loop().time() - began
    return Run(work.solutions(), seconds, work.interrupted)


class _Work:
    """The problems still to do, and what has come of the others."""

    def __init__(self, problems: Sequence[Problem], setup: Setup, conduct: Conduct, began_at_seconds: float) -> None:
        self._began_at_seconds = began_at_seconds
        self._todo: Iterator[tuple[int, Problem]] = iter(enumerate(problems))
        self._count = len(problems)
        self._setup = setup
        self._conduct = conduct
        self._done: dict[int, Solution] = {}
        self._stop = conduct.stop or asyncio.Event()

    @property
    def interrupted(self) -> bool:
        return self._stop.is_set()

    def solutions(self) -> tuple[Solution, ...]:
        return tuple(self._done[number] for number in sorted(self._done))

    async def carry_out(self, scheduler: Scheduler) -> None:
        """Keep `concurrency` queries going until all are done or the run is to stop."""
        async with task_group() as group:
            count = min(self._conduct.concurrency, self._count)
            workers = [group.create_task(self._worker(scheduler)) for _ in range(count)]
            watcher = group.create_task(self._watch(workers))
            if workers:
                await asyncio.wait(workers)
            watcher.cancel()

    async def _watch(self, workers: list[asyncio.Task[None]]) -> None:
        await self._stop.wait()
        for worker in workers:
            worker.cancel()

    async def _worker(self, scheduler: Scheduler) -> None:
        for number, problem in self._todo:
            await self._arrival(number)
            query = Query(problem, self._setup, scheduler, self._journal(problem))
            try:
                self._keep(number, await query.solve(self._conduct.deadline_seconds))
            except asyncio.CancelledError:
                self._keep(number, query.interrupted())
                raise

    async def _arrival(self, number: int) -> None:
        if self._conduct.arrivals_seconds is not None:
            elapsed = asyncio.get_running_loop().time() - self._began_at_seconds
            await asyncio.sleep(self._conduct.arrivals_seconds[number] - elapsed)

    def _journal(self, problem: Problem) -> Journal:
        return Journal(problem.id, self._conduct.on_event, self._began_at_seconds)

    def _keep(self, number: int, solution: Solution) -> None:
        self._done[number] = solution
        if isinstance(solution.error, LogUnwritable | LogMismatch):
            self._stop.set()
        if self._conduct.on_solution is not None:
            self._conduct.on_solution(solution)


def refuse_repeated(problems: Sequence[Problem]) -> None:
    """Raise `InputError` for two problems of one id: their seeds and records would be the same."""
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise InputError("id", problem.id, "two problems must not have the same id")
        seen.add(problem.id)
