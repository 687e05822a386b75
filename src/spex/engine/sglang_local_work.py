"""One coroutine that runs on another event loop, in this thread or in another one, awaited on the loop that asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from spex.engine.interruption import uninterrupted
from spex.errors import Unreachable

T = TypeVar("T")

_END_SECONDS = 10.0


class Work(Generic[T]):
    """`done` is of the loop that has asked, and never cancelled: it has the result when the coroutine has ended.

    That the coroutine was cancelled by others is told as `Unreachable` of `engine`.
    """

    def __init__(self, engine: str, there: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self._engine = engine
        self._here = asyncio.get_running_loop()
        self._there = there
        self._task: asyncio.Task[T] | None = None
        self.done: asyncio.Future[T] = self._here.create_future()
        self._there.call_soon_threadsafe(self._begin, coroutine)

    async def result(self) -> T:
        """What the coroutine gives, or raises. Cancelling it ends the coroutine first, if that can be done."""
        try:
            return await asyncio.shield(self.done)
        except asyncio.CancelledError:
            await self.ended()
            raise

    def cancel(self) -> None:
        """Ask for the end of the coroutine, from any thread; `done` tells when it has come."""
        with suppress(RuntimeError):  # its loop is closed
            self._there.call_soon_threadsafe(self._cancel)

    async def ended(self) -> None:
        """Cancel the coroutine and wait until it has ended, for ten seconds at most, whatever comes meanwhile."""
        self.cancel()
        await uninterrupted(self._waited())

    def fail(self, error: Exception) -> None:
        """From any thread: it will not be done any more, for `error`."""
        self._tell(lambda: self.done.set_exception(error))
        self.cancel()

    async def _waited(self) -> None:
        await asyncio.wait({self.done}, timeout=_END_SECONDS)

    def _begin(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._task = self._there.create_task(coroutine)
        self._task.add_done_callback(self._settle)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _settle(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            gone = Unreachable(self._engine, "it has let go of the request")
            self._tell(lambda: self.done.set_exception(gone))
        elif (error := task.exception()) is not None:
            raised = error
            self._tell(lambda: self.done.set_exception(raised))
        else:
            self._tell(lambda: self.done.set_result(task.result()))

    def _tell(self, settle: Callable[[], None]) -> None:
        def told() -> None:
            if not self.done.done():
                settle()
                self.done.exception()  # who has gone on without it need not hear of it

        with suppress(RuntimeError):  # who has asked is gone, and the loop with it
            self._here.call_soon_threadsafe(told)
