"""`kill -9` in the middle of a problem, and the same command again."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

from spex.record import MemoryLog
from tests.control.killed_program import go

ROOT = Path(__file__).resolve().parents[2]
NEVER = 1_000_000


def start(folder: Path, name: str, calls_max: int) -> int:
    """Run the program in a process of its own; how it ended."""
    command = [sys.executable, "-m", "tests.control.killed_program", str(folder), name, str(calls_max)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def logged(folder: Path) -> dict[str, str]:
    """The calls in the log, by their names, with their texts; a torn last line does not count."""
    whole = (folder / "log").read_bytes().rpartition(b"\n")[0].splitlines()[1:]
    return {entry["key"]: entry.get("text", "") for entry in map(json.loads, whole)}


def test_a_run_that_is_killed_again_and_again_makes_no_finished_call_twice_and_ends_with_the_same_trees(
    tmp_path: Path,
) -> None:
    asyncio.run(go(tmp_path, "whole", NEVER, MemoryLog()))
    done: dict[str, str] = {}
    for number, calls_max in enumerate((4, 11, 18)):
        assert start(tmp_path, f"killed-{number}", calls_max) == -signal.SIGKILL
        asked = lines(tmp_path / f"killed-{number}.asked")
        assert len(asked) == calls_max
        assert not set(asked) & set(seeds(done))
        before, done = done, logged(tmp_path)
        assert set(lines(tmp_path / f"killed-{number}.finished")) <= done.keys()
        assert done.items() >= before.items()
    assert len(done) > 10
    assert start(tmp_path, "last", NEVER) == 0
    asked = lines(tmp_path / "last.asked")
    assert not set(asked) & set(seeds(done))
    finished = lines(tmp_path / "last.finished")
    assert len(finished) == len(set(finished))
    assert json.loads((tmp_path / "last.trees").read_text()) == json.loads((tmp_path / "whole.trees").read_text())
    assert start(tmp_path, "again", NEVER) == 0
    assert lines(tmp_path / "again.asked") == []
    assert (tmp_path / "again.trees").read_text() == (tmp_path / "last.trees").read_text()


def seeds(calls: dict[str, str]) -> list[str]:
    """The seeds in the texts of these calls."""
    return [text.split()[1] for text in calls.values() if text]
