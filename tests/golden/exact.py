"""Exact enough: 50 digits, and no decision may hang on less than MARGIN, so that floats must come to the same."""

from __future__ import annotations

from decimal import Decimal, getcontext
from fractions import Fraction

MARGIN = Decimal("1e-9")
getcontext().prec = 50


def as_decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
