"""Several servers of one score head as one reward: a query's scores come from one of them, or where it is away another.

An engine behind a reward is spread by itself (`spex.engine.spread`); a server of scores alone is no engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Counters, Path, Progress, Scoring, Server
from spex.engine.places import Places
from spex.errors import InputError
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.base import Reward
from spex.reward.known_answer import USUAL
from spex.reward.prm_form import KnownAnswer
from spex.tree import Step

_DIFFERENCE_MAX = 0.02  # numbers of one model on two kinds of GPU differ in their last digits


class _At:
    """A reward as a place that calls go to, around the server that does its work."""

    def __init__(self, reward: Reward) -> None:
        self.reward = reward

    @property
    def inner(self) -> Server:
        return self.reward.server

    @property
    def name(self) -> str:
        return self.reward.name

    @property
    def capabilities(self) -> Capabilities:
        return self.reward.server.capabilities

    def counters(self) -> Counters:
        return self.reward.server.counters()


class SpreadReward:
    """`rewards` (2 to 64), each at a server of its own, as one; its slots are the sum of theirs.

    `open` scores the right solution of `known` with each: servers whose scores differ by more than 0.02 are of
    different models, which is `InputError`.
    """

    def __init__(self, name: str, rewards: Sequence[Reward], known: KnownAnswer = USUAL) -> None:
        self._name = name
        self._known = known
        self._places = Places("reward", name, [_At(reward) for reward in rewards])

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self

    @property
    def identity(self) -> Identity:
        return self._places.identity

    @property
    def capabilities(self) -> Capabilities:
        return self._places.capabilities

    @property
    def moved(self) -> dict[str, int]:
        """How many calls failed at each server and were asked for at another, by the reward's name there."""
        return self._places.moved

    def counters(self) -> Counters:
        return self._places.counters()

    async def load(self) -> int | None:
        """Of those that answer; None where one does not tell."""
        return await self._places.load()

    async def open(self) -> None:
        """Raises `EngineError` and `InputError`; then none is left open."""
        async with AsyncExitStack() as stack:
            for place in self._places:
                await place.reward.open()
                stack.push_async_callback(place.reward.close)
            await self._refuse_different()
            stack.pop_all()

    async def close(self) -> None:
        async with AsyncExitStack() as stack:
            for place in self._places:
                stack.push_async_callback(place.reward.close)
        self._places.tell_moved()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        return await self._places.asked(request.key, lambda place: place.reward.score(request, progress), progress)

    async def _refuse_different(self) -> None:
        problem, right, _ = self._known
        path = Path(Prompt([()]), tuple(map(Step, right)))
        known = Scoring("known answer", Problem(problem), (path,), "reward", 0)
        told = {place.name: (await place.reward.score(known, Progress()))[0] for place in self._places}
        least, most = min(told, key=lambda name: told[name]), max(told, key=lambda name: told[name])
        if told[most] - told[least] > _DIFFERENCE_MAX:
            said = f"{least} gives {told[least]:.3f} where {most} gives {told[most]:.3f}"
            raise InputError("reward", self._name, f"its servers must be of one model: {said}")
