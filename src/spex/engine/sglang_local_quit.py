"""SIGQUIT, by which SGLang's processes and its watchdog tell this one of a death: unhandled, it ends this one, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


class OnQuit:
    """Calls `told` at SIGQUIT in the place of ending, and then whoever was told before.

    Only Python's main thread can take signals: begun in another one, it changes nothing.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told: Callable[[], None] | None = told
        self._before: Handler = None
        self._taken = False

    def begin(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGQUIT, self._take)
            self._taken = True

    def end(self) -> None:
        """Others may have taken the signal since, and then pass it on to this one: it stays, and does nothing."""
        self._told = None
        ours = self._taken and signal.getsignal(signal.SIGQUIT) == self._take
        if ours and self._before is not None:  # None: one that Python does not know, and cannot put back
            signal.signal(signal.SIGQUIT, self._before)
            self._taken = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._told is not None:
            self._told()
        if callable(self._before):
            self._before(number, frame)
