"""Numbers as models write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.tasks.rational import find_number, spelled

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18", "18"),
        ("18.", "18"),
        ("18.00", "18"),
        ("-3", "-3"),
        ("−3", "-3"),
        ("$1,080.50 a year", "2161/2"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        (r"\$18", "18"),
        ("$ 18", "18"),
        ("50%", "50"),
        (".5", "1/2"),
        ("3/4 of it", "3/4"),
        ("-3/4", "-3/4"),
        ("2 1/2 hours", "5/2"),
        ("-2 1/2", "-5/2"),
        ("70{,}000", "70000"),
        (r"70,\!000", "70000"),
        ("about 12 or 13", "12"),
        ("10-3", "10"),
        ("covid-19", "19"),
        ("(5)", "5"),
        ("12,34", "12"),
        ("1,0000", "1"),
        ("007", "7"),
        ("2 / 3", "2"),
        ("0.5/2", "1/2"),
    ],
)
def test_the_first_number_is_read_exactly(text: str, value: str) -> None:
    assert find_number(text) == Fraction(value)


@pytest.mark.parametrize("text", ["", "none", "-", "$", ".", "1/0", "½", "٣", "1" * 61, "0." + "3" * 60])
def test_what_is_no_number_is_none(text: str) -> None:
    assert find_number(text) is None


@st.composite
def spellings(draw: st.DrawFn) -> tuple[Fraction, str]:
    """A number and one of the ways to write it."""
    whole, cents = draw(st.integers(0, 10**12)), draw(st.integers(0, 99))
    negative = draw(st.booleans())
    size = f"{whole:,}" if draw(st.booleans()) else str(whole)
    value = Fraction(whole)
    if draw(st.booleans()):
        size, value = f"{size}.{cents:02}", value + Fraction(cents, 100)
    currency = draw(st.sampled_from(["", "$", "\\$", "€", "£"]))
    sign = draw(st.sampled_from(["-", "−"])) if negative else ""
    before = draw(st.sampled_from(["", " ", "it is ", "(", "**", "= "]))
    after = draw(st.sampled_from(["", ".", "%", " %", " dollars", ", so", "**", ")", ".\n"]))
    return -value if negative else value, f"{before}{sign}{currency}{size}{after}"


@given(spellings())
def test_every_spelling_of_a_number_is_the_number(case: tuple[Fraction, str]) -> None:
    value, text = case
    assert find_number(text) == value


@given(st.fractions(-(10**12), 10**12, max_denominator=10**9))
def test_the_one_spelling_reads_back_as_the_number(value: Fraction) -> None:
    assert find_number(spelled(value)) == value


@given(st.text("0123456789.,/$-−% {}\\!", max_size=25))
def test_no_text_breaks_it(text: str) -> None:
    value = find_number(text)
    assert value is None or find_number(spelled(value)) == value


@pytest.mark.parametrize("unit", ["1", "1,111", "-$", "1 1/", "$", "{,}", "x", ".", "1."])
def test_a_mebibyte_of_hostile_text_is_read_in_one_pass(unit: str) -> None:
    value = find_number(unit * (MIB // len(unit)))
    assert value is None or value >= 0
