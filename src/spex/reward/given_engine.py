"""The engine that a reward is made with."""

from __future__ import annotations

from spex.engine.base import Engine
from spex.errors import InputError


def given_engine(engine: Engine) -> Engine:
    """`engine`. Raises `InputError` for what is none, such as the name of one."""
    if not hasattr(engine, "capabilities") or not hasattr(engine, "open"):
        told = "it must be an engine, such as spex.LlamaCpp(), and no name: that is judge@NAME as a whole"
        raise InputError("engine", engine, told)
    return engine
