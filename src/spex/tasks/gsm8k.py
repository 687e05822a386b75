"""Word problems whose answers are numbers, as in GSM8K: one step a line, the last one `Answer: N`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from spex.engine.base import Completion, Message
from spex.problem import Problem
from spex.tasks.base import StepForm
from spex.tasks.chat import chat
from spex.tasks.final import stated_answer
from spex.tasks.forms import QUESTIONS, check_limits, form_of
from spex.tasks.rational import find_number, spelled
from spex.tasks.reading import Ended, read_text
from spex.tasks.text import folded
from spex.tree import Step

INSTRUCTIONS = (
    "Solve the problem. Write one short step on each line, with its calculation. "
    "End with a line that says only: Answer: <number>"
)

EXAMPLES = (
    (
        "A baker fills 4 trays with 12 rolls each and sells 30 rolls for $2 apiece. How many rolls are left?",
        """\
The baker makes 4 * 12 = 48 rolls.
After the sale 48 - 30 = 18 rolls are left.
Answer: 18""",
    ),
    (
        "Mia reads 15 pages a day from Monday to Friday, and twice as many on Saturday. How many pages is that in all?",
        """\
From Monday to Friday she reads 5 * 15 = 75 pages.
On Saturday she reads 2 * 15 = 30 pages.
In all she reads 75 + 30 = 105 pages.
Answer: 105""",
    ),
)


@dataclass(frozen=True, slots=True)
class Gsm8k:
    """A word problem, and a number as its answer.

    A path ends where its text states the final answer (`spex.tasks.final`, and `#### N`); the
    answer is the first number after the last `=` of what is stated, read exactly
    (`spex.tasks.rational`), and a statement without a number ends the path with no answer.
    Numbers are equal exactly. A reference may be a bare number or a text whose last `####`
    stands before it. examples: question and solution of each example turn; step_tokens_max,
    solution_tokens_max: ≥ 1. Beside `step` and `solution` it knows the actions of
    `spex.tasks.forms.QUESTIONS`. Raises `InputError`.
    """

    examples: tuple[tuple[str, str], ...] = EXAMPLES
    step_tokens_max: int = 128
    solution_tokens_max: int = 512
    instructions: str = INSTRUCTIONS
    name: str = "gsm8k"

    def __post_init__(self) -> None:
        check_limits(self.step_tokens_max, self.solution_tokens_max)

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return chat(self.instructions, self.examples, problem.text)

    def opening(self, problem: Problem) -> str:  # noqa: ARG002
        return ""

    def form(self, action: str) -> StepForm:
        return form_of(
            action,
            delimiter="\n",
            step_tokens_max=self.step_tokens_max,
            solution_tokens_max=self.solution_tokens_max,
            cues=QUESTIONS,
        )

    def start(self, problem: Problem) -> None:
        """No state is tracked."""

    def read(
        self,
        problem: Problem,  # noqa: ARG002
        path: Sequence[Step],
        action: str,
        completion: Completion,
    ) -> tuple[Step, ...]:
        return (read_text(path, action, completion, _find, "\n"),)

    def normalise(self, answer: str) -> str:
        number = number_of(answer)
        return folded(answer) if number is None else spelled(number)

    def check(self, problem: Problem, answer: str) -> bool | None:
        if problem.answer is None:
            return None
        reference = problem.answer.rpartition("####")[2]
        return self.normalise(answer) == self.normalise(reference)


def number_of(stated: str) -> Fraction | None:
    """The number that a stated answer means: `3 * 6 = $18 a day` is 18."""
    result = find_number(stated.rpartition("=")[2])
    return find_number(stated) if result is None else result


def _find(text: str, cut: bool) -> Ended | None:
    stated = stated_answer(text, cut=cut, hashes=True)
    if stated is None:
        return None
    number = number_of(stated.answer)
    return Ended(None if number is None else spelled(number))
