"""The forms of the two actions that every task here knows."""

from __future__ import annotations

from spex.errors import InputError
from spex.tasks.base import StepForm


def form_of(action: str, *, delimiter: str, step_tokens_max: int, solution_tokens_max: int) -> StepForm:
    """`step` ends at the delimiter, `solution` by itself. Raises `InputError` for another action."""
    forms = {"step": StepForm((delimiter,), step_tokens_max), "solution": StepForm((), solution_tokens_max)}
    if action not in forms:
        raise InputError("action", action, f"this task knows {' and '.join(forms)}")
    return forms[action]


def check_limits(step_tokens_max: int, solution_tokens_max: int) -> None:
    """Raises `InputError` for a limit below 1."""
    for name, limit in (("step_tokens_max", step_tokens_max), ("solution_tokens_max", solution_tokens_max)):
        if limit < 1:
            raise InputError(name, limit, "it must be 1 or more")
