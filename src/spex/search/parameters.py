"""Checks of a search's parameters: whole and real numbers within a range."""

from __future__ import annotations

from spex.errors import InputError

WIDTH_MAX = 65_536
DEPTH_MAX = 1_000
TOKENS_MAX = 10_000_000


def check_whole(field: str, value: object, lowest: int, highest: int) -> None:
    """Raise `InputError` unless `value` is an int (no bool) from `lowest` to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise InputError(field, value, f"it must be a whole number from {lowest} to {highest}")


def check_real(field: str, value: object, lowest: float, highest: float) -> None:
    """Raise `InputError` unless `value` is a number (no bool) from `lowest` to `highest`."""
    # NaN is not within any range.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise InputError(field, value, f"it must be a number from {lowest:g} to {highest:g}")
