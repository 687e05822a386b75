"""What every task's reading must be: steps whose tokens can be built on."""

from __future__ import annotations

from typing import Any, get_args

from spex.errors import SearchError
from spex.tree import End, Step

_ENDS = get_args(End)
_TOKEN_IDS = 1 << 63


def checked_steps(read: object, task_name: str) -> tuple[Step, ...]:
    """What a task has read, as a tuple. Raises `SearchError`, which names the task and what is wrong."""
    if not isinstance(read, tuple | list):
        raise SearchError(f"task {task_name}: read must return a tuple of steps, not {type(read).__name__}")
    for step in read:
        fault = _fault(step)
        if fault is not None:
            raise SearchError(f"task {task_name}: read made a step {fault}")
    return tuple(read)


def _fault(step: Any) -> str | None:
    """What is wrong with a step, if anything is."""
    if not isinstance(step, Step):
        return f"that is a {type(step).__name__}"
    if not _is_text(step.text) or not (step.answer is None or _is_text(step.answer)):
        return f"whose text or answer is no text: {step.text!r:.60}, {step.answer!r:.60}"
    if not _are_token_ids(step.token_ids):
        return f"whose token_ids are no tuple of whole numbers: {step.token_ids!r:.60}"
    if step.logprobs is not None and not _are_logprobs(step.logprobs, len(step.token_ids)):
        return f"whose logprobs are not one number for each token: {step.logprobs!r:.60}"
    if step.end not in _ENDS or type(step.terminal) is not bool:
        return f"whose end is {step.end!r:.60} and whose terminal is {step.terminal!r:.60}"
    return None if _is_hashable(step.state) else f"whose state has no hash: {step.state!r:.60}"


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except Exception:  # noqa: BLE001  # whatever a task's own class raises
        return False
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_token_ids(values: object) -> bool:
    if not isinstance(values, tuple) or not values:
        return values == ()
    return set(map(type, values)) == {int} and min(values) >= 0 and max(values) < _TOKEN_IDS


def _are_logprobs(values: object, count: int) -> bool:
    return isinstance(values, tuple) and len(values) == count and set(map(type, values)) <= {float, int}
