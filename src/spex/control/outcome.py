"""How a job ends. A job never raises: in a task group one failed speculation would end its query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from spex.engine.base import Completion
from spex.errors import SpexError


@dataclass(frozen=True, slots=True)
class Ok:
    """The call's result, not yet read: a completion or the scores."""

    result: Completion | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The call could not be done, retries included."""

    error: SpexError


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The call was stopped; it no longer runs."""


Outcome: TypeAlias = Ok | Failed | Cancelled
