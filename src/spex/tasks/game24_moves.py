"""Moves of the Game of 24: a line of a model's text, and the numbers before and after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from spex.tasks.expression import Expression, joined
from spex.tasks.infix import MARKS

Board: TypeAlias = tuple[Expression, ...]
"""What is left, ascending by value, each number with the expression that made it."""

_LENGTH_MAX = 200
_LINE = re.compile(
    r"[\s*`]*(?P<left>[^=()]+)=(?P<result>[^=()]+)\(\s*left\s*:(?P<rest>[^=()]*)\)[\s*`.]*", re.IGNORECASE
)
_NUMBER = re.compile(r"[-−–]?[0-9]{1,20}(?:/[0-9]{1,20}|\.[0-9]{1,20})?", re.ASCII)


class Claim(NamedTuple):
    """What a line says: these two numbers joined by `sign` are `result`."""

    sign: str
    left: Fraction
    right: Fraction
    result: Fraction


def board_of(expressions: Iterable[Expression]) -> Board:
    """`expressions` in the order of boards."""
    return tuple(sorted(expressions, key=lambda made: (made.value, len(made.text), made.text)))


def moved(board: Board, line: str) -> Board | None:
    """The board after the move that `line` says; None for a line that is no legal move.

    The form is `a + b = c (left: …)`, with any of `+ - * /`; numbers are whole, `a/b` or exact
    decimals, in the list in any order. Of equal numbers with different histories the one with
    the shorter expression is taken.
    """
    match = _LINE.fullmatch(line) if len(line) <= _LENGTH_MAX else None
    if match is None:
        return None
    left = _listed(match["rest"])
    result = _number(match["result"])
    if left is None or result is None:
        return None
    boards = (_after(board, claim) for claim in _claims(match["left"], result))
    return next((after for after in boards if after is not None and _values(after) == left), None)


def _after(board: Board, claim: Claim) -> Board | None:
    """The board after a claim that is true on it."""
    rest = list(board)
    left = _taken(rest, claim.left)
    right = _taken(rest, claim.right)
    if left is None or right is None:
        return None
    made = joined(claim.sign, left, right)
    return board_of([*rest, made]) if made is not None and made.value == claim.result else None


def _taken(rest: list[Expression], value: Fraction) -> Expression | None:
    """Take the first expression of this value out of `rest`."""
    for position, expression in enumerate(rest):
        if expression.value == value:
            return rest.pop(position)
    return None


def _claims(text: str, result: Fraction) -> Iterator[Claim]:
    """The ways to read `a + b`: more than one where a fraction bar may be the operator."""
    for position, character in enumerate(text):
        mark = MARKS["*"] if character in "xX" else MARKS.get(character)
        if mark is None or not mark.is_operator:
            continue
        left, right = _number(text[:position]), _number(text[position + 1 :])
        if left is not None and right is not None:
            yield Claim(mark.sign, left, right, result)


def _listed(text: str) -> list[Fraction] | None:
    """The numbers of a list, ascending; commas between them do not count."""
    numbers = [_number(word) for word in text.replace(",", " ").split()]
    known = [number for number in numbers if number is not None]
    return sorted(known) if len(known) == len(numbers) else None


def _number(text: str) -> Fraction | None:
    written = text.strip()
    if not _NUMBER.fullmatch(written):
        return None
    try:
        return Fraction(written.replace("−", "-").replace("–", "-"))
    except ZeroDivisionError:
        return None


def _values(board: Board) -> list[Fraction]:
    return [expression.value for expression in board]
