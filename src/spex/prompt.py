"""Token ids of a partial solution, grown step by step without copying what is shared."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any


class Prompt:
    """Token ids as segments: the problem's, then one for each step. Immutable.

    A child shares its parent's segments, and its digest continues the parent's hash, so
    growing costs what is new. Two prompts are equal when their token ids are.
    """

    __slots__ = ("_hash", "segments", "token_count")

    segments: tuple[tuple[int, ...], ...]
    token_count: int

    def __init__(self, segments: Sequence[Sequence[int]] = ()) -> None:
        self.segments = ()
        self.token_count = 0
        self._hash: Any = blake2b(digest_size=16)
        for segment in segments:
            self._append(tuple(segment))

    def extended(self, token_ids: Sequence[int]) -> Prompt:
        """This prompt followed by `token_ids` as one more segment."""
        longer = Prompt.__new__(Prompt)
        longer.segments = self.segments
        longer.token_count = self.token_count
        longer._hash = self._hash.copy()
        longer._append(tuple(token_ids))
        return longer

    @property
    def token_ids(self) -> tuple[int, ...]:
        """All token ids in one tuple."""
        return tuple(chain.from_iterable(self.segments))

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that depend on the token ids alone, not on the segments."""
        return str(self._hash.hexdigest())

    def _append(self, segment: tuple[int, ...]) -> None:
        self.segments = (*self.segments, segment)
        self.token_count += len(segment)
        self._hash.update(array("q", segment).tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prompt) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Prompt({self.token_count} tokens, {self.digest[:8]})"
