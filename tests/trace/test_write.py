"""Traces on disk: whole lines, new files only, and a full disk that stops the trace and not the run."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from spex.errors import InputError
from spex.events import Event
from spex.trace.write import TraceWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def test_the_first_line_is_version_and_configuration_then_one_line_an_event(path: Path) -> None:
    with TraceWriter(path, {"seed": 7, "set": {"width": 4}}) as trace:
        trace(Event(0.5, "q", "query_started"))
        trace(Event(1.0, "q", "finished", call="expand:root>step.0", kind="expand", texts=("a\nb",)))
    assert trace.error is None
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"spex_trace": 1, "run": {"seed": 7, "set": {"width": 4}}},
        {"t": 0.5, "query": "q", "event": "query_started"},
        {
            "t": 1.0,
            "query": "q",
            "event": "finished",
            "call": "expand:root>step.0",
            "kind": "expand",
            "texts": ["a\nb"],
        },
    ]


def test_a_lone_surrogate_survives_as_an_escape(path: Path) -> None:
    with TraceWriter(path, {}) as trace:
        trace(Event(0.0, "q", "query_finished", answer="\ud800"))
    assert json.loads(path.read_text().splitlines()[1])["answer"] == "\ud800"


def test_an_existing_file_a_link_and_a_missing_folder_are_refused(path: Path, tmp_path: Path) -> None:
    path.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    for refused in (path, tmp_path / "link", tmp_path / "none" / "trace", tmp_path):
        with pytest.raises(InputError, match="trace"):
            TraceWriter(refused, {})
    assert path.read_text() == "mine"
    assert not (tmp_path / "outside").exists()


class FullDisk:
    """A file on a disk without room."""

    def write(self, line: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_once_and_never_raises(path: Path) -> None:
    with TraceWriter(path, {}) as trace:
        trace._file.close()
        trace._file = FullDisk()  # type: ignore[assignment]
        trace(Event(0.0, "q", "query_started"))
        trace(Event(1.0, "q", "query_finished"))
    assert trace.error == f"trace {path}: No space left on device"
