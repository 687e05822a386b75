"""One of several requests that a call makes: with a progress of its own, which is booked with the call's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from spex.engine.base import Completion, Progress


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


async def text_apart(
    progress: Progress, name: str, write: Callable[[Progress], Awaitable[Completion]], *, keeps_tokens: bool
) -> Completion:
    """The text of one of several requests; `name` tells it from the call's others. Raises what `write` raises.

    What a stopped attempt has of it is not asked for again: the whole text, or, where its engine keeps tokens, a part
    (G1).
    """
    own = progress.kept.get(name)
    if own is not None and own.whole is not None:
        return own.whole
    if own is None or not keeps_tokens or any(part is own for part in progress.parts):
        own = progress.kept[name] = Progress()
    with apart(progress, own):
        completion = await write(own)
    own.finish(completion)
    return completion
