"""A server that does not come up says why; one that is ended leaves nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.server import Server, ServerFailed, descendants_of, free_port, members_of
from tests.engines.pretended import is_alive, pretended, processes


@pytest.fixture
def started() -> Iterator[list[Server]]:
    """Servers that are ended after the test, whatever came of it."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


def server_of(folder: Path, started: list[Server], does: str) -> Server:
    port = free_port()
    command = (str(pretended(folder, does) / "venv" / "bin" / "python"), "--port", str(port))
    server = Server("the engine", command, port, folder / "log")
    started.append(server)
    server.start()
    return server


def test_a_server_that_answers_is_up(tmp_path: Path, started: list[Server]) -> None:
    server = server_of(tmp_path, started, "answers")
    server.wait(60.0)
    server.check()
    assert server.url.startswith("http://127.0.0.1:")


def test_a_server_that_never_comes_up_is_told_with_its_last_lines(tmp_path: Path, started: list[Server]) -> None:
    server = server_of(tmp_path, started, "hangs")
    while "loading" not in server.log.read_text():
        server.check()
    with pytest.raises(
        ServerFailed, match=r"the engine does not answer at http.* after 0 s; .*\n  \| loading the model"
    ):
        server.wait(0.0)


def test_a_server_that_dies_is_told_with_its_status_and_last_lines(tmp_path: Path, started: list[Server]) -> None:
    with pytest.raises(ServerFailed, match=r"the engine ended with status 7; .*\n  \| loading.*\n  \| no such model"):
        server_of(tmp_path, started, "dies").wait(60.0)


def test_a_server_that_says_nothing_is_told_so(tmp_path: Path, started: list[Server]) -> None:
    server = Server("mute", (sys.executable, "-c", "raise SystemExit(3)"), free_port(), tmp_path / "log")
    started.append(server)
    server.start()
    with pytest.raises(ServerFailed, match=r"ended with status 3; .*log is empty"):
        server.wait(60.0)


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_what_a_server_has_started_in_its_session_ends_with_it(
    tmp_path: Path, started: list[Server], end: object
) -> None:
    program = (
        "import subprocess, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); time.sleep(600)"
    )
    server = Server("parent", (sys.executable, "-c", program), free_port(), tmp_path / "log")
    started.append(server)
    server.start()
    while not server.log.read_text().strip():
        server.check()
    child = int(server.log.read_text())
    assert is_alive(child)
    assert callable(end)
    end(server)
    assert not is_alive(child)
    server.stop()


def test_a_server_can_be_started_again_at_its_place(tmp_path: Path, started: list[Server]) -> None:
    server = server_of(tmp_path, started, "answers")
    server.wait(60.0)
    server.kill()
    server.start()
    server.wait(60.0)
    assert len(list(tmp_path.glob("started-*"))) == 1
    assert is_alive(processes(tmp_path)[0])


def test_processes_are_found_by_session_and_by_descent(tmp_path: Path, started: list[Server]) -> None:
    server = server_of(tmp_path, started, "answers")
    server.wait(60.0)
    leader, apart = processes(tmp_path)
    assert list(members_of(leader)) == [leader]
    assert list(descendants_of(leader)) == [apart]
