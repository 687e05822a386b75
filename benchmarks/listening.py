"""Parts of a run that keep the time which they take, or what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any, TypeVar

from spex.engine.base import Completion, Generation, Progress, Scoring
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.ids import Call
from spex.speculate.course import Strand
from spex.speculate.market import RateMarket
from spex.speculate.predictor import Predictor
from spex.speculate.rule import Foresight, Imagination
from spex.speculate.runahead import Effort
from spex.tree import Tree

T = TypeVar("T")


@dataclass(slots=True)
class Stopwatch:
    """CPU seconds of this process within what it has timed, and how often that was."""

    seconds: float = 0.0
    calls: int = 0

    def time(self, act: Callable[[], T]) -> T:
        began = process_time()
        try:
            return act()
        finally:
            self.seconds += process_time() - began
            self.calls += 1


@dataclass(frozen=True, slots=True)
class TimedForesight:
    """Another foresight, timed."""

    of: Foresight
    foreseeing: Stopwatch
    learning: Stopwatch

    def foresee(self, strands: Sequence[Strand], effort: Effort) -> dict[Call, float]:
        return self.foreseeing.time(lambda: self.of.foresee(strands, effort))

    def learn(self, call: Call) -> None:
        self.learning.time(lambda: self.of.learn(call))


@dataclass(frozen=True, slots=True)
class TimedRule:
    """Our speculation rule, timed."""

    foreseeing: Stopwatch = field(default_factory=Stopwatch)
    learning: Stopwatch = field(default_factory=Stopwatch)

    def begin(self, problem_id: str, tree: Tree, predictor: Predictor, seed: int) -> Foresight:
        own = Imagination().begin(problem_id, tree, predictor, seed)
        return TimedForesight(own, self.foreseeing, self.learning)


@dataclass(frozen=True, slots=True)
class TimedMarket:
    """Our market, timed."""

    watch: Stopwatch = field(default_factory=Stopwatch)

    def margin(self, *arguments: Any) -> Any:
        return self.watch.time(lambda: RateMarket().margin(*arguments))

    def to_stop(self, *arguments: Any) -> Any:
        return self.watch.time(lambda: RateMarket().to_stop(*arguments))

    def to_start(self, *arguments: Any) -> Any:
        return self.watch.time(lambda: RateMarket().to_start(*arguments))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and when it reached its engine."""

    at_seconds: float
    request: Generation | Scoring

    def sent_to(self, policy: SimulatedPolicy, reward: SimulatedReward) -> Coroutine[Any, Any, object]:
        """The same request to another engine."""
        if isinstance(self.request, Generation):
            return policy.generate(self.request, Progress())
        return reward.score(self.request, Progress())


class Listening:
    """A policy's engine that keeps what is asked of it."""

    def __init__(self, engine: SimulatedPolicy, asked: list[Asked]) -> None:
        self._engine = engine
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        self._asked.append(Asked(asyncio.get_running_loop().time(), request))
        return await self._engine.generate(request, progress)


class ListeningReward:
    """A reward that keeps what is asked of it."""

    def __init__(self, reward: SimulatedReward, asked: list[Asked]) -> None:
        self._reward = reward
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reward, name)

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        self._asked.append(Asked(asyncio.get_running_loop().time(), request))
        return await self._reward.score(request, progress)
