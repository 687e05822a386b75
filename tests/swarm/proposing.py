"""The simulated task, and one action more: `propose` makes several children of one text, or none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from spex.engine.base import Completion, Message
from spex.problem import Problem
from spex.sim.task import SimulatedTask
from spex.tasks.base import StepForm
from spex.tree import Step

_NAME_SHIFT = 6  # the world names a step by the upper bits of its first token


@dataclass(frozen=True)
class ProposingTask:
    """Up to three children of a proposal, as its first token will have it; each goes its own way from there."""

    name: str = "proposing"
    inner: SimulatedTask = field(default_factory=SimulatedTask)

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return self.inner.messages(problem)

    def opening(self, problem: Problem) -> str:
        return self.inner.opening(problem)

    def form(self, action: str) -> StepForm:
        return self.inner.form(action)

    def start(self, problem: Problem) -> Hashable:
        return self.inner.start(problem)

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        steps = self.inner.read(problem, path, action, completion)
        return steps if action != "propose" else _proposals(steps[0])

    def normalise(self, answer: str) -> str:
        return self.inner.normalise(answer)

    def check(self, problem: Problem, answer: str) -> bool | None:
        return self.inner.check(problem, answer)


def _proposals(step: Step) -> tuple[Step, ...]:
    first, *others = step.token_ids
    count = (first >> _NAME_SHIFT) % 4
    return tuple(
        replace(step, text=f"{step.text}, proposal {part}", token_ids=(first + (part << _NAME_SHIFT), *others))
        for part in range(count)
    )
