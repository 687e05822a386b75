"""A lane: one engine, what waits for it, what runs on it, and what it costs to run more."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from math import ceil, inf

from spex.control.execution import execute
from spex.control.integrals import Integrals
from spex.control.job import Job, Phase
from spex.control.lessons import Lessons
from spex.control.others import Others, beside
from spex.control.outcome import Cancelled, Ok, Outcome
from spex.engine.base import Server
from spex.errors import PASSING, InvariantError
from spex.profile import LearnedCurve
from spex.speculate.lengths import Lengths
from spex.speculate.market import Market


class Lane:
    """Admits jobs to one engine: the demanded first, in order; speculation as the market buys it.

    The only owner of its jobs' phases. Everything here is synchronous; an engine call runs in a
    task of `group` and reports back through `_ended`.
    """

    def __init__(
        self,
        server: Server,
        group: asyncio.TaskGroup,
        *,
        market: Market | None,
        serves_text: bool,
        settled: Callable[[Job, Outcome], None],
        defect: Callable[[BaseException], None],
        speculations_max: int | None = None,
    ) -> None:
        self.server = server
        self._lessons = Lessons(server.capabilities, serves_text=serves_text)
        self.profile: LearnedCurve = self._lessons.profile
        self.lengths: Lengths = self._lessons.lengths
        self.slots: int = server.capabilities.slots
        self.speculations_max: int = self.slots if speculations_max is None else speculations_max
        self._group = group
        self._market = market
        self.serves_text = serves_text
        self.bought: int = 0  # speculations that were started, ever
        self._settled = settled
        self._defect = defect
        self._waiting: OrderedDict[Job, None] = OrderedDict()  # a queue that one in its middle leaves at once
        self._running: dict[Job, float] = {}  # with the expected tokens at their start
        self._guesses: dict[Job, None] = {}  # those of them that no search has demanded
        self._wishes: dict[Job, None] = {}
        self._seen = Integrals()
        self._others = Others()

    # What queries ask of it

    def demand(self, job: Job) -> None:
        """The search wants this call: run it before any speculation."""
        job.demanded = True
        job.progress.demand()
        if job in self._guesses and job.phase is Phase.RUNNING:  # and has not been told to stop
            self._lessons.losses.keep(self._written_since(job))
        self._guesses.pop(job, None)
        if job.phase is Phase.PLANNED:
            self._wishes.pop(job, None)
            job.phase = Phase.QUEUED
            self._waiting[job] = None

    def wish(self, job: Job) -> None:
        """The job would be worth running, with its `probability`."""
        if job.phase is Phase.PLANNED:
            self._wishes[job] = None

    def unwish(self, job: Job) -> None:
        """Nobody wants the job any more."""
        self._wishes.pop(job, None)

    def drop(self, job: Job) -> None:
        """The job's owner is leaving: forget it, or stop it."""
        if job.phase is Phase.RUNNING:
            self._stop(job)
        elif job.phase in (Phase.PLANNED, Phase.QUEUED):
            self._wishes.pop(job, None)
            if job.phase is Phase.QUEUED:
                del self._waiting[job]
            job.phase = Phase.DONE

    # What the market reads of it

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def useful(self) -> float:
        """Sequences expected to be useful: those that run, or as many demanded ones as ran of late.

        Between two levels of a search an engine is idle for an instant; what is started then
        runs beside the demands that come in the next.
        """
        demanded = self.running - self.speculations
        return max(self._seen.demanded_of_late, demanded + sum(job.probability for job in self._guesses))

    @property
    def kept_share(self) -> float:
        """The share of the work on guesses that is not likely to be lost, in (0, 1]."""
        return 1.0 if self.server.capabilities.keeps_tokens else self._lessons.losses.kept_share

    @property
    def speculations(self) -> int:
        """Speculative jobs that occupy the engine."""
        return len(self._guesses)

    @property
    def speculating(self) -> list[Job]:
        """Those of them that have not been told to stop."""
        return [job for job in self._guesses if job.speculates]

    @property
    def margin(self) -> float:
        """What looking ahead could win by changing what runs, in [0, 1]: speculation runs, or a sure one would pay."""
        if self._guesses or self._market is None:
            return float(bool(self._guesses))
        if self._waiting or self._room <= 0:
            return 0.0
        return self._market.margin(beside(self, self._others.count))

    @property
    def prefill_seconds(self) -> float:
        """What the prompt of one more call costs the batch, in seconds for each token expected of it."""
        return self._lessons.prompt_seconds(self.server.capabilities)

    def remaining_share(self, job: Job) -> float:
        """The share of the job's expected work that is still to come."""
        kept = max(len(job.progress.token_ids), job.generated_at_start)  # of a call of several texts, too
        return self.lengths.remaining_share(max(self._written_since(job), float(kept)))

    def _written_since(self, job: Job) -> float:
        """The tokens that it is likely to have got since it was started."""
        elapsed = asyncio.get_running_loop().time() - job.started_at_seconds
        return elapsed / self.profile.itl_seconds(max(1, self._on_engine))

    # What others have on its engine

    @property
    def _on_engine(self) -> int:
        return self.running + self._others.count

    def share(self, others: int, places: float = inf) -> None:
        """Others have so many requests there, on which the next one's cost depends; it runs so many in all at once."""
        self._account()
        self._others.count, self._others.places = others, places

    def most_at_once(self) -> int:
        """The most of ours that have run at once since this was asked last."""
        return self._others.most_of_ours(self.running)

    # Its own work

    def pump(self) -> None:
        """Bring what runs in line with what is wanted."""
        while self._waiting and self.running < self.slots:
            self._start(self._waiting.popitem(last=False)[0])
        if self._market is None:
            return
        if (lacking := max(len(self._waiting), self._on_engine - self._others.places)) > 0:
            self._make_room(lacking)
            return
        for job in self._market.to_stop(beside(self, self._others.count), self.speculating, self.remaining_share):
            self._stop(job)
        self._speculate()

    def _make_room(self, lacking: float) -> None:
        """Demanded calls wait, here or there: stop as many speculations as there are slots lacking.

        First those with least to lose: likely ones that have been written for long are the last.
        """
        leaving = sum(1 for job in self._running if job.phase is Phase.CANCELLING)
        for job in sorted(self.speculating, key=self._at_stake)[: max(0, ceil(lacking) - leaving)]:
            self._lessons.losses.lose(self._written_since(job))
            self._stop(job)

    def _at_stake(self, job: Job) -> tuple[float, float]:
        return job.probability * (job.generated_at_start + self._written_since(job)), job.probability

    @property
    def _room(self) -> int:
        there = 0 if self._others.is_full else self._others.places - self._on_engine
        return int(min(self.slots - self.running, self.speculations_max - self.speculations, there))

    def _speculate(self) -> None:
        room = self._room
        if room <= 0 or not self._wishes or self._market is None:
            return
        for job in self._market.to_start(beside(self, self._others.count), list(self._wishes), room):
            del self._wishes[job]
            self._start(job)

    def _start(self, job: Job) -> None:
        self._account()
        now = asyncio.get_running_loop().time()
        job.phase = Phase.RUNNING
        job.progress.demanded = job.demanded
        job.started_at_seconds = now
        if job.first_started_at_seconds is None:
            job.first_started_at_seconds = now
        job.area_at_start = self._seen.area
        job.generated_at_start = job.progress.cost.generated
        job.prompt_at_start = job.progress.cost
        self._running[job] = self._seen.expected_tokens
        self._seen.stalled_seconds += self._lessons.started(job, self.server.capabilities)
        if not job.demanded:
            self._guesses[job] = None
            self.bought += 1
        job.task = self._group.create_task(execute(job, self.server.name))
        job.task.add_done_callback(lambda task: self._leave(job, task))
        job.owner.started(job)
        self._others.saw(self.running)

    def _stop(self, job: Job) -> None:
        job.phase = Phase.CANCELLING
        if job.task is not None:
            job.task.cancel()

    def _leave(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        # A callback of the event loop: what it raised would be logged there, and the run would hang.
        try:
            self._ended(job, task)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001
            self._let_go(job)
            self._defect(error)

    def _let_go(self, job: Job) -> None:
        """Whatever went wrong in its end, the job's task is over, and nobody may wait for it."""
        self._running.pop(job, None)
        self._guesses.pop(job, None)
        job.task = None
        job.phase = Phase.DONE

    def _ended(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        self._account()
        outcome = Cancelled() if task.cancelled() else task.result()
        expected_tokens = self._seen.expected_tokens - self._running.pop(job)
        self._guesses.pop(job, None)
        job.task = None
        job.phase = Phase.DONE
        if isinstance(outcome, Ok):
            self._lessons.losses.age()
            if not job.demanded:
                self._lessons.losses.keep(self._written_since(job))
            self._learn(job, expected_tokens)
            job.progress.kept.clear()  # nobody asks for it again, and it stays with its query
        elif isinstance(outcome, Cancelled):
            job.phase = Phase.PLANNED
            job.leave_off(keeps_tokens=self.server.capabilities.keeps_tokens)
        else:
            self._others.heed(outcome.error)
            job.phase = Phase.DONE if job.demanded else Phase.PLANNED
            passes = isinstance(outcome.error, PASSING)
            again = passes and not job.demanded
            job.progress.fail(keeps_tokens=again and self.server.capabilities.keeps_tokens)
        job.book_lost()
        self._settled(job, outcome)

    def _learn(self, job: Job, expected_tokens: float) -> None:
        """Take in how long a finished job was and took; `expected_tokens`: by the curve at its prior's level."""
        if self._market is None:
            return  # nobody asks a plain run what another sequence would cost
        if job.progress.replayed or job.progress.failed:
            return  # its seconds are not the engine's
        seconds = asyncio.get_running_loop().time() - job.started_at_seconds
        area, prefill_seconds = self._seen.area - job.area_at_start, self.server.capabilities.prefill_seconds
        self._lessons.ended(job, seconds, area, expected_tokens, prefill_seconds)

    def _account(self) -> None:
        """Keep the integrals of the number running and of 1/ℓ, and how many demanded ran over about a text's life."""
        elapsed = self._seen.advance(self._on_engine)
        if elapsed > 0.0 and self._market is not None:
            demanded = self.running - self.speculations
            self._seen.expect(elapsed, self._on_engine, demanded, self.profile, self.lengths)

    def check(self) -> None:
        """Raise `InvariantError` when the lane is in a state that cannot be."""
        if self.running > self.slots:
            raise InvariantError(f"{self.server.name}: {self.running} requests run in {self.slots} slots")
        if any(not job.occupies for job in self._running):
            raise InvariantError(f"{self.server.name}: a job that does not run occupies a slot")
        if self._guesses.keys() != {job for job in self._running if not job.demanded}:
            raise InvariantError(f"{self.server.name}: what runs on a guess is not what no search has demanded")
        if any(job.phase is not Phase.PLANNED or job.demanded for job in self._wishes):
            raise InvariantError(f"{self.server.name}: a wish is not a plan")
        if self._market is None and self.speculations:
            raise InvariantError(f"{self.server.name}: speculation runs where none was allowed")
