"""The help of a command whose options take names: it lists them from the catalogs, plug-ins included.

Looking for plug-ins takes a moment, so that it is done for help alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from typer.core import TyperCommand


class NamingCommand(TyperCommand):
    """A command whose help ends the text of each option that takes a name with the names."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        told = copy(self)
        told.params = [_with_names(parameter) for parameter in self.params]
        TyperCommand.format_help(told, ctx, formatter)


def names_for(key: str) -> tuple[str, ...]:
    """The names that the option of `key` may have; none where it takes something else."""
    return _NAMES[key]() if key in _NAMES else ()


def _with_names(parameter: Any) -> Any:
    names = names_for(parameter.name)
    if not names:
        return parameter
    longer = copy(parameter)
    longer.help = f"{parameter.help} Names: {', '.join(names)}."
    return longer


def _tasks() -> tuple[str, ...]:
    from spex.tasks.catalog import TASKS  # noqa: PLC0415

    return TASKS.names()


def _engines() -> tuple[str, ...]:
    from spex.engine.catalog import ENGINES  # noqa: PLC0415

    return ENGINES.names()


def _rewards() -> tuple[str, ...]:
    from spex.reward.catalog import REWARDS  # noqa: PLC0415

    return REWARDS.names()


def _searches() -> tuple[str, ...]:
    from spex.search.catalog import search_names  # noqa: PLC0415

    return search_names()


def _workloads() -> tuple[str, ...]:
    from spex.sim.workload import WORKLOADS  # noqa: PLC0415

    return tuple(WORKLOADS)


def _curves() -> tuple[str, ...]:
    from spex.sim.presets import PRESETS  # noqa: PLC0415

    return tuple(PRESETS)


_NAMES: Mapping[str, Callable[[], tuple[str, ...]]] = {
    "task": _tasks,
    "policy": _engines,
    "engine": _engines,
    "reward": _rewards,
    "search": _searches,
    "workload": _workloads,
    "curve": _curves,
}
