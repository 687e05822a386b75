"""Servers in processes of their own: killed, stopped, started anew, and dead for the reward alone."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

import spex
from engines.server import Server, free_port, members_of
from spex.engine.base import Engine
from spex.engine.retrying import Retrying
from tests.faults.runs import CLIENTS, GONE_SECONDS, REWARDS, assert_same, by_text, searched, undisturbed_with, written

ROOT = Path(__file__).resolve().parents[2]
UP_SECONDS = 30.0
PIECE_SECONDS = 0.05
PATIENT_ATTEMPTS = 200

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server of a model and waits until it answers; all of them are ended with the test."""
    started: list[Server] = []

    def begin(model: str = "small", port: int | None = None) -> Server:
        at = free_port() if port is None else port
        command = (sys.executable, "-m", "tests.faults.server", str(at), model, str(PIECE_SECONDS))
        place = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
        server = Server("a server that breaks", command, at, tmp_path / f"server-{len(started)}.log", place)
        started.append(server)
        server.start()
        server.wait(UP_SECONDS)
        return server

    yield begin
    for server in started:
        server.kill()


def patient(client: str, server: Server) -> Engine:
    """What waits for its server longer than one takes to start."""
    return Retrying(CLIENTS[client](server.url), attempts=PATIENT_ATTEMPTS, wait_jitter_seconds=0.05)


async def at_work(server: Server) -> int:
    async with httpx2.AsyncClient(trust_env=False) as http:
        load = (await http.get(f"{server.url}/v1/loads")).json()
    return int(load["loads"][0]["num_running_reqs"])


async def busy(server: Server, running: asyncio.Task[spex.Run]) -> None:
    """Wait until it is in the middle of texts."""
    while await at_work(server) < 2:
        assert not running.done()
        await asyncio.sleep(0.005)


async def idle(server: Server) -> None:
    async with asyncio.timeout(GONE_SECONDS):
        while await at_work(server):  # noqa: ASYNC110  # a server on a real clock
            await asyncio.sleep(0.02)


def process_of(server: Server) -> int:
    """The number of its only process."""
    (number,) = members_of(server.session)
    return number


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_run_goes_on_where_its_killed_server_comes_back(client: str, start: Start) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = await asyncio.to_thread(start)
        running = asyncio.ensure_future(searched(patient(client, server), by_text(), speculation=spex.Speculation()))
        await busy(server, running)
        server.kill()
        assert not running.done()
        again = await asyncio.to_thread(start, port=port_of(server))
        found = await running
        assert_same(found, undisturbed)
        await idle(again)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_killed_server_ends_its_queries_with_what_to_do_and_they_go_on_from_the_log(
    client: str, start: Start, tmp_path: Path
) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        doomed, other = await asyncio.to_thread(start), start()
        dying = asyncio.ensure_future(searched(CLIENTS[client](doomed.url), by_text(), tmp_path / "log"))
        living = asyncio.ensure_future(searched(CLIENTS[client](other.url), by_text()))
        await busy(doomed, dying)
        doomed.kill()
        found = await dying
        for solution in found.solutions:
            assert isinstance(solution.error, spex.Unreachable)
            told = rf"nothing answers at {doomed.url}(/v1)?: start it, or correct the address"
            assert re.search(told, str(solution.error))
        assert_same(await living, undisturbed)
        await idle(other)
        again = await asyncio.to_thread(start, port=port_of(doomed))
        resumed = await searched(CLIENTS[client](again.url), by_text(), tmp_path / "log")
        assert_same(resumed, undisturbed)
        assert resumed.usage.replayed.generated >= sum(map(written, found.solutions))

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_comes_back_with_another_model_ends_its_queries_and_no_tree_is_of_both(
    client: str, start: Start, tmp_path: Path
) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = await asyncio.to_thread(start)
        running = asyncio.ensure_future(
            searched(patient(client, server), by_text(), tmp_path / "log", spex.Speculation())
        )
        await busy(server, running)
        server.kill()
        other = await asyncio.to_thread(start, "other", port=port_of(server))
        found = await running
        await idle(other)
        for mine, whole in zip(found.solutions, undisturbed.solutions, strict=True):
            assert isinstance(mine.error, spex.InputError)
            assert "it serves 'other' now and served 'small' when the run began" in str(mine.error)
            assert mine.tree.steps.items() <= whole.tree.steps.items()
        other.kill()
        again = await asyncio.to_thread(start, port=port_of(server))
        assert_same(await searched(CLIENTS[client](again.url), by_text(), tmp_path / "log"), undisturbed)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stopped_server_is_given_up_by_its_deadline_and_has_no_work_when_it_goes_on(
    client: str, start: Start, tmp_path: Path
) -> None:
    """As a machine that was suspended: its sockets stay open, and nothing comes of them."""
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = await asyncio.to_thread(start)
        running = asyncio.ensure_future(
            searched(CLIENTS[client](server.url), by_text(), tmp_path / "log", spex.Speculation())
        )
        await busy(server, running)
        pid = process_of(server)
        os.kill(pid, signal.SIGSTOP)
        try:
            found = await running
        finally:
            os.kill(pid, signal.SIGCONT)
        for solution in found.solutions:
            assert isinstance(solution.error, spex.TimedOut)
            assert "of 0.8 s ran out: look whether it hangs, or allow more" in str(solution.error)
        await idle(server)
        assert_same(await searched(CLIENTS[client](server.url), by_text(), tmp_path / "log"), undisturbed)

    asyncio.run(main())


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_was_stopped_for_a_while_changes_no_tree(client: str, start: Start) -> None:
    undisturbed = undisturbed_with(client)

    async def main() -> None:
        server = await asyncio.to_thread(start)
        running = asyncio.ensure_future(searched(patient(client, server), by_text(), speculation=spex.Speculation()))
        await busy(server, running)
        pid = process_of(server)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(1.5)
        os.kill(pid, signal.SIGCONT)
        assert_same(await running, undisturbed)
        await idle(server)

    asyncio.run(main())


@pytest.mark.parametrize("reward", REWARDS)
def test_a_reward_server_that_is_dead_while_the_policy_lives_costs_no_text(
    reward: str, start: Start, tmp_path: Path
) -> None:
    async def main() -> None:
        policy, scores = await asyncio.to_thread(start), start()
        running = asyncio.ensure_future(
            searched(CLIENTS["sglang"](policy.url), REWARDS[reward](scores.url), tmp_path / "log")
        )
        await busy(policy, running)
        scores.kill()
        found = await running
        await idle(policy)
        for solution in found.solutions:
            assert isinstance(solution.error, spex.Unreachable)
            assert f"nothing answers at {scores.url}: start it, or correct the address" in str(solution.error)
        again = await asyncio.to_thread(start, port=port_of(scores))
        resumed = await searched(CLIENTS["sglang"](policy.url), REWARDS[reward](again.url), tmp_path / "log")
        assert [solution.partial for solution in resumed.solutions] == [None] * 3
        for mine, whole in zip(found.solutions, resumed.solutions, strict=True):
            assert mine.tree.steps.items() <= whole.tree.steps.items()
        assert resumed.usage.replayed.generated >= sum(map(written, found.solutions)) > 0

    asyncio.run(main())
