"""A prefix cache of bounded size, as SGLang's radix cache is one: what of a prompt is there, and what it pushes out.

Entries are prompt segments (the problem's, then one a step), each under the segments before it.
A running sequence pins its path and has room for its whole text from its start; when it leaves,
what it wrote stays as one more segment. Above `tokens_max` the least recently used entry goes
first, an entry before the one it stands on, a pinned one never. The last token before the text
is always computed: its output is what the first token is drawn from.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from spex.prompt import Prompt

Segment = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Entry:
    """One segment in the pool: how many tokens it takes, who runs on it, when it was last used."""

    parent: Entry | None
    segment: Segment
    tokens: int
    children: dict[Segment, Entry] = field(default_factory=dict)
    pins: int = 0
    used_at: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """A running sequence's hold on a cache: how many tokens of its prompt were there, and how many were not."""

    cached: int
    uncached: int
    text: Entry | None = None


class PrefixCache(Protocol):
    """Knows what an engine need not compute again."""

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:
        """A sequence starts after `prompt` and `kept`, what an earlier attempt wrote, to write up to `text_tokens`."""
        ...

    def release(self, hold: Hold, text: Segment) -> None:
        """The sequence has left, with `text` written: kept tokens and new ones."""
        ...


class Boundless:
    """Remembers every text: all of a prompt is there but a new problem, and the last token."""

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:  # noqa: ARG002
        uncached = 1 if len(prompt.segments) > 1 else prompt.token_count
        return Hold(prompt.token_count - uncached, uncached)

    def release(self, hold: Hold, text: Segment) -> None: ...


class KvPool:
    """Holds `tokens_max` (≥ 1) tokens, and more only where more are pinned."""

    def __init__(self, tokens_max: int) -> None:
        self.tokens_max = tokens_max
        self.tokens: int = 0
        self.tokens_pinned: int = 0
        self._root = Entry(None, (), 0)
        self._ticks = count(1)
        # Leaves that nobody runs on, by last use. A row whose entry has been used since, or has gone, is void.
        self._idle: list[tuple[int, int, Entry]] = []

    def hold(self, prompt: Prompt, kept: Segment, text_tokens: int) -> Hold:
        entry, found = self._root, 0
        for segment in prompt.segments:
            there = entry.children.get(segment)
            found += len(segment) if there is not None else 0
            entry = there if there is not None else self._add(entry, segment)
        text = self._taken_over(entry, kept)
        found += 0 if text is None else len(kept)
        text = text or Entry(entry, (), 0)
        self._resize(text, max(text_tokens, len(kept)))
        self._pin(text)
        self._evict()
        whole = prompt.token_count + len(kept)
        cached = max(0, min(found, whole - 1))
        return Hold(cached, whole - cached, text)

    def release(self, hold: Hold, text: Segment) -> None:
        entry = hold.text
        if entry is None or entry.parent is None:
            return
        self._unpin(entry)
        self._resize(entry, len(text))
        entry.segment = text
        if text and text not in entry.parent.children:
            entry.parent.children[text] = entry
            self._retire(entry)
        else:
            self._resize(entry, 0)
            self._retire(entry.parent)
        self._evict()

    def holds(self, prompt: Prompt) -> int:
        """How many of the prompt's tokens, from its first on, are in the pool."""
        entry, found = self._root, 0
        for segment in prompt.segments:
            there = entry.children.get(segment)
            if there is None:
                break
            entry, found = there, found + len(segment)
        return found

    def _add(self, parent: Entry, segment: Segment) -> Entry:
        entry = parent.children[segment] = Entry(parent, segment, 0)
        self._resize(entry, len(segment))
        return entry

    def _taken_over(self, parent: Entry, kept: Segment) -> Entry | None:
        """What a stopped attempt left, to be written on; None when it has gone or others stand on it."""
        entry = parent.children.get(kept) if kept else None
        if entry is None or entry.pins or entry.children:
            return None
        del parent.children[kept]
        return entry

    def _resize(self, entry: Entry, tokens: int) -> None:
        self.tokens += tokens - entry.tokens
        if entry.pins:
            self.tokens_pinned += tokens - entry.tokens
        entry.tokens = tokens

    def _pin(self, entry: Entry) -> None:
        now = next(self._ticks)
        for above in _path(entry):
            self.tokens_pinned += 0 if above.pins else above.tokens
            above.pins += 1
            above.used_at = now

    def _unpin(self, entry: Entry) -> None:
        now = next(self._ticks)
        for above in _path(entry):
            above.pins -= 1
            self.tokens_pinned -= 0 if above.pins else above.tokens
            above.used_at = now

    def _retire(self, entry: Entry) -> None:
        """Offer `entry` for eviction, if nobody runs on it and nothing stands on it."""
        if entry.parent is not None and not entry.pins and not entry.children:
            heapq.heappush(self._idle, (entry.used_at, next(self._ticks), entry))

    def _evict(self) -> None:
        while self.tokens > self.tokens_max and self._idle:
            used_at, _, entry = heapq.heappop(self._idle)
            parent = entry.parent
            if parent is None or used_at != entry.used_at or parent.children.get(entry.segment) is not entry:
                continue
            del parent.children[entry.segment]
            self._resize(entry, 0)
            self._retire(parent)


def _path(entry: Entry) -> list[Entry]:
    """The entry and all that it stands on."""
    path = [entry]
    while (above := path[-1].parent) is not None:
        path.append(above)
    return path
