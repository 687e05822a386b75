"""G3 on real servers: what is given up runs nowhere any more, by the servers' own counters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import spex
from spex.engine.catalog import find_engine
from tests.live.servers import Pair, at_work, pairs
from tests.live.test_lossless import QUESTIONS

GONE_SECONDS = 5.0  # a request ends between two engine iterations, and one of these takes a second on a small core


def started(pair: Pair, on_event: Callable[[spex.Event], None], **options: object) -> asyncio.Task[spex.Run]:
    return asyncio.ensure_future(
        spex.run(
            QUESTIONS[:2],
            policy=pair.policy,
            reward=spex.Judge(find_engine(pair.reward)),
            search=spex.Rebase(width=8),
            on_event=on_event,
            **options,  # type: ignore[arg-type]
        )
    )


async def begun(pair: Pair, **options: object) -> asyncio.Task[spex.Run]:
    """A run in the middle of it: some texts are written and some scores read, and the policy has work."""
    kinds: set[str | None] = set()

    def note(event: spex.Event) -> None:
        if event.event == "finished":
            kinds.add(event.kind)

    running = started(pair, note, **options)
    while len(kinds) < 2 or not await asyncio.to_thread(at_work, pair.policy):
        assert not running.done()
        await asyncio.sleep(0.05)
    return running


async def idle(pair: Pair) -> None:
    """Wait until neither server has work, for as long as the guarantee allows."""
    async with asyncio.timeout(GONE_SECONDS):
        while any([await asyncio.to_thread(at_work, engine) for engine in pair]):  # noqa: ASYNC110  # on a real clock
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("pair", pairs())
def test_a_cancelled_run_leaves_nothing_running(pair: Pair) -> None:
    async def main() -> None:
        running = await begun(pair)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await idle(pair)

    asyncio.run(main())


@pytest.mark.parametrize("pair", pairs())
def test_a_stopped_run_leaves_nothing_running_and_gives_what_there_is(pair: Pair) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        running = await begun(pair, stop=stop)
        stop.set()
        run = await running
        await idle(pair)
        assert run.interrupted
        assert all(solution.partial for solution in run.solutions)

    asyncio.run(main())


@pytest.mark.parametrize("pair", pairs())
def test_a_deadline_leaves_nothing_running(pair: Pair) -> None:
    async def main() -> None:
        run = await started(pair, lambda event: None, deadline_seconds=5.0)
        await idle(pair)
        assert all(solution.partial for solution in run.solutions)

    asyncio.run(main())
