"""However a run of the live tests ends, its servers end, and what they have started, wherever it hid."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engines.run import of_parts
from tests.engines.pretended import is_alive, pretended, processes

ROOT = Path(__file__).resolve().parents[2]


def begun(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "engines.run", "--folder", str(folder), *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


@pytest.mark.parametrize("kind", ["sglang", "vllm"])
def test_every_test_of_a_kind_s_servers_is_among_them(kind: str, tmp_path: Path) -> None:
    run = begun(pretended(tmp_path), kind, "--pytest=--collect-only -qq --no-header")
    collected, told = run.communicate(timeout=240)
    assert run.returncode == 0, told
    for test in (
        f"tests/live/test_lossless.py::test_.*{kind}",
        "tests/live/test_killed.py::test_",
        "tests/reward/test_prm_live.py::test_",
        "tests/engine/test_probe_live.py::test_an?_" + kind,
    ):
        assert re.search(test, collected), test
    assert (f"tests/engine/test_{kind}_live.py::" in collected) == (kind == "vllm")
    assert "test_llama_cpp_in_this_process" not in collected
    assert "test_sglang_local.py" not in collected
    beside = tmp_path / "beside"
    assert beside.exists() == (kind == "sglang")
    if kind == "sglang":
        assert beside.read_text().startswith(f"{tmp_path}/models/smollm2-135m -m engines.beside ")
        assert "tests/live/test_sglang_local.py" in beside.read_text()


@pytest.mark.parametrize("short", [[], ["--short"]])
def test_a_run_that_finds_no_test_has_not_passed(short: list[str], tmp_path: Path) -> None:
    run = begun(pretended(tmp_path), "sglang", *short, "--pytest=--collect-only --quiet -k no_test_is_called_so")
    _, told = run.communicate(timeout=240)
    assert run.returncode == 5, told


@pytest.mark.parametrize(
    ("statuses", "chosen", "status"),
    [
        ([0, 0], False, 0),
        ([0, 5], False, 5),
        ([1, 5], False, 5),
        ([0, 5], True, 0),
        ([5, 1], True, 1),
        ([5, 5], True, 5),
    ],
)
def test_a_part_without_tests_fails_but_where_some_were_chosen_in_another(
    statuses: list[int], chosen: bool, status: int
) -> None:
    assert of_parts(statuses, chosen=chosen) == status


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
