"""Several servers of one kind, and which of them a call goes to.

A query's calls go to one of them, as long as that is there and has a slot: the one that had the smallest share of its
slots taken when the query began. One that was away is left alone for half a minute, and then asked whether it is the
same one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from spex.engine.abilities import Identity, identity_of, load_of, queue_of
from spex.engine.base import Capabilities, Counters, Progress, Server
from spex.engine.doubted import Doubted
from spex.errors import PASSING, EngineError, InputError, Overloaded
from spex.profile import Curve
from spex.usage import Tokens

S = TypeVar("S", bound=Server)
T = TypeVar("T")

_LOG = logging.getLogger("spex")
_REST_SECONDS = 30.0
_QUERIES_KEPT = 1 << 16
_SERVERS_MAX = 64
_SEEDS = ("none", "whole", "positional")


@dataclass(frozen=True, slots=True)
class Divided:
    """ℓ of `parts` equal servers that share what runs evenly."""

    curve: Curve
    parts: int

    def itl_seconds(self, running: float) -> float:
        return self.curve.itl_seconds(max(1.0, running / self.parts))


@dataclass(slots=True, eq=False)
class _Place(Generic[S]):
    """One of the servers. `moved`: calls that failed there and were asked for elsewhere."""

    server: S
    doubted: Doubted
    running: int = 0
    placed: int = 0
    moved: int = 0
    back_at_seconds: float = 0.0

    @property
    def share(self) -> float:
        return self.running / max(1, self.server.capabilities.slots)

    async def asked(self, ask: Callable[[S], Awaitable[T]]) -> T:
        return await self.doubted.asked(lambda: ask(self.server))


class Places(Generic[S]):
    """`servers` (2 to 64, each with a name of its own). Raises `InputError`, which names `field` and `name`."""

    def __init__(self, field: str, name: str, servers: Sequence[S]) -> None:
        if not 2 <= len(servers) <= _SERVERS_MAX or len({server.name for server in servers}) < len(servers):
            raise InputError(field, name, f"it must name 2 to {_SERVERS_MAX} servers, each of them once")
        self._places = [_Place(server, Doubted(server, tells=False)) for server in servers]
        self._homes: OrderedDict[str, _Place[S]] = OrderedDict()
        self._told: dict[str, int] = {}
        self._freed = asyncio.Event()

    def __iter__(self) -> Iterator[S]:
        return (place.server for place in self._places)

    @property
    def moved(self) -> dict[str, int]:
        """How many calls failed at each server and were asked for at another, by the server's name."""
        return {place.server.name: place.moved for place in self._places}

    def tell_moved(self) -> None:
        """Log what has been moved since this was told last."""
        told, self._told = self._told, self.moved
        for name, count in self.moved.items():
            if count > told.get(name, 0):
                _LOG.warning("%s: %d of its calls were asked for at other servers", name, count)

    @property
    def identity(self) -> Identity:
        """Who the first of them says it is."""
        return identity_of(self._places[0].server)

    async def load(self) -> int | None:
        """The requests of those that answer, by their own count; None where one does not tell."""
        told = await asyncio.gather(*(_told(load_of, server, 0) for server in self))
        return None if None in told else sum(load for load in told if load is not None)

    async def queue(self) -> tuple[int, int] | None:
        """The requests of those that answer, and how many of them wait; None where one does not tell."""
        told = await asyncio.gather(*(_told(queue_of, server, (0, 0)) for server in self))
        known = [counts for counts in told if counts is not None]
        if len(known) < len(told):
            return None
        return sum(requests for requests, _ in known), sum(waiting for _, waiting in known)

    @property
    def capabilities(self) -> Capabilities:
        """What all of them can; their slots are added up."""
        all_of = [server.capabilities for server in self]
        contexts = [one.context_tokens for one in all_of if one.context_tokens is not None]
        return replace(
            all_of[0],
            seed=min((one.seed for one in all_of), key=_SEEDS.index),
            resumes=all(one.resumes for one in all_of),
            continues=all(one.continues for one in all_of),
            counts=all(one.counts for one in all_of),
            seed_bits=min(one.seed_bits for one in all_of),
            abort_confirmed=all(one.abort_confirmed for one in all_of),
            log_probabilities=all(one.log_probabilities for one in all_of),
            label_scores=all(one.label_scores for one in all_of),
            slots=sum(one.slots for one in all_of),
            context_tokens=min(contexts, default=None),
            curve=Divided(all_of[0].curve, len(all_of)),
            prefill_seconds=max(one.prefill_seconds for one in all_of),
            cached_seconds=max(one.cached_seconds for one in all_of),
            cancel_delay_seconds=max(one.cancel_delay_seconds for one in all_of),
        )

    def counters(self) -> Counters:
        counts = [server.counters() for server in self]
        cost = Tokens()
        for count in counts:
            cost = cost.plus(count.cost)
        return Counters(sum(count.running for count in counts), cost)

    async def asked(self, key: str, ask: Callable[[S], Awaitable[T]], progress: Progress | None = None) -> T:
        """What the query's server says, or another one where it is away.

        Raises the last one's `EngineError`, and `InputError` of one that has come back with another model.
        """
        tried: list[_Place[S]] = []
        while True:
            while (place := self._place(key, tried)).share >= 1.0:  # while one is away, the others are too few
                await self._freed.wait()
            place.running += 1
            try:
                return await place.asked(ask)
            except PASSING as error:
                self._move(place, error, tried)
                if progress is not None:
                    progress.fail(keeps_tokens=self.capabilities.keeps_tokens)
            finally:
                place.running -= 1
                self._freed.set()
                self._freed = asyncio.Event()

    async def asked_anywhere(self, ask: Callable[[S], Awaitable[T]]) -> T:
        """What the one with most room says, or another one where it is away: no slot is waited for or taken.

        Raises as `asked` does.
        """
        tried: list[_Place[S]] = []
        while True:
            place = self._place(None, tried)
            try:
                return await place.asked(ask)
            except PASSING as error:
                self._move(place, error, tried)

    def _move(self, place: _Place[S], error: EngineError, tried: list[_Place[S]]) -> None:
        """What failed there is to be asked for at another one. Raises `error` where all of them have been tried."""
        tried.append(place)
        self._note(place, error)
        if len(tried) == len(self._places):
            raise error
        place.moved += 1

    def _place(self, key: str | None, tried: Sequence[_Place[S]]) -> _Place[S]:
        """Where a call goes: to its query's server, as long as that is there and has a slot."""
        now = asyncio.get_running_loop().time()
        able = [place for place in self._places if place not in tried]
        able = [place for place in able if place.back_at_seconds <= now] or able
        free = [place for place in able if place.share < 1.0] or able
        idlest = min(free, key=lambda place: (place.share, place.placed))
        if key is None:
            return idlest
        query = key.rpartition("|")[0] or key
        home = self._homes.get(query)
        if home is not None and home.back_at_seconds <= now:
            self._homes.move_to_end(query)
            return home if home in free else idlest
        self._homes[query] = idlest
        idlest.placed += 1
        if len(self._homes) > _QUERIES_KEPT:
            self._homes.popitem(last=False)
        return idlest

    def _note(self, place: _Place[S], error: EngineError) -> None:
        """One that is full is there; one that is away gets a rest, which is told."""
        if isinstance(error, Overloaded):
            return
        now = asyncio.get_running_loop().time()
        if place.back_at_seconds <= now:
            _LOG.warning("%s; for %g s its calls go to the other servers", error, _REST_SECONDS)
        place.back_at_seconds = now + _REST_SECONDS


async def _told(count: Callable[[Server], Awaitable[T | None]], server: Server, none: T) -> T | None:
    try:
        return await count(server)
    except EngineError:
        return none
