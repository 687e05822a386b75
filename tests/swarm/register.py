"""What the engines of a trial see: every request, and which of them are there now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from spex.engine.base import Generation, Scoring


class Register:
    """Kept at the doors of the engines, so that it knows nothing of the controller.

    `asked` counts the attempts at a call, `digests` holds what they asked for.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.digests: defaultdict[str, set[str]] = defaultdict(set)
        self.generations: list[Generation] = []
        self.scorings: list[Scoring] = []
        self._present: Counter[str] = Counter()

    @contextmanager
    def entry(self, request: Generation | Scoring) -> Iterator[None]:
        """The request is at its engine for as long as the block lasts."""
        self.asked[request.key] += 1
        self.digests[request.key].add(request.digest)
        if isinstance(request, Generation):
            self.generations.append(request)
        else:
            self.scorings.append(request)
        query = request.key.partition("|")[0]
        self._present[query] += 1
        try:
            yield
        finally:
            self._present[query] -= 1

    def present(self, query: str) -> int:
        """How many requests of that query are at an engine now."""
        return self._present[query]
