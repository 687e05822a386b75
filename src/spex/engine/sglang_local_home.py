"""Where SGLang's `Engine` lives in this process: an event loop, which a thread of ours runs if nobody else does.

The engine's tokenizer manager belongs to the loop that has first asked it for something: its only reader of answers is
a task there, so that requests from another loop would wait for ever, and every `asyncio.run` makes another loop. So all
requests go to one loop that lives as long as the engine is open. A thread is what runs it, and what makes the engine:
the kernel ends SGLang's processes with the thread that has started them, and a loop that loads a model does nothing
else for a minute. SGLang puts its signal handlers in place in the main thread alone, so ours stay.

An engine that is there already keeps the loop that it has. Where somebody runs that one, it is asked there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from spex.engine.interruption import uninterrupted
from spex.engine.sglang_local_quit import OnQuit
from spex.engine.sglang_local_work import Work
from spex.errors import Unreachable

T = TypeVar("T")

_DIED = "a process of SGLang's has died: what it said last stands in its output"


class Source(Protocol):
    """Where an engine comes from. `made` and `ended` are called in the thread that runs its loop."""

    @property
    def thread_name(self) -> str: ...

    @property
    def running_loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop of an engine whose loop somebody else runs. Raises `InputError`."""
        ...

    def made(self) -> tuple[Any, asyncio.AbstractEventLoop]:
        """The engine and its loop. Raises `InputError`."""
        ...

    def ended(self) -> None:
        """Undo what `made` did. The loop runs no more."""
        ...


class Home:
    """An engine that several may have open: `open` and `close` nest, and the last `close` lets go of it."""

    def __init__(self, name: str, source: Source) -> None:
        self._name = name
        self._source = source
        self._users = 0
        self._stay: _Stay | None = None

    async def open(self) -> None:
        """Raises `InputError`. Cancelled while a model is being loaded, it waits until that has ended."""
        self._users += 1
        if self._stay is None:
            self._stay = _Stay(self._name, self._source)
        try:
            await asyncio.shield(self._stay.begun)  # who comes while the model is loading waits for it
        except BaseException:
            await uninterrupted(self.close())
            raise

    async def close(self) -> None:
        """Raises `Unreachable` of processes that cannot be ended; otherwise no thread, task or process is left."""
        self._users = max(0, self._users - 1)
        if self._users or self._stay is None:
            return
        stay, self._stay = self._stay, None
        ending = asyncio.ensure_future(stay.end())
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await uninterrupted(_finished(ending))
            raise

    def begin(self, ask: Callable[[Any], Coroutine[Any, Any, T]]) -> Work[T]:
        """Run `ask` of the engine on its loop. Raises `Unreachable`."""
        if self._stay is None:
            raise Unreachable(self._name, "it is not open")
        return self._stay.work(ask)

    async def call(self, ask: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """What `ask` of the engine gives on its loop; raises what it raises, and `Unreachable`."""
        return await self.begin(ask).result()


class _Stay:
    """From an `open` to its `close`."""

    def __init__(self, name: str, source: Source) -> None:
        self._name = name
        self._source = source
        self._works: set[Work[Any]] = set()
        self._over = ""
        self._made: tuple[Any, asyncio.AbstractEventLoop] | None = None
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._on_quit = OnQuit(lambda: self._fail(_DIED))
        self.begun = asyncio.ensure_future(self._begin())

    async def _begin(self) -> None:
        if (loop := self._source.running_loop) is not None:
            self._made = (self._source.made()[0], loop)
            return
        self._on_quit.begin()
        made: Future[tuple[Any, asyncio.AbstractEventLoop]] = Future()
        self._thread = threading.Thread(target=self._live, args=(made,), name=self._source.thread_name, daemon=True)
        self._thread.start()
        making = asyncio.wrap_future(made)
        try:
            await asyncio.shield(making)
        finally:  # a loop that ends cancels whatever is on it: what is being made must be known to be ended
            await uninterrupted(_finished(making))
            self._made = None if making.exception() else making.result()

    async def end(self) -> None:
        await _finished(self.begun)
        for work in tuple(self._works):
            await work.ended()
        self._fail("it was closed")
        if self._thread is not None:
            if self._made is not None:
                loop = self._made[1]
                loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(self._thread.join)
        self._on_quit.end()
        if self._failure is not None:
            raise Unreachable(self._name, f"it cannot be ended: {self._failure}") from self._failure

    def work(self, ask: Callable[[Any], Coroutine[Any, Any, T]]) -> Work[T]:
        if self._over or self._made is None:
            raise Unreachable(self._name, self._over or "it is not open yet")
        engine, loop = self._made
        if not loop.is_running():
            raise Unreachable(self._name, "the event loop that it lives on has ended: keep it running, or open it anew")
        work = Work(self._name, loop, ask(engine))
        self._works.add(work)
        work.done.add_done_callback(lambda _: self._works.discard(work))
        return work

    def _fail(self, why: str) -> None:
        """From the main thread's signal handler, too: nothing of it is answered any more."""
        self._over = self._over or why
        for work in tuple(self._works):
            work.fail(Unreachable(self._name, self._over))

    def _live(self, made: Future[tuple[Any, asyncio.AbstractEventLoop]]) -> None:
        """What the thread does."""
        try:
            engine, loop = self._source.made()
        except BaseException as error:  # noqa: BLE001  # it is raised where the engine is opened
            made.set_exception(error)
            return
        asyncio.set_event_loop(loop)
        loop.call_soon(made.set_result, (engine, loop))
        try:
            loop.run_forever()
        finally:
            try:
                self._source.ended()
            except Exception as error:  # noqa: BLE001  # it is raised where the engine is closed
                self._failure = error


async def _finished(work: asyncio.Future[Any]) -> None:
    """Wait until it has ended, however it does."""
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()  # whoever began it is told of it
