"""A copy of a changeable value that shares what cannot change: several times faster than `copy.deepcopy`."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from operator import is_
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeAlias

from spex.ids import Edge

_Memo: TypeAlias = dict[int, Any]
_SHARED = frozenset(
    {type(None), bool, int, float, str, bytes, frozenset, range, type, FunctionType, BuiltinFunctionType}
)
_OWN_WAYS = ("__new__", "__deepcopy__", "__copy__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")


def copied(value: Any) -> Any:
    """A copy of `value`, in which what a frozen dataclass holds must not change.

    Lists, dicts and plain objects are copied with what they hold, each once however often it is met; anything else as
    `copy.deepcopy` does it.
    """
    return _copy(value, {})


def _copy(value: Any, memo: _Memo) -> Any:
    kind: Any = type(value)
    if kind in _SHARED:
        return value
    found = memo.get(id(value))
    if found is not None:
        return found
    return _copier_of(kind)(value, memo)


def _copy_list(value: list[Any], memo: _Memo) -> list[Any]:
    made: list[Any] = []
    memo[id(value)] = made
    made += [part if type(part) in _SHARED else _copy(part, memo) for part in value]
    return made


def _copy_dict(value: dict[Any, Any], memo: _Memo) -> dict[Any, Any]:
    made = memo[id(value)] = value.copy()
    _copy_parts(made, memo)
    return made


def _copy_defaultdict(value: defaultdict[Any, Any], memo: _Memo) -> defaultdict[Any, Any]:
    made = memo[id(value)] = value.copy()
    _copy_parts(made, memo)
    return made


def _copy_parts(made: dict[Any, Any], memo: _Memo) -> None:
    """The values of a new dict are copied; its keys are hashed, and what can be hashed does not change."""
    for key, part in made.items():
        if type(part) not in _SHARED:
            made[key] = _copy(part, memo)


def _copy_tuple(value: tuple[Any, ...], memo: _Memo) -> tuple[Any, ...]:
    if value and type(value[-1]) is Edge:
        return value
    parts = [_copy(part, memo) for part in value]
    return value if all(map(is_, parts, value)) else tuple(parts)


def _copy_object(value: Any, memo: _Memo) -> Any:
    made = object.__new__(type(value))
    memo[id(value)] = made
    made.__dict__.update(value.__dict__)
    _copy_parts(made.__dict__, memo)
    return made


def _share(value: Any, memo: _Memo) -> Any:
    del memo
    return value


_Copier: TypeAlias = Callable[[Any, _Memo], Any]
_COPIERS: Mapping[type, _Copier] = {
    tuple: _copy_tuple,
    list: _copy_list,
    dict: _copy_dict,
    defaultdict: _copy_defaultdict,
}


@cache
def _copier_of(kind: Any) -> _Copier:
    """How values of a class that is not built in are copied."""
    own = _COPIERS.get(kind)
    if own is not None:
        return own
    if getattr(getattr(kind, "__dataclass_params__", None), "frozen", False):
        return _share
    return _copy_object if _is_plain(kind) else copy.deepcopy


def _is_plain(kind: type) -> bool:
    """Whether its `__dict__` is all that an object of that class is, and the class says nothing of copying."""
    slotted = any(vars(base).get("__slots__") for base in kind.__mro__)
    own = [name for name in _OWN_WAYS if getattr(kind, name, None) is not getattr(object, name, None)]
    return kind.__dictoffset__ != 0 and not slotted and not own
