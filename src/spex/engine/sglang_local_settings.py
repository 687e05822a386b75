"""A model with settings of SGLang's behind it, as one name: `PATH#tp_size=2,enable_deterministic_inference`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from spex.errors import InputError

_FORM = "behind # stand settings of SGLang's Engine, with commas between: tp_size=2,enable_deterministic_inference"


class Named(NamedTuple):
    """A model's folder or name, and the arguments of SGLang's `Engine` that were named with it."""

    model: str
    arguments: dict[str, object]


def named(model: str) -> Named:
    """What `model` says. A value is JSON where it can be read as that, and text otherwise; without one it is true.

    Raises `InputError` of settings that are none.
    """
    path, mark, settings = model.partition("#")
    if not mark or Path(model).exists():
        return Named(model, {})
    arguments: dict[str, object] = {}
    for setting in settings.split(","):
        key, equals, value = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not path or not key.isidentifier() or key in arguments or (equals and not value):
            raise InputError("policy", f"sglang-local:{model}", _FORM)
        arguments[key] = _value(value) if equals else True
    return Named(path, arguments)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
