"""Retries: a wrapper around any engine whose failures may pass."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import uniform
from typing import TypeVar

import stamina

from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Engine,
    Generation,
    Labelling,
    Message,
    Progress,
    Server,
    Wrapper,
)
from spex.engine.doubted import Doubted
from spex.errors import PASSING, Overloaded

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""Longer than a server of a small model takes to start."""

_ATTEMPTS_MIN = 4

# stamina tells its own logger of every retry; where nobody has set up logging that must not land on stderr.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Retrying:
    """Repeats what failed because the engine was away, full or silent, for `patience_seconds` from its failure on.

    It is asked four times in any case; with `attempts` so many times at most, however long that takes. The same request
    with the same seed; where the engine keeps tokens it goes on from those of the failed attempt, and what that wrote
    is counted as lost otherwise. After a failure the engine is asked whether it is still the same one, where it can
    tell: a server may have been started anew with another model. When it is opened, only a full one is waited for:
    whoever would start it is still there.
    """

    def __init__(
        self,
        engine: Engine,
        attempts: int | None = None,
        wait_jitter_seconds: float = 1.0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.inner = engine
        self._attempts = attempts
        self._jitter = wait_jitter_seconds
        self._patience_seconds = patience_seconds
        self._doubted = Doubted(engine)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def counters(self) -> Counters:
        return self.inner.counters()

    async def open(self) -> None:
        await repeated(
            self.inner.open, None, self._attempts, self._jitter, full, patience_seconds=self._patience_seconds
        )
        self._doubted.believe()

    async def close(self) -> None:
        await self.inner.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._repeated(lambda: self.inner.encode(text))

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self._repeated(lambda: self.inner.encode_chat(messages))

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._repeated(lambda: self.inner.generate(request, progress), progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._repeated(lambda: self.inner.label(request, progress), progress)

    async def _repeated(self, ask: Callable[[], Awaitable[T]], progress: Progress | None = None) -> T:
        return await repeated(
            lambda: self._doubted.asked(ask),
            progress,
            self._attempts,
            self._jitter,
            patience_seconds=self._patience_seconds,
            keeps_tokens=self.capabilities.keeps_tokens,
        )


def retrying(engine: Engine, patience_seconds: float = PATIENCE_SECONDS) -> Engine:
    """The engine with retries; as it is where it has them, since twice as many wrappers have the patience of both."""
    within: Server = engine
    while isinstance(within, Wrapper):
        if isinstance(within, Retrying):
            return engine
        within = within.inner
    return Retrying(engine, patience_seconds=patience_seconds)


async def repeated(
    ask: Callable[[], Awaitable[T]],
    progress: Progress | None = None,
    attempts: int | None = None,
    wait_jitter_seconds: float = 1.0,
    may_pass: Callable[[Exception], bool | float] | None = None,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    keeps_tokens: bool = False,
) -> T:
    """What `ask` gives, asked again where its failure may pass, as `Retrying` says; raises its last failure.

    What a failed attempt has cost is lost, as `progress` tells, unless its tokens are kept. may_pass: whether a failure
    may, or after how many seconds; of an engine that was away, full or silent it may, if nothing is given.
    """
    passes = may_pass or _wait_before_next
    patient = passes if attempts is not None else _patiently(passes, patience_seconds)

    def wait(error: Exception) -> bool | float:
        if progress is not None and not progress.demanded and isinstance(error, Overloaded):
            return False  # a guess for which there is no room is let go of: what is demanded comes first
        told = patient(error)
        # Who has been told to come back then should not come all at once; stamina's own jitter is for its own waits.
        return told if isinstance(told, bool) else told + uniform(0.0, wait_jitter_seconds)  # noqa: S311  # no secret

    tries = stamina.retry_context(on=wait, attempts=attempts, timeout=None, wait_jitter=wait_jitter_seconds)
    async for attempt in tries:
        with attempt:
            if attempt.num > 1 and progress is not None:
                progress.fail(keeps_tokens=keeps_tokens)
            return await ask()
    raise AssertionError("stamina ends with a result or the last error")


def _patiently(
    may_pass: Callable[[Exception], bool | float], patience_seconds: float
) -> Callable[[Exception], bool | float]:
    """`may_pass` of one call's failures, until so much of the loop's time has gone by since the first of them."""
    failed_at_seconds: list[float] = []

    def passes(error: Exception) -> bool | float:
        failed_at_seconds.append(asyncio.get_running_loop().time())
        is_early = failed_at_seconds[-1] < failed_at_seconds[0] + patience_seconds
        return (is_early or len(failed_at_seconds) < _ATTEMPTS_MIN) and may_pass(error)

    return passes


def full(error: Exception) -> bool | float:
    """Whether an engine is full, as `may_pass` of `repeated`: for one that is opened, and else is not waited for."""
    return isinstance(error, Overloaded) and _wait_before_next(error)


def _wait_before_next(error: Exception) -> bool | float:
    """Whether an error may pass; for how many seconds to wait where the engine says so."""
    if isinstance(error, Overloaded) and error.retry_after_seconds is not None:
        return error.retry_after_seconds
    return isinstance(error, PASSING)
