"""The engine and the rewards of a run, open for as long as it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from spex.control.setup import Setup
from spex.engine.base import Engine
from spex.errors import InputError
from spex.reward.base import Reward


@asynccontextmanager
async def opened(setup: Setup, stop: asyncio.Event | None = None) -> AsyncIterator[bool]:
    """Open them, and close them when the block ends; False where the run was told to `stop` before all were open.

    One that fails leaves no other open. Raises `EngineError`, and `InputError` with the name of what is wrong.
    """
    async with AsyncExitStack() as stack:
        are_open = await _open(setup.policy.engine, stop)
        if are_open:
            stack.push_async_callback(setup.policy.engine.close)
            _refuse_together(setup)
            await setup.policy.check()
        for reward in setup.rewards.values():
            with _told_of_the_reward():
                are_open = are_open and await _open(reward, stop)
            if are_open:
                stack.push_async_callback(reward.close)
        yield are_open


def _refuse_together(setup: Setup) -> None:
    """Raises `InputError` for what the open engine says that it cannot do, and this configuration needs."""
    can = setup.policy.engine.capabilities
    if can.drafts is not None:
        can.drafts.check(setup.policy.sampling.temperature)
    for reward in setup.rewards.values():
        if not can.log_probabilities and getattr(reward, "reads_logprobs", False):
            told = f"it is made of log-probabilities, and {setup.policy.engine.name} tells none: take another reward"
            raise InputError("reward", reward.name, told)


async def _open(resource: Engine | Reward, stop: asyncio.Event | None) -> bool:
    """Open it, unless `stop` comes first."""
    if stop is None:
        await resource.open()
        return True
    opening, stopping = asyncio.ensure_future(resource.open()), asyncio.ensure_future(stop.wait())
    came_first = False
    try:
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        came_first = opening.done()
    finally:
        stopping.cancel()
        opening.cancel()
        ends = await asyncio.gather(opening, stopping, return_exceptions=True)
        if not came_first and not isinstance(ends[0], BaseException):  # it had just opened
            await resource.close()
    if came_first and isinstance(ends[0], BaseException):
        raise ends[0]
    return came_first


@contextmanager
def _told_of_the_reward() -> Iterator[None]:
    """An engine takes itself for a policy: where it serves a reward, it is that one which is to be corrected."""
    try:
        yield
    except InputError as error:
        field = "reward" if error.field == "policy" else error.field
        raise InputError(field, error.value, error.allowed) from error
