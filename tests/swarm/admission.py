"""One engine's queue as the trace tells of it: who is ready, who waits, and whether speculation is in their way.

A demanded call is ready when all that it builds on has finished. Ready calls are served in their order. One is in
its own right when the slots that demanded calls hold or will take before it leave one for it: from then on it is
speculation alone that it waits for, and that may take one cancellation delay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

Key = tuple[str, str]
Event = Mapping[str, Any]

_MOMENT = 1e-6


def late_admissions(
    events: Sequence[Event], kind: str, slots: int, cancel_delay_seconds: float, end_delay_seconds: float
) -> list[str]:
    """The demanded calls of that kind (`expand`, `score`) that speculation has kept waiting for too long.

    A query that is over waits until its calls have been cancelled, on any engine: that takes `end_delay_seconds`.
    """
    queue = _Queue(kind, slots, cancel_delay_seconds + _MOMENT, cancel_delay_seconds + end_delay_seconds + _MOMENT)
    for event in events:
        queue.take(event)
    return queue.late


class _Queue:
    def __init__(self, kind: str, slots: int, patience_seconds: float, end_patience_seconds: float) -> None:
        self.late: list[str] = []
        self._kind = kind
        self._slots = slots
        self._patience_seconds = patience_seconds
        self._end_patience_seconds = end_patience_seconds
        self._made = _Made()
        self._demanded: dict[Key, None] = {}
        self._blocked: defaultdict[str, dict[Key, None]] = defaultdict(dict)
        self._waiting: dict[Key, float | None] = {}
        self._running: dict[Key, bool] = {}

    def take(self, event: Event) -> None:
        """Follow one event of any query."""
        key = (event["query"], event.get("call", ""))
        match event["event"]:
            case "demanded" if event["kind"] == self._kind:
                self._demanded[key] = None
                self._enqueue(key)
            case "started" if event["kind"] == self._kind:
                self._admit(key, event["t"], self._patience_seconds)
                self._running[key] = event["speculative"]
            case "promoted" if key in self._running:
                self._running[key] = False
            case "finished":
                self._made.take(event)
                self._running.pop(key, None)
                for blocked in list(self._blocked[event["query"]]):
                    self._enqueue(blocked)
            case "cancelled" | "failed":
                self._running.pop(key, None)
                if event["event"] == "cancelled" and key in self._demanded:
                    self._enqueue(key)
            case "query_finished":
                self._leave(event)
        self._look(event["t"])

    def _enqueue(self, key: Key) -> None:
        """The call waits for a slot, if it is ready; for another call, if not."""
        if key in self._running or self._made.has(key):
            return
        blocked = self._blocked[key[0]]
        blocked.pop(key, None)
        if self._made.is_ready(key):
            self._waiting[key] = None
        else:
            blocked[key] = None

    def _admit(self, key: Key, t: float, patience_seconds: float) -> None:
        since = self._waiting.pop(key, None)
        if since is not None and t - since > patience_seconds:
            self.late.append(f"G2: {key[1]} of {key[0]} waits for speculation from {since} to {t}")

    def _leave(self, event: Event) -> None:
        """The query is over; that has cancelled whatever ran, so a call may have been given up one delay ago."""
        for key in [key for key in self._waiting if key[0] == event["query"]]:
            self._admit(key, event["t"], self._end_patience_seconds)
        self._blocked.pop(event["query"], None)

    def _look(self, t: float) -> None:
        """Who could be running if nothing were speculated, and since when."""
        demanded = sum(not speculative for speculative in self._running.values())
        for place, key in enumerate(self._waiting):
            if demanded + place >= self._slots:
                self._waiting[key] = None
            elif self._waiting[key] is None:
                self._waiting[key] = t


class _Made:
    """What finished expansions have made: for each, whether its children are terminal."""

    def __init__(self) -> None:
        self._terminals: dict[Key, tuple[bool, ...]] = {}
        self._scored: set[Key] = set()

    def take(self, event: Event) -> None:
        key = (event["query"], event["call"])
        if event["kind"] == "expand":
            self._terminals[key] = tuple(event["terminals"])
        else:
            self._scored.add(key)

    def has(self, key: Key) -> bool:
        return key in self._terminals or key in self._scored

    def is_ready(self, key: Key) -> bool:
        """Whether all that the call builds on is there, and something can come of it."""
        query, call = key
        if call.startswith("expand:"):
            return self._node(query, call.removeprefix("expand:").rpartition(">")[0]) is False
        return all(self._node(query, node) is not None for node in call.split(":", 2)[2].split(","))

    def _node(self, query: str, node: str) -> bool | None:
        """Whether the node is terminal; None where it does not exist."""
        if node == "root":
            return False
        parent, _, edge = node.rpartition("/")
        action, index, *part = edge.split(".")
        made = self._terminals.get((query, f"expand:{parent or 'root'}>{action}.{index}"), ())
        place = int(part[0]) if part else 0
        return made[place] if place < len(made) else None
