"""A stream with deadlines: until its first token, and between two of them.

Deadlines are the loop's. What comes without adding to what is waited for is silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from spex.errors import TimedOut

if TYPE_CHECKING:
    from spex.engine.http import Deadlines

T = TypeVar("T")


async def paced(
    source: AsyncGenerator[T, None], size: Callable[[], int], deadlines: Deadlines, engine: str
) -> AsyncGenerator[T, None]:
    """What comes of `source`, which is closed with it; `size` tells how much has been taken. Raises `TimedOut`."""
    time = asyncio.get_running_loop().time
    deadline, seconds, here, since = "first_token", deadlines.first_token, size(), time()
    async with aclosing(source):
        while True:
            async with within(deadline, seconds, since, engine):
                try:
                    one = await anext(source)
                except StopAsyncIteration:
                    return
            yield one
            if size() > here:
                deadline, seconds, here, since = "token_gap", deadlines.token_gap, size(), time()


@asynccontextmanager
async def within(deadline: str, seconds: float, since: float, engine: str) -> AsyncIterator[None]:
    """What takes longer than `seconds` from `since` on (the loop's time) is `TimedOut` by that deadline's name."""
    timer = asyncio.timeout_at(since + seconds)
    try:
        async with timer:
            yield
    except TimeoutError as error:
        if timer.expired():
            raise TimedOut(engine, deadline, seconds) from error
        raise
