"""What the words of a refusal say of a parameter, as values."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d\d)?)"
_RANGE = re.compile(rf"a (?:whole )?number from {_NUMBER} to {_NUMBER}")


class Bounds(NamedTuple):
    """What a parameter may be: the ends of its range, or all that can be chosen; None: it has none."""

    lowest: int | float | None = None
    highest: int | float | None = None
    choices: tuple[str | bool, ...] | None = None


def bounds_in(allowed: str) -> Bounds:
    """What is told by words such as "a whole number from 1 to 65536" (`check_whole`) or "one of a, b"."""
    if found := _RANGE.match(allowed):
        return Bounds(_number(found[1]), _number(found[2]))
    if allowed == "true or false":
        return Bounds(choices=(True, False))
    words = allowed.removeprefix("one of ")
    return Bounds() if words == allowed else Bounds(choices=tuple(words.split(", ")))


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
