"""A job: one call on its way through a lane."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol, TypeAlias

from spex.control.outcome import Outcome, Result
from spex.engine.base import Progress
from spex.ids import Call, Expand
from spex.speculate.market import Asker
from spex.usage import Tokens


class Phase(Enum):
    """Where a job stands. A cancelling job still occupies its engine."""

    PLANNED = auto()
    QUEUED = auto()
    RUNNING = auto()
    CANCELLING = auto()
    DONE = auto()


Work: TypeAlias = Callable[[Progress], Awaitable[Result]]


class Owner(Asker, Protocol):
    """Whoever a job belongs to: a query."""

    def settle(self, job: Job, outcome: Outcome) -> None:
        """The job has left its engine, with this outcome."""
        ...

    def started(self, job: Job) -> None:
        """The job has entered its engine."""
        ...


@dataclass(slots=True, eq=False)
class Job:
    """One call, demanded or speculative. Its lane alone changes `phase` and what follows it.

    `progress` survives a cancellation where the engine keeps tokens. `dropped` counts
    what stopped attempts generated in vain, `lost` what failed ones did. `prompt_expected`: how many
    prompt tokens were likely to be computed for it as it started; None where nobody knew.
    """

    call: Call
    owner: Owner
    work: Work
    demanded: bool = False
    probability: float = 0.0
    phase: Phase = Phase.PLANNED
    progress: Progress = field(default_factory=Progress)
    dropped: Tokens = Tokens()
    lost: Tokens = Tokens()
    task: asyncio.Task[Outcome] | None = None
    started_at_seconds: float = 0.0
    area_at_start: float = 0.0
    generated_at_start: int = 0
    prompt_at_start: Tokens = Tokens()
    prompt_expected: float | None = 0.0
    first_started_at_seconds: float | None = None

    @property
    def expands(self) -> bool:
        return isinstance(self.call, Expand)

    @property
    def depth(self) -> int:
        """Steps in its prompt."""
        return len(self.call.parent) if isinstance(self.call, Expand) else max(map(len, self.call.nodes), default=0)

    @property
    def occupies(self) -> bool:
        """Whether the engine is busy with it."""
        return self.phase in (Phase.RUNNING, Phase.CANCELLING)

    @property
    def speculates(self) -> bool:
        """Whether it runs on a guess alone and has not been told to stop."""
        return self.phase is Phase.RUNNING and not self.demanded

    def book_lost(self) -> None:
        """Move what failed attempts cost from the progress, which may be thrown away, to the job."""
        if self.progress.lost != Tokens():
            self.lost = self.lost.plus(self.progress.lost)
            self.progress.lost = Tokens()

    def leave_off(self, *, keeps_tokens: bool) -> None:
        """It was stopped, and can be asked for again: its tokens stay with it where the engine goes on from tokens."""
        if not keeps_tokens or not self.progress.is_begun:
            self._drop_progress()

    def _drop_progress(self) -> None:
        """Nothing of a stopped attempt can be gone on from: the next one starts afresh."""
        self.book_lost()
        self.dropped = self.dropped.plus(self.progress.cost)
        self.progress = Progress(replayed_cost=self.progress.replayed_cost)
