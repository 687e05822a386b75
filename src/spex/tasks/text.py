"""Any question in free text, reasoned about in paragraphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spex.engine.base import Completion, Message
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.base import StepForm
from spex.tasks.chat import chat
from spex.tasks.final import stated_answer
from spex.tasks.forms import QUESTIONS, check_limits, form_of
from spex.tasks.reading import Ended, read_text
from spex.tree import Step

INSTRUCTIONS = (
    "Solve the problem step by step. Leave a blank line after every step. "
    "When you are done, write the result on a line of its own in this form:\nAnswer: <result>"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A question, and a final answer as `spex.tasks.final` recognises it.

    delimiter: a blank line by default: reasoning models part their thoughts by it, small
    instruct models their paragraphs, and neither breaks a formula or a list with it; a single
    line end makes every line a step. step_tokens_max, solution_tokens_max: ≥ 1.
    instructions: the system message, none if empty. Equal answers are those equal but for case,
    white space and a last full stop. Beside `step` and `solution` it knows the actions of
    `spex.tasks.forms.QUESTIONS`. Raises `InputError`.
    """

    delimiter: str = "\n\n"
    step_tokens_max: int = 256
    solution_tokens_max: int = 2048
    instructions: str = INSTRUCTIONS
    name: str = "text"

    def __post_init__(self) -> None:
        if self.delimiter not in ("\n", "\n\n"):
            raise InputError("delimiter", self.delimiter, "it must be one line end or two")
        check_limits(self.step_tokens_max, self.solution_tokens_max)

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return chat(self.instructions, (), problem.text)

    def opening(self, problem: Problem) -> str:  # noqa: ARG002
        return ""

    def form(self, action: str) -> StepForm:
        return form_of(
            action,
            delimiter=self.delimiter,
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
        return (read_text(path, action, completion, _find, self.delimiter),)

    def normalise(self, answer: str) -> str:
        return folded(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:
        return None if problem.answer is None else folded(answer) == folded(problem.answer)


def folded(answer: str) -> str:
    """`answer` without difference of case and white space, and without a last full stop."""
    text = " ".join(answer.casefold().split())
    return text.rstrip(" .") or text


def _find(text: str, cut: bool) -> Ended | None:
    stated = stated_answer(text, cut=cut)
    return None if stated is None else Ended(stated.answer)
