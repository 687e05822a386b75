"""How a request to SGLang is ended early: it is asked for again and again, until the engine says that it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from spex.engine.interruption import uninterrupted
from spex.errors import EngineError, InputError, Misbehaving

_ABORT_SECONDS = 10.0
_ABORT_AGAIN_SECONDS = 0.5
_LAST_ABORT_SECONDS = 1.0

T = TypeVar("T")

Abort = Callable[[str], Awaitable[None]]
"""Asks the engine once to end the request of an id."""


async def answered(answering: asyncio.Future[T], rid: str, abort: Abort) -> T:
    """What `answering`, the request of this id, gives. When a cancellation comes through, it is over at the engine."""
    try:
        return await asyncio.shield(answering)
    except asyncio.CancelledError:
        await uninterrupted(ended(answering, rid, abort))
        raise


async def ended(answering: asyncio.Future[Any], rid: str, abort: Abort) -> None:
    """`answering`, the request of this id, has come to its end, or is let go of after ten seconds.

    At once where aborts are refused (a key of administrators', a gateway): its connection is closed, and that ends it.
    """
    asking = asyncio.ensure_future(_ask(answering, rid, abort))
    await asyncio.wait({answering, asking}, timeout=_ABORT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    answering.cancel()
    # One that is cut off while it connects leaves its socket open; nobody waits long for one that is not answered.
    await asyncio.wait({asking}, timeout=_LAST_ABORT_SECONDS)
    asking.cancel()
    await asyncio.gather(asking, answering, return_exceptions=True)


async def _ask(answering: asyncio.Future[Any], rid: str, abort: Abort) -> None:
    """Ask until it is over, or is refused."""
    while not answering.done():  # an abort that overtakes its request is without effect: it is asked for again
        try:
            await abort(rid)
        except (InputError, Misbehaving):
            return
        except EngineError:
            pass
        await asyncio.wait({answering}, timeout=_ABORT_AGAIN_SECONDS)
