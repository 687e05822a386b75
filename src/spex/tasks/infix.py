"""Exact infix arithmetic over any values: + - * / and parentheses, read without recursion.

Dijkstra's shunting-yard with two stacks: every token is pushed and popped once. Nothing is ever
evaluated as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

T = TypeVar("T")

_RANKS = {"+": 1, "-": 1, "*": 2, "/": 2}
_SIGNS = {sign: sign for sign in "+-*/()"} | {"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-"}


@dataclass(frozen=True, slots=True)
class Mark:
    """An operator or a parenthesis: one of `+ - * / ( )`."""

    sign: str

    @property
    def is_operator(self) -> bool:
        return self.sign in _RANKS


MARKS = {spelling: Mark(sign) for spelling, sign in _SIGNS.items()}
"""Marks by what is written for them: `×`, `·`, `÷` and long minus signs too."""


def calculated(sign: str, left: Fraction, right: Fraction) -> Fraction | None:
    """`left sign right`, exactly; None for a division by zero."""
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right if right else None


def evaluated(tokens: Iterable[T | Mark], combine: Callable[[str, T, T], T | None]) -> T | None:
    """The value of an expression; None for what is none, and where `combine` gives None."""
    return _Evaluation(combine).run(tokens)


class _Evaluation(Generic[T]):
    """The stacks of one evaluation. A method that returns False has met what is no expression."""

    def __init__(self, combine: Callable[[str, T, T], T | None]) -> None:
        self._combine = combine
        self._values: list[T] = []
        self._signs: list[str] = []
        self._wants_value = True

    def run(self, tokens: Iterable[T | Mark]) -> T | None:
        if not all(self._take(token) for token in tokens) or self._wants_value:
            return None
        if not self._reduce(0) or self._signs:
            return None
        return self._values[0]

    def _take(self, token: T | Mark) -> bool:
        if not isinstance(token, Mark):
            return self._take_value(token)
        if token.is_operator:
            return self._take_operator(token.sign)
        return self._open() if token.sign == "(" else self._close()

    def _take_value(self, value: T) -> bool:
        fits = self._wants_value
        self._wants_value = False
        self._values.append(value)
        return fits

    def _take_operator(self, sign: str) -> bool:
        if self._wants_value or not self._reduce(_RANKS[sign]):
            return False
        self._wants_value = True
        self._signs.append(sign)
        return True

    def _open(self) -> bool:
        self._signs.append("(")
        return self._wants_value

    def _close(self) -> bool:
        return not self._wants_value and self._reduce(0) and bool(self._signs) and self._signs.pop() == "("

    def _reduce(self, rank: int) -> bool:
        """Apply what stands since the last parenthesis and binds as tightly as `rank`, or tighter."""
        while self._signs and self._signs[-1] != "(" and _RANKS[self._signs[-1]] >= rank:
            right = self._values.pop()
            value = self._combine(self._signs.pop(), self._values.pop(), right)
            if value is None:
                return False
            self._values.append(value)
        return True
