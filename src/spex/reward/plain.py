"""Values as they come out of a sandbox (`spex.reward.inside.plain`), which may be anything at all."""

from __future__ import annotations

import json

from spex.reward.sandbox import Told


def told_value(data: bytes) -> Told | None:
    """What the JSON means; None where it is none, or no value's."""
    try:
        return Told(_value(json.loads(data)))
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        return None


def _value(said: object) -> object:
    if isinstance(said, list):
        return [_value(part) for part in said]
    if not isinstance(said, dict):
        return said
    ((kind, parts),) = said.items()
    match kind:
        case "dict":
            return {_hashable(_value(key)): _value(part) for key, part in parts}
        case "set":
            return {_hashable(_value(part)) for part in parts}
        case "bytes":
            return bytes.fromhex(parts)
        case "complex":
            return complex(*parts)
    raise ValueError(kind)


def _hashable(value: object) -> object:
    """What was a tuple in a set or a key is one again."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
