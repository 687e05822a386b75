"""Reasoning models: any task, thought about first, with the steps of the search inside of the thinking.

Steps are cut by a delimiter while the model thinks, and by the closing tag; what follows it, the answer, is one step
more, which ends the path. Only there does the task look for its answer. A path whose thinking has had all of its tokens
is made to close it: the closing tag is put there as given tokens, which count as certain ("budget forcing",
Muennighoff et al. 2025, arXiv 2501.19393); or it ends there, without an answer. It does so, too, where the model ends
its text, or the context does, in the middle of its thoughts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spex.engine.base import Completion, Message
from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.base import Further, StepForm, Task
from spex.tasks.forms import QUESTIONS
from spex.tasks.reading import ends, step_of
from spex.tasks.tags import Tags
from spex.tree import Step

_TOKENS_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Thinking:
    r"""`task`, solved by a model that thinks before it answers.

    tokens_max: of a path's thinking, its budget (1 to 1048576). spent: what comes of a path that has none left: `close`
    its thinking and let it answer, or `end` it without an answer. reward_sees: the `whole` text, the `thinking` alone,
    or the `answer` alone, what follows the closing tag; before that, nothing. It goes for the reward; a search's other
    models see all. delimiter: of steps, a blank line by default; "\n" makes every line a step, and "" makes steps of
    `step_tokens_max` tokens (1 to 1048576), whatever they say. answer_tokens_max: of the answer (default: the task's
    own limit of a solution). begin: what the assistant is made to begin with, such as "<think>\n" for a model whose
    chat template does not. open_tag, close_tag: as the model writes them. Of the task's actions it knows `step`,
    `solution` and those of `spex.tasks.forms.QUESTIONS`. Raises `InputError`.
    """

    task: Task
    tokens_max: int = 4096
    spent: Literal["close", "end"] = "close"
    reward_sees: Literal["whole", "thinking", "answer"] = "whole"
    delimiter: str = "\n\n"
    step_tokens_max: int = 512
    answer_tokens_max: int | None = None
    begin: str = ""
    open_tag: str = "<think>"
    close_tag: str = "</think>"

    def __post_init__(self) -> None:
        tags = Tags(self.open_tag, self.close_tag)
        for name, limit in (("tokens_max", self.tokens_max), ("step_tokens_max", self.step_tokens_max)):
            _check_limit(name, limit)
        if self.answer_tokens_max is not None:
            _check_limit("answer_tokens_max", self.answer_tokens_max)
        _check_choice("spent", self.spent, ("close", "end"))
        _check_choice("reward_sees", self.reward_sees, ("whole", "thinking", "answer"))
        if self.delimiter not in ("", "\n", "\n\n"):
            raise InputError("delimiter", self.delimiter, "it must be one line end or two, or empty")
        if tags.closed(self.begin):
            raise InputError("begin", self.begin, f"it must not hold {self.close_tag}: the thinking would have ended")

    @property
    def name(self) -> str:
        return f"thinking:{self.task.name}"

    @property
    def marks(self) -> tuple[str, ...]:
        return (self.close_tag,)

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return self.task.messages(problem)

    def opening(self, problem: Problem) -> str:
        return self.begin or self.task.opening(problem)

    def form(self, action: str) -> StepForm:
        return self.form_at((), action, None)

    def form_at(self, path: Sequence[Step], action: str, step_tokens_max: int | None) -> StepForm:
        own = self.task.form(action)
        if action not in ("step", "solution", *QUESTIONS):
            raise InputError("action", action, f"while a model thinks, there is none but step, solution, {_QUESTIONS}")
        if self._tags.closed(_text(path)):
            return self._answer_form
        left = max(1, self.tokens_max - _tokens(path))
        if action == "solution":
            return StepForm((self.close_tag,), left)
        stop = (self.delimiter, self.close_tag) if self.delimiter else (self.close_tag,)
        return StepForm(stop, min(left, step_tokens_max or self.step_tokens_max), own.cue)

    def further(self, path: Sequence[Step], action: str, completion: Completion) -> Further | None:
        before = _text(path)
        if self._tags.closed(before) or completion.end in ("eos", "context"):
            return None
        answer = self._answer_form if action == "solution" else None
        if self._tags.closed(before + completion.text):
            return None if answer is None else Further("", answer)
        if self.spent == "end" or not self._is_spent(path, action, completion):
            return None
        return Further(f"\n{self.close_tag}\n\n", answer)

    def shown(self, path: Sequence[Step]) -> tuple[Step, ...]:
        if self.reward_sees == "whole":
            return tuple(path)
        halves = self._tags.halves(path)
        return halves.thought if self.reward_sees == "thinking" else halves.spoken

    def start(self, problem: Problem) -> None:
        """No state is tracked: thoughts have none."""

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        before = _text(path)
        text = before + completion.text
        if not self._tags.closed(text):
            stuck = ends(path, action, completion) or self._is_spent(path, action, completion)
            return (step_of(completion, terminal=stuck, answer=None),)
        answers = self._tags.closed(before) or action == "solution" or completion.end in ("eos", "context")
        answer = self._answer(problem, text, completion) if answers else None
        return (step_of(completion, terminal=answers, answer=answer),)

    def normalise(self, answer: str) -> str:
        return self.task.normalise(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:
        return self.task.check(problem, answer)

    @property
    def _tags(self) -> Tags:
        return Tags(self.open_tag, self.close_tag)

    @property
    def _answer_form(self) -> StepForm:
        return StepForm((), self.answer_tokens_max or self.task.form("solution").tokens_max)

    def _is_spent(self, path: Sequence[Step], action: str, completion: Completion) -> bool:
        """Whether the thinking has had all of its tokens; a last one may be too small for a whole character."""
        if completion.end == "length" and (action == "solution" or not completion.token_ids):
            return True
        return _tokens(path) + len(completion.token_ids) >= self.tokens_max

    def _answer(self, problem: Problem, text: str, completion: Completion) -> str | None:
        """What the task finds as its answer behind the thinking, in a text of its own."""
        spoken = Completion(self._tags.spoken(text) or "", completion.token_ids, None, completion.end)
        steps = self.task.read(problem, (), "solution", spoken)
        return steps[-1].answer if steps else None


_QUESTIONS = ", ".join(QUESTIONS)


def _text(path: Sequence[Step]) -> str:
    return "".join(step.text for step in path)


def _tokens(path: Sequence[Step]) -> int:
    return sum(step.token_count for step in path)


def _check_limit(name: str, limit: object) -> None:
    if type(limit) is not int or not 1 <= limit <= _TOKENS_MAX:
        raise InputError(name, limit, f"it must be a whole number from 1 to {_TOKENS_MAX}")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(name, value, f"it must be one of {', '.join(allowed)}")
