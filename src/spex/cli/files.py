"""Files that a command writes: no two of them may be one, however they are spelled."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from spex.cli.settings import SolveSettings
from spex.errors import InputError

_STREAMS = ((1, "standard output"), (2, "standard error"))


def refuse_shared_files(settings: SolveSettings) -> None:
    """Raise `InputError` for a call log that is the trace as well, or what a stream is redirected to."""
    log, trace = settings.log, settings.trace
    if log is None:
        return
    if trace is not None and os.path.realpath(log) == os.path.realpath(trace):
        raise InputError("log", str(log), f"it is the file of {settings.typed('trace')} as well: give each its own")
    for descriptor, name in _STREAMS:
        if _leads_to(descriptor, log):
            raise InputError("log", str(log), f"{name} is redirected to it: give each its own file")


def _leads_to(descriptor: int, path: Path) -> bool:
    """Whether what is written to `descriptor` lands in the file at `path`."""
    with suppress(OSError, ValueError):  # a stream that is closed, a path that leads nowhere yet
        return path.is_file() and os.path.samestat(os.fstat(descriptor), path.stat())
    return False
