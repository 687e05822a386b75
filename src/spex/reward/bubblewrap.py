"""Bubblewrap as a sandbox: any Python program, in namespaces of its own (`bwrap`, 0.8 or newer; Linux alone).

It sees an interpreter and its library, read-only, an empty folder in memory, and nothing else: no network, no home, no
other process, no terminal. Memory, processes, CPU time and files are limited inside (`spex.reward.inside`), before the
code begins; time and output from here. With the sandbox's first process all others end: nothing can outlive it.

Who is root here is nobody there: the kernel counts no processes of root.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from math import ceil
from pathlib import Path
from shutil import which
from typing import TypedDict

from spex.engine.interruption import uninterrupted
from spex.errors import InputError, Unreachable
from spex.reward.plain import told_value
from spex.reward.sandbox import Limits, Told

_HOW = "bubblewrap is not here: install it (apt install bubblewrap, dnf install bubblewrap)"
_SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_NOBODY = 65534
_INSIDE = Path(__file__).with_name("inside.py")
_CALL = "from solution import *\nvalue = ({})\n"
_START_SECONDS = 10.0
_CHUNK_BYTES = 1 << 16


class _Who(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class Bubblewrap:
    """Values of calls, and what programs print."""

    name = "bwrap"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._opening = asyncio.Lock()
        self._python: str | None = None

    def refuse_missing(self) -> None:
        if which("bwrap") is None:
            raise InputError("reward", None, f"{_HOW}; nothing is run without it")

    async def open(self) -> None:
        async with self._opening:
            if self._python is not None:
                return
            self.refuse_missing()
            for python in _interpreters():
                with suppress(Unreachable):
                    told = await self._run(python, {"solution.py": "print('ready')"}, seconds=_START_SECONDS)
                    if told == b"ready\n":
                        self._python = python
                        return
        problem = "user namespaces may be forbidden on this machine, or bwrap older than 0.8"
        raise InputError("reward", None, f"bubblewrap is here and runs no program: {problem}; nothing is run")

    async def close(self) -> None:
        self._opening = asyncio.Lock()  # one that was waited for belongs to its event loop, and the next may be another

    async def value(self, code: str, call: str) -> Told | None:
        files = {"solution.py": code, "call.py": _CALL.format(call)}
        told = await self._run(self._python, files, "call.py", "value")
        return None if told is None else told_value(told)

    async def printed(self, code: str, read: str) -> Told | None:
        told = await self._run(self._python, {"solution.py": code}, read=read)
        return None if told is None else Told(told.decode(errors="replace"))

    async def _run(
        self,
        python: str | None,
        files: Mapping[str, str],
        *arguments: str,
        read: str = "",
        seconds: float | None = None,
    ) -> bytes | None:
        """What is printed where all ends well, and in time. Raises `Unreachable`."""
        if python is None:
            raise Unreachable(self.name, "it is not open")
        with ExitStack() as stack:
            inside = {"/inside/inside.py": _INSIDE.read_text()}
            inside |= {f"/work/{name}": text for name, text in files.items()}
            descriptors = {place: _held(text, stack) for place, text in inside.items()}
            command = [*self._command(python, descriptors), f"/work/{arguments[0] if arguments else 'solution.py'}"]
            process = await _started((*command, *arguments[1:]), _held(read, stack), tuple(descriptors.values()))
            try:
                async with asyncio.timeout(seconds or self._limits.seconds):
                    return await self._told(process)
            except TimeoutError:
                return None
            finally:
                await uninterrupted(_ended(process))

    async def _told(self, process: asyncio.subprocess.Process) -> bytes | None:
        assert process.stdout is not None  # noqa: S101  # it was asked for
        told = bytearray()
        while chunk := await process.stdout.read(_CHUNK_BYTES):
            told += chunk
            if len(told) > self._limits.output_bytes:
                return None
        return bytes(told) if await process.wait() == 0 else None

    def _command(self, python: str, descriptors: Mapping[str, int]) -> Iterator[str]:
        limits = self._limits
        yield str(which("bwrap"))
        yield from ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session")
        yield from ("--uid", str(_NOBODY), "--gid", str(_NOBODY), "--hostname", "sandbox", "--cap-drop", "ALL")
        for folder in (*_SYSTEM, str(Path(python).parent.parent)):
            yield from ("--ro-bind-try", folder, folder)
        for device in _DEVICES:  # alone: the whole of /dev would bring a folder in memory without a limit
            yield from ("--dev-bind", device, device)
        yield from ("--size", str(limits.files_bytes), "--tmpfs", "/tmp")  # noqa: S108  # in there
        for place, descriptor in descriptors.items():
            yield from ("--ro-bind-data", str(descriptor), place)
        yield from ("--chdir", "/tmp", "--clearenv")  # noqa: S108
        # The hashes of texts, which order sets, are those of every run.
        for variable, value in (("PYTHONHASHSEED", "0"), ("LANG", "C.UTF-8"), ("PYTHONPATH", "/work")):
            yield from ("--setenv", variable, value)
        yield from ("--remount-ro", "/", "--", python, "-s", "-S", "-B", "/inside/inside.py")
        cpu_seconds = ceil(limits.seconds) + 1
        yield from map(str, (limits.memory_bytes, limits.processes, cpu_seconds, limits.files_bytes))


def _interpreters() -> Iterator[str]:
    """Pythons that may be seen from inside: ours, and where others may not enter its folder the system's.

    What is installed right into a home would show all of it, and is left out.
    """
    ours, system = Path(getattr(sys, "_base_executable", sys.executable)), Path("/usr/bin/python3")
    for python in (ours.resolve(), system.resolve()):
        if python.exists() and not Path.home().is_relative_to(python.parent.parent):
            yield str(python)


def _who() -> _Who:
    if os.geteuid() != 0:
        return {}
    return {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}


def _held(text: str, stack: ExitStack) -> int:
    """A file in memory alone that holds the text, to be read from its beginning."""
    descriptor = os.memfd_create("spex")
    stack.callback(os.close, descriptor)
    data = memoryview(text.encode("utf-8", "replace"))
    while data:
        data = data[os.write(descriptor, data) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


async def _started(command: tuple[str, ...], read: int, descriptors: tuple[int, ...]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=read,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
            env={},
            **_who(),
        )
    except OSError as error:
        raise Unreachable(Bubblewrap.name, f"it does not start: {error.strerror}") from error


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Nothing of it runs any more, and its pipe is read to its end."""
    if process.returncode is None:
        process.kill()
    if process.stdout is not None:
        while await process.stdout.read(_CHUNK_BYTES):
            pass
    await process.wait()
