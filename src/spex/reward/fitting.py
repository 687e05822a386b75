"""Which problems a reward can score, asked before anything starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from spex.problem import Problem


@runtime_checkable
class Particular(Protocol):
    """A reward that cannot score every problem."""

    def check_problem(self, problem: Problem) -> None:
        """Raise `InputError` for a problem that it cannot score."""
        ...


def refuse_unfit(problems: Iterable[Problem], rewards: Iterable[object]) -> None:
    """Raise `InputError` for the first problem that one of the rewards cannot score."""
    particular = [reward for reward in rewards if isinstance(reward, Particular)]
    for problem in problems:
        for reward in particular:
            reward.check_problem(problem)
