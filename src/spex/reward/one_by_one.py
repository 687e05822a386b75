"""The paths of a request scored one after the other, each as a request of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from spex.engine.apart import apart
from spex.engine.base import Path, Progress, Scoring
from spex.reward.checked import place
from spex.reward.remedy import asked_of


async def one_by_one(
    request: Scoring, progress: Progress, score: Callable[[Path, Progress], Awaitable[float]], advice: str
) -> tuple[float, ...]:
    """What `score` gives for each path. Raises what it raises; a `Misbehaving` with the path's place and `advice`.

    Each path has a progress of its own: where one is asked for again, what the others have cost is not lost.
    """
    scores = []
    for path in request.paths:
        with apart(progress) as own, asked_of(place(request, path), advice):
            scores.append(await score(path, own))
    return tuple(scores)
