"""What a task knows: its prompts, its delimiters, how its steps are read, its answers and checks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

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


class Further(NamedTuple):
    """What a call goes on with behind its text: first `given`, as the tokens of that text, then what `form` asks for.

    Empty and None: nothing of that.
    """

    given: str
    form: StepForm | None = None


@runtime_checkable
class Guided(Protocol):
    """What a task may have beside `Task`'s methods, where what is asked for depends on the path so far. Pure."""

    @property
    def marks(self) -> tuple[str, ...]:
        """Texts that the task must see in what is written: they must be no control tokens, which texts do not show."""
        ...

    def form_at(self, path: Sequence[Step], action: str, step_tokens_max: int | None) -> StepForm:
        """`Task.form` behind `path`; `step_tokens_max`, where there is one, in the place of its own limit of a step."""
        ...

    def further(self, path: Sequence[Step], action: str, completion: Completion) -> Further | None:
        """What is put behind the text of a call before it is read; None for nothing."""
        ...

    def shown(self, path: Sequence[Step]) -> tuple[Step, ...]:
        """What of the path the reward is to see."""
        ...
