"""A server that has failed may be another one when it comes back: it is asked before it is believed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from spex.engine.abilities import Renewable
from spex.engine.base import Server, innermost
from spex.errors import TimedOut, Unreachable

T = TypeVar("T")


class Doubted:
    """`server` with the doubt whether it is still the same: it was away or silent since it was last seen to be.

    Who is `Renewable` is then asked for that before anything else; any other is believed.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_doubted = False

    def believe(self) -> None:
        """It is the same for certain: it has just been opened."""
        self._is_doubted = False

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives. Raises what that raises, and `InputError` of a server that has another model by now."""
        try:
            engine = innermost(self._server)
            if self._is_doubted and isinstance(engine, Renewable):
                await engine.recheck()
            self._is_doubted = False
            return await ask()
        except (Unreachable, TimedOut):
            self._is_doubted = True
            raise
