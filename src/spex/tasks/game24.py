"""Game of 24: make 24 of four numbers by + - * /, each number used once (Yao et al. 2023).

A step joins two of the numbers left and says what is left then: `9 - 7 = 2 (left: 2 3 5)`. Three
steps leave one number, and the path's answer is the whole expression. All arithmetic is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from spex.engine.base import Completion, Message
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.base import StepForm
from spex.tasks.chat import chat
from spex.tasks.expression import number, parsed
from spex.tasks.forms import check_limits, form_of
from spex.tasks.game24_moves import Board, board_of, moved
from spex.tasks.reading import ends, step_of
from spex.tasks.text import folded
from spex.tree import Step

TARGET = 24
_NUMBER_MAX = 9_999

INSTRUCTIONS = (
    "Make 24 from four numbers with + - * /. Use each number exactly once. "
    "On each line, join two of the numbers that are left and list what is left then. Stop when one number is left."
)

EXAMPLES = (
    (
        "2 4 6 9",
        """\
9 - 6 = 3 (left: 2 3 4)
2 * 3 = 6 (left: 4 6)
4 * 6 = 24 (left: 24)""",
    ),
    (
        "1 4 5 6",
        """\
5 / 6 = 5/6 (left: 5/6 1 4)
1 - 5/6 = 1/6 (left: 1/6 4)
4 / 1/6 = 24 (left: 24)""",
    ),
)


PROPOSE = "Possible next moves, one a line:\n"


@dataclass(frozen=True, slots=True)
class Game24:
    """Four whole numbers from 0 to 9999, such as `4 9 10 13`; other problems are an `InputError`.

    A node's state is what is left, ascending exact fractions; equal states are equal tuples. A
    step that is no legal move ends its path with no answer and no state: numbers that are not
    there, wrong arithmetic, a wrong list, a division by zero, or anything else. One blank line
    leaves things as they are. `solution` is all moves at once; `propose` lists possible moves, each
    legal one of which is a child (not without instructions: nobody has told the model of lists).
    step_tokens_max, solution_tokens_max (of a list as well): ≥ 1; examples: puzzle and moves of each
    example turn.
    """

    examples: tuple[tuple[str, str], ...] = EXAMPLES
    step_tokens_max: int = 48
    solution_tokens_max: int = 160
    instructions: str = INSTRUCTIONS
    name: str = "game24"

    def __post_init__(self) -> None:
        check_limits(self.step_tokens_max, self.solution_tokens_max)

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        puzzle = " ".join(str(value) for value in puzzle_numbers(problem))
        return chat(self.instructions, self.examples, puzzle)

    def opening(self, problem: Problem) -> str:  # noqa: ARG002
        return ""

    def form(self, action: str) -> StepForm:
        if action == "propose" and self.instructions:
            return StepForm(("\n\n",), self.solution_tokens_max, cue=PROPOSE)
        return form_of(
            action,
            delimiter="\n",
            step_tokens_max=self.step_tokens_max,
            solution_tokens_max=self.solution_tokens_max,
        )

    def start(self, problem: Problem) -> tuple[Fraction, ...]:
        return _state(_first_board(problem))

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        before = _played(_first_board(problem), "\n".join(step.text for step in path))
        if action == "propose":
            return () if before is None else tuple(_proposals(before, completion.text))
        board = None if before is None else _played(before, completion.text)
        left = () if board is None else board
        step = step_of(
            completion,
            terminal=board is None or len(left) == 1 or ends(path, action, completion),
            answer=left[0].text if len(left) == 1 else None,
            state=None if board is None else _state(board),
        )
        return (step,)

    def normalise(self, answer: str) -> str:
        """The expression in its one spelling, which uses the same numbers and has the same value.

        So it keeps the verdict of `check`, and expressions that differ by order and grouping
        alone are one answer.
        """
        found = parsed(_left_side(answer))
        return folded(answer) if found is None else found.expression.text

    def check(self, problem: Problem, answer: str) -> bool:
        """Whether the expression (perhaps followed by `= 24`) uses each number once and is 24."""
        found = parsed(_left_side(answer))
        if found is None:
            return False
        return found.expression.value == TARGET and found.numbers == tuple(sorted(puzzle_numbers(problem)))


def bare() -> Game24:
    """The puzzle alone, for a model that has learned the game: no instructions, no examples."""
    return Game24(examples=(), instructions="", name="game24-bare")


def puzzle_numbers(problem: Problem) -> tuple[int, ...]:
    """The puzzle's four numbers as they stand. Raises `InputError`."""
    words = problem.text.split()
    if len(words) == 4 and all(len(word) <= 4 and word.isascii() and word.isdigit() for word in words):
        return tuple(int(word) for word in words)
    raise InputError("problem", problem.text, f"it must be four whole numbers from 0 to {_NUMBER_MAX}, as in 4 9 10 13")


def _first_board(problem: Problem) -> Board:
    return board_of(number(value) for value in puzzle_numbers(problem))


def _played(board: Board, text: str) -> Board | None:
    """The board after the moves of `text`, one a line; lines after the last possible move do not count."""
    after: Board | None = board
    for line in text.split("\n"):
        if after is None or len(after) == 1:
            break
        if line.strip():
            after = moved(after, line)
    return after


def _proposals(board: Board, text: str) -> Iterator[Step]:
    """A step for each line that is a legal move, once for each."""
    for line in dict.fromkeys(line.strip() for line in text.split("\n")):
        after = moved(board, line)
        if after is not None:
            answer = after[0].text if len(after) == 1 else None
            yield Step(f"{line}\n", (), None, "delimiter", len(after) == 1, answer, _state(after))


def _state(board: Board) -> tuple[Fraction, ...]:
    return tuple(expression.value for expression in board)


def _left_side(answer: str) -> str:
    """`answer` without `= 24` at its end."""
    left, equals, right = answer.rpartition("=")
    return left if equals and right.strip() == str(TARGET) else answer
