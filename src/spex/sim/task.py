"""The task of simulated problems: reads the ends and answers that the world wrote."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from spex.engine.base import Completion, Message
from spex.problem import Problem
from spex.sim.world import RIGHT, STATE
from spex.tasks.base import StepForm
from spex.tree import Step

_TOKENS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class SimulatedTask:
    """Knows nothing but how the world writes."""

    name: str = "simulated"

    def messages(self, problem: Problem) -> tuple[Message, ...]:
        return (Message("user", problem.text),)

    def opening(self, problem: Problem) -> str:  # noqa: ARG002
        return ""

    def form(self, action: str) -> StepForm:
        return StepForm(() if action == "solution" else ("\n\n",), _TOKENS_MAX)

    def start(self, problem: Problem) -> Hashable:  # noqa: ARG002
        return None

    def read(
        self,
        problem: Problem,  # noqa: ARG002
        path: Sequence[Step],  # noqa: ARG002
        action: str,  # noqa: ARG002
        completion: Completion,
    ) -> tuple[Step, ...]:
        text, _, answer = completion.text.partition("\nAnswer: ")
        _, _, state = text.partition(STATE)
        step = Step(
            text,
            completion.token_ids,
            completion.logprobs,
            completion.end,
            terminal=completion.end == "eos",
            answer=answer or None,
            state=state or None,
        )
        return (step,)

    def normalise(self, answer: str) -> str:
        return answer

    def check(self, problem: Problem, answer: str) -> bool | None:  # noqa: ARG002
        return answer == RIGHT
