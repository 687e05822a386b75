"""What a server tells of its requests: how many are somebody else's, and how many it runs at once.

A server's count may be old by a moment, in which some of ours have come and gone. So the most that ours have been since
the reading before the last is taken off: what is left is somebody else's for certain, and may be too little.

A server may run fewer at once than it says or is thought to, for want of memory, say: then some of them wait there, and
what is demanded would wait behind what is a guess.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple, Protocol

from spex.engine.abilities import Telling, load_of, queue_of
from spex.engine.base import Server, innermost
from spex.errors import Overloaded
from spex.profile import Curve
from spex.speculate.market import Candidate, Load

_REGAINED = 32.0
_FULL_SECONDS = 2.0


class Shared(Protocol):
    """A lane, as far as others matter to it."""

    @property
    def server(self) -> Server: ...
    def most_at_once(self) -> int: ...
    def share(self, others: int, places: float) -> None: ...


@dataclass(slots=True)
class Others:
    """`count`: what others have on an engine; `places`: what it runs at once. And the most of ours, between askings."""

    count: int = 0
    places: float = inf
    _most: int = 0
    _full_until_seconds: float = -inf

    @property
    def is_full(self) -> bool:
        """Whether the engine has just refused a request for want of room."""
        return asyncio.get_running_loop().time() < self._full_until_seconds

    def heed(self, error: Exception) -> None:
        """A call has failed so: where there was no room for it, there is none for guesses for a while."""
        if isinstance(error, Overloaded):
            seconds = _FULL_SECONDS if error.retry_after_seconds is None else error.retry_after_seconds
            self._full_until_seconds = asyncio.get_running_loop().time() + seconds

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
    def kept_share(self) -> float:
        return self.load.kept_share

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


@dataclass(slots=True)
class Admission:
    """How many requests a server runs at once, by those that wait there.

    Some wait for a moment whenever many come at once. Where some wait from one reading to the next, it runs as many as
    it can; while none do, it is found out little by little whether it could run more again.
    """

    count: float = inf
    _before: int | None = None

    def heed(self, running: int, waiting: int) -> None:
        """A reading. Where some waited at the last one, too, the larger of both counts is what it can run."""
        if not waiting:
            self._before = None
            self.count += max(1.0, self.count // _REGAINED)
        else:
            if self._before is not None:
                self.count = max(1, running, self._before)
            self._before = running


def tells(server: Server) -> bool:
    """Whether the server may say how many requests it has."""
    return isinstance(innermost(server), Telling)


async def listen(lane: Shared, interval_seconds: float, heard: Callable[[], None]) -> None:
    """Ask at each interval what the lane's engine has; tell the lane what is news, and call `heard`.

    A server that does not answer within an interval, or nothing that can be right, has nobody else's, and lets none
    wait. Never ends.
    """
    before, told, places = lane.most_at_once(), (0, inf), Admission()
    while True:
        await asyncio.sleep(interval_seconds)
        load = await _load(lane.server, interval_seconds)
        now = lane.most_at_once()
        others, before = max(0, load.requests - max(before, now)), now
        places.heed(load.requests - load.waiting, load.waiting)
        if (others, places.count) != told:
            told = others, places.count
            lane.share(*told)
            heard()


class _Load(NamedTuple):
    requests: int
    waiting: int


async def _load(server: Server, seconds: float) -> _Load:
    try:
        async with asyncio.timeout(seconds):
            load, waiting = await queue_of(server) or (await load_of(server), 0)
    except Exception:  # noqa: BLE001  # whatever an engine raises: what it does not say is no reason to end a run
        return _Load(0, 0)
    if not isinstance(load, int) or load <= 0:
        return _Load(0, 0)
    return _Load(load, min(load, waiting) if isinstance(waiting, int) and waiting > 0 else 0)
