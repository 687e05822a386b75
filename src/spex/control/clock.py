"""Real and virtual time: the same code on either, by the event loop alone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import looptime

T = TypeVar("T")

VIRTUAL_SECONDS_MAX = 4e6
"""From 2^23 s on a step of a float is more than the loop's resolution: a timer would never be due."""


def new_virtual_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose time jumps to the next timer when nothing else is to do.

    Deterministic: time stands still while code runs. When every task waits for what can never
    come, the waiting tasks get a `TimeoutError` instead of hanging.
    """
    return looptime.new_event_loop(start=0.0, noop_cycles=0, resolution=1e-9, idle_timeout=0)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time."""
    with asyncio.Runner(loop_factory=new_virtual_loop) as runner:
        return runner.run(main)
