"""The arithmetic reward, and how equations are found in a model's text."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Path, Progress, Scoring
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.arithmetic import Arithmetic, soundness
from spex.reward.equations import verdicts
from spex.tree import Step

MIB = 1 << 20


def found(text: str) -> list[bool]:
    return list(verdicts(text).values())


@pytest.mark.parametrize(
    "text",
    [
        "3 * 60 = 180 meters",
        "He pays $5 + $2.50 = $7.50.",
        "1,000 + 2,500 = 3,500",
        "180 = 3 * 60",
        "8 x 3 = 24",
        "8x3=24",
        "16 ÷ 2 = 8",
        "48 − 30 = 18",
        r"\( 3 \times 60 = 180 \)",
        r"3 \cdot (2 + 2) = 12",
        "$3 * 4 = 12$",
        "3*60=<<3*60=180>>180",
        "**5 + 3 = 8**",
        "- 5 + 3 = 8",
        "1. 5 + 3 = 8",
        "Step 2 (5 + 3 = 8)",
        "(2 + 3) * (4 - 1) = 15",
        "-5 + 3 = -2",
        "10 - -2 = 12",
        "5 -3 = 2",
        "8 - 3 = 5 - so 5 are left",
        "20% * 50 = 10",
        "5 / 20 = 25%",
        "5 / 20 * 100 = 25%",
        "1/3 + 1/6 = 1/2",
        "0.1 + 0.2 = 0.3",
        "2 + 2 == 4",
    ],
)
def test_a_right_equation_is_found(text: str) -> None:
    assert found(text) == [True]


@pytest.mark.parametrize("text", ["3 * 60 = 190", "10 / 3 = 3.33", "2 + 3 * 4 = 20", "5 - 3 = -2", "1000 + 1 = 1,0001"])
def test_a_wrong_equation_is_found(text: str) -> None:
    assert found(text) == [False]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no numbers",
        "x = 5",
        "5 = 5",
        "2y + 3 = 9",
        "5 apples + 3 apples = 8 apples",
        "y5 + 3 = 8",
        "5 + 3 = y",
        "5 + 3 = 8 + y",
        "2^3 + 1 = 9",
        "2 ** 3 + 1 = 9",
        "2(3 + 4) = 14",
        "(2)(3) + 1 = 7",
        "5 + 3 ≈ 8",
        "5 + 3\n= 8",
        "5 + = 8",
        "5 / 0 = 0",
        "a = b = 5 + ",
        f"1 + {'9' * 61} = 3",
        " + ".join("1" * 70) + " = 70",
    ],
)
def test_what_is_no_readable_equation_is_left_out(text: str) -> None:
    assert found(text) == []


def test_a_chain_is_an_equation_for_each_sign_of_equality() -> None:
    assert found("2 + 3 = 5 = 10 / 2 = 4") == [True, True, False]


@given(
    terms=st.lists(st.integers(0, 99), min_size=2, max_size=6),
    signs=st.lists(st.sampled_from("+-*"), min_size=5, max_size=5),
    error=st.integers(-3, 3),
)
def test_verdicts_agree_with_sums_of_products(terms: list[int], signs: list[str], error: int) -> None:
    products = [terms[0]]
    for sign, term in zip(signs, terms[1:], strict=False):
        if sign == "*":
            products[-1] *= term
        else:
            products.append(term if sign == "+" else -term)
    left = str(terms[0]) + "".join(f" {sign} {term}" for sign, term in zip(signs, terms[1:], strict=False))
    assert found(f"So {left} = {sum(products) + error} in all.") == [error == 0]


@given(st.fractions(-1000, 1000, max_denominator=50), st.fractions(-1000, 1000, max_denominator=50))
def test_fractions_are_exact(one: Fraction, other: Fraction) -> None:
    assert found(f"({one}) * ({other}) = {one * other}") == [True]


def test_no_equation_scores_one_half() -> None:
    assert soundness("Let me think.") == 0.5


def test_more_right_work_scores_higher_and_wrong_work_lower() -> None:
    ladder = ["1 + 1 = 3, 2 + 2 = 5", "1 + 1 = 3", "none", "1 + 1 = 2", "1 + 1 = 2, 2 + 2 = 4"]
    assert [soundness(text) for text in ladder] == [1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4]


def test_repeating_an_equation_changes_nothing() -> None:
    assert soundness("1 + 1 = 2\n" * 50) == soundness("1 + 1 = 2")


def test_the_reward_reads_the_whole_path() -> None:
    path = Path(Prompt(), (Step("1 + 1 = 2\n"), Step("2 + 2 = 5\n")))
    request = Scoring("p", Problem("x"), (path, Path(Prompt(), ())), "reward", 0)
    assert asyncio.run(Arithmetic().score(request, Progress())) == (0.5, 0.5)


@given(st.text("0123456789 +-*/()=x%$.,\\^\n", max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    assert 0.0 < soundness(text) < 1.0


@pytest.mark.parametrize("unit", ["1+", "(", "1-(", "\\times ", "9"])
def test_a_mebibyte_of_hostile_text_is_read_in_one_pass(unit: str) -> None:
    assert found(unit * (MIB // len(unit)) + "\n1 + 1 = 2") == [True]


@pytest.mark.parametrize("unit", ["=", "1=1 ", "=(", "9" * 50 + "*1="])
def test_a_line_of_hostile_equalities_is_read_in_one_pass(unit: str) -> None:
    assert found(unit * (MIB // 8 // len(unit)) + "\n1 + 1 = 2")[-1]
