"""A coroutine run to its end by who cannot await it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def complete(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end: in this thread, or where a loop already runs in it, in one of its own."""
    if not _is_in_loop():
        return asyncio.run(main)
    outcome: list[T | BaseException] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(main))
        except BaseException as error:  # noqa: BLE001  # raised again by the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=target, name="spex")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
