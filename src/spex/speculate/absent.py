"""A step that does not exist: what speculation puts where a text is missing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from spex.speculate.answers import Answers
from spex.tree import End, Step, Unknown

ROOT_REWARD = 0.5
"""What the root counts as where nothing has scored it."""


def told_apart(count: int) -> tuple[float, ...]:
    """What another model than the reward is taken to say of `count` nodes: that no two of them are alike."""
    return tuple((place + 0.5) / count for place in range(count))


class Usual(Protocol):
    """What texts are usually like."""

    def length(self, z: float) -> int:
        """Tokens, `z` standard deviations from the usual."""
        ...

    @property
    def logprob(self) -> float | None:
        """The mean log-probability of a token, where any are told."""
        ...


class AbsentStep:
    """It has an end, a length, usual log-probabilities, a state and a content like no other; all else raises `Unknown`.

    The length is what is `usual` when it is read: `z` says how the step departs from what is usual. An end's answer is
    drawn from `answers` by its `chance` when it is first read; without them it is not known.
    `told`: something has been read of it that its text will contradict; `told_logprobs`, `told_answer`: so have these.
    """

    __slots__ = ("_answer", "_answers", "_chance", "_usual", "_z", "terminal", "told", "told_answer", "told_logprobs")

    def __init__(
        self,
        terminal: bool,  # as a step has it
        usual: Usual,
        z: float = 0.0,
        answers: Answers | None = None,
        chance: float = 0.0,
    ) -> None:
        self.terminal: bool = terminal
        self._usual = usual
        self._z = z
        self._answers = answers
        self._chance = chance
        self._answer: str | None = None
        self.told: bool = False
        self.told_logprobs: bool = False
        self.told_answer: bool = False

    def is_contradicted_by(self, step: Step) -> bool:
        """Whether what has been read of it is otherwise in the real step, the length apart."""
        if self.told_logprobs and (step.logprobs or self._usual.logprob) is not None:
            return True
        if self.told_answer and self._answer != step.answer:
            return True
        return self.told or self.terminal != step.terminal

    @property
    def token_count(self) -> int:
        return self._usual.length(self._z)

    @property
    def text(self) -> str:
        raise Unknown

    @property
    def token_ids(self) -> tuple[int, ...]:
        raise Unknown

    @property
    def logprobs(self) -> tuple[float, ...] | None:
        self.told_logprobs = True
        mean = self._usual.logprob
        return None if mean is None else (mean,) * self.token_count

    @property
    def end(self) -> End:
        raise Unknown

    @property
    def answer(self) -> str | None:
        if self._answers is None:
            raise Unknown
        if not self.told_answer:
            self.told_answer = True
            self._answer = self._answers.at(self._chance) if self.terminal else None
        return self._answer

    @property
    def state(self) -> Hashable:
        # What merges equal states, or drops equal texts, must go on where a text is missing. It equals itself alone.
        self.told = True
        return self

    @property
    def content(self) -> Hashable:
        return self.state
