"""The Game of 24: moves, states, composed answers and puzzles."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Completion
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.base import StepForm
from spex.tasks.expression import parsed
from spex.tasks.game24 import EXAMPLES, Game24
from spex.tasks.game24_puzzles import game24_puzzles, reachable
from spex.tasks.infix import calculated
from spex.tree import End, Step

TASK = Game24()
PUZZLE = Problem("4 9 10 13")
MIB = 1 << 20


def play(problem: Problem, *lines: str, end: End = "delimiter") -> tuple[Step, ...]:
    """The steps that `lines` make, one after the other, up to a terminal one."""
    path: tuple[Step, ...] = ()
    for line in lines:
        text = f"{line}\n"
        path += TASK.read(problem, path, "step", Completion(text, tuple(text.encode()), None, end))
        if path[-1].terminal:
            break
    return path


def numbers(*values: int | str) -> tuple[Fraction, ...]:
    return tuple(Fraction(value) for value in values)


@pytest.mark.parametrize(
    "text",
    ["4 9 10", "4 9 10 13 1", "four 9 10 13", "4, 9, 10, 13", "-4 9 10 13", "4.5 9 10 13", "4 9 10 10000", "٤ 9 10 13"],
)
def test_what_is_no_puzzle_is_bad_input(text: str) -> None:
    for ask in (TASK.messages, TASK.start):
        with pytest.raises(InputError, match=r"problem: .* it must be four whole numbers"):
            ask(Problem(text))


def test_the_state_is_what_is_left_in_order() -> None:
    assert TASK.start(Problem("13 4 10 9")) == TASK.start(PUZZLE) == numbers(4, 9, 10, 13)
    first, second = play(PUZZLE, "13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)")
    assert (first.state, second.state) == (numbers(4, 4, 10), numbers(4, 6))
    assert not first.terminal
    assert not second.terminal


def test_the_last_number_ends_the_path_and_its_expression_is_the_answer() -> None:
    last = play(PUZZLE, "13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)", "4 * 6 = 24 (left: 24)")[-1]
    assert (last.terminal, last.answer, last.state) == (True, "(10 - 4) * (13 - 9)", numbers(24))
    assert TASK.check(PUZZLE, last.answer or "")


def test_a_path_that_misses_24_has_an_answer_too_and_it_is_wrong() -> None:
    last = play(PUZZLE, "13 - 9 = 4 (left: 4 4 10)", "10 - 4 = 6 (left: 4 6)", "4 + 6 = 10 (left: 10)")[-1]
    assert (last.terminal, last.answer) == (True, "10 + 13 - 4 - 9")
    assert not TASK.check(PUZZLE, last.answer or "")


@pytest.mark.parametrize(
    "line",
    [
        "13 - 9 = 4 (left: 10 4 4)",
        "13-9=4 (left: 4 4 10)",
        " **13 − 9 = 4 (Left: 4, 4, 10)** ",
        "13 - 9 = 4.0 (left: 4 4 10)",
        "13 - 9 = 8/2 (left: 4 4 10).",
    ],
)
def test_a_move_may_be_written_in_several_ways(line: str) -> None:
    (step,) = play(PUZZLE, line)
    assert (step.state, step.terminal) == (numbers(4, 4, 10), False)


@pytest.mark.parametrize(
    "line",
    [
        "13 - 8 = 5 (left: 4 5 10)",
        "9 - 9 = 0 (left: 0 4 10 13)",
        "13 - 9 = 5 (left: 4 5 10)",
        "13 - 9 = 4 (left: 4 10)",
        "13 - 9 = 4 (left: 4 4 10 10)",
        "13 - 9 = 4 (left: 4 four 10)",
        "13 - 9 = 4",
        "9 - 13 = 4 (left: 4 4 10)",
        "10 / 4 = 2.50001 (left: 2.50001 9 13)",
        "4 ^ 9 = 262144 (left: 10 13 262144)",
        "4 + 9 + 10 = 23 (left: 13 23)",
        "13 - 9 = 4 (left: 4 4 10) or so",
        "I would subtract 9 from 13.",
        "Answer: (10 - 4) * (13 - 9)",
        "4 / 0 = 1/0 (left: 1/0 9 10 13)",
        "13 - 9 = 4 (left: 4 4 1",
    ],
)
def test_a_step_that_is_no_legal_move_is_dead(line: str) -> None:
    (step,) = play(PUZZLE, line)
    assert (step.terminal, step.answer, step.state) == (True, None, None)


def test_a_division_by_zero_is_dead() -> None:
    problem = Problem("3 3 5 5")
    assert play(problem, "3 - 3 = 0 (left: 0 5 5)", "5 / 0 = 0 (left: 0 5)")[-1].answer is None
    assert play(problem, "3 - 3 = 0 (left: 0 5 5)", "0 / 5 = 0 (left: 0 5)")[-1].state == numbers(0, 5)


def test_fractions_are_exact() -> None:
    lines = ("8 / 3 = 8/3 (left: 8/3 3 8)", "3 - 8/3 = 1/3 (left: 1/3 8)", "8 / 1/3 = 24 (left: 24)")
    assert play(Problem("3 3 8 8"), *lines)[-1].answer == "8 / (3 - 8 / 3)"


def test_a_number_is_used_once() -> None:
    (step,) = play(Problem("4 9 10 13"), "4 + 4 = 8 (left: 8 9 10 13)")
    assert step.terminal


def test_one_blank_line_changes_nothing_and_a_second_one_is_dead() -> None:
    move, blank, dead = play(PUZZLE, "13 - 9 = 4 (left: 4 4 10)", "", " ")
    assert (blank.state, blank.terminal) == (move.state, False)
    assert dead.terminal
    assert play(PUZZLE, "13 - 9 = 4 (left: 4 4 10)", "", "10 - 4 = 6 (left: 4 6)")[-1].state == numbers(4, 6)


@pytest.mark.parametrize("end", ["eos", "context"])
def test_a_path_that_is_ended_early_has_no_answer(end: End) -> None:
    (step,) = play(PUZZLE, "13 - 9 = 4 (left: 4 4 10)", end=end)
    assert (step.terminal, step.answer, step.state) == (True, None, numbers(4, 4, 10))


@pytest.mark.parametrize(("puzzle", "moves"), EXAMPLES)
def test_the_examples_are_solutions_in_steps_and_in_one_go(puzzle: str, moves: str) -> None:
    problem = Problem(puzzle)
    (solution,) = TASK.read(problem, (), "solution", Completion(moves, (1,), None, "eos"))
    assert solution.terminal
    assert solution.answer == play(problem, *moves.split("\n"))[-1].answer
    assert TASK.check(problem, solution.answer or "")


@pytest.mark.parametrize(
    "moves", ["13 - 9 = 4 (left: 4 4 10)", "", "13 - 9 = 5 (left: 4 5 10)\n4 + 5 = 9 (left: 9 10)"]
)
def test_a_solution_without_all_moves_has_no_answer(moves: str) -> None:
    (solution,) = TASK.read(PUZZLE, (), "solution", Completion(moves, (1,), None, "eos"))
    assert (solution.terminal, solution.answer) == (True, None)


def test_the_puzzle_is_asked_after_instructions_and_examples() -> None:
    messages = TASK.messages(Problem(" 4  9 10\t13 "))
    assert [message.role for message in messages] == ["system", *["user", "assistant"] * len(EXAMPLES), "user"]
    assert messages[-1].content == "4 9 10 13"
    assert TASK.form("step") == StepForm(("\n",), 48)


def moves_of(state: tuple[Fraction, ...]) -> list[tuple[str, Fraction, Fraction, Fraction, tuple[Fraction, ...]]]:
    """Every legal move by brute force: sign, both numbers, result, state after it."""
    found = []
    for one, other in permutations(range(len(state)), 2):
        rest = [value for place, value in enumerate(state) if place not in (one, other)]
        for sign in "+-*/":
            result = calculated(sign, state[one], state[other])
            if result is not None:
                found.append((sign, state[one], state[other], result, tuple(sorted([*rest, result]))))
    return found


@given(st.lists(st.integers(0, 13), min_size=4, max_size=4), st.data())
def test_any_legal_path_composes_to_an_expression_of_its_last_number(values: list[int], data: st.DataObject) -> None:
    problem = Problem(" ".join(map(str, values)))
    state = numbers(*sorted(values))
    lines, states = [], []
    for _ in range(3):
        sign, one, other, result, state = data.draw(st.sampled_from(moves_of(state)))
        lines.append(f"{one} {sign} {other} = {result} (left: {' '.join(map(str, state))})")
        states.append(state)
    path = play(problem, *lines)
    assert [step.state for step in path] == states
    answer = path[-1].answer
    assert answer is not None
    found = parsed(answer)
    assert found is not None
    assert (found.expression.value, found.numbers) == (state[0], tuple(sorted(values)))
    assert TASK.check(problem, answer) == (state == numbers(24))
    assert TASK.normalise(answer) == answer


@pytest.mark.parametrize(
    "answer",
    ["(10 - 4) * (13 - 9)", "(13-9)*(10-4) = 24", "(10 − 4) × (13 − 9)", "((10-4))*(13-(9))", "10*(13-9)-4*(13-9)"],
)
def test_an_answer_is_right_when_it_is_24_of_each_number_once(answer: str) -> None:
    assert TASK.check(PUZZLE, answer) == (answer.count("13") == 1)


@pytest.mark.parametrize(
    "answer",
    [
        "24",
        "4 + 9 + 10 + 13",
        "(10 - 4) * (13 - 9) = 25",
        "4 * 6",
        "(10 - 4) * (13 - 9) + 0",
        "",
        "4 9 10 13",
        "import os",
    ],
)
def test_any_other_answer_is_wrong(answer: str) -> None:
    assert TASK.check(PUZZLE, answer) is False


@given(st.text("0123456789+-*/() =x", max_size=30) | st.text(max_size=20))
def test_the_normal_spelling_keeps_the_verdict_and_is_normal(answer: str) -> None:
    normal = TASK.normalise(answer)
    assert TASK.normalise(normal) == normal
    assert TASK.check(PUZZLE, normal) == TASK.check(PUZZLE, answer)


def test_right_answers_that_differ_by_order_are_one_answer() -> None:
    assert TASK.normalise("(13 - 9) * (10 - 4) = 24") == TASK.normalise("(10-4)*(13-9)")


@pytest.mark.parametrize("unit", ["(", "9 - 7 = 2 (left: 2 3 5)", "9-", "\n", "1/", "*", "left:"])
def test_a_mebibyte_of_hostile_text_is_dead(unit: str) -> None:
    text = unit * (MIB // len(unit))
    (step,) = TASK.read(PUZZLE, (), "solution", Completion(text, (1,), None, "length"))
    assert (step.terminal, step.answer) == (True, None)
    assert not TASK.check(PUZZLE, text)


def test_1362_puzzles_of_1_to_13_can_be_solved() -> None:
    puzzles = game24_puzzles()
    assert len(puzzles) == len({problem.id for problem in puzzles}) == 1362
    assert (puzzles[0].text, puzzles[0].id) == ("1 1 1 8", "game24-1-1-1-8")
    assert all(len(TASK.start(problem)) == 4 for problem in puzzles)


def test_puzzles_of_another_range_can_be_had() -> None:
    assert [problem.text for problem in game24_puzzles(6, 6)] == ["6 6 6 6"]
    assert game24_puzzles(0, 0) == ()


@pytest.mark.parametrize("bounds", [(-1, 13), (5, 4), (1, 26)])
def test_other_ranges_are_bad_input(bounds: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"low|high"):
        game24_puzzles(*bounds)


@given(st.lists(st.fractions(-13, 30, max_denominator=4), min_size=1, max_size=3))
def test_24_is_reachable_when_it_is_there_or_some_move_leads_to_where_it_is_reachable(values: list[Fraction]) -> None:
    state = tuple(values)
    expected = state == numbers(24) or any(reachable(after) for *_, after in moves_of(state))
    assert reachable(state) == expected


@pytest.mark.parametrize(
    ("state", "expected"), [((3, 3, 8, 8), True), ((1, 1, 1, 1), False), ((24,), True), ((), False)]
)
def test_reachability_of_known_states(state: tuple[int, ...], expected: bool) -> None:
    assert reachable(state) is expected


def test_states_of_more_than_four_numbers_are_bad_input() -> None:
    with pytest.raises(InputError, match="at most 4 numbers"):
        reachable((1, 2, 3, 4, 5))
