"""A job's work, carried out: it ends as an outcome, whatever happens."""

from __future__ import annotations

import asyncio

from spex.control.job import Job
from spex.control.outcome import Failed, Ok, Outcome
from spex.errors import Misbehaving, SpexError


async def execute(job: Job, server: str) -> Outcome:
    """The outcome of the job's work on `server`. Raises `CancelledError` where the job is cancelled."""
    try:
        return Ok(await job.work(job.progress))
    except SpexError as error:
        return Failed(error)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # an engine's defect must not take other queries along
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        return Failed(Misbehaving(server, "a result or an EngineError", f"{type(error).__name__}: {error}"))
