"""The call log on disk: what is acknowledged is there, what is torn is cut off, what is foreign is refused."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control import log as log_module
from spex.control.clock import run_virtual
from spex.control.lines import decoded, encoded
from spex.control.log import FileLog
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation, recorded
from spex.errors import InputError, LogMismatch, LogUnwritable
from spex.record import EncodingEntry, Entry, ScoreEntry, TextEntry
from spex.search.rebase import Rebase
from spex.usage import Tokens
from tests.builders import policy, problems, reward, setup
from tests.control.bench import Eager

NAME = {"search": "Rebase(width=4)", "seed": "7"}
ENTRIES: list[Entry] = [
    EncodingEntry("chat:ab", (1, 2, 3)),
    TextEntry("p|expand:root>step.0", "d0", "a text\n", (9, 8), "delimiter", (-0.1, -2.5), Tokens(2, 1, 3)),
    ScoreEntry("p|score:reward.0:step.0", "d1", (0.1,), Tokens(reward=5)),
    TextEntry("p|expand:root>step.1", "d2", "", (), "eos"),
]


def text(number: int) -> TextEntry:
    return TextEntry(f"p|expand:root>step.{number}", "digest", f"text {number}", (number,), "delimiter")


def written(path: Path, entries: list[Entry]) -> bytes:
    with FileLog(path, NAME) as log:
        for entry in entries:
            log.append(entry)
    return path.read_bytes()


def found(path: Path, entries: list[Entry]) -> list[bool]:
    """Which of `entries` the log has, as they were."""
    with FileLog(path, NAME) as log:
        return [log.find(entry.key) == entry for entry in entries]


# Round trips

words = st.text(st.characters(exclude_categories=[]), max_size=20)
counts = st.builds(Tokens, *[st.integers(0, 2**40)] * 4)
token_ids = st.lists(st.integers(0, 2**62), max_size=4).map(tuple)
numbers = st.floats(allow_nan=False)
entries = st.one_of(
    st.builds(
        TextEntry,
        words,
        words,
        words,
        token_ids,
        st.sampled_from(["delimiter", "eos", "length", "context"]),
        st.none() | st.lists(numbers, max_size=4).map(tuple),
        counts,
    ),
    st.builds(ScoreEntry, words, words, st.lists(numbers, max_size=4).map(tuple), counts),
    st.builds(EncodingEntry, words, token_ids),
)


def bits(entry: Entry) -> list[str]:
    """The floats of an entry, exactly."""
    floats = {TextEntry: "logprobs", ScoreEntry: "values"}.get(type(entry))
    return [value.hex() for value in getattr(entry, floats) or ()] if floats else []


@settings(max_examples=200)
@given(entries)
def test_an_entry_comes_back_bit_for_bit(entry: Entry) -> None:
    line = encoded(entry)
    assert b"\n" not in line
    assert decoded(line) == entry
    assert bits(decoded(line)) == bits(entry)


@pytest.mark.parametrize(
    "odd",
    ["\ud800", "a\udfff", "\ud83d\ude00", "😀", "null", "\x00\x1b\u2028\u202e", '"\\', "NaN", "é\u0301"],
    ids=ascii,
)
def test_odd_text_comes_back_from_the_disk(odd: str, tmp_path: Path) -> None:
    entry = TextEntry("key", "digest", odd, (1,), "eos", (-math.inf,))
    written(tmp_path / "log", [text(0), entry, text(1)])
    assert found(tmp_path / "log", [text(0), entry, text(1)]) == [True] * 3


def test_a_log_probability_that_is_no_number_does_not_ruin_the_log(tmp_path: Path) -> None:
    written(tmp_path / "log", [TextEntry("key", "digest", "a", (1,), "eos", (math.nan,)), text(1)])
    with FileLog(tmp_path / "log", NAME) as log:
        entry = log.find("key")
        assert isinstance(entry, TextEntry)
        assert entry.logprobs is not None
        assert math.isnan(entry.logprobs[0])
        assert log.find(text(1).key) == text(1)


def test_every_kind_of_entry_is_found_again(tmp_path: Path) -> None:
    written(tmp_path / "log", ENTRIES)
    assert found(tmp_path / "log", ENTRIES) == [True] * 4
    with FileLog(tmp_path / "log", NAME) as log:
        assert len(log) == 4
        assert log.find("p|expand:root>step.2") is None


def test_an_entry_is_with_the_system_the_moment_it_is_acknowledged(tmp_path: Path) -> None:
    with FileLog(tmp_path / "log", NAME) as log:
        for number, entry in enumerate(ENTRIES):
            log.append(entry)
            assert len((tmp_path / "log").read_bytes().splitlines()) == 2 + number


def test_only_its_owner_may_read_a_log(tmp_path: Path) -> None:
    written(tmp_path / "log", [])
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


# Torn and damaged


def test_a_log_that_is_cut_off_at_any_byte_of_its_last_line_goes_on_with_all_others(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", [text(0), text(1), text(2)])
    last = len(whole.splitlines(keepends=True)[-1])
    for lost in range(1, last + 1):
        path = tmp_path / f"cut-{lost}"
        path.write_bytes(whole[:-lost])
        with FileLog(path, NAME) as log:
            assert [log.find(text(number).key) for number in range(3)] == [text(0), text(1), None]
            log.append(text(2))
        assert path.read_bytes() == whole


def test_a_log_that_is_cut_off_at_any_byte_of_its_first_line_begins_anew(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", [])
    for length in range(len(whole)):
        path = tmp_path / f"cut-{length}"
        path.write_bytes(whole[:length])
        assert written(path, [text(0)]).startswith(whole)


def test_nothing_is_left_of_a_longer_first_line_that_was_cut_off(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", [])
    (tmp_path / "log").write_bytes(b'{"spex_log":1,"run":{"search":"' + b"x" * 1000)
    assert written(tmp_path / "log", []) == whole


def test_what_a_crash_left_behind_the_last_line_is_cut_off(tmp_path: Path) -> None:
    whole = written(tmp_path / "log", [text(0)])
    (tmp_path / "log").write_bytes(whole + bytes(1000))
    with FileLog(tmp_path / "log", NAME):
        pass
    assert (tmp_path / "log").read_bytes() == whole


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half a line": lambda line: line[:20] + b"\n",
    "no JSON": lambda line: b"what?\n",
    "not UTF-8": lambda line: line.replace(b"text", b"\xff\xfe\xff\xfe"),
    "another type": lambda line: b"[1, 2]\n",
    "a field missing": lambda line: line.replace(b'"digest"', b'"digests"'),
    "a wrong type": lambda line: line.replace(b"[1]", b'"1"'),
    "an unknown kind": lambda line: line.replace(b'"type":"text"', b'"type":"vote"'),
    "empty": lambda line: b"\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_line_in_the_middle_is_named_and_the_file_left_as_it_is(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    lines = written(tmp_path / "log", [text(0), text(1), text(2)]).splitlines(keepends=True)
    lines[2] = damage(lines[2])
    (tmp_path / "log").write_bytes(b"".join(lines))
    with pytest.raises(LogMismatch, match="line 3 is damaged"):
        FileLog(tmp_path / "log", NAME)
    assert (tmp_path / "log").read_bytes() == b"".join(lines)


def test_a_line_that_is_too_long_is_not_taken_for_a_torn_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(tmp_path / "log", [TextEntry("key", "digest", "x" * 1000, (1,), "eos"), text(1)])
    monkeypatch.setattr(log_module, "_LINE_BYTES_MAX", 200)
    with pytest.raises(LogMismatch, match="line 2 is damaged"):
        FileLog(tmp_path / "log", NAME)
    assert (tmp_path / "log").read_bytes() == whole


# Foreign


def test_a_log_of_another_configuration_is_refused_with_each_difference(tmp_path: Path) -> None:
    whole = written(tmp_path / "log", [text(0)])
    with pytest.raises(LogMismatch) as refused:
        FileLog(tmp_path / "log", {"search": "Beam()", "seed": "7", "task": "text"})
    said = str(refused.value)
    assert "search was 'Rebase(width=4)' and is now 'Beam()'" in said
    assert "task was None and is now 'text'" in said
    assert "seed" not in said
    assert (tmp_path / "log").read_bytes() == whole


FOREIGN = {
    "text": b"Dear diary\n",
    "text without an end": b"Dear diary",
    "a trace": b'{"spex_trace": 1, "run": {}}\n',
    "JSON": b'{"run": {"a": "b"}}\n',
    "binary": bytes(range(256)) + b"\n",
    "SQLite": b"SQLite format 3\x00" + bytes(100),
    "blank lines": b"\n\n\n",
    "a number in a configuration": b'{"spex_log":1,"run":{"seed":7}}\n',
    "a deep list": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_call_log_is_refused_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(LogMismatch, match="is no call log"):
        FileLog(tmp_path / "file", NAME)
    assert (tmp_path / "file").read_bytes() == content


def test_a_log_of_a_later_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"spex_log":2,"run":{}}\n')
    with pytest.raises(LogMismatch, match="version 2, this spex reads version 1"):
        FileLog(tmp_path / "log", {})


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/full"), tmp_path / "none" / "log"):
        with pytest.raises(InputError, match="log"):
            FileLog(path, NAME)


def test_a_log_that_is_open_is_refused_to_everybody_else(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from spex.control.log import FileLog; FileLog(Path(sys.argv[1]), {})"
    )
    with FileLog(tmp_path / "log", {}):
        with pytest.raises(LogMismatch, match="another run is using it"):
            FileLog(tmp_path / "log", {})
        other = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "log")], capture_output=True, text=True, check=False
        )
    assert other.returncode == 1
    assert "another run is using it" in other.stderr
    with FileLog(tmp_path / "log", {}):
        pass


def test_a_log_that_was_refused_is_free_again(tmp_path: Path) -> None:
    written(tmp_path / "log", [])
    with pytest.raises(LogMismatch):
        FileLog(tmp_path / "log", {})
    assert found(tmp_path / "log", []) == []


# Disks that fail


class Disk:
    """Stands in for `os.pwrite` and `os.fsync`: from a given call on, it fails."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.writes_left = 1_000_000
        self.short: int | None = None
        self.syncs_left = 1_000_000
        self.syncs = 0
        self._pwrite, self._fsync = os.pwrite, os.fsync
        patch.setattr(os, "pwrite", self.pwrite)
        patch.setattr(os, "fsync", self.fsync)

    def pwrite(self, descriptor: int, data: bytes, position: int) -> int:
        self.writes_left -= 1
        if self.writes_left >= 0:
            return self._pwrite(descriptor, data, position)
        if self.short is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._pwrite(descriptor, data[: self.short], position)

    def fsync(self, descriptor: int) -> None:
        self.syncs += 1
        self.syncs_left -= 1
        if self.syncs_left < 0:
            raise OSError(errno.EIO, "Input/output error")
        self._fsync(descriptor)


async def at_once(function: Callable[[], None]) -> None:
    """Stands in for `asyncio.to_thread`: a thread does not live on a virtual clock."""
    function()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    return Disk(monkeypatch)


@pytest.mark.parametrize("short", [None, 0, 1, 40])
def test_a_full_disk_is_told_and_what_was_acknowledged_stays(short: int | None, tmp_path: Path, disk: Disk) -> None:
    with FileLog(tmp_path / "log", NAME) as log:
        log.append(text(0))
        disk.writes_left, disk.short = 0, short
        for number in (1, 2):
            with pytest.raises(LogUnwritable, match=r"No space left on device \(\d+ bytes needed\)"):
                log.append(text(number))
            assert log.find(text(number).key) is None
    disk.writes_left = 1_000_000
    assert found(tmp_path / "log", [text(0), text(1), text(2)]) == [True, False, False]


def test_after_a_failed_write_nothing_is_acknowledged_even_if_there_is_room_again(tmp_path: Path, disk: Disk) -> None:
    with FileLog(tmp_path / "log", NAME) as log:
        disk.writes_left = 0
        with pytest.raises(LogUnwritable):
            log.append(text(0))
        disk.writes_left = 1_000_000
        with pytest.raises(LogUnwritable):
            log.append(text(1))


def test_a_torn_line_that_cannot_be_cut_off_is_cut_off_by_the_next_reader(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int, size: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch, FileLog(tmp_path / "log", NAME) as log:
        log.append(text(0))
        patch.setattr(os, "ftruncate", broken)
        disk.writes_left, disk.short = 0, 30
        with pytest.raises(LogUnwritable, match="No space left"):
            log.append(text(1))
    disk.writes_left = 1_000_000
    assert found(tmp_path / "log", [text(0), text(1)]) == [True, False]


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path, disk: Disk) -> None:
    disk.writes_left = 0
    with pytest.raises(LogUnwritable, match="No space left"):
        FileLog(tmp_path / "log", NAME)
    disk.writes_left = 1_000_000
    assert found(tmp_path / "log", []) == []


def committed(log: FileLog, rounds: int) -> None:
    """Let the group commit do its work that many times."""

    async def main() -> None:
        task = asyncio.ensure_future(log.commit_forever())
        for number in range(rounds):
            log.append(text(number))
            await asyncio.sleep(1.5)
        task.cancel()
        await asyncio.wait([task])

    run_virtual(main())


def test_what_was_written_is_forced_to_the_disk_within_a_second(tmp_path: Path, disk: Disk) -> None:
    with FileLog(tmp_path / "log", NAME) as log:
        committed(log, 3)
        assert disk.syncs == 3


def test_nothing_is_forced_to_the_disk_when_nothing_was_written(tmp_path: Path, disk: Disk) -> None:
    written(tmp_path / "log", [text(0)])
    with FileLog(tmp_path / "log", NAME) as log:
        disk.syncs = 0

        async def main() -> None:
            task = asyncio.ensure_future(log.commit_forever())
            await asyncio.sleep(10.0)
            task.cancel()
            await asyncio.wait([task])

        run_virtual(main())
        assert disk.syncs == 0


def test_after_a_failed_sync_nothing_is_acknowledged_and_no_sync_is_tried_again(tmp_path: Path, disk: Disk) -> None:
    disk.syncs_left = 0
    with FileLog(tmp_path / "log", NAME) as log:
        committed(log, 1)
        disk.syncs_left = 1_000_000
        for _ in range(2):
            with pytest.raises(LogUnwritable, match="Input/output error"):
                log.append(text(1))
        log.close()
    assert disk.syncs == 1


def test_a_sync_that_failed_after_the_last_entry_is_told_when_the_log_is_closed(tmp_path: Path, disk: Disk) -> None:
    log = FileLog(tmp_path / "log", NAME)
    disk.syncs_left = 0
    committed(log, 1)
    disk.syncs_left = 1_000_000
    with pytest.raises(LogUnwritable, match="Input/output error"):
        log.close()
    log.close()
    assert found(tmp_path / "log", [text(0)]) == [True]


def test_a_last_sync_that_fails_is_told(tmp_path: Path, disk: Disk) -> None:
    def scene() -> None:
        with FileLog(tmp_path / "log", NAME) as log:
            log.append(text(0))
            disk.syncs_left = 0

    with pytest.raises(LogUnwritable, match="Input/output error"):
        scene()


def test_a_failed_sync_does_not_hide_what_went_wrong_before_it(tmp_path: Path, disk: Disk) -> None:
    def scene() -> None:
        with FileLog(tmp_path / "log", NAME):
            disk.syncs_left = 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scene()


def test_a_closed_log_takes_nothing_and_can_be_closed_again(tmp_path: Path) -> None:
    log = FileLog(tmp_path / "log", NAME)
    log.close()
    log.close()
    with pytest.raises(LogUnwritable):
        log.append(text(0))


# A run on it


def logged(path: Path, made: Setup, concurrency: int = 4) -> Run:
    with FileLog(path, NAME) as log:
        return run_virtual(run(problems(3), recorded(made, log), Conduct(concurrency)))


@pytest.mark.parametrize("speculation", [None, Speculation(market=Eager())], ids=["plain", "speculative"])
@pytest.mark.parametrize("writes", [0, 1, 2, 7, 20])
def test_a_run_whose_disk_is_full_ends_with_what_there_is_and_goes_on_once_there_is_room(
    writes: int, speculation: Speculation | None, tmp_path: Path, disk: Disk
) -> None:
    def fresh() -> Setup:
        return setup(Rebase(4, depth_max=3), policy(), reward(), speculation)

    whole = logged(tmp_path / "whole", fresh())
    disk.writes_left = writes + 1
    first = fresh()
    partial = logged(tmp_path / "log", first)
    assert partial.interrupted
    assert any(isinstance(solution.error, LogUnwritable) for solution in partial.solutions)
    assert all(solution.partial for solution in partial.solutions)
    assert first.policy.engine.counters().running == 0
    disk.writes_left = 1_000_000
    engine = policy()
    again = logged(tmp_path / "log", setup(Rebase(4, depth_max=3), engine, reward(), speculation))
    assert [solution.tree for solution in again.solutions] == [solution.tree for solution in whole.solutions]
    assert again.usage.paid.generated == engine.counters().cost.generated


def test_a_run_of_another_prompt_does_not_read_the_records(tmp_path: Path) -> None:
    logged(tmp_path / "log", setup(Rebase(4, depth_max=2)))
    result = logged(tmp_path / "log", setup(Rebase(4, depth_max=2), seed=1), concurrency=1)
    assert result.interrupted
    assert isinstance(result.solutions[0].error, LogMismatch)
