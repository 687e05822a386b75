"""G5 and its neighbours on real servers: what a killed one ends, what it does not, and what comes back with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import spex
from engines.run import pair as pair_of
from engines.server import Server
from engines.serving import Kind
from spex.engine.base import Engine
from spex.engine.catalog import find_engine
from spex.engine.retrying import Retrying
from spex.testing import first_difference
from tests.live.servers import at_work, folder_of, kinds
from tests.live.test_lossless import QUESTIONS

UP_SECONDS = 600.0
SEARCH = spex.Rebase(width=8, depth_max=4)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


class Two(NamedTuple):
    """Two servers of one kind."""

    kind: Kind
    first: Server
    second: Server

    def engine(self, server: Server) -> str:
        return f"{self.kind}:{server.url}"


@pytest.fixture(params=kinds(), scope="module")
def all_two(request: pytest.FixtureRequest) -> Iterator[Two]:
    kind: Kind = request.param
    first, second = pair_of(kind, Path(folder_of(kind)))
    with first, second:
        yield Two(kind, first, second)


@pytest.fixture
def two(all_two: Two) -> Two:
    """Both up, whatever an earlier test has done to them."""
    for server in (all_two.first, all_two.second):
        if not server.is_started:
            server.start()
        server.wait(UP_SECONDS)
    return all_two


def searching(
    problems: list[spex.Problem], policy: str | Engine, reward: str, speculation: spex.Speculation | None
) -> asyncio.Task[spex.Run]:
    return asyncio.ensure_future(
        spex.run(
            problems,
            policy=policy,
            reward=spex.Judge(Retrying(find_engine(reward))),
            task="gsm8k",
            search=SEARCH,
            speculation=speculation,
            step_tokens_max=48,
            seed=3,
        )
    )


async def busy(engine: str, running: asyncio.Task[spex.Run], requests: int = 4) -> None:
    while await asyncio.to_thread(at_work, engine) < requests:
        assert not running.done()


def test_a_run_goes_on_where_its_server_comes_back(two: Two) -> None:
    """As it would have gone: an engine that answers equal requests equally is asked for the same again."""
    policy, reward = two.engine(two.first), two.engine(two.second)

    async def main() -> None:
        undisturbed = await searching(QUESTIONS[:1], policy, reward, None)
        # The four attempts of every run take four seconds in all, less than a server needs to start.
        patient = Retrying(find_engine(policy), attempts=200)
        running = searching(QUESTIONS[:1], patient, reward, spex.Speculation())
        await busy(policy, running)
        two.first.kill()
        assert not running.done()
        two.first.start()
        await asyncio.to_thread(two.first.wait, UP_SECONDS)
        solution = (await running).solutions[0]
        assert (solution.partial, solution.error) == (None, None)
        assert first_difference(undisturbed.solutions[0].tree, solution.tree) is None
        assert solution.usage.lost.generated > 0

    asyncio.run(main())


def test_a_killed_server_ends_its_queries_with_what_to_do_and_those_of_another_go_on(two: Two) -> None:
    async def main() -> None:
        doomed = searching(QUESTIONS[:2], two.engine(two.first), two.engine(two.second), spex.Speculation())
        others = searching(QUESTIONS[2:4], two.engine(two.second), two.engine(two.second), spex.Speculation())
        await busy(two.engine(two.first), doomed)
        two.first.kill()
        for solution in (await doomed).solutions:
            assert solution.partial is not None
            assert isinstance(solution.error, spex.Unreachable)
            assert f"nothing answers at {two.first.url}: start it, or correct the address" in str(solution.error)
        assert not others.done()
        for solution in (await others).solutions:
            assert (solution.partial, solution.error) == (None, None)
        assert await asyncio.to_thread(at_work, two.engine(two.second)) == 0

    asyncio.run(main())


def test_a_server_that_is_not_there_is_told_before_any_work(all_two: Two) -> None:
    two = all_two
    two.first.kill()
    two.second.wait(UP_SECONDS)

    async def main() -> None:
        with pytest.raises(spex.Unreachable, match="start it, or correct the address"):
            await searching(QUESTIONS[:1], two.engine(two.first), two.engine(two.second), None)
        assert await asyncio.to_thread(at_work, two.engine(two.second)) == 0

    asyncio.run(main())
