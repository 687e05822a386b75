"""A search's parameters as values that JSON has."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from math import isfinite
from typing import TypeAlias

from spex.search.merging import Merging

JsonValue: TypeAlias = bool | int | float | str | None


def parameters_of(search: object) -> dict[str, JsonValue]:
    """The parameters of `search` by name; what JSON has no value for is spelled as Python would.

    Of a merging search they are those of the search inside.
    """
    if isinstance(search, Merging):
        return parameters_of(search.inner)
    if not is_dataclass(search) or isinstance(search, type):
        return {}
    return {field.name: _json_value(getattr(search, field.name)) for field in fields(search) if field.init}


def _json_value(value: object) -> JsonValue:
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and isfinite(value)):
        return value
    return repr(value)
