"""What a query's calls cost, by what became of them, and how speculation fared."""

from __future__ import annotations

from collections.abc import Iterable

from spex.control.job import Job
from spex.solution import Foresight
from spex.usage import Tokens, Usage


def usage_of(jobs: Iterable[Job]) -> Usage:
    """The usage of a query from all the jobs that it ever had."""
    usage = Usage()
    for job in jobs:
        kept = job.progress.cost
        usage = usage.plus(
            Usage(
                useful=kept if job.demanded else Tokens(),
                wasted=job.dropped if job.demanded else job.dropped.plus(kept),
                lost=job.lost,
                replayed=job.progress.replayed_cost,
            )
        )
    return usage


class Foreseen:
    """Counts calls by whether speculation had started them before they were demanded."""

    def __init__(self) -> None:
        self._speculated = 0
        self._committed = 0
        self._demanded = 0
        self._head_start_seconds = 0.0

    def speculated(self, job: Job) -> None:
        """A speculation starts; starting it again after a stop counts once."""
        if job.first_started_at_seconds == job.started_at_seconds:
            self._speculated += 1

    def demanded(self, job: Job | None, now_seconds: float) -> None:
        """A call has been demanded; `job` is what exists of it."""
        self._demanded += 1
        if job is not None and job.first_started_at_seconds is not None:
            self._committed += 1
            self._head_start_seconds += now_seconds - job.first_started_at_seconds

    @property
    def hit_rate(self) -> float:
        """(committed + 1) / (speculated + 2): what still may be demanded counts as a miss."""
        return (self._committed + 1) / (self._speculated + 2)

    def summary(self) -> Foresight:
        return Foresight(
            speculated=self._speculated,
            committed=self._committed,
            demanded=self._demanded,
            foreseen=self._committed,
            head_start_seconds=self._head_start_seconds,
        )
