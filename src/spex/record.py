"""Finished calls as they are recorded: one log serves recording, resuming and replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Protocol, TypeAlias, runtime_checkable

import msgspec

from spex.tree import End
from spex.usage import Tokens


class TextEntry(msgspec.Struct, frozen=True, tag="text", omit_defaults=True):
    """A finished generation. `key` names problem and call, `digest` the request."""

    key: str
    digest: str
    text: str
    token_ids: tuple[Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)], ...]
    end: End
    logprobs: tuple[float, ...] | None = None
    cost: Tokens = Tokens()


class ScoreEntry(msgspec.Struct, frozen=True, tag="score", omit_defaults=True):
    """A finished score; `values` in [0, 1], one a node."""

    key: str
    digest: str
    values: tuple[float, ...]
    cost: Tokens = Tokens()


class EncodingEntry(msgspec.Struct, frozen=True, tag="encoding"):
    """Token ids of a text or chat, so that a replay needs no tokenizer."""

    key: str
    token_ids: tuple[int, ...]


class ModelEntry(msgspec.Struct, frozen=True, tag="model", omit_defaults=True):
    """The model that a server had when its results were recorded, and its program's version, as it said itself."""

    key: str
    model: str
    version: str = ""


Entry: TypeAlias = TextEntry | ScoreEntry | EncodingEntry | ModelEntry


class CallLog(Protocol):
    """Every finished call, once, and what it was made with."""

    def find(self, key: str) -> Entry | None: ...

    def append(self, entry: Entry) -> None:
        """Keep `entry`. Raises `LogUnwritable`."""
        ...


@runtime_checkable
class Filed(Protocol):
    """A call log in a file, to be named by it."""

    @property
    def path(self) -> Path: ...


class MemoryLog:
    """A call log that lives as long as the process: for replay in place, and for tests."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def find(self, key: str) -> Entry | None:
        return self.entries.get(key)

    def append(self, entry: Entry) -> None:
        self.entries[entry.key] = entry
