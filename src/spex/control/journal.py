"""What a query tells the outside world, as events. Costs nothing when nobody listens."""

from __future__ import annotations

import asyncio

from spex.control.job import Job
from spex.events import Event, Kind, Sink, call_event, scores_digest, steps_digest
from spex.ids import Call, Expand, call_key
from spex.tree import Tree


class Journal:
    """Writes one query's events to a sink."""

    def __init__(self, query: str, sink: Sink | None, run_began_at_seconds: float = 0.0) -> None:
        self._query = query
        self._sink = sink
        self._run_began_at_seconds = run_began_at_seconds

    def query_started(self) -> None:
        if self._sink is not None:
            self._sink(Event(self._now(), self._query, "query_started"))

    def query_finished(self, answer: str | None, reason: str | None) -> None:
        if self._sink is not None:
            self._sink(Event(self._now(), self._query, "query_finished", answer=answer, reason=reason))

    def decided(self, strand: int, calls: tuple[Call, ...]) -> None:
        """One decision of one strand, with what it demands for the first time."""
        if self._sink is not None:
            keys = tuple(call_key(call) for call in calls)
            self._sink(Event(self._now(), self._query, "decided", strand=strand, calls=keys))

    def demanded(self, call: Call) -> None:
        if self._sink is not None:
            self._sink(call_event(self._now(), self._query, "demanded", call, speculative=False))

    def call(self, kind: Kind, job: Job, *, probability: float | None = None, reason: str | None = None) -> None:
        """Something that happened to a job."""
        if self._sink is not None:
            self._sink(
                call_event(
                    self._now(),
                    self._query,
                    kind,
                    job.call,
                    speculative=not job.demanded,
                    tokens=tokens_of(job),
                    probability=probability,
                    reason=reason,
                )
            )

    def finished(self, job: Job, tree: Tree) -> None:
        """A job has its result, which stands in `tree`."""
        if self._sink is None:
            return
        common = {"speculative": not job.demanded, "tokens": tokens_of(job)}
        call = job.call
        if isinstance(call, Expand):
            steps = tuple(tree.steps[node] for node in tree.expansions[call])
            more = {
                "digest": steps_digest(steps),
                "texts": tuple(step.text for step in steps),
                "terminals": tuple(step.terminal for step in steps),
            }
        else:
            more = {"digest": scores_digest(tree.scores[call]), "scores": tree.scores[call]}
        self._sink(call_event(self._now(), self._query, "finished", call, **common, **more))  # type: ignore[arg-type]

    def _now(self) -> float:
        """Seconds since the run began."""
        return asyncio.get_running_loop().time() - self._run_began_at_seconds


def tokens_of(job: Job) -> int:
    """Everything that the job has made its engine generate: kept, dropped and lost."""
    return job.progress.cost.generated + job.dropped.generated + job.lost.generated
