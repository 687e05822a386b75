"""Where a text states its final answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.tasks.final import stated_answer

MIB = 1 << 20


def answer(text: str, *, cut: bool = False, hashes: bool = False) -> str | None:
    stated = stated_answer(text, cut=cut, hashes=hashes)
    return None if stated is None else stated.answer


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 42",
        "answer: 42\nand more",
        "So it is.\nANSWER : 42  ",
        "**Answer:** 42",
        "**Final Answer**: **42**",
        "### Answer: `42`",
        "> The final answer is 42",
        "The answer is: 42",
        "So the answer is 42",
        "Therefore, the answer is $42$",
        "Answer:\n\n42\n",
        r"Hence \boxed{42} is it.",
        r"The answer is $\boxed{42}$. I hope it is correct.",
        r"Answer: \(42\)",
        r"Answer: \boxed{42}",
        "Answer:\nAnswer: 42",
        f"Answer: {'x' * 1001}\nAnswer: 42",
        r"\boxed{} and \boxed{42}",
        "Answer: 42\r\n",
    ],
)
def test_a_stated_answer_is_found_without_the_marks_around_it(text: str) -> None:
    assert answer(text) == "42"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "The answer to this is hard: 42",
        "My answer: 42",
        "Answers: 42",
        "Answer the question: 42",
        "Answer:",
        "Answer:   \n \n",
        "Answer: **",
        r"\boxed{42",
        "#### 42",
        f"Answer: {'x' * 1001}",
    ],
)
def test_what_states_no_answer_has_none(text: str) -> None:
    assert answer(text) is None


def test_the_first_complete_answer_counts() -> None:
    assert answer("Answer: 1\nAnswer: 2") == "1"
    assert answer("\\boxed{1} so\nAnswer: 2") == "1"
    assert answer("Answer: 1\nso \\boxed{2}") == "1"


def test_a_box_may_hold_braces() -> None:
    assert answer(r"\boxed{\frac{1}{2}}") == r"\frac{1}{2}"


def test_an_answer_that_the_end_of_a_cut_text_touches_is_none_yet() -> None:
    assert answer("Answer: 4", cut=True) is None
    assert answer("Answer: 4\n", cut=True) == "4"
    assert answer(r"Answer: \boxed{4", cut=True) is None
    assert answer(r"Answer: \boxed{4}", cut=True) == "4"


def test_hashes_state_an_answer_where_they_are_a_label() -> None:
    assert answer("3 * 6 = 18\n#### 18", hashes=True) == "18"
    assert answer("#### ", hashes=True) is None
    assert answer("##### 18", hashes=True) is None


TEXTS = st.lists(
    st.sampled_from(["Answer:", "the answer is ", "\\boxed{", "}", "{", " ", "\n", "7", "so", "**", "#### ", "$"]),
    max_size=14,
).map("".join)


@given(TEXTS, TEXTS)
def test_what_is_complete_in_a_text_stays_the_answer_whatever_follows(text: str, more: str) -> None:
    stated = stated_answer(text, cut=True, hashes=True)
    if stated is not None:
        assert stated_answer(text + more, cut=True, hashes=True) == stated
        assert stated_answer(text + more, cut=False, hashes=True) == stated


@pytest.mark.parametrize(
    "unit", ["answer:\n", "Answer: ", "\\boxed{", "{", "}", "\n", "the ", "answer: \n\n", "**answer**:", "#### \n", "#"]
)
def test_a_mebibyte_of_hostile_text_is_read_in_one_pass(unit: str) -> None:
    assert answer(unit * (MIB // len(unit)) + "}\nAnswer: 42\n")
