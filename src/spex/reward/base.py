"""What a reward is: a number in [0, 1] for each partial solution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from spex.engine.base import Progress, Scoring, Server


class Reward(Protocol):
    """A PRM, judge, verifier or confidence. Equal requests should get equal scores.

    Cancelling the task that awaits `score` stops the work. Errors are `EngineError`s.
    """

    @property
    def name(self) -> str:
        """Names the reward in messages and in seeds."""
        ...

    @property
    def server(self) -> Server:
        """What its work runs on: the scheduler keeps one lane a server."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        """One number in [0, 1] for each path of the request."""
        ...


@runtime_checkable
class Composed(Protocol):
    """A reward whose work runs on several servers."""

    @property
    def servers(self) -> tuple[Server, ...]: ...


def servers_of(reward: Reward) -> tuple[Server, ...]:
    """All that its work runs on."""
    return reward.servers if isinstance(reward, Composed) else (reward.server,)


@runtime_checkable
class Counting(Protocol):
    """A reward that reads texts, and counts those that it could not read."""

    @property
    def unread(self) -> int: ...


def unread_by(rewards: Iterable[Reward]) -> int:
    """The texts that could not be read, so far."""
    return sum(reward.unread for reward in rewards if isinstance(reward, Counting))
