"""Which speculations to start and which to stop: technique 2, across all queries of an engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from spex.profile import Curve
from spex.speculate.price import credible, holding_price, price


class Hits(Protocol):
    """How good a query's speculations have been."""

    @property
    def hit_rate(self) -> float:
        """The share of those started that were demanded, in (0, 1); ½ before the first."""
        ...


class Asker(Protocol):
    """Whose candidates these are: a query, told from others by its identity."""

    @property
    def foreseen(self) -> Hits: ...


class Candidate(Protocol):
    """Something that may be bought."""

    @property
    def probability(self) -> float:
        """That the search will demand it, in [0, 1]."""
        ...

    @property
    def owner(self) -> Asker: ...

    @property
    def depth(self) -> int:
        """Steps in its prompt (≥ 0)."""
        ...


class Load(Protocol):
    """What runs on an engine, and what it would cost to run more."""

    @property
    def profile(self) -> Curve: ...
    @property
    def running(self) -> int: ...
    @property
    def useful(self) -> float:
        """Sequences expected to be useful, now or over about the life of a text: idle for an instant is not idle."""
        ...

    @property
    def prefill_seconds(self) -> float:
        """What the prompt of one more costs the batch, in seconds for each token expected of it."""
        ...

    @property
    def kept_share(self) -> float:
        """The share of the work on speculations that is not lost because they are stopped, in (0, 1]."""
        ...

    @property
    def speculating(self) -> Sequence[Candidate]:
        """The speculations that run and have not been told to stop."""
        ...


C = TypeVar("C", bound=Candidate)


class Market(Protocol):
    """A rule that shares spare engine capacity among all queries' speculations."""

    def margin(self, load: Load) -> float:
        """What it would win by starting now what is sure to be demanded, as a share of its worth, in [0, 1].

        At 0 it would start nothing, and looking for candidates is in vain.
        """
        ...

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        """Which of the running speculations are not worth their place.

        `remaining` gives the share in [0, 1] of a candidate's expected work still to come.
        """
        ...

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        """Which of `wishes` to start, at most `room`, in order."""
        ...


class RateMarket:
    """Buys what raises the rate of useful tokens (see `spex.speculate.price`)."""

    def margin(self, load: Load) -> float:
        useful, worth = load.useful, credible(1.0) * load.kept_share
        asked = price(load.profile, useful, max(load.running, round(useful)), load.prefill_seconds)
        return max(0.0, worth - asked) / worth

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        useful, count = load.useful, load.running
        stopped = []
        for candidate in sorted(running, key=_probability):
            if candidate.probability >= holding_price(load.profile, useful, count, 1.0):
                break
            if candidate.probability < holding_price(load.profile, useful, count, remaining(candidate)):
                stopped.append(candidate)
                useful -= candidate.probability
                count -= 1
        return stopped

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        useful, prefill_seconds, kept_share = load.useful, load.prefill_seconds, load.kept_share
        count = max(load.running, round(useful))
        started: list[C] = []
        for candidate in sorted(wishes, key=_probability, reverse=True):
            worth = credible(candidate.probability) * kept_share
            if len(started) == room or worth <= price(load.profile, useful, count, prefill_seconds):
                break
            started.append(candidate)
            useful += candidate.probability
            count += 1
        return started


class FirstCome:
    """Buys whatever there is room for, the likeliest first, and sells nothing: what a market is to be compared with."""

    def margin(self, load: Load) -> float:  # noqa: ARG002
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:  # noqa: ARG002
        return []

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:  # noqa: ARG002
        return sorted(wishes, key=_probability, reverse=True)[:room]


def _probability(candidate: Candidate) -> float:
    return candidate.probability
