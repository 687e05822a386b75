"""Texts as token ids, each asked for once: a path's earlier steps are encoded again for every later one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

_KEPT = 4096


class Encoder:
    """Remembers what `encode` has said of the last `kept` texts (≥ 1)."""

    def __init__(self, encode: Callable[[str], Awaitable[tuple[int, ...]]], kept: int = _KEPT) -> None:
        self._encode = encode
        self._kept = kept
        self._known: OrderedDict[str, tuple[int, ...]] = OrderedDict()

    async def tokens(self, text: str) -> tuple[int, ...]:
        """The token ids of `text`. Raises what `encode` raises."""
        found = self._known.get(text)
        if found is None:
            found = await self._encode(text)
            self._known[text] = found
            while len(self._known) > self._kept:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return found

    def forget(self) -> None:
        """Ask anew from now on: another model may be served."""
        self._known.clear()
