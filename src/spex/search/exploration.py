"""How much an MCTS explores: its constant c from the first iteration to the last."""

from __future__ import annotations

from typing import Literal, TypeAlias

from spex.errors import InputError

Schedule: TypeAlias = Literal["constant", "linear", "exponential"]


def check_schedule(schedule: str, c: float, c_last: float) -> None:
    """Raise `InputError` unless the schedule is one, and can lead from `c` to `c_last`."""
    if schedule not in ("constant", "linear", "exponential"):
        raise InputError("schedule", schedule, "it must be one of constant, linear, exponential")
    if schedule == "exponential" and not (c and c_last):
        field, value = ("c", c) if not c else ("c_last", c_last)
        raise InputError(field, value, "it must be above 0 where the schedule is exponential")


def c_at(schedule: Schedule, c: float, c_last: float, passed: float) -> float:
    """The constant after the share `passed` (0 to 1) of the iterations."""
    if schedule == "linear":
        return c + (c_last - c) * passed
    if schedule == "exponential":
        return float(c * (c_last / c) ** passed)
    return c
