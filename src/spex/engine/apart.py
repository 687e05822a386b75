"""One of several requests that a call makes: with a progress of its own, which is booked with the call's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spex.engine.base import Progress


@contextmanager
def apart(progress: Progress) -> Iterator[Progress]:
    """A progress of its own for one of several requests; what it has cost is `progress`'s, whichever way it ends.

    It is demanded if `progress` is, or as soon as that is.
    """
    own = Progress(demanded=progress.demanded)
    progress.parts.append(own)
    try:
        yield own
    finally:
        progress.parts = [part for part in progress.parts if part is not own]
        progress.cost = progress.cost.plus(own.cost)
        progress.lost = progress.lost.plus(own.lost)
        progress.replayed_cost = progress.replayed_cost.plus(own.replayed_cost)
        progress.replayed |= own.replayed
