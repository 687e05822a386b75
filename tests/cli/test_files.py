"""Files that a command writes: one that would be two things is refused before anything is written or opened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import spex as package
from tests.cli.terminal import Command

_SOURCE = Path(package.__path__[0]).parent
TOY = ("--policy", "toy", "--reward", "arithmetic", "--set", "width=2")


@pytest.mark.parametrize("log", ["run.jsonl", "./run.jsonl", "sub/../run.jsonl", "link.jsonl", "{folder}/run.jsonl"])
def test_a_trace_and_a_call_log_in_one_file_are_refused_however_it_is_spelled(
    spex: Command, folder: Path, mark: Path, log: str
) -> None:
    (folder / "sub").mkdir()
    (folder / "link.jsonl").symlink_to("run.jsonl")
    ended = spex("solve", "q", *TOY, "--trace", "run.jsonl", "--log", log.format(folder=folder))
    assert ended.code == 2
    assert ended.line.startswith("spex: --log: ")
    assert "it is the file of --trace as well" in ended.line
    assert not (folder / "run.jsonl").exists()
    assert not mark.exists()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_call_log_to_which_a_stream_is_redirected_is_refused(
    folder: Path, environment: Mapping[str, str], mark: Path, stream: str
) -> None:
    command = [sys.executable, "-m", "spex", "solve", "q", *TOY, "--log", "run.log"]
    here = {**environment, "PYTHONPATH": os.pathsep.join((environment["PYTHONPATH"], str(_SOURCE)))}
    with (folder / "run.log").open("wb") as file:
        out, talk = (file, subprocess.DEVNULL) if stream == "stdout" else (subprocess.DEVNULL, file)
        done = subprocess.run(command, check=False, cwd=folder, env=here, stdout=out, stderr=talk)
    assert done.returncode == 2
    assert not mark.exists()


def test_a_trace_and_a_call_log_in_files_of_their_own_are_written(spex: Command, folder: Path) -> None:
    assert spex("solve", "q", *TOY, "--trace", "trace.jsonl", "--log", "run.log").code == 0
    assert (folder / "trace.jsonl").stat().st_size > 0
    assert (folder / "run.log").stat().st_size > 0
