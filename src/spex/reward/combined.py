"""Several rewards as one: their product, the least of them, or their weighted mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from math import fsum, isfinite, prod
from types import MappingProxyType
from typing import Literal, TypeAlias

from spex.engine.apart import apart
from spex.engine.base import Progress, Scoring, Server, innermost
from spex.errors import InputError
from spex.problem import Problem
from spex.reward.base import Reward, servers_of, unread_by
from spex.reward.checked import validated
from spex.reward.fitting import refuse_unfit
from spex.seeds import seed_of

How: TypeAlias = Literal["product", "minimum", "mean"]

_FUNCTIONS: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType({"product": prod, "minimum": min})


class Combined:
    """Every one of `rewards` (1 to 16) is asked for every path; `how` their scores become one.

    weights: of a `mean`, one finite number of 0 or more for each, not all 0; equal ones if not given. Rewards on one
    server are asked one after the other, others at once. The scheduler sees the server of the first reward alone: put
    first what is slow. Each has a seed of its own, made of the request's. Raises `InputError`.
    """

    def __init__(self, rewards: Sequence[Reward], how: How = "product", weights: Sequence[float] | None = None) -> None:
        self._rewards = tuple(rewards)
        if not 1 <= len(self._rewards) <= 16:
            raise InputError("rewards", len(self._rewards), "there must be 1 to 16 of them")
        if how not in ("product", "minimum", "mean"):
            raise InputError("how", how, "it must be one of product, minimum, mean")
        self._how = how
        self._weights = _checked(weights, len(self._rewards), how)
        self._opened: AsyncExitStack | None = None

    @property
    def name(self) -> str:
        parts = zip(self._rewards, self._weights, strict=True)
        weighed = self._how == "mean"
        return (
            f"{self._how}({', '.join(f'{weight:g} {part.name}' if weighed else part.name for part, weight in parts)})"
        )

    @property
    def server(self) -> Server:
        return self._rewards[0].server

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(server for reward in self._rewards for server in servers_of(reward))

    @property
    def unread(self) -> int:
        """The texts that its rewards could not read."""
        return unread_by(self._rewards)

    @property
    def reads_logprobs(self) -> bool:
        """Whether one of them needs the policy's log-probabilities."""
        return any(getattr(reward, "reads_logprobs", False) for reward in self._rewards)

    def check_problem(self, problem: Problem) -> None:
        """Raise `InputError` for a problem that one of them cannot score."""
        refuse_unfit((problem,), self._rewards)

    async def open(self) -> None:
        """Opens every one of them, or none."""
        async with AsyncExitStack() as stack:
            for reward in self._rewards:
                await reward.open()
                stack.push_async_callback(reward.close)
            self._opened = stack.pop_all()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        groups: dict[int, list[int]] = {}
        for number, reward in enumerate(self._rewards):
            groups.setdefault(id(innermost(reward.server)), []).append(number)
        tasks = [asyncio.ensure_future(self._asked(request, numbers, progress)) for numbers in groups.values()]
        try:
            parts = [part for scores in await asyncio.gather(*tasks) for part in scores.items()]
        finally:  # one that fails leaves none of the others running
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        columns = [scores for _, scores in sorted(parts)]
        return tuple(self._joined(scores) for scores in zip(*columns, strict=True))

    async def _asked(
        self, request: Scoring, numbers: Sequence[int], progress: Progress
    ) -> dict[int, tuple[float, ...]]:
        """The scores of some of the rewards, which share a server."""
        found = {}
        for number in numbers:
            reward = self._rewards[number]
            seed = seed_of(request.seed, request.problem.id, "part", request.model, "", index=number)
            with apart(progress, progress.kept.setdefault(str(number), Progress())) as own:
                told = await reward.score(replace(request, seed=seed), own)
            found[number] = validated(told, request, reward.name)
        return found

    def _joined(self, scores: Sequence[float]) -> float:
        if self._how in _FUNCTIONS:
            return float(_FUNCTIONS[self._how](scores))
        weighed = fsum(score * weight for score, weight in zip(scores, self._weights, strict=True))
        return min(1.0, weighed / fsum(self._weights))


def _checked(weights: Sequence[float] | None, count: int, how: How) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * count
    if how != "mean":
        raise InputError("weights", weights, f"a {how} has none")
    given = tuple(weights)
    if len(given) != count or not all(type(weight) in (int, float) and 0.0 <= weight < 1e9 for weight in given):
        raise InputError("weights", weights, f"they must be {count} numbers of 0 or more")
    if not all(map(isfinite, given)) or not fsum(given) > 0.0:
        raise InputError("weights", weights, "one of them at least must be above 0")
    return given
