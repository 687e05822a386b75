"""Python code: a function or a program, written in one fenced block, which tests decide about (`--reward code`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spex.engine.base import Completion, Message
from spex.problem import Problem
from spex.tasks.base import StepForm
from spex.tasks.chat import chat
from spex.tasks.fenced import last_block
from spex.tasks.forms import check_limits, form_of
from spex.tasks.reading import Ended, read_text
from spex.tree import Step

INSTRUCTIONS = (
    "Solve the problem in Python. Think first, briefly, and then write all of the code in one block "
    "that begins with ```python and ends with ```."
)

EXAMPLES = (
    (
        "Write a function double(number) that returns twice the number.",
        """\
Twice a number is the number added to itself.

```python
def double(number):
    return number + number
```""",
    ),
)


@dataclass(frozen=True, slots=True)
class Code:
    """A problem of programming. The answer is the code of the last fenced block that was closed.

    A path ends where such a block closes. Steps are parted by blank lines. Answers are equal where their code is, but
    for white space at the ends of lines; whether one is right, no task can say: the reward `code` runs it against the
    problem's tests. examples: question and solution of each example turn; step_tokens_max, solution_tokens_max: ≥ 1.
    Raises `InputError`.
    """

    examples: tuple[tuple[str, str], ...] = EXAMPLES
    step_tokens_max: int = 256
    solution_tokens_max: int = 1024
    instructions: str = INSTRUCTIONS
    name: str = "code"

    def __post_init__(self) -> None:
        check_limits(self.step_tokens_max, self.solution_tokens_max)

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return chat(self.instructions, self.examples, problem.text)

    def opening(self, problem: Problem) -> str:  # noqa: ARG002
        return ""

    def form(self, action: str) -> StepForm:
        return form_of(
            action,
            delimiter="\n\n",
            step_tokens_max=self.step_tokens_max,
            solution_tokens_max=self.solution_tokens_max,
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
        return (read_text(path, action, completion, _find, "\n\n"),)

    def normalise(self, answer: str) -> str:
        return "\n".join(line.rstrip() for line in answer.splitlines()).strip("\n")

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        """Nobody knows before it has been run."""
        return None


def _find(text: str, cut: bool) -> Ended | None:  # noqa: ARG001  # a block that is closed stays so
    block = last_block(text)
    return Ended(block.code) if block is not None and block.closed and block.code.strip() else None
