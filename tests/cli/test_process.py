"""The command as a shell sees it: exit codes, closed pipes, signals, terminals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from re import search

import pytest

from tests.cli.terminal import Command

TOY = ("--policy", "toy", "--reward", "arithmetic", "--set", "width=4")
SLOW = ("--policy", "toy-slow", "--reward", "arithmetic", "--set", "width=4")


@pytest.fixture
def many(folder: Path) -> Path:
    """A thousand problems: more than can be done before a signal arrives."""
    path = folder / "many.jsonl"
    path.write_text("".join(f'{{"id": "p{number}", "question": "{number}?"}}\n' for number in range(1000)))
    return path


def interrupted(
    folder: Path, environment: Mapping[str, str], arguments: list[str], number: signal.Signals
) -> list[str]:
    """Start a run, send it a signal as soon as its trace tells that it runs, and hand back what it left."""
    with subprocess.Popen(
        [sys.executable, "-m", "spex", "solve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    ) as process:
        trace = folder / "t.jsonl"
        while process.poll() is None and not (trace.exists() and trace.stat().st_size > 60_000):
            os.sched_yield()
        process.send_signal(number)
        out, err = process.communicate()
    return [str(process.returncode), out, err]


def test_bad_input_is_2_and_one_line(spex_process: Command) -> None:
    ended = spex_process("solve", "q", "--seed", "abc")
    assert ended.code == 2
    assert ended.line == "spex: --seed: 'abc' is not valid; it must be a whole number from 0 to 2^63 - 1"


@pytest.mark.parametrize(
    ("redirection", "codes", "words"),
    [
        ("| true; exit ${PIPESTATUS[0]}", {0, 141}, ""),
        ("> /dev/full", {3}, "spex: No space left on device"),
        (">&-", {0}, ""),
        ("2>&-", {0}, ""),
    ],
    ids=["nobody reads", "full disk", "no output", "no error output"],
)
def test_an_output_that_cannot_be_written_is_no_traceback(
    folder: Path, environment: Mapping[str, str], redirection: str, codes: set[int], words: str
) -> None:
    command = f"{sys.executable} -m spex solve '2 + 40?' --quiet {' '.join(TOY)} {redirection}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in codes
    assert done.stderr.strip() == words


def test_standard_input_in_utf16_is_refused(spex_process: Command) -> None:
    ended = spex_process("solve", "-", *TOY, stdin="2 + 40?".encode("utf-16"))
    assert ended.code == 2
    assert "UTF-16" in ended.line


def test_a_locale_that_cannot_write_the_tree_gets_escapes(spex_process: Command) -> None:
    ended = spex_process("solve", "2 + 40?", *TOY, PYTHONIOENCODING="ascii")
    assert ended.code == 0
    assert r"\u251c" in ended.out


@pytest.mark.parametrize("arguments", ["searches", "simulate --help"])
def test_a_reader_that_stops_early_is_an_end_without_a_word(
    folder: Path, environment: Mapping[str, str], arguments: str
) -> None:
    command = f"{sys.executable} -m spex {arguments} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode in {0, 141}
    assert done.stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_prints_what_it_has_and_goes_on_from_its_log(
    many: Path, folder: Path, environment: Mapping[str, str], spex_process: Command, number: signal.Signals
) -> None:
    arguments = ["--file", str(many), *SLOW, "--log", "run.log", "--json"]
    code, out, err = interrupted(folder, environment, [*arguments, "--trace", "t.jsonl"], number)
    assert int(code) == 128 + number
    record = json.loads(out)
    assert record["interrupted"] is True
    assert 0 < len(record["solutions"]) < 1000
    assert "spex: interrupted; the same command goes on from run.log" in err.splitlines()
    told = "wasted includes what was in flight when the run was stopped" in err
    assert told is (record["summary"]["tokens_wasted"] > 0)
    assert "Traceback" not in err
    again = spex_process("solve", *arguments, "--limit", "2")
    assert again.code == 0
    assert json.loads(again.out)["summary"]["tokens_replayed"] > 0


def test_an_interrupted_simulation_says_so(folder: Path, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "spex", "simulate", "--queries", "1000", "--trace", "t"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        trace = folder / "t.plain.jsonl"
        while process.poll() is None and not (trace.exists() and trace.stat().st_size > 60_000):
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == "spex: interrupted\n"


def on_a_terminal(environment: Mapping[str, str], folder: Path, *arguments: str) -> tuple[str, str]:
    """What a command writes to standard output, a pipe, and to standard error, a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "spex", *arguments],
        stdout=subprocess.PIPE,
        stderr=slave,
        cwd=folder,
        env={"TERM": "xterm", **environment},
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # Linux says EIO when the other end of a terminal is closed
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        out = process.stdout.read().decode()
    os.close(master)
    return out, shown.decode(errors="replace")


def test_a_terminal_shows_the_tree_as_it_grows_and_standard_output_stays_clean(
    environment: Mapping[str, str], folder: Path
) -> None:
    out, shown = on_a_terminal(environment, folder, "solve", "2 + 40?", *SLOW)
    assert search(r"running: [1-4] demanded", shown)
    assert "▶ writing" in shown
    assert "\x1b" not in out


@pytest.mark.parametrize("setting", [{"TERM": "dumb"}, {"SPEX_QUIET": "true"}])
def test_a_dumb_terminal_and_quiet_show_no_live_view(
    environment: Mapping[str, str], folder: Path, setting: Mapping[str, str]
) -> None:
    _, shown = on_a_terminal({**environment, **setting}, folder, "solve", "2 + 40?", *TOY)
    assert "running:" not in shown
    assert "\x1b" not in shown


def test_no_color_means_no_colour(environment: Mapping[str, str], folder: Path) -> None:
    _, shown = on_a_terminal({**environment, "NO_COLOR": "1"}, folder, "solve", "2 + 40?", *SLOW)
    assert "running:" in shown
    assert not any(f"\x1b[3{digit}" in shown for digit in range(8))
