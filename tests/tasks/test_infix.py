"""Exact infix arithmetic, and expressions in one spelling."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.tasks.expression import Expression, joined, number, parsed
from spex.tasks.infix import MARKS, Mark, calculated, evaluated

OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
}


def value(text: str) -> Fraction | None:
    """The value of an expression of one-digit numbers."""
    tokens: list[Fraction | Mark] = [MARKS[sign] if sign in MARKS else Fraction(sign) for sign in text.replace(" ", "")]
    return evaluated(tokens, calculated)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("8 - 3 - 2", 3),
        ("8 / 4 / 2", 1),
        ("8 / (4 / 2)", 4),
        ("2 * (3 + (4 - 1))", 12),
        ("((7))", 7),
        ("8 ÷ 2 × 3 − 1", 11),
        ("1 / 3", Fraction(1, 3)),
    ],
)
def test_operators_bind_as_usual(text: str, expected: Fraction) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "+", "1 +", "+ 1", "1 2", "(1", "1)", "()", "1 + () ", "(1) 2", "2 (3)", ")1(", "1 + * 2", "1 / 0", "1/(2-2)"],
)
def test_what_is_no_expression_has_no_value(text: str) -> None:
    assert value(text) is None


def test_depth_and_length_have_no_limit() -> None:
    deep = 100_000
    assert value("(" * deep + "1" + ")" * deep) == 1
    assert value("1-(" * deep + "1" + ")" * deep) == 1
    assert value("1" + "+1" * deep) == deep + 1
    assert value("(" * deep) is None


class Tree:
    """An expression as a tree: how it is written with all its parentheses, and its value by brute force."""

    def __init__(self, text: str, value: Fraction | None, numbers: tuple[int, ...]) -> None:
        self.text, self.value, self.numbers = text, value, numbers

    def __repr__(self) -> str:
        return self.text


def leaf(value: int) -> Tree:
    return Tree(str(value), Fraction(value), (value,))


def branch(one: Tree, sign: str, other: Tree) -> Tree:
    defined = one.value is not None and other.value is not None and (sign != "/" or other.value != 0)
    result = OPERATIONS[sign](one.value or Fraction(), other.value or Fraction()) if defined else None
    return Tree(f"({one.text} {sign} {other.text})", result, one.numbers + other.numbers)


TREES = st.recursive(
    st.integers(0, 13).map(leaf),
    lambda trees: st.builds(branch, trees, st.sampled_from("+-*/"), trees),
    max_leaves=6,
)


@given(TREES)
def test_parsing_agrees_with_brute_force(tree: Tree) -> None:
    found = parsed(tree.text)
    assert (found.expression.value if found else None) == tree.value
    assert found is None or found.numbers == tuple(sorted(tree.numbers))


@given(TREES)
def test_the_one_spelling_keeps_value_and_numbers_and_is_its_own_spelling(tree: Tree) -> None:
    found = parsed(tree.text)
    if found is not None:
        assert parsed(found.expression.text) == found


@given(TREES, TREES, st.sampled_from("+*"))
def test_order_does_not_change_the_spelling(one: Tree, other: Tree, sign: str) -> None:
    assert parsed(branch(one, sign, other).text) == parsed(branch(other, sign, one).text)


def without(text: str, opening: int) -> str:
    """`text` without the parenthesis at `opening` and the one that closes it."""
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[:opening] + text[opening + 1 : position] + text[position + 1 :]
    raise AssertionError(text)


@given(TREES)
def test_parentheses_stand_only_around_a_sum_within_a_product(tree: Tree) -> None:
    found = parsed(tree.text)
    text = found.expression.text if found else ""
    for opening in (position for position, sign in enumerate(text) if sign == "("):
        bare = parsed(without(text, opening))
        assert bare is None or bare.expression.text != text


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("3 - (5 - 4 * 1)", "3 + 1 * 4 - 5"),
        ("(13 - 9) * (10 - 4)", "(10 - 4) * (13 - 9)"),
        ("8 / (3 - 8 / 3)", "8 / (3 - 8 / 3)"),
        ("6 / (2 / 4)", "4 * 6 / 2"),
        ("1 - (2 + 3)", "1 - 2 - 3"),
        ("6x4", "4 * 6"),
    ],
)
def test_the_spelling_is_flat_and_sorted(text: str, spelling: str) -> None:
    found = parsed(text)
    assert found is not None
    assert found.expression.text == spelling


@pytest.mark.parametrize(
    "text", ["-4 + 2", "4.0", "2 ** 3", "__import__('os')", "4 4", "1" * 10, "1+" * 200 + "1", "٣"]
)
def test_only_short_expressions_of_whole_numbers_are_read(text: str) -> None:
    assert parsed(text) is None


def test_joining_divides_by_nothing_that_is_zero() -> None:
    nothing = joined("-", number(3), number(3))
    assert isinstance(nothing, Expression)
    assert joined("/", number(1), nothing) is None
