"""A server as a process: started, waited for, ended with all that it has started itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_LINES_SHOWN = 15
_BYTES_SHOWN = 8192
_ASKED_EVERY_SECONDS = 0.25
_ENDING_SECONDS = 10.0


class ServerFailed(Exception):
    """It did not come up, or it died. The message says which, and ends with the last lines of its log."""


class Server:
    """A process that is to answer at `http://127.0.0.1:PORT/health`.

    It leads a session of its own: Ctrl-C at a terminal does not reach it, and what it starts can be told from the rest.
    As a context it is started, not waited for, and ended however the block ends.
    """

    def __init__(
        self, name: str, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self.url = f"http://127.0.0.1:{port}"
        self._command = tuple(command)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_started(self) -> bool:
        """Whether it has been started, and neither stopped nor killed since."""
        return self._process is not None

    @property
    def session(self) -> int:
        """The session that all its processes are of. It must have been started."""
        if self._process is None:
            raise ServerFailed(f"{self.name} is not started")
        return self._process.pid

    def start(self, *more: str) -> None:
        """Start it, by the thread that will live as long as it: a server may ask to end with its parent.

        more: further arguments of its command, for this time.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                (*self._command, *more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> None:
        """Wait until it answers. Raises `ServerFailed` where it dies before, or does not within `seconds`."""
        until = time.monotonic() + seconds
        while not self._answers():
            self.check()
            if time.monotonic() > until:
                raise ServerFailed(f"{self.name} does not answer at {self.url} after {seconds:g} s{self._last_words()}")
            time.sleep(_ASKED_EVERY_SECONDS)

    def check(self) -> None:
        """Raises `ServerFailed` where it has died."""
        status = None if self._process is None else self._process.poll()
        if status is not None:
            raise ServerFailed(f"{self.name} ended with status {status}{self._last_words()}")

    def kill(self) -> None:
        """End it at once, as an accident would: no part of it can say anything any more."""
        if self._process is not None:
            self._end(signal.SIGKILL, 0.0)

    def stop(self) -> None:
        """End it and all that it has started; a second call does nothing. Bounded: what does not end is killed."""
        if self._process is not None:
            self._end(signal.SIGTERM, _ENDING_SECONDS)

    def _end(self, first: signal.Signals, seconds: float) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(first)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        # Looked for again and again: what is being started when its parent is killed comes up after that.
        while left := list(members_of(process.pid)):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.poll()
            time.sleep(0.01)
        process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            # Another machine's proxy has no business with a server on this one.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{self.url}/health", timeout=5.0) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError, ValueError):
            return False

    def _last_words(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _BYTES_SHOWN))
            lines = log.read().decode(errors="replace").splitlines()[-_LINES_SHOWN:]
        said = "\n".join(f"  | {line}" for line in lines)
        return f"; the last lines of {self.log}:\n{said}" if said else f"; {self.log} is empty"


def members_of(session: int) -> Iterator[int]:
    """The living processes of a session; those that have ended and are not yet collected do not count."""
    for pid, state, _, of in _processes():
        if of == session and state != "Z":
            yield pid


def descendants_of(ancestor: int) -> Iterator[int]:
    """The living processes that `ancestor` has started, or they in turn, near ones first."""
    found = list(_processes())
    above = {ancestor}
    while above:
        below = [(pid, state) for pid, state, parent, _ in found if parent in above]
        yield from (pid for pid, state in below if state != "Z")
        above = {pid for pid, _ in below}


def _processes() -> Iterator[tuple[int, str, int, int]]:
    """Number, state, parent and session of each process there is."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                # Behind the name, which stands in brackets and may hold any character.
                state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                yield int(folder.name), state, int(parent), int(session)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
