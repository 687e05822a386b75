"""The engine and the rewards of a run, open for as long as it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from spex.control.setup import Setup
from spex.engine.base import Engine
from spex.engine.interruption import uninterrupted
from spex.errors import InputError, TimedOut
from spex.reward.base import Reward
from spex.reward.refused import of_a_reward


@asynccontextmanager
async def opened(
    setup: Setup, stop: asyncio.Event | None = None, deadline_seconds: float | None = None
) -> AsyncIterator[bool]:
    """Open them, and close them when the block ends; False where the run was told to `stop` before all were open.

    One that fails leaves no other open. deadline_seconds: for the opening of all of them. Raises `EngineError`, for the
    deadline `TimedOut`, and `InputError` with the name of what is wrong.
    """
    async with AsyncExitStack() as stack:
        yield await _open_all(stack, setup, stop or asyncio.Event(), deadline_seconds)


async def _open_all(stack: AsyncExitStack, setup: Setup, stop: asyncio.Event, deadline_seconds: float | None) -> bool:
    """Open engine and rewards, unless `stop` comes first; what is open is closed by `stack`."""
    opening: Engine | Reward = setup.policy.engine
    timer = asyncio.timeout(deadline_seconds)
    try:
        async with timer:
            if not await _open(opening, stop):
                return False
            stack.push_async_callback(opening.close)
            _refuse_together(setup)
            await setup.policy.check()
            for opening in setup.rewards.values():
                with of_a_reward():
                    if not await _open(opening, stop):
                        return False
                stack.push_async_callback(opening.close)
    except TimeoutError as error:
        if timer.expired() and deadline_seconds is not None:
            raise TimedOut(opening.name, "query", deadline_seconds) from error
        raise
    return True


def _refuse_together(setup: Setup) -> None:
    """Raises `InputError` for what the open engine says that it cannot do, and this configuration needs."""
    can = setup.policy.engine.capabilities
    if can.drafts is not None:
        can.drafts.check(setup.policy.sampling.temperature)
    for reward in setup.rewards.values():
        if not can.log_probabilities and getattr(reward, "reads_logprobs", False):
            told = f"it is made of log-probabilities, and {setup.policy.engine.name} tells none: take another reward"
            raise InputError("reward", reward.name, told)


async def _open(resource: Engine | Reward, stop: asyncio.Event) -> bool:
    """Open it, unless `stop` comes first."""
    opening, stopping = asyncio.ensure_future(resource.open()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        await uninterrupted(_undone(opening, resource))
        raise
    finally:
        stopping.cancel()
    if opening.done():
        opening.result()
        return True
    await _undone(opening, resource)
    return False


async def _undone(opening: asyncio.Future[None], resource: Engine | Reward) -> None:
    """Nobody waits for it to open any more."""
    opening.cancel()
    (end,) = await asyncio.gather(opening, return_exceptions=True)
    if not isinstance(end, BaseException):  # it had just opened
        await resource.close()
