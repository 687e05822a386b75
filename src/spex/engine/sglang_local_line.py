"""The way to an engine in this process for its requests, each of which runs on the engine's loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import msgspec

from spex.engine.faults import BUSY
from spex.engine.http import Deadlines
from spex.engine.paced import paced, within
from spex.engine.sglang_local_home import Home
from spex.engine.sglang_local_work import Work
from spex.engine.sglang_stream import Piece
from spex.errors import EngineError, InputError, Misbehaving, Overloaded

T = TypeVar("T")

_GONE_SECONDS = 10.0
_LOOK_SECONDS = 0.005


class LocalLine:
    """Requests to the engine of `home`. Each is over when the engine has it no more, or after ten seconds."""

    def __init__(self, name: str, home: Home, deadlines: Deadlines) -> None:
        self._name = name
        self._home = home
        self._deadlines = deadlines
        self._writing: dict[str, Work[None]] = {}

    async def pieces(self, body: Mapping[str, object], size: Callable[[], int]) -> AsyncGenerator[Piece, None]:
        """The text as it grows. Raises `EngineError`."""
        async with aclosing(paced(self._pieces(body), size, self._deadlines, self._name)) as pieces:
            async for piece in pieces:
                yield piece

    async def answer(self, body: Mapping[str, object], kind: type[T]) -> T:
        """What answers `body`, within the deadline of a first token. Raises `EngineError`."""
        since = asyncio.get_running_loop().time()
        async with within("first_token", self._deadlines.first_token, since, self._name):
            return await self._home.call(lambda engine: self._answered(engine, body, kind))

    async def abort(self, rid: str) -> None:
        """Ask the engine, or, where it has not got the request yet, have it never get it. Raises `EngineError`."""
        work = self._writing.get(rid)
        if work is not None and not await self._home.call(lambda engine: _aborted(engine, rid)):
            work.cancel()

    async def _pieces(self, body: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
        here, rid = asyncio.get_running_loop(), str(body["rid"])
        come: asyncio.Queue[Piece | None] = asyncio.Queue()

        def give(piece: Piece) -> None:
            with suppress(RuntimeError):  # who has asked is gone, and the loop with it
                here.call_soon_threadsafe(come.put_nowait, piece)

        work = self._home.begin(lambda engine: self._streamed(engine, body, give))
        work.done.add_done_callback(lambda _: come.put_nowait(None))
        self._writing[rid] = work
        try:
            while (piece := await come.get()) is not None:
                yield piece
            work.done.result()
        finally:
            if not work.done.done():
                await work.ended()
            del self._writing[rid]

    async def _streamed(self, engine: Any, body: Mapping[str, object], give: Callable[[Piece], None]) -> None:
        """On the engine's loop, whose own lists grow on: a piece is copied at once."""
        try:
            async with aclosing(await engine.async_generate(**body)) as answers:
                async for answer in answers:
                    give(self._converted(answer, Piece))
        except Exception as error:  # SGLang's own are of all kinds
            raise self._told(error) from error
        finally:
            await _gone(engine, str(body["rid"]))

    async def _answered(self, engine: Any, body: Mapping[str, object], kind: type[T]) -> T:
        try:
            return self._converted(await engine.async_generate(**body), kind)
        except Exception as error:  # SGLang's own are of all kinds
            raise self._told(error) from error
        finally:
            await _gone(engine, str(body["rid"]))

    def _converted(self, answer: object, kind: type[T]) -> T:
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise Misbehaving(self._name, f"an answer of SGLang's Engine ({error})", answer) from error

    def _told(self, error: Exception) -> Exception:
        """An error of SGLang's as one of ours."""
        if isinstance(error, EngineError | InputError):
            return error
        detail = getattr(error, "detail", error)
        if getattr(error, "status_code", None) in BUSY:
            return Overloaded(self._name, f"it takes no more requests now: {ascii(detail)[:200]}")
        return Misbehaving(self._name, "an answer", f"{type(error).__name__}: {detail}")


async def _aborted(engine: Any, rid: str) -> bool:
    """Whether the engine could be asked. Before it has the request, an abort would be without effect, and the last."""
    state = engine.tokenizer_manager.rid_to_state.get(rid)
    if state is None or not state.dispatched:
        return False
    engine.tokenizer_manager.abort_request(rid)
    return True


async def _gone(engine: Any, rid: str) -> None:
    """Wait until the engine has the request no more: one that was cancelled it has until its processes say so."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_GONE_SECONDS):
            while rid in engine.tokenizer_manager.rid_to_state:  # noqa: ASYNC110  # it has no event for that
                await asyncio.sleep(_LOOK_SECONDS)
