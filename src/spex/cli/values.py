"""How the values of settings are read, whichever way they came: numbers, words, tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from spex.errors import InputError

_WHOLE = re.compile(r"[+-]?[0-9]+")


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")  # noqa: TRY004  # pydantic reports ValueErrors
    return value


def _whole(value: object) -> object:
    if isinstance(value, float) or (isinstance(value, str) and not _WHOLE.fullmatch(value.strip())):
        raise ValueError("a whole number has a sign, if any, and digits")
    return value


def _no_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("a blank text says nothing")
    return value


def assignments(value: object) -> object:
    """`key=value` texts (several, or one with commas) or a table, as a table of texts. Raises `InputError`."""
    if isinstance(value, Mapping):
        return {str(key): _spelled(part) for key, part in value.items()}
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    return dict(map(_assignment, value)) if isinstance(value, Sequence) else value


def _assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError("set", text, "it must read key=value")
    return key.strip(), value.strip()


def _spelled(value: object) -> str:
    """A value of a TOML table as it would be typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)


Whole = Annotated[int, BeforeValidator(_whole), BeforeValidator(_no_bool)]
Real = Annotated[float, BeforeValidator(_no_bool)]
Words = Annotated[str, AfterValidator(_no_blank)]
Table = Annotated[dict[str, str], NoDecode, BeforeValidator(assignments)]
