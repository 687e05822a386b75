"""Monty as a sandbox: an interpreter of a part of Python, in processes of its own (`pydantic-monty`, extra `code`).

It knows no files, no network and no other process, and not all of Python: code that needs more of it has no value here.
A call takes about a millisecond. Each is made in a session of its own.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Any

from spex.engine.interruption import uninterrupted
from spex.errors import InputError, Unreachable
from spex.reward.sandbox import Limits, Told

_RECURSION_MAX = 500
_WORKER_GRACE_SECONDS = 2.0


class MontySandbox:
    """Values of calls, from `workers` processes at most (≥ 1)."""

    name = "monty"

    def __init__(self, limits: Limits, workers: int) -> None:
        self._limits = limits
        self._workers = workers
        self._opening = asyncio.Lock()
        self._stack: AsyncExitStack | None = None
        self._pool: Any = None

    def refuse_missing(self) -> None:
        if find_spec("pydantic_monty") is None:
            raise InputError("reward", "code", "tests of functions need Monty: pip install 'spex-search[code]'")

    async def open(self) -> None:
        async with self._opening:
            if self._pool is not None:
                return
            self.refuse_missing()
            import pydantic_monty  # noqa: PLC0415  # an extra, when it is needed

            stack = AsyncExitStack()
            pool = pydantic_monty.AsyncMonty(
                max_processes=self._workers,
                request_timeout=self._limits.seconds + _WORKER_GRACE_SECONDS,
                feed_duration_limit_grace=_WORKER_GRACE_SECONDS,
            )
            try:
                self._pool = await stack.enter_async_context(pool)
            except (OSError, RuntimeError, ValueError, pydantic_monty.MontyError) as error:
                raise InputError("reward", "code", f"Monty does not start here: {error}") from error
            self._stack = stack

    async def close(self) -> None:
        stack, self._stack, self._pool = self._stack, None, None
        self._opening = asyncio.Lock()  # one that was waited for belongs to its event loop, and the next may be another
        if stack is not None:
            await uninterrupted(stack.aclose())

    async def value(self, code: str, call: str) -> Told | None:
        import pydantic_monty  # noqa: PLC0415

        if self._pool is None:
            raise Unreachable(self.name, "it is not open")
        limits = {
            "max_feed_duration_secs": self._limits.seconds,
            "max_memory": self._limits.memory_bytes,
            "max_recursion_depth": _RECURSION_MAX,
        }
        # No clock and no chance of the machine's: equal code has equal values.
        policy = {"sleep": "zero", "random_start": {"seed": 0}}
        async with AsyncExitStack() as stack:
            try:
                checkout = self._pool.checkout(limits=limits, os_policy=policy)
                session = await stack.enter_async_context(checkout)
            except (OSError, RuntimeError, pydantic_monty.MontyError) as error:
                raise Unreachable(self.name, f"it does not start: {error}") from error
            return await self._value(session, code, call)

    async def _value(self, session: Any, code: str, call: str) -> Told | None:
        import pydantic_monty  # noqa: PLC0415

        try:
            printed = pydantic_monty.CollectString(self._limits.output_bytes)
            await session.feed_run(code, print_callback=printed)
            return Told(await session.feed_run(call, print_callback=printed))
        except (pydantic_monty.MontyError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
            return None  # whatever the code did, or a value that has no place in this process
