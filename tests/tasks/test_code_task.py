"""The task of writing code: where its paths end, and what their answers are."""

from __future__ import annotations

from pathlib import Path

import pytest

from spex.cli.problems import problems_of_file
from spex.engine.base import Completion
from spex.errors import InputError
from spex.problem import Problem
from spex.reward.code_tests import parsed
from spex.tasks.code import Code
from spex.tree import End, Step

PROBLEM = Problem("Write f.", tests=("assert f() == 1",))
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "code_problems.jsonl"


def read(text: str, *before: str, end: End = "delimiter") -> Step:
    """The step that `text` makes after the texts before it."""
    path = tuple(Step(one) for one in before)
    (step,) = Code().read(PROBLEM, path, "step", Completion(text, tuple(text.encode()), None, end))
    return step


def test_a_path_goes_on_until_a_block_closes_and_its_code_is_the_answer() -> None:
    first, second = "Think.\n\n", "```python\nx = 1\n\n"
    assert not read(first).terminal
    assert not read(second, first).terminal
    last = read("def f():\n    return x\n```", first, second)
    assert last.terminal
    assert last.answer == "x = 1\n\ndef f():\n    return x\n"


def test_a_path_that_ends_without_a_closed_block_has_no_answer() -> None:
    step = read("```python\ndef f", end="eos")
    assert (step.terminal, step.answer) == (True, None)


def test_answers_are_equal_but_for_white_space_at_the_ends_of_lines_and_nobody_knows_which_is_right() -> None:
    task = Code()
    assert task.normalise("\nx = 1  \ny\n") == task.normalise("x = 1\ny")
    assert task.normalise("  x") != task.normalise("x")
    assert task.check(PROBLEM, "x") is None


def test_an_action_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="action"):
        Code().form("subquestion")


def test_the_example_problems_have_tests_that_can_be_run() -> None:
    problems = problems_of_file(EXAMPLES)
    assert len(problems) == 4
    assert all(map(parsed, (test for problem in problems for test in problem.tests)))
    assert all(problem.text in Code().messages(problem)[-1].content for problem in problems)
