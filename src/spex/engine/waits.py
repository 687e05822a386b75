"""How long a server is waited for: within one request (`Deadlines`), and while it is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spex.engine.http import Deadlines
from spex.engine.retrying import PATIENCE_SECONDS
from spex.errors import InputError

_DAY_SECONDS = 86_400.0
_DEADLINES: Mapping[str, str] = {
    "connect_seconds": "connect",
    "first_token_seconds": "first_token",
    "token_gap_seconds": "token_gap",
}
_PATIENCE = "patience_seconds"


@dataclass(frozen=True, slots=True)
class Waits:
    """What engines and rewards by name are given. `patience_seconds`: as `Retrying` takes it, from 0 to a day."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    patience_seconds: float = PATIENCE_SECONDS

    @property
    def unusual(self) -> Deadlines | None:
        """The deadlines, where they are not the usual ones."""
        return None if self.deadlines == Deadlines() else self.deadlines


def waits_of(options: Mapping[str, Any]) -> Waits:
    """What of it the options say: `connect_seconds`, `first_token_seconds`, `token_gap_seconds`, `patience_seconds`.

    Deadlines are above 0, and all four a day at most. Raises `InputError`, which names the option.
    """
    deadlines = {part: _checked(options[name], name) for name, part in _DEADLINES.items() if name in options}
    patience = {_PATIENCE: _checked(options[_PATIENCE], _PATIENCE)} if _PATIENCE in options else {}
    return Waits(Deadlines(**deadlines), **patience)


def told_of_waits(options: Mapping[str, Any]) -> list[str]:
    """The options among them that say how long is waited."""
    return [name for name in (*_DEADLINES, _PATIENCE) if name in options]


def _checked(value: object, name: str) -> float:
    is_number = type(value) in (int, float)
    if not is_number or not 0.0 <= float(value) <= _DAY_SECONDS or (name in _DEADLINES and not value):  # type: ignore[arg-type]
        least = "above 0" if name in _DEADLINES else "from 0"
        raise InputError(name, value, f"it must be a number of seconds {least}, and at most {_DAY_SECONDS:g}")
    return float(value)  # type: ignore[arg-type]
