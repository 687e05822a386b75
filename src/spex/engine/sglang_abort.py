"""How a request to SGLang is ended early: it is asked for again and again, until the engine says that it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from spex.errors import EngineError, InputError

_ABORT_SECONDS = 10.0
_ABORT_AGAIN_SECONDS = 0.5


async def ended(answering: asyncio.Future[Any], rid: str, abort: Callable[[str], Awaitable[None]]) -> None:
    """`answering`, the request of this id, has come to its end, or is let go of after ten seconds."""
    asking = asyncio.ensure_future(_ask(rid, abort))
    await asyncio.wait({answering}, timeout=_ABORT_SECONDS)
    asking.cancel()
    answering.cancel()
    await asyncio.gather(asking, answering, return_exceptions=True)


async def _ask(rid: str, abort: Callable[[str], Awaitable[None]]) -> None:
    while True:  # an abort that overtakes its request is without effect: it is asked for again
        with suppress(EngineError, InputError):
            await abort(rid)
        await asyncio.sleep(_ABORT_AGAIN_SECONDS)
