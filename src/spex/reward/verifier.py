"""A verifier: any function of problem and partial solution, as a reward."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from spex.engine.base import Path, Progress, Scoring, Server
from spex.problem import Problem
from spex.reward.local import LocalServer, ask

Verify: TypeAlias = Callable[[Problem, Path], float] | Callable[[Problem, Path], Awaitable[float]]
"""A number in [0, 1] (True and False count as 1 and 0), at once or to be awaited."""


class Verifier:
    """Asks `function(problem, path)` for the score of each path.

    The function should be pure: equal arguments, equal scores. A plain function runs on the
    event loop's thread, so a slow one should be async. `path.steps` are the steps so far (the
    last one's `answer` and `state` are what the task read), `path.text` their text.

    An exception of the function, and whatever is no number in [0, 1], is `Misbehaving`.
    """

    def __init__(self, function: Verify, name: str = "verifier", *, slots: int = 256) -> None:
        self._function = function
        self._name = name
        self._server = LocalServer(name, slots=slots)

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
            return await ask(lambda path: self._function(request.problem, path), request, self._name)
