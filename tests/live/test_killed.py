"""G5 and its neighbours on real servers: what a killed one ends, what it does not, and what comes back with it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import spex
from engines.run import pair as pair_of
from engines.server import Server, members_of
from engines.serving import MODEL, Kind
from spex.api import Options
from spex.engine.base import Engine
from spex.engine.catalog import find_engine
from spex.engine.http import Deadlines
from spex.engine.retrying import Retrying
from spex.engine.sglang import Sglang
from spex.engine.vllm import Vllm
from spex.record import CallLog, MemoryLog
from spex.testing import first_difference
from tests.live.servers import at_work, folder_of, kinds
from tests.live.test_lossless import QUESTIONS

UP_SECONDS = 600.0
SEARCH = spex.Rebase(width=8, depth_max=4)
# Longer than an engine iteration takes on a small core, and than the texts that wait for one another.
SHORT = Deadlines(first_token=20.0, token_gap=10.0)
STOPPED_SECONDS = 15.0
GONE_SECONDS = 30.0

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
    problems: list[spex.Problem],
    policy: str | Engine,
    reward: str,
    speculation: spex.Speculation | None,
    log: CallLog | None = None,
    patience_seconds: float = 0.0,
) -> asyncio.Task[spex.Run]:
    """Without patience a server that is away is given up after four attempts, a few seconds."""
    options: Options = {
        "policy": policy,
        "patience_seconds": patience_seconds,
        "reward": spex.Judge(Retrying(find_engine(reward), patience_seconds=patience_seconds)),
        "task": "gsm8k",
        "search": SEARCH,
        "speculation": speculation,
        "step_tokens_max": 48,
        "seed": 3,
    }
    if log is not None:
        options["log"] = log
    return asyncio.ensure_future(spex.run(problems, **options))


async def busy(engine: str, running: asyncio.Task[spex.Run], requests: int = 4) -> None:
    while await asyncio.to_thread(at_work, engine) < requests:
        assert not running.done()


def test_a_run_goes_on_where_its_server_comes_back(two: Two) -> None:
    """As it would have gone: an engine that answers equal requests equally is asked for the same again."""
    policy, reward = two.engine(two.first), two.engine(two.second)

    async def main() -> None:
        undisturbed = await searching(QUESTIONS[:1], policy, reward, None)
        running = searching(QUESTIONS[:1], policy, reward, spex.Speculation(), patience_seconds=UP_SECONDS)
        await busy(policy, running)
        two.first.kill()
        assert not running.done()
        two.first.start()
        await asyncio.to_thread(two.first.wait, UP_SECONDS)
        solution = (await running).solutions[0]
        assert (solution.partial, solution.error) == (None, None)
        assert first_difference(undisturbed.solutions[0].tree, solution.tree) is None
        # SGLang's seeds are positional: its texts go on from their tokens.
        assert two.kind == "sglang" or solution.usage.lost.generated > 0

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


def in_a_hurry(two: Two, attempts: int = 4) -> Engine:
    """The first server, given up after seconds where others are waited for."""
    made = Sglang if two.kind == "sglang" else Vllm
    return Retrying(made(two.first.url, deadlines=SHORT), attempts=attempts)


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """All its processes are stopped, as on a machine that was suspended; with the block's end they go on."""
    all_of_it = list(members_of(server.session))
    for process in all_of_it:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in all_of_it:
            os.kill(process, signal.SIGCONT)


async def idle(engine: str) -> None:
    async with asyncio.timeout(GONE_SECONDS):
        while await asyncio.to_thread(at_work, engine):  # noqa: ASYNC110  # on a real clock
            await asyncio.sleep(0.05)


def test_a_server_that_was_stopped_for_a_while_changes_no_tree(two: Two) -> None:
    policy, reward = two.engine(two.first), two.engine(two.second)

    async def main() -> None:
        undisturbed = await searching(QUESTIONS[:1], policy, reward, None)
        running = searching(QUESTIONS[:1], in_a_hurry(two, attempts=20), reward, spex.Speculation())
        await busy(policy, running)
        with stopped(two.first):
            await asyncio.sleep(STOPPED_SECONDS)
            assert not running.done()
        solution = (await running).solutions[0]
        assert (solution.partial, solution.error) == (None, None)
        assert first_difference(undisturbed.solutions[0].tree, solution.tree) is None
        await idle(policy)

    asyncio.run(main())


def test_a_server_that_stays_stopped_is_given_up_by_its_deadline_and_has_no_work_when_it_goes_on(two: Two) -> None:
    policy, reward = two.engine(two.first), two.engine(two.second)

    async def main() -> None:
        running = searching(QUESTIONS[:2], in_a_hurry(two, attempts=1), reward, spex.Speculation())
        await busy(policy, running)
        with stopped(two.first):
            found = await running
        for solution in found.solutions:
            assert isinstance(solution.error, spex.TimedOut)
            assert "s ran out: look whether it hangs, or allow more" in str(solution.error)
        await idle(policy)
        await idle(reward)

    asyncio.run(main())


def test_a_reward_server_that_is_dead_while_the_policy_lives_costs_no_text(two: Two) -> None:
    policy, reward = two.engine(two.first), two.engine(two.second)

    async def main() -> None:
        undisturbed = await searching(QUESTIONS[:2], policy, reward, None)
        log = MemoryLog()
        running = searching(QUESTIONS[:2], policy, reward, spex.Speculation(), log)
        await busy(policy, running)
        two.second.kill()
        found = await running
        for solution in found.solutions:
            assert isinstance(solution.error, spex.Unreachable)
            assert f"nothing answers at {two.second.url}: start it, or correct the address" in str(solution.error)
        await idle(policy)
        two.second.start()
        await asyncio.to_thread(two.second.wait, UP_SECONDS)
        resumed = await searching(QUESTIONS[:2], policy, reward, None, log)
        for whole, mine in zip(undisturbed.solutions, resumed.solutions, strict=True):
            assert first_difference(whole.tree, mine.tree) is None
        assert resumed.usage.replayed.generated > 0

    asyncio.run(main())


def test_a_server_that_comes_back_with_another_model_ends_its_queries(two: Two, tmp_path: Path) -> None:
    """The same weights by another name will do: the server's word is all that there is to go by."""
    policy, reward = two.engine(two.first), two.engine(two.second)
    (tmp_path / "another-model").symlink_to((Path(folder_of(two.kind)) / MODEL).resolve())

    async def main() -> None:
        running = searching(QUESTIONS[:2], policy, reward, spex.Speculation(), patience_seconds=UP_SECONDS)
        await busy(policy, running)
        two.first.kill()
        two.first.start("--model", str(tmp_path / "another-model"))
        await asyncio.to_thread(two.first.wait, UP_SECONDS)
        for solution in (await running).solutions:
            assert isinstance(solution.error, spex.InputError)
            assert "when the run began: start it with that, or run anew" in str(solution.error)
        await idle(policy)

    try:
        asyncio.run(main())
    finally:
        two.first.kill()


def test_a_server_that_is_not_there_is_told_before_any_work(all_two: Two) -> None:
    two = all_two
    two.first.kill()
    two.second.wait(UP_SECONDS)

    async def main() -> None:
        with pytest.raises(spex.Unreachable, match="start it, or correct the address"):
            await searching(QUESTIONS[:1], two.engine(two.first), two.engine(two.second), None)
        assert await asyncio.to_thread(at_work, two.engine(two.second)) == 0

    asyncio.run(main())
