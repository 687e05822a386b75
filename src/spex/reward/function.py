"""A reward made of any function of the text: for tests, and for rewards of one line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from spex.engine.base import Path, Progress, Scoring, Server
from spex.errors import InputError
from spex.reward.local import LocalServer, ask

ScoreText: TypeAlias = Callable[[str], float] | Callable[[str], Awaitable[float]]


class FunctionReward:
    """Asks `function(text)`, where text is what the policy wrote along the path, without the prompt.

    latency_seconds (≥ 0): how long each path takes, on the event loop's clock, so that a virtual
    one may be used. slots (≥ 1): most requests at once. An exception of the function, and whatever
    is no number in [0, 1], is `Misbehaving`; an `EngineError` of the function passes as it is.

        FunctionReward(lambda text: 1.0 if "24" in text else 0.2)
    """

    def __init__(
        self, function: ScoreText, *, latency_seconds: float = 0.0, slots: int = 256, name: str = "function"
    ) -> None:
        if not latency_seconds >= 0.0:
            raise InputError("latency_seconds", latency_seconds, "it must be 0 or more")
        self._function = function
        self._name = name
        self._latency_seconds = latency_seconds
        self._server = LocalServer(name, latency_seconds=latency_seconds, slots=slots)

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self._server

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        with self._server.busy():
            await asyncio.sleep(self._latency_seconds * len(request.paths))
            return await ask(self._ask, request, self._name)

    def _ask(self, path: Path) -> float | Awaitable[float]:
        return self._function(path.text)
