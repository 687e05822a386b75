"""One of several requests that a call makes: with a progress of its own, which is booked with the call's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spex.engine.base import Progress


@contextmanager
def apart(progress: Progress, begun: Progress | None = None) -> Iterator[Progress]:
    """A progress of its own for one of several requests; what it costs is `progress`'s, whichever way it ends.

    It is demanded if `progress` is, or as soon as that is. begun: the one of an attempt that was stopped.
    """
    own = begun or Progress()
    own.demanded = progress.demanded
    cost, lost, replayed = own.cost, own.lost, own.replayed_cost
    progress.parts.append(own)
    try:
        yield own
    finally:
        progress.parts = [part for part in progress.parts if part is not own]
        progress.cost = progress.cost.plus(own.cost.minus(cost))
        progress.lost = progress.lost.plus(own.lost.minus(lost))
        progress.replayed_cost = progress.replayed_cost.plus(own.replayed_cost.minus(replayed))
        progress.replayed |= own.replayed
        progress.failed |= own.failed
