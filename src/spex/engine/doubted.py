"""A server that was away may be another one when it comes back: it is asked before it is believed again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from spex.engine.abilities import Renewable
from spex.engine.base import Server, innermost
from spex.errors import PASSING, EngineError, Overloaded

_LOG = logging.getLogger("spex")
_UNSEEN_SECONDS = 5.0  # no server of models is started anew in less

T = TypeVar("T")


class Doubted:
    """`server` with the doubt whether it is still the same: it was away or silent, or has not been asked for seconds.

    Who is `Renewable` is then asked for that before anything else; any other is believed. tells: the logger `spex` is
    told, once an outage, that it fails and is asked again.
    """

    def __init__(self, server: Server, *, tells: bool = True) -> None:
        self._server = server
        self._tells = tells
        self._is_doubted = False
        self._is_told = False
        self._seen_at_seconds: float | None = None

    def believe(self) -> None:
        """It is the same for certain: it has just been opened."""
        self._is_doubted = False
        self._seen_at_seconds = asyncio.get_running_loop().time()

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives. Raises what that raises, and `InputError` of a server that has another model by now."""
        try:
            engine = innermost(self._server)
            if isinstance(engine, Renewable) and (self._is_doubted or self._is_unseen()):
                await engine.recheck()
            self.believe()
            answer = await ask()
        except PASSING as error:
            self._is_doubted |= not isinstance(error, Overloaded)  # one that is full is there
            self._tell(error)
            raise
        self._seen_at_seconds, self._is_told = asyncio.get_running_loop().time(), False
        return answer

    def _is_unseen(self) -> bool:
        seen = self._seen_at_seconds
        return seen is not None and asyncio.get_running_loop().time() - seen > _UNSEEN_SECONDS

    def _tell(self, error: EngineError) -> None:
        if self._tells and not self._is_told:
            self._is_told = True
            _LOG.warning("%s; what may pass is asked again", error)
