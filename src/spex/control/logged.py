"""A setup with its call log: what of it the log is compared with, and the commits while it is open."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from spex.control.group import task_group
from spex.control.log import FileLog
from spex.control.setup import Setup, recorded
from spex.engine.template import template_of
from spex.errors import InputError
from spex.record import CallLog


@asynccontextmanager
async def logged(setup: Setup, log: CallLog | Path | str | None) -> AsyncIterator[Setup]:
    """The setup with its call log, which is committed to the disk as the run goes on.

    Raises `InputError`, `LogMismatch` and `LogUnwritable`.
    """
    if log is None:
        yield setup
    elif isinstance(log, Path | str):
        with FileLog(Path(log), identity_of(setup)) as file:
            async with task_group() as group:
                committing = group.create_task(file.commit_forever())
                try:
                    yield recorded(setup, file)
                finally:
                    committing.cancel()
    elif isinstance(log, type) or not hasattr(log, "find"):
        raise InputError("log", log, "it must be a path or a call log")
    else:
        yield recorded(setup, log)


def identity_of(setup: Setup) -> dict[str, str]:
    """What a setup's calls and results are functions of, as printable values: a log continues no other."""
    identity = {
        "search": _printed(setup.search),
        "policy": setup.policy.engine.name,
        "task": _printed(setup.policy.task),
        "sampling": repr(setup.policy.sampling),
        "step_tokens": str(setup.policy.step_tokens_max),
        "reward": ", ".join(f"{model}={reward.name}" for model, reward in setup.rewards.items()),
        "seed": str(setup.seed),
    }
    template = template_of(setup.policy.engine)
    return {**identity, "template": template} if template else identity


def _printed(value: object) -> str:
    """Its `repr`, without the address that makes it another one in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
