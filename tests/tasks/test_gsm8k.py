"""Word problems with numbers as answers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Completion
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.base import StepForm
from spex.tasks.gsm8k import EXAMPLES, Gsm8k
from spex.tree import End, Step

PROBLEM = Problem("Tom has 3 bags of 6 apples. How many apples has he?", answer="18")
TASK = Gsm8k()


def read(text: str, end: End = "delimiter", action: str = "step") -> Step:
    (step,) = TASK.read(PROBLEM, (), action, Completion(text, tuple(text.encode()), None, end))
    return step


def test_examples_are_turns_of_the_chat_before_the_question() -> None:
    roles = [message.role for message in TASK.messages(PROBLEM)]
    assert roles == ["system", *["user", "assistant"] * len(EXAMPLES), "user"]
    assert TASK.messages(PROBLEM)[-1].content == PROBLEM.text
    assert [message.role for message in Gsm8k(examples=(), instructions="").messages(PROBLEM)] == ["user"]


@pytest.mark.parametrize("example", EXAMPLES, ids=["bakery", "pages"])
def test_the_examples_are_solutions_as_the_task_reads_them(example: tuple[str, str]) -> None:
    _, solution = example
    lines = solution.split("\n")
    path: tuple[Step, ...] = ()
    for line in lines:
        text = f"{line}\n"
        path += TASK.read(PROBLEM, path, "step", Completion(text, tuple(text.encode()), None, "delimiter"))
    assert [step.terminal for step in path] == [False] * (len(lines) - 1) + [True]
    assert path[-1].answer == lines[-1].removeprefix("Answer: ")


def test_each_line_is_a_step() -> None:
    assert Gsm8k(step_tokens_max=9).form("step") == StepForm(("\n",), 9)
    assert Gsm8k(solution_tokens_max=99).form("solution") == StepForm((), 99)


@pytest.mark.parametrize("wrong", [{"step_tokens_max": 0}, {"solution_tokens_max": 0}])
def test_impossible_settings_are_named(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Gsm8k(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: 18\n", "18"),
        ("Answer: $1,080.50.\n", "2161/2"),
        ("**Answer:** 18 apples\n", "18"),
        ("The answer is 3 * 6 = 18 apples.\n", "18"),
        ("Answer: 18 (since 3 * 6 = eighteen)\n", "18"),
        ("#### -3\n", "-3"),
        ("So \\boxed{70{,}000}\n", "70000"),
    ],
)
def test_the_number_that_is_stated_is_the_answer_in_one_spelling(text: str, answer: str) -> None:
    step = read(text)
    assert (step.terminal, step.answer) == (True, answer)


def test_a_statement_without_a_number_ends_the_path_with_no_answer() -> None:
    step = read("Answer: nobody knows\n")
    assert (step.terminal, step.answer) == (True, None)


def test_numbers_on_the_way_are_no_answer() -> None:
    assert not read("Tom has 3 * 6 = 18 apples.\n").terminal
    assert read("Tom has 3 * 6 = 18 apples.", end="eos").answer is None


def test_a_solution_has_the_answer_of_its_steps() -> None:
    assert read("3 * 6 = 18\nAnswer: 18\n\nAnswer: 19", "eos", "solution").answer == "18"
    assert read("3 * 6 = 18\nAnswer: 1", "length", "solution").answer is None


@pytest.mark.parametrize("answer", ["18", "18.0", "$18", "18 apples", "36/2", "9 + 9 = 18", "+18"])
def test_equal_numbers_are_right(answer: str) -> None:
    assert TASK.check(PROBLEM, answer) is True


@pytest.mark.parametrize("answer", ["-18", "18.01", "1", "eighteen", ""])
def test_other_answers_are_wrong(answer: str) -> None:
    assert TASK.check(PROBLEM, answer) is False


def test_a_reference_may_stand_after_its_solution() -> None:
    assert TASK.check(Problem("x", answer="3 * 6 = <<3*6=18>>18\n#### 1,018"), "1018") is True


def test_without_a_reference_nobody_can_tell() -> None:
    assert TASK.check(Problem("x"), "18") is None


@given(st.fractions(-(10**9), 10**9, max_denominator=1000), st.fractions(-5, 5, max_denominator=6))
def test_answers_are_one_exactly_when_their_numbers_are(one: Fraction, other: Fraction) -> None:
    assert (TASK.normalise(str(one)) == TASK.normalise(str(other))) == (one == other)
