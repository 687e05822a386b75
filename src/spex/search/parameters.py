"""Checks of a search's parameters: whole and real numbers within a range, and what a refusal says of the range."""

from __future__ import annotations

import re
from typing import NamedTuple

from spex.errors import InputError

WIDTH_MAX = 65_536
DEPTH_MAX = 1_000
TOKENS_MAX = 10_000_000

_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d\d)?)"
_RANGE = re.compile(rf"a (?:whole )?number from {_NUMBER} to {_NUMBER}")


def check_whole(field: str, value: object, lowest: int, highest: int) -> None:
    """Raise `InputError` unless `value` is an int (no bool) from `lowest` to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise InputError(field, value, f"it must be a whole number from {lowest} to {highest}")


def check_real(field: str, value: object, lowest: float, highest: float) -> None:
    """Raise `InputError` unless `value` is a number (no bool) from `lowest` to `highest`."""
    # NaN is not within any range.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise InputError(field, value, f"it must be a number from {lowest:g} to {highest:g}")


class Bounds(NamedTuple):
    """What a parameter may be, as values: the ends of its range, or all that can be chosen; None: it has none."""

    lowest: int | float | None = None
    highest: int | float | None = None
    choices: tuple[str | bool, ...] | None = None


def bounds_in(allowed: str) -> Bounds:
    """The bounds that the words of a refusal tell, such as "a whole number from 1 to 65536" or "one of a, b"."""
    if found := _RANGE.match(allowed):
        return Bounds(_number(found[1]), _number(found[2]))
    if allowed == "true or false":
        return Bounds(choices=(True, False))
    words = allowed.removeprefix("one of ")
    return Bounds() if words == allowed else Bounds(choices=tuple(words.split(", ")))


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
