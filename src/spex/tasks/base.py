"""What a task knows: its prompts, its delimiters, how its steps are read, its answers and checks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spex.engine.base import Completion, Message
from spex.problem import Problem
from spex.tree import Step


@dataclass(frozen=True, slots=True)
class StepForm:
    """How one action's text is asked for and bounded: stop strings (at most 16) and a token limit.

    `cue`: text after the parent's, before this action's, in its own request alone: what is made does not contain it.
    """

    stop: tuple[str, ...]
    tokens_max: int
    cue: str = ""


class Task(Protocol):
    """Knows a kind of problem. Pure: everything is a function of its arguments."""

    @property
    def name(self) -> str: ...

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        """The chat that asks for a solution. Raises `InputError` for a problem that is none."""
        ...

    def opening(self, problem: Problem) -> str:
        """Text that the assistant is made to begin with, often empty."""
        ...

    def form(self, action: str) -> StepForm:
        """How the text of `action` is asked for: `step`, `solution` for all that is left, or what the task adds."""
        ...

    def start(self, problem: Problem) -> Hashable:
        """The state at the root; None where the task tracks none."""
        ...

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        """The children that a completion makes: usually one, several for a propose call.

        A child with a text and no tokens, which is a part of the completion, gets the tokens of its own text.
        """
        ...

    def normalise(self, answer: str) -> str:
        """One spelling for equal answers."""
        ...

    def check(self, problem: Problem, answer: str) -> bool | None:
        """Whether the answer is right; None where nobody can tell."""
        ...
