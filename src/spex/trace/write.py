"""Writing a trace: a line for the configuration, then a line for each event."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from spex.errors import InputError
from spex.events import Event

VERSION = 1


class TraceWriter:
    """A sink of events in a new JSON Lines file; a context manager.

    A disk that cannot be written stops the trace, never the run: `error` then says why.
    """

    def __init__(self, path: Path, configuration: Mapping[str, object]) -> None:
        """Make `path`. Raises `InputError` where it exists (a link counts) or cannot be made."""
        self.error: str | None = None
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._file = _new_file(path)
        self._write({"spex_trace": VERSION, "run": dict(configuration)})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            self._fail(failure)

    def __call__(self, event: Event) -> None:
        """Write an event."""
        if self.error is None:
            self._write(event)

    def _write(self, record: object) -> None:
        try:
            self._file.write(self._line(record) + b"\n")
        except OSError as failure:
            self._fail(failure)

    def _line(self, record: object) -> bytes:
        try:
            return self._encoder.encode(record)
        except UnicodeEncodeError:
            # A lone surrogate of a model's text: JSON can escape it, UTF-8 cannot hold it.
            return json.dumps(msgspec.to_builtins(record)).encode()

    def _fail(self, failure: OSError) -> None:
        self.error = self.error or f"trace {self._path}: {failure.strerror or failure}"


def check_new(path: Path) -> None:
    """Raise `InputError` where something is at `path`, a link too: better now than when another file has been made."""
    if os.path.lexists(path):
        raise _not_new(path, "File exists")


def _new_file(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except OSError as error:
        raise _not_new(path, error.strerror or str(error)) from None


def _not_new(path: Path, why: str) -> InputError:
    return InputError("trace", str(path), f"it must be a new file: {why}")
