"""What others have on an engine that is not ours alone: its server's own count, less what was ours.

A server's count may be old by a moment, in which some of ours have come and gone. So the most that ours have been since
the reading before the last is taken off: what is left is somebody else's for certain, and may be too little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spex.engine.base import Server, Telling, innermost, load_of
from spex.profile import Curve
from spex.speculate.market import Candidate, Load


class Shared(Protocol):
    """A lane, as far as others matter to it."""

    @property
    def server(self) -> Server: ...
    def most_at_once(self) -> int: ...
    def share(self, others: int) -> None: ...


@dataclass(slots=True)
class Others:
    """`count`: what others have on an engine. And the most of ours, from asking to asking."""

    count: int = 0
    _most: int = 0

    def saw(self, running: int) -> None:
        """So many of ours run now."""
        self._most = max(self._most, running)

    def most_of_ours(self, running: int) -> int:
        """The most that ran at once since this was asked last; so many run now."""
        most, self._most = self._most, running
        return most


def beside(load: Load, others: int) -> Load:
    """The load with what others have: it runs, and it is as useful as what our searches demand."""
    return _Beside(load, others) if others else load


@dataclass(frozen=True, slots=True)
class _Beside:
    load: Load
    others: int

    @property
    def profile(self) -> Curve:
        return self.load.profile

    @property
    def running(self) -> int:
        return self.load.running + self.others

    @property
    def useful(self) -> float:
        return self.load.useful + self.others

    @property
    def prefill_seconds(self) -> float:
        return self.load.prefill_seconds

    @property
    def speculating(self) -> Sequence[Candidate]:
        return self.load.speculating


def tells(server: Server) -> bool:
    """Whether the server may say how many requests it has."""
    return isinstance(innermost(server), Telling)


async def listen(lane: Shared, interval_seconds: float, heard: Callable[[], None]) -> None:
    """Ask at each interval what others have on the lane's engine; tell the lane where it is news, and call `heard`.

    A server that does not answer within an interval, or nothing that can be right, has nobody else's. Never ends.
    """
    before, told = lane.most_at_once(), 0
    while True:
        await asyncio.sleep(interval_seconds)
        load = await _load(lane.server, interval_seconds)
        now = lane.most_at_once()
        others, before = max(0, load - max(before, now)), now
        if others != told:
            told = others
            lane.share(others)
            heard()


async def _load(server: Server, seconds: float) -> int:
    try:
        async with asyncio.timeout(seconds):
            load = await load_of(server)
    except Exception:  # noqa: BLE001  # whatever an engine raises: what it does not say is no reason to end a run
        return 0
    return load if isinstance(load, int) and load > 0 else 0
