"""What has been said of contents: equal ones are told the same, and nothing is asked for twice.

A server may give other last digits for the same tokens when something else is in its batch, and a search must not
depend on that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_KEPT = 1 << 16


class Memory(Generic[K, V]):
    """Keeps the answers to the last `kept` questions (≥ 1), by names that are made of their whole contents."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[K, V] = OrderedDict()

    async def said(self, name: K, ask: Callable[[], Awaitable[V]]) -> V:
        """What was said of `name`, or what `ask` says of it now. Raises what `ask` raises, and keeps nothing of that.

        Of two equal questions at once, what was said first stays: both get the same.
        """
        known = self._known
        if name in known:
            return known[name]
        answer = await ask()
        first = known.setdefault(name, answer)
        while len(known) > self._kept:
            known.popitem(last=False)
        return first

    def forget(self) -> None:
        """Ask anew from now on: another model may be served. What is being asked for now is not kept."""
        self._known = OrderedDict()
