"""The end of a context that nobody has told: where a server refuses a text for its length, it is asked for less."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from spex.engine.base import Completion
from spex.engine.openai_faults import is_too_long
from spex.errors import Misbehaving

_LOG = logging.getLogger("spex")
_LEAST_TOKENS = 16


class Room:
    """What the engine `name` has room for behind a prompt."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told = False

    async def filled(
        self,
        write: Callable[[int], Awaitable[Completion]],
        tokens_max: int,
        written: int,
        unwritten: Callable[[], Completion],
    ) -> Completion:
        """What `write` gives for so many tokens in all, or for half of those that are not `written` yet, and so on.

        As long as the server refuses a text for its length; that it does is told once. Where less than 16 tokens were
        left the context is full, and where nothing was there is `unwritten`. Raises what `write` raises.
        """
        rest = tokens_max - written
        while rest > 0:
            try:
                completion = await write(written + rest)
            except Misbehaving as error:
                if not is_too_long(error):
                    raise
                self._tell(error)
                rest //= 2
                continue
            cut = rest < min(_LEAST_TOKENS, tokens_max - written) and completion.end == "length"
            return completion._replace(end="context") if cut else completion
        return unwritten()

    def _tell(self, error: Misbehaving) -> None:
        if not self._told:
            self._told = True
            _LOG.warning("%s: paths end where its context does, by its refusal: %a", self._name, str(error.got)[:200])
