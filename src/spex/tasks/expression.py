"""Expressions of whole numbers in one spelling: sums and products flat and sorted, few parentheses.

`3 - (5 - 4 * 1)` is `3 + 1 * 4 - 5`. A sum is its added and its subtracted terms, a product its
factors and its divisors; joining two flattens them, so what is left to be parenthesised is a sum
inside a product, nothing else. Expressions that differ by order and grouping alone are spelled
equally. A divisor that is zero is caught where it is joined, before flattening could hide it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from spex.tasks.infix import MARKS, Mark, calculated, evaluated

_LENGTH_MAX = 300
_TOKEN = re.compile(r"\s*([0-9]{1,9}|\S)")


@dataclass(frozen=True, slots=True)
class Expression:
    """A value and how it is made: `forward` are added or multiplied, `inverse` subtracted or divided by."""

    value: Fraction
    kind: Literal["number", "sum", "product"]
    forward: tuple[str, ...]
    inverse: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        plus, minus = (" + ", " - ") if self.kind == "sum" else (" * ", " / ")
        return plus.join(self.forward) + "".join(minus + part for part in self.inverse)


class Parsed(NamedTuple):
    """An expression and the numbers written in it, ascending."""

    expression: Expression
    numbers: tuple[int, ...]


def number(value: int) -> Expression:
    """A whole number, 0 or more."""
    return Expression(Fraction(value), "number", (str(value),))


def joined(sign: str, left: Expression, right: Expression) -> Expression | None:
    """`left sign right`; None for a division by zero."""
    value = calculated(sign, left.value, right.value)
    if value is None:
        return None
    kind: Literal["sum", "product"] = "sum" if sign in "+-" else "product"
    forward, inverse = _parts(left, kind)
    more, less = _parts(right, kind)
    if sign in "-/":
        more, less = less, more
    return Expression(value, kind, _sorted(forward + more), _sorted(inverse + less))


def parsed(text: str) -> Parsed | None:
    """An expression of whole numbers, `+ - * /` (and `× · ÷ x`) and parentheses, of at most 300 characters.

    None for anything else, and for a division by zero. There are no signs before numbers.
    """
    if len(text) > _LENGTH_MAX:
        return None
    tokens = tuple(_tokens(text))
    terms = tuple(token for token in tokens if token is not None)
    expression = evaluated(terms, joined) if len(terms) == len(tokens) else None
    if expression is None:
        return None
    numbers = sorted(int(term.value) for term in terms if isinstance(term, Expression))
    return Parsed(expression, tuple(numbers))


def _tokens(text: str) -> Iterator[Expression | Mark | None]:
    """Numbers and marks; None for what is neither."""
    for written in _TOKEN.findall(text):
        if written[0] in "0123456789":
            yield number(int(written))
        else:
            yield MARKS["*"] if written in "xX" else MARKS.get(written)


def _parts(expression: Expression, kind: Literal["sum", "product"]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`expression` as the parts of a sum or product."""
    if expression.kind == kind:
        return expression.forward, expression.inverse
    text = expression.text
    return ((f"({text})",) if kind == "product" and expression.kind == "sum" else (text,)), ()


def _sorted(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Short parts first, so that numbers ascend."""
    return tuple(sorted(parts, key=lambda part: (len(part), part)))
