"""Texts as vectors: the contract, and one that needs no model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol
from zlib import crc32

import numpy as np

from spex.errors import InputError

_WORDS = re.compile(r"\w+|[^\w\s.,;:!?]")
_GRAM = 3


class Embedding(Protocol):
    """Texts of like meaning get vectors of like direction. Equal texts should get equal vectors.

    Errors are `EngineError`s.
    """

    @property
    def name(self) -> str:
        """Names the embedding in messages and in logs."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector for each text, all of one length, none of them zero."""
        ...


class WordEmbedding:
    """Counts of words and of runs of three characters, hashed to `dimensions` (16 to 65536) numbers.

    Capitals, spaces and the signs between sentences count for nothing. It tells the same words from others, whatever
    their order by and large; of meaning it knows no more. Raises `InputError`.
    """

    def __init__(self, dimensions: int = 1024) -> None:
        if not 16 <= dimensions <= 65_536:
            raise InputError("dimensions", dimensions, "it must be a whole number from 16 to 65536")
        self._dimensions = dimensions

    @property
    def name(self) -> str:
        return f"words:{self._dimensions}"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._counts(text).tolist() for text in texts]

    def _counts(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        counts = np.zeros(self._dimensions)
        for feature in _features(text):
            # Of Python's own hash every process has another.
            counts[crc32(feature.encode("utf-8", "surrogatepass")) % self._dimensions] += 1.0
        return counts


def _features(text: str) -> Iterator[str]:
    words = _WORDS.findall(text.casefold())
    # What says nothing has a direction of its own.
    yield from words or ("",)
    for word in words:
        spelled = f" {word} "
        yield from (spelled[start : start + _GRAM] for start in range(len(spelled) - _GRAM + 1))
