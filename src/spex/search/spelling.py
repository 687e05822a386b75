"""Parameter values as they are typed: whole and real numbers, truth values, words, one of a list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from spex.errors import InputError

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_TRUTHS = {"true": True, "false": False}


def parsed(key: str, text: str, kind: Any) -> object:
    """`text` as a value of the type `kind`: int, float, bool, str, a `Literal`, or one of these or None.

    Raises `InputError` naming `key`.
    """
    if get_origin(kind) is Literal:
        return _choice(key, text, get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return _optional(key, text, get_args(kind))
    if kind not in _PARSERS:
        raise InputError(key, text, f"it is a {getattr(kind, '__name__', kind)}, which cannot be set by text")
    return _PARSERS[kind](key, text)


def _whole(key: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise InputError(key, text, "it must be a whole number")
    return int(text)


def _real(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(key, text, "it must be a number") from None


def _truth(key: str, text: str) -> bool:
    if text.casefold() not in _TRUTHS:
        raise InputError(key, text, "it must be true or false")
    return _TRUTHS[text.casefold()]


def _word(key: str, text: str) -> str:
    del key
    return text


def _choice(key: str, text: str, choices: tuple[object, ...]) -> object:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise InputError(key, text, f"it must be one of {', '.join(map(str, choices))}")


def _optional(key: str, text: str, kinds: tuple[Any, ...]) -> object:
    if NoneType in kinds and text.casefold() == "none":
        return None
    rest = [kind for kind in kinds if kind is not NoneType]
    if len(rest) != 1:
        raise InputError(key, text, "it may be of several types, and cannot be set by text")
    return parsed(key, text, rest[0])


_PARSERS: Mapping[Any, Callable[[str, str], object]] = {int: _whole, float: _real, bool: _truth, str: _word}
