"""How a job ends. A job never raises: in a task group one failed speculation would end its query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from spex.errors import SpexError
from spex.tree import Step


@dataclass(frozen=True, slots=True)
class Made:
    """The steps that the task read in an expansion's text."""

    steps: tuple[Step, ...]


Result: TypeAlias = Made | tuple[float, ...]
"""Of an expansion its steps, of a score the numbers."""


@dataclass(frozen=True, slots=True)
class Ok:
    """The call has its result."""

    result: Result


@dataclass(frozen=True, slots=True)
class Failed:
    """The call could not be done, retries included."""

    error: SpexError


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The call was stopped; it no longer runs."""


Outcome: TypeAlias = Ok | Failed | Cancelled
