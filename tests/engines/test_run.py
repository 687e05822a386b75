"""However a run of the live tests ends, its servers end, and what they have started, wherever it hid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engines.pretended import is_alive, pretended, processes

ROOT = Path(__file__).resolve().parents[2]


def begun(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "engines.run", "--folder", str(folder), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_tests_run_between_the_coming_up_of_two_servers_and_their_end(tmp_path: Path) -> None:
    run = begun(pretended(tmp_path), "sglang", "--pytest=--collect-only --quiet --no-header")
    _, told = run.communicate(timeout=120)
    assert run.returncode == 0, told
    assert "sglang: http://127.0.0.1:" in told
    assert len(processes(tmp_path)) == 4
    assert not any(map(is_alive, processes(tmp_path)))


def test_the_short_run_starts_no_server_but_those_of_its_tests(tmp_path: Path) -> None:
    run = begun(pretended(tmp_path), "--short", "--pytest=--collect-only --quiet --no-header")
    _, told = run.communicate(timeout=120)
    assert run.returncode == 0, told
    assert processes(tmp_path) == []


def test_a_server_that_dies_ends_the_run_with_its_last_lines(tmp_path: Path) -> None:
    run = begun(pretended(tmp_path, "dies"), "vllm")
    _, told = run.communicate(timeout=120)
    assert run.returncode == 3
    assert "vllm for the policy ended with status 7" in told
    assert "  | no such model" in told
    assert not any(map(is_alive, processes(tmp_path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    run = begun(pretended(tmp_path, "hangs"), "sglang")
    while len(processes(tmp_path)) < 4:
        assert run.poll() is None
        time.sleep(0.02)
    os.kill(run.pid, number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert told.splitlines()[-1] == "engines: interrupted"
    assert not any(map(is_alive, processes(tmp_path)))


def test_a_run_that_is_killed_takes_its_servers_along(tmp_path: Path) -> None:
    run = begun(pretended(tmp_path, "hangs"), "sglang")
    while len(processes(tmp_path)) < 4:
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.communicate(timeout=60)
    servers = processes(tmp_path)[::2]
    while any(map(is_alive, servers)):
        time.sleep(0.02)
    for pid in processes(tmp_path)[1::2]:  # real engines end what they have started; these are no such
        os.kill(pid, signal.SIGKILL)


def test_an_engine_that_is_not_known_is_refused(tmp_path: Path) -> None:
    run = begun(pretended(tmp_path), "llamafile")
    _, told = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "no engine is called llamafile" in told
