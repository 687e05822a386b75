"""Standard output for data, standard error for talk."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from shutil import get_terminal_size
from typing import NoReturn, TextIO

from rich.console import Console
from rich.table import Table

from spex.visible import visible

_WIDTH_ELSEWHERE = 120


def say(line: str) -> None:
    """One line of talk."""
    sys.stderr.write(f"spex: {line}\n")
    sys.stderr.flush()


@contextmanager
def saying_what_is_logged() -> Iterator[None]:
    """What the library logs of the course of things is talk, too, for as long as the block lasts."""
    logger, handler = logging.getLogger("spex"), _Saying()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Saying(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(visible(record.getMessage()))


def end_at_once(exit_code: int) -> NoReturn:
    """End the process without waiting for anything; a terminal gets its cursor back."""
    talk_console().show_cursor()
    say("ended before what was in flight had stopped")
    os._exit(exit_code)


def put(text: str) -> None:
    """A piece of data, ended by a newline."""
    sys.stdout.write(f"{text}\n")


def put_json(record: object) -> None:
    """One JSON object. Plain ASCII, so that no locale and no lone surrogate can break it."""
    put(json.dumps(record, allow_nan=False, indent=2))


def put_table(table: Table) -> None:
    """A table, as wide as the terminal, or as it needs to be where there is none."""
    console = Console(file=sys.stdout, width=width_of_stdout())
    with console.capture() as capture:
        console.print(table)
    put("\n".join(line.rstrip() for line in capture.get().splitlines()).strip("\n"))


def width_of_stdout() -> int:
    """Cells a line: the terminal's, or enough where there is none."""
    return get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_ELSEWHERE


def talk_console() -> Console:
    """The terminal behind standard error; rich honours NO_COLOR and TERM=dumb by itself."""
    return Console(file=sys.stderr, highlight=False, markup=False)


def prepare_streams() -> None:
    """What the locale cannot write comes out as escapes; what is written to a closed stream goes nowhere."""
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish_stdout() -> None:
    """Write what is buffered. Raises `OSError` where it cannot be, and then nothing is left to fail later."""
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter flushes once more when it ends.
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
        raise


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
