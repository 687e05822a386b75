"""Intrinsic confidence: how sure the policy was of what it wrote.

The geometric mean of the token probabilities, exp((1/n) Σ log p_i), over the last step or over
the whole path: DeepSeek-R1-style searches use it where no reward model is at hand. No tokens
give 0. Costs no call to any model.
"""

from __future__ import annotations

from math import exp
from typing import ClassVar, Literal

from spex.engine.base import Path, Progress, Scoring, Server
from spex.errors import InputError, Misbehaving
from spex.reward.local import LocalServer
from spex.tree import Step

_ROUNDING_MAX = 1e-3


class Confidence:
    """The mean token log-probability as a number in [0, 1].

    over: `step`, the last step alone, or `path`, all steps. Raises `Misbehaving` when a step comes
    without log-probabilities, or with one that is no logarithm of a probability; where the policy's engine says that it
    has none, the run is refused before.
    """

    reads_logprobs: ClassVar[bool] = True

    def __init__(self, over: Literal["step", "path"] = "step", name: str = "confidence") -> None:
        if over not in ("step", "path"):
            raise InputError("over", over, "it must be step or path")
        self._over = over
        self._name = name
        self._server = LocalServer(name)

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self._server

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        return tuple(self._confidence(request, path) for path in request.paths)

    def _confidence(self, request: Scoring, path: Path) -> float:
        first = 0 if self._over == "path" else max(0, len(path.steps) - 1)
        logprobs: list[float] = []
        for number, step in enumerate(path.steps[first:], start=first + 1):
            logprobs += self._logprobs(request, step, number)
        return exp(sum(logprobs) / len(logprobs)) if logprobs else 0.0

    def _logprobs(self, request: Scoring, step: Step, number: int) -> list[float]:
        """The step's log-probabilities; what rounding put above 0 counts as 0."""
        where = f"for problem {request.problem.id!r}, step {number}"
        logprobs = step.logprobs if step.token_ids else ()
        if logprobs is None or len(logprobs) != step.token_count:
            got = "none" if logprobs is None else f"{len(logprobs)}"
            raise Misbehaving(
                self._name, f"{step.token_count} token log-probabilities from the policy's engine {where}", got
            )
        wrong = next((value for value in logprobs if not value <= _ROUNDING_MAX), None)
        if wrong is not None:
            raise Misbehaving(self._name, f"log-probabilities of 0 or less {where}", wrong)
        return [min(0.0, value) for value in logprobs]
