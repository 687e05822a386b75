"""A stream of pieces read to its end, so that its connection can be used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import TypeVar

from spex.errors import EngineError

T = TypeVar("T")

_REST_PIECES_MAX = 2
_REST_SECONDS = 1.0


async def read_until(events: AsyncGenerator[T, None], take: Callable[[T], object], over: Callable[[], bool]) -> None:
    """Give each piece to `take` until it is `over`, or there are no more. Raises what both raise."""
    async for piece in events:
        take(piece)
        if over():
            return


async def read_rest(events: AsyncGenerator[T, None], take: Callable[[T], object]) -> None:
    """What comes at once after a text: its counts, for `take`, and the end. Raises what `take` raises."""
    for _ in range(_REST_PIECES_MAX):
        rest: T | None = None
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(_REST_SECONDS):
                rest = await anext(events, None)
        if rest is None:
            return
        take(rest)
