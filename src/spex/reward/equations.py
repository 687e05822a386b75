r"""The equations written in a text, and whether they are right, exactly.

An equation is two sides around `=` of which at least one calculates: numbers joined by
`+ - * /` (also `× · ÷ x \times \cdot \div`) and parentheses, as in `3 * 60 = 180` or
`$5 + $2.50 = $7.50`. In `2 + 3 = 5 = 10 / 2` there are two. Words, units and line ends bound a
side. A side with a power, with an implied product (`2(3 + 4)`) or of more than 128 tokens is not
read, and neither are its equations. A lone percentage equals both its number and its hundredth.

Everything is linear in the text, and nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from spex.tasks.infix import MARKS, Mark, calculated, evaluated
from spex.tasks.rational import UNSIGNED, unsigned

_TOKENS_MAX = 128
_TOKEN = re.compile(
    rf"(?P<space>[ \t]+)"
    rf"|\\?[$€£]?(?P<number>{UNSIGNED})(?P<percent>\\?%)?"
    r"|(?P<times>\\(?:times|cdot)\b|(?<![^\W\d_])[xX](?= ?[\\$€£(.0-9]))"
    r"|(?P<divided>\\div\b)"
    r"|(?P<power>\^|(?:(?<=[0-9)])|(?<=[0-9)] ))\*\*(?= ?[0-9(]))"
    r"|(?P<equals>=+)"
    r"|(?P<other>\*\*|[^\W\d]\w*|\\[A-Za-z]+|\\.)"
    r"|(?P<sign>[-+*/()×·⋅÷−–])"
    r"|(?P<rest>.)"
)
_BULLET = re.compile(r"\s*[-+*•]\s+")


class Amount(NamedTuple):
    """A number of an equation; `is_percent` where it is written with a percent sign."""

    value: Fraction
    is_percent: bool = False


class Unread(NamedTuple):
    """Something that makes a side unreadable."""

    written: str


Token: TypeAlias = Amount | Mark | Unread
Side: TypeAlias = tuple[Token, ...]


class Equation(NamedTuple):
    """Two sides as they are written; equal equations are written with the same numbers and signs."""

    left: Side
    right: Side


def verdicts(text: str) -> dict[Equation, bool]:
    """Every distinct equation that can be read, and whether it is right."""
    found: dict[Equation, bool] = {}
    for sides in _runs(text):
        for left, right in pairwise(sides):
            equation = Equation(left, right)
            verdict = None if equation in found else _verdict(left, right)
            if verdict is not None:
                found[equation] = verdict
    return found


def _runs(text: str) -> Iterator[tuple[Side, ...]]:
    for line in text.split("\n"):
        if "=" in line:
            yield from _Line().read(line)


class _Line:
    """Reads a line into runs: sides with `=` between them and nothing else.

    `_touches`: no space stands between the last token and the next.
    """

    def __init__(self) -> None:
        self._runs: list[list[list[Token]]] = [[[]]]
        self._touches = False

    def read(self, line: str) -> Iterator[tuple[Side, ...]]:
        bullet = _BULLET.match(line)
        for match in _TOKEN.finditer(line, bullet.end() if bullet else 0):
            self._take(match)
            self._touches = match.lastgroup != "space"
        for run in self._runs:
            if len(run) > 1:
                yield tuple(_trimmed(side) for side in run)

    @property
    def _side(self) -> list[Token]:
        return self._runs[-1][-1]

    def _take(self, match: re.Match[str]) -> None:
        match match.lastgroup:
            case "space":
                pass
            case "number" | "percent":
                self._take_number(match)
            case "times":
                self._side.append(MARKS["*"])
            case "divided":
                self._side.append(MARKS["/"])
            case "power":
                self._side.append(Unread(match[0]))
            case "equals":
                self._runs[-1].append([])
            case "sign":
                self._take_sign(MARKS[match[0]])
            case _:
                self._runs.append([[]])

    def _take_number(self, match: re.Match[str]) -> None:
        if self._ends_operand():
            self._runs.append([[]])
        value = unsigned(match["number"])
        negative = self._touches and self._takes_minus()
        if value is None:
            self._side.append(Unread(match[0]))
            return
        value = -value if negative else value
        self._side.append(Amount(value / 100, is_percent=True) if match["percent"] else Amount(value))

    def _take_sign(self, mark: Mark) -> None:
        if mark.sign == "(" and self._ends_operand():
            if self._touches:
                self._side.append(Unread("("))
            else:
                self._runs.append([[]])
        self._side.append(mark)

    def _ends_operand(self) -> bool:
        last = self._side[-1] if self._side else None
        return last == MARKS[")"] or isinstance(last, Amount)

    def _takes_minus(self) -> bool:
        """Take a minus that touches the next number off the side, where it is a sign and no operator."""
        side = self._side
        before = side[-2] if len(side) > 1 else MARKS["("]
        is_sign = bool(side) and side[-1] == MARKS["-"] and isinstance(before, Mark) and before != MARKS[")"]
        if is_sign:
            side.pop()
        return is_sign


def _trimmed(side: list[Token]) -> Side:
    """The side without parentheses that are open towards outside it, and without a dash or star at its end."""
    opened: list[int] = []
    end = len(side)
    for position, token in enumerate(side):
        if token == MARKS["("]:
            opened.append(position)
        elif token == MARKS[")"]:
            if not opened:
                end = position
                break
            opened.pop()
    trimmed = side[opened[-1] + 1 if opened else 0 : end]
    while trimmed and trimmed[-1] in (MARKS["-"], MARKS["*"], MARKS["/"]):
        trimmed.pop()
    return tuple(trimmed)


def _verdict(left: Side, right: Side) -> bool | None:
    """Whether the sides are equal; None where this is no equation that can be read."""
    if not any(isinstance(token, Mark) and token.is_operator for token in left + right):
        return None
    one, other = _value(left), _value(right)
    if one is None or other is None:
        return None
    return one.value == other.value or (other.is_percent and one.value == other.value * 100)


def _value(side: Side) -> Amount | None:
    tokens = [token for token in side if not isinstance(token, Unread)]
    if len(tokens) < len(side) or len(side) > _TOKENS_MAX:
        return None
    return evaluated(tokens, _calculated)


def _calculated(sign: str, left: Amount, right: Amount) -> Amount | None:
    value = calculated(sign, left.value, right.value)
    return None if value is None else Amount(value)
