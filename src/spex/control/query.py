"""A query: one problem being searched. The only owner of its tree, its demands and its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from spex.control.job import Job, Phase
from spex.control.journal import Journal
from spex.control.lanes import Lanes
from spex.control.ledger import Foreseen, usage_of
from spex.control.outcome import Failed, Ok, Outcome, Result
from spex.control.reading import Reading
from spex.control.requests import Requests
from spex.control.scheduler import Scheduler
from spex.control.setup import Setup, foresight
from spex.control.strand import RunningStrand, running_strands
from spex.control.verdict import found, found_by_chance, verdict
from spex.errors import InvariantError, NotLossless, RecordError, SpexError
from spex.ids import Call, Expand, call_key
from spex.problem import Problem
from spex.solution import Solution, Timings
from spex.speculate.runahead import Effort
from spex.tree import Tree


class Query:
    """Advances a search as results come in, and says what may be asked for next.

    Everything between two engine results happens in one synchronous turn: the result is
    recorded, strands that waited for it decide, their demands reach the lanes.
    """

    def __init__(self, problem: Problem, setup: Setup, scheduler: Scheduler, journal: Journal) -> None:
        self.problem = problem
        self._tree = Tree()
        self._setup = setup
        self._scheduler = scheduler
        self._journal = journal
        self._requests = Requests(problem, setup, self._tree)
        self._lanes = Lanes(setup, scheduler)
        self._jobs: dict[Call, Job] = {}
        self._demanded: dict[Call, None] = {}
        self._blocked: dict[Expand, list[Call]] = {}
        self._spoiled: set[Call] = set()
        self._wished: dict[Call, None] = {}
        self.foreseen: Foreseen = Foreseen()
        self._strands: list[RunningStrand] = []
        self._ahead = foresight(setup, problem.id, self._tree, scheduler.predictor)
        self._reading = Reading(setup.stopping, setup, problem, self._tree)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._replays = setup.logged
        self._started_at_seconds = 0.0

    # The life of a query

    async def solve(self, deadline_seconds: float | None = None) -> Solution:
        """Search to the end. Whatever ends it, nothing of it is left in flight.

        A deadline, a failed demanded call or a broken search gives a partial solution.
        """
        self._started_at_seconds = asyncio.get_running_loop().time()
        self._journal.query_started()
        partial: str | None = None
        error: SpexError | None = None
        try:
            async with asyncio.timeout(deadline_seconds):
                self._strands = running_strands(self._setup.search, self._setup.seed, self.problem.id)
                self._reading.follow(self._strands)
                await self._requests.open()
                self._turn(self._advance)
                self._scheduler.pump()
                await self._over
        except TimeoutError:
            partial = f"deadline query of {deadline_seconds:g} s ran out"
        except InvariantError:
            raise
        except SpexError as failure:
            partial, error = str(failure), failure
        finally:
            await self._close()
        return self._finish(partial, error)

    def interrupted(self) -> Solution:
        """The partial solution of a query that was cancelled from outside."""
        return self._finish("interrupted", None)

    async def _close(self) -> None:
        """Leave nothing in flight, however often the wait for it is cancelled."""
        self._closing = True
        if self._over.done() and not self._over.cancelled():
            self._over.exception()  # told or not, nobody will ask again
        for job in self._jobs.values():
            self._lanes.of(job.call).drop(job)
        cancelled = False
        while tasks := [job.task for job in self._jobs.values() if job.task is not None]:
            try:
                await asyncio.wait(tasks)
                await asyncio.sleep(0)  # their callbacks run on the loop's next turn
            except asyncio.CancelledError:
                cancelled = True
        self._scheduler.forget(self)
        self._check_closed()
        if cancelled:
            raise asyncio.CancelledError

    def _finish(self, partial: str | None, error: SpexError | None) -> Solution:
        if partial is None:
            tree, terminals = found(self._tree, self._demanded, self._strands, self._reading)
        else:
            tree, terminals = found_by_chance(self._tree, self._demanded)
        answer, correct, failure, score = verdict(self.problem, tree, terminals, self._setup, ended=partial is None)
        if failure is not None and error is None:
            partial, error = str(failure), failure
        for job in self._jobs.values():
            if not job.demanded and job.first_started_at_seconds is not None:
                self._journal.call("discarded", job)
        self._journal.query_finished(answer, partial)
        return Solution(
            problem=self.problem,
            answer=answer,
            correct=correct,
            score=score,
            tree=tree,
            terminals=terminals,
            usage=usage_of(self._jobs.values()),
            timings=Timings(self._started_at_seconds, asyncio.get_running_loop().time() - self._started_at_seconds),
            foresight=self.foreseen.summary(),
            partial=partial,
            error=error,
            stopped_early=self._reading.stopped_by,
        )

    # Results come in

    def started(self, job: Job) -> None:
        if not job.demanded:
            self.foreseen.speculated(job)
        self._journal.call("started", job, probability=None if job.demanded else job.probability)

    def settle(self, job: Job, outcome: Outcome) -> None:
        """Take what a job brought, and go on from it in the same turn."""
        match outcome:
            case Ok(result) if not self._is_over:
                self._replays = job.progress.replayed
                self._turn(lambda: self._record(job, result))
            case Failed(error) if not self._is_over:
                self._turn(lambda: self._fail(job, error))
            case _:  # what comes too late has left its engine all the same
                self._journal.call("cancelled", job)
                if job.demanded and not self._is_over:
                    self._lanes.of(job.call).demand(job)

    @property
    def _is_over(self) -> bool:
        return self._over.done() or self._closing

    def _turn(self, act: Callable[[], None]) -> None:
        """One synchronous turn; an error in it ends the query, a defect the run."""
        try:
            act()
        except InvariantError:
            raise
        except SpexError as error:
            self._over.set_exception(error)
        else:
            if self._reading.stopped or all(strand.stop for strand in self._strands):
                self._over.set_result(None)
            self._scheduler.stale(self)

    def _record(self, job: Job, result: Result) -> None:
        call = job.call
        self._requests.record(call, result)
        self._journal.finished(job, self._tree)
        self._wished.pop(call, None)
        self._finished(call)
        self._advance()

    def _fail(self, job: Job, error: SpexError) -> None:
        """A failed speculation is forgotten, and not tried again; a failed demand ends the query, if it counts."""
        self._journal.call("failed", job, reason=str(error))
        log_is_gone = isinstance(error, RecordError) and not isinstance(error, NotLossless)
        if log_is_gone:
            raise error
        if job.demanded:
            self._reading.fail(job.call, error)
            return
        self._spoiled.add(job.call)
        self._wished.pop(job.call, None)

    def _finished(self, call: Call) -> None:
        """The call has a result: show it to who demanded it, and set going what builds on it."""
        finished = [call]
        while finished:  # a loop: what is void may make void what builds on it, and so on for ever so long
            call = finished.pop()
            if self._ahead is not None:
                self._ahead.learn(call)
            for strand in self._strands:
                if call in strand.demanded:
                    strand.finished(call, self._tree)
            if isinstance(call, Expand):
                blocked = self._blocked.pop(call, ())
                finished.extend(dependent for dependent in blocked if not self._is_set_going(dependent))

    # Demands go out

    def _advance(self) -> None:
        for strand in self._strands:
            if not strand.blocked:
                strand.advance(self._demand, self._reading.goes_on)
        self._reading.goes_on()

    def _demand(self, strand: RunningStrand, calls: tuple[Call, ...]) -> None:
        self._journal.decided(strand.number, calls)
        for call in calls:
            if call not in self._demanded:
                self._commit(call)
            if call in self._tree and call not in strand.view:
                strand.finished(call, self._tree)

    def _commit(self, call: Call) -> None:
        """The call is demanded for the first time: promote what exists of it, or set it going."""
        self._demanded[call] = None
        job = self._jobs.get(call)
        self.foreseen.demanded(job, asyncio.get_running_loop().time())
        self._journal.demanded(call)
        if job is None:
            if not self._is_set_going(call):
                self._finished(call)
            return
        if job.occupies:
            self._journal.call("promoted", job)
        self._lanes.of(call).demand(job)

    def _is_set_going(self, call: Call) -> bool:
        """Queue the demanded call or let it wait for what it builds on. False: it is void, and has its result.

        Void is what is about a node that was never made, or would grow a path that has ended.
        """
        missing = self._requests.missing(call)
        if missing is not None and missing not in self._tree:
            self._blocked.setdefault(missing, []).append(call)
        elif missing is not None or self._requests.is_barren(call):
            self._tree.void(call)
            return False
        else:
            job = self._job(call)
            self._lanes.of(call).demand(job)
        return True

    def _job(self, call: Call) -> Job:
        job = self._jobs[call] = Job(call, self, self._requests.work(call))
        return job

    # Speculation

    def imagine(self, effort: Effort) -> None:
        """Look ahead, and tell the lanes what would be worth starting."""
        # What comes from a log comes at once: until it ends, a guess could only be wrong.
        if self._closing or self._replays or self._ahead is None:
            return
        foreseen = self._ahead.foresee([strand.snapshot() for strand in self._strands if not strand.stop], effort)
        for call in self._wished:
            if call not in foreseen and call not in self._demanded:
                self._jobs[call].probability = 0.0
                self._lanes.of(call).unwish(self._jobs[call])
        self._wished = {}
        for call, probability in foreseen.items():
            if call not in self._demanded and call not in self._spoiled and self._requests.is_possible(call):
                self._wish(call, probability)

    def _wish(self, call: Call, probability: float) -> None:
        self._wished[call] = None
        job = self._jobs.get(call) or self._job(call)
        job.probability = probability
        self._lanes.of(call).wish(job)

    # Invariants

    def check(self) -> None:
        """Raise `InvariantError` when the query is in a state that cannot be."""
        if self._is_over:
            return
        blocked = {call for calls in self._blocked.values() for call in calls} | self._reading.failures.keys()
        for strand in self._strands:
            for call in strand.waiting:
                if call not in blocked:
                    self._check_waiting(call)

    def _check_waiting(self, call: Call) -> None:
        job = self._jobs.get(call)
        if call in self._tree or job is None or not job.demanded or job.phase in (Phase.PLANNED, Phase.DONE):
            state = "finished" if call in self._tree else job.phase.name if job else "nobody's work"
            raise InvariantError(f"{self.problem.id}: waits for {call_key(call)}, which is {state}")

    def _check_closed(self) -> None:
        for job in self._jobs.values():
            if job.task is not None or job.occupies or job.phase is Phase.QUEUED:
                raise InvariantError(f"{self.problem.id}: {call_key(job.call)} is left in flight")
