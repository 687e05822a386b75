"""Numbers as models write them, read exactly: `$1,080.50`, `-3`, `−$5`, `50%`, `3/4`, `2 1/2`, `.5`, `18.`"""

from __future__ import annotations

import re
from fractions import Fraction

_LENGTH_MAX = 60
# Each repetition is of one class that what follows it cannot begin with, so matching is linear.
UNSIGNED = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
"""A pattern for whole numbers and decimals; commas separate thousands in groups of three."""

_NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z)])(?P<sign>[-−–]))?"
    r"(?:\\?[$€£] ?(?P<inner>[-−–])?)?"
    rf"(?P<size>{UNSIGNED})(?P<tail>(?: [0-9]+)?/[0-9]+)?"
)


def unsigned(written: str) -> Fraction | None:
    """The value of what `UNSIGNED` matches; None where it is over 60 characters long."""
    return Fraction(written.replace(",", "")) if len(written) <= _LENGTH_MAX else None


def find_number(text: str) -> Fraction | None:
    """The first number in `text`; None where there is none, or it is over 60 characters long.

    Currency signs before it and `%` after it do not count; commas separate thousands only in
    groups of three; `a/b` without spaces is a fraction, and with a whole number before it a
    mixed one. A minus counts where it touches the number (or its currency sign) and stands
    after no letter, digit or `)`.
    """
    match = _NUMBER.search(text.replace("{,}", ",").replace(",\\!", ","))
    if match is None or len(match[0]) > _LENGTH_MAX:
        return None
    size = unsigned(match["size"])
    if size is not None and match["tail"] and "." not in match["size"]:
        size = _with_tail(size, match["tail"])
    return -size if size is not None and (match["sign"] or match["inner"]) else size


def spelled(value: Fraction) -> str:
    """The one spelling of a number: `18`, `-7/2`."""
    return str(value)


def _with_tail(number: Fraction, tail: str) -> Fraction | None:
    """What a `/b` or ` a/b` after a whole number makes of it; None for a division by zero."""
    above, _, below = tail.partition("/")
    if int(below) == 0:
        return None
    return number + Fraction(int(above), int(below)) if above else number / int(below)
