"""The call log on disk: append-only JSON lines; a killed run continues from it.

A line goes to the operating system as soon as its call has finished, so a killed process loses
nothing; it is forced to the disk within a second (group commit), so a power cut loses at most that.
The first line names the configuration: a log continues only the run that it belongs to.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import msgspec

from spex.control.lines import decoded, encoded
from spex.errors import InputError, LogMismatch, LogUnwritable
from spex.record import Entry

VERSION = 1
_COMMIT_SECONDS = 1.0
_LINE_BYTES_MAX = 64 * 1024 * 1024


class Header(msgspec.Struct, frozen=True):
    """The log's first line: its version and the configuration, as printable values by name."""

    spex_log: int
    run: dict[str, str]


class FileLog:
    """A call log in a file, open for one process at a time."""

    def __init__(self, path: Path, configuration: Mapping[str, str]) -> None:
        """Open `path` or make it. Raises `LogMismatch`, `LogUnwritable` and `InputError`."""
        self._path = path
        self._entries: dict[str, Entry] = {}
        self._dirty = False
        self._broken: LogUnwritable | None = None
        self._told = False
        self._forcing = Lock()  # a commit runs in a thread; the file must not be closed under it
        self._descriptor = _open(path)
        try:
            self._size = self._load(configuration)
        except OSError as error:
            os.close(self._descriptor)
            raise InputError("log", str(path), f"it cannot be read: {error.strerror}") from error
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def path(self) -> Path:
        """The file, as it was named."""
        return self._path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except LogUnwritable:
            if error is None:
                raise

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def append(self, entry: Entry) -> None:
        """Keep `entry`. Raises `LogUnwritable`; then, and from then on, nothing is acknowledged."""
        self._write(encoded(entry) + b"\n")
        self._entries[entry.key] = entry

    async def commit_forever(self) -> None:
        """Force what was written to the disk, at least once a second. Never ends."""
        while True:
            await asyncio.sleep(_COMMIT_SECONDS)
            if self._dirty:
                self._dirty = False
                await asyncio.to_thread(self._commit)

    def close(self) -> None:
        """Force everything to the disk and let go of the file; a second call does nothing.

        Raises `LogUnwritable` where that failed, unless an `append` has said so already.
        """
        if self._descriptor < 0:
            return
        self._commit()
        with self._forcing:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
        if self._broken is not None and not self._told:
            raise self._broken

    def _commit(self) -> None:
        # After a failed fsync the kernel may have dropped the pages: never try again as if written.
        with self._forcing:
            if self._broken is not None or self._descriptor < 0:
                return
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self._broken = self._unwritable(error)

    def _write(self, line: bytes) -> None:
        if self._broken is None:
            try:
                _write_whole(self._descriptor, line, self._size)
            except OSError as error:
                self._broken = self._unwritable(error, len(line))
                with suppress(OSError):  # else the next reader cuts off what is torn
                    os.ftruncate(self._descriptor, self._size)
        if self._broken is not None:
            self._told = True
            raise self._broken
        self._size += len(line)
        self._dirty = True

    def _unwritable(self, error: OSError, needed: int = 0) -> LogUnwritable:
        more = f" ({needed} bytes needed)" if needed else ""
        return LogUnwritable(f"call log {self._path}: {error.strerror or error}{more}; the same command continues")

    def _load(self, configuration: Mapping[str, str]) -> int:
        """Read what is whole; cut off a last line that a crash left unfinished. The size that counts."""
        with self._path.open("rb") as file:
            first = file.readline(_LINE_BYTES_MAX)
            if not first.endswith(b"\n"):
                return self._begin(configuration, first)
            _compare(self._path, _header(self._path, first), configuration)
            size = len(first)
            for number, line in enumerate(iter(lambda: file.readline(_LINE_BYTES_MAX), b""), 2):
                if not line.endswith(b"\n") and len(line) < _LINE_BYTES_MAX:
                    break
                try:
                    entry = decoded(line)
                except ValueError as error:
                    raise LogMismatch(f"call log {self._path}: line {number} is damaged: {error}") from error
                self._entries[entry.key] = entry
                size += len(line)
        os.ftruncate(self._descriptor, size)
        return size

    def _begin(self, configuration: Mapping[str, str], found: bytes) -> int:
        header = msgspec.json.encode(Header(VERSION, dict(configuration))) + b"\n"
        if not header.startswith(found) and not found.startswith(b'{"spex_log":'):
            raise LogMismatch(f"call log {self._path}: the file exists and is no call log")
        os.ftruncate(self._descriptor, 0)
        self._size = 0
        self._write(header)
        return len(header)


def _write_whole(descriptor: int, line: bytes, position: int) -> None:
    if os.pwrite(descriptor, line, position) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open(path: Path) -> int:
    try:
        if path.exists() and not path.is_file():
            raise InputError("log", str(path), "it must be a regular file")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError("log", str(path), f"it cannot be opened: {why}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LogMismatch(f"call log {path}: another run is using it") from error
    return descriptor


def _header(path: Path, line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except msgspec.MsgspecError as error:
        raise LogMismatch(f"call log {path}: the file exists and is no call log") from error
    if header.spex_log != VERSION:
        raise LogMismatch(f"call log {path}: it is of version {header.spex_log}, this spex reads version {VERSION}")
    return header


def _compare(path: Path, header: Header, configuration: Mapping[str, str]) -> None:
    names = sorted(header.run.keys() | configuration.keys())
    differences = [
        f"{name} was {header.run.get(name)!r} and is now {configuration.get(name)!r}"
        for name in names
        if header.run.get(name) != configuration.get(name)
    ]
    if differences:
        raise LogMismatch(f"call log {path} belongs to another configuration: {'; '.join(differences)}")
