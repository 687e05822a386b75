"""What a value consists of, whatever its class says about equality: to see that nothing changed, or could."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from enum import Enum
from random import Random
from types import BuiltinFunctionType, FunctionType
from typing import NamedTuple

from spex.ids import Edge

_ATOMS = (type(None), bool, int, str, bytes, complex, range, type, Enum, FunctionType, BuiltinFunctionType, Edge)
_CHANGEABLE = (list, dict, set, bytearray, Random)


class Part(NamedTuple):
    """A piece of a value, under the name by which it is reached."""

    name: str
    value: object


def snapshot(value: object) -> object:
    """A detached picture of `value`, equal to another if and only if the same things are in the same places."""
    return _pictured(value, ())


def changeable_part(value: object) -> str | None:
    """The path to the first part of `value` that could be changed in place (`.places[2]`); None where there is none."""
    return next(_changeable(value, "", ()), None)


def _pictured(value: object, above: tuple[int, ...]) -> object:
    if isinstance(value, _ATOMS):
        return value
    if isinstance(value, float):
        return value.hex()
    if id(value) in above:
        return "cycle"
    inner = (*above, id(value))
    kind = type(value).__qualname__
    if isinstance(value, tuple):
        # A node's path is the bulk of most states, and cannot change.
        return value if _is_path(value) else (kind, tuple([_pictured(part, inner) for part in value]))
    pictures = [(name, _pictured(part, inner)) for name, part in _parts(value)]
    if isinstance(value, Mapping | AbstractSet):
        return kind, frozenset(pictures)
    # What shows nothing of itself (a NumPy number, a sentinel) is known by what it prints.
    return kind, tuple(pictures) or repr(value)


def _is_path(value: tuple[object, ...]) -> bool:
    return bool(value) and type(value[-1]) is Edge and set(map(type, value)) == {Edge}


def _changeable(value: object, path: str, above: tuple[int, ...]) -> Iterator[str]:
    if isinstance(value, _ATOMS) or id(value) in above or (isinstance(value, tuple) and _is_path(value)):
        return
    if isinstance(value, _CHANGEABLE) or _is_open_dataclass(value):
        yield path or "the value itself"
    for name, part in _parts(value):
        yield from _changeable(part, path + name, (*above, id(value)))


def _is_open_dataclass(value: object) -> bool:
    parameters = getattr(value, "__dataclass_params__", None)
    return is_dataclass(value) and not getattr(parameters, "frozen", True)


def _parts(value: object) -> Iterable[Part]:
    if isinstance(value, tuple):
        return [Part(f"[{place}]", part) for place, part in enumerate(value)]
    if isinstance(value, Mapping):
        return [Part(f"[{_named(key)}]", part) for key, part in value.items()]
    if isinstance(value, AbstractSet):
        return [Part(f"{{{_named(part)}}}", part) for part in value]
    if isinstance(value, Iterable) and hasattr(value, "__len__"):
        return [Part(f"[{place}]", part) for place, part in enumerate(value)]
    if isinstance(value, Random):
        return [Part(".getstate()", value.getstate())]
    return [Part(f".{name}", getattr(value, name)) for name in _attributes(value) if hasattr(value, name)]


def _named(key: object) -> str:
    return repr(snapshot(key))


def _attributes(value: object) -> list[str]:
    slots = [slot for kind in type(value).__mro__ for slot in _slots(kind)]
    return [*slots, *getattr(value, "__dict__", {})]


def _slots(kind: type) -> tuple[str, ...]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
