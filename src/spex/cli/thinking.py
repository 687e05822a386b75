"""The task that the settings stand for, thought about first where that was asked for."""

from __future__ import annotations

from typing import Any

from spex.cli.settings import SolveSettings
from spex.errors import InputError
from spex.tasks.base import Task
from spex.tasks.catalog import TASKS
from spex.tasks.thinking import Thinking

_PARTS = {"thinking_tokens": "tokens_max", "thinking_spent": "spent", "thinking_seen": "reward_sees"}


def task_of(settings: SolveSettings) -> Task | str:
    """The task's name, or a task around it. Raises `InputError` for what only thinking has a use for."""
    given: dict[str, Any] = {key: getattr(settings, key) for key in _PARTS if getattr(settings, key) is not None}
    if not settings.thinking:
        for key, value in given.items():
            raise InputError(key, value, f"it is for a model that thinks: add {settings.typed('thinking')}")
        return settings.task
    if settings.enable_thinking is False:
        told = f"without thinking there is nothing to search for {settings.typed('thinking')}"
        raise InputError("enable_thinking", False, told)
    return Thinking(TASKS.load(settings.task)(), **{_PARTS[key]: value for key, value in given.items()})


def thinking_of(task: Task) -> dict[str, object] | None:
    """How a task thinks, by the names of the settings, as values that JSON has; None where it does not."""
    return {key: getattr(task, part) for key, part in _PARTS.items()} if isinstance(task, Thinking) else None
