"""The forms of actions: the two that every task here knows, and those of somebody who asks questions on the way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from spex.errors import InputError
from spex.tasks.base import StepForm

QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "subquestion": "A smaller question that helps, and right after it its answer:\n",
        "reanswer": "The answer to the last question once more, worked out anew:\n",
        "rephrase": "The problem in other words, with every condition and what is asked:\n",
    }
)
"""Cues by action: a next sub-question with its answer, another answer to it, the whole question put differently."""


def form_of(
    action: str,
    *,
    delimiter: str,
    step_tokens_max: int,
    solution_tokens_max: int,
    cues: Mapping[str, str] = MappingProxyType({}),
) -> StepForm:
    """`step` and what has a cue end at the delimiter, `solution` by itself. Raises `InputError` for another action.

    `rephrase` may be as long as a solution: what is cut from a question is missing ever after.
    """
    if action == "solution":
        return StepForm((), solution_tokens_max)
    if action != "step" and action not in cues:
        raise InputError("action", action, f"this task knows {', '.join(['step', *cues])} and solution")
    limit = solution_tokens_max if action == "rephrase" else step_tokens_max
    return StepForm((delimiter,), limit, cues.get(action, ""))


def check_limits(step_tokens_max: int, solution_tokens_max: int) -> None:
    """Raises `InputError` for a limit below 1."""
    for name, limit in (("step_tokens_max", step_tokens_max), ("solution_tokens_max", solution_tokens_max)):
        if limit < 1:
            raise InputError(name, limit, "it must be 1 or more")
