"""Servers whose caches are emptied between two runs: what the second finds there of the first would be its gain."""

from __future__ import annotations

from collections.abc import Sequence

import httpx2
import stamina

from spex.engine.base import Engine, Generation, Progress
from spex.engine.http import is_loopback
from spex.problem import Problem
from spex.prompt import Prompt
from spex.tasks.base import Task

_TRIES = 60
_SECONDS = 60.0


class NotEmptied(Exception):
    """A server has not emptied its cache. The message says which, and what it said."""


async def emptied(addresses: Sequence[str]) -> None:
    """POST to each address until its server says that it has: none does while a request runs. Raises `NotEmptied`."""
    for address in addresses:
        # No proxy leads to this machine.
        async with httpx2.AsyncClient(timeout=_SECONDS, trust_env=not is_loopback(address)) as client:
            async for attempt in stamina.retry_context(
                NotEmptied, attempts=_TRIES, timeout=_SECONDS, wait_initial=0.1, wait_max=1.0
            ):
                with attempt:
                    await _emptied(client, address)


async def _emptied(client: httpx2.AsyncClient, address: str) -> None:
    try:
        answer = await client.post(address)
    except httpx2.HTTPError as error:
        raise NotEmptied(f"{address}: {type(error).__name__}, look in the server's log whether it died") from error
    if not answer.is_success or answer.text.replace(" ", "") == '{"success":false}':  # vLLM says so with 200
        raise NotEmptied(f"{address}: its cache is not emptied: {answer.status_code} {answer.text[:200]!a}")


async def read_in(engine: Engine, task: Task, problems: Sequence[Problem]) -> None:
    """Have the server read the problems' prompts, of which most is that of all problems, and so there from before."""
    for problem in problems:
        prompt = Prompt([await engine.encode_chat(task.messages(problem))])
        await engine.generate(Generation("read", prompt, seed=0, stop=(), tokens_max=1), Progress())
