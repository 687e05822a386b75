"""Several rewards as one, as a user spells them: HOW(REWARD, REWARD, …), with HOW one of product, min and mean.

    product(arithmetic, confidence)
    min(prm:math-shepherd-7b@sglang:http://127.0.0.1:30001, judge)
    mean(3 prm:math-shepherd-7b@sglang:http://127.0.0.1:30001, 1 arithmetic)      a mean may have weights
    mean(code:bwrap,all, judge@sglang:http://127.0.0.1:30001,http://127.0.0.1:30002)      two parts

A part may be several rewards again. What stands behind a comma is a part of its own, but in two places: behind a part
that names an engine's address, a further address (http://, https://) belongs to that part; and behind a part with a
form and no engine, whatever has neither a weight nor a reward's name at its front belongs to the form. A comma and a
parenthesis in the name of a file cannot be spelled so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from spex.errors import InputError
from spex.reward.catalog import REWARDS
from spex.reward.combined import How

_HOWS: Mapping[str, How] = MappingProxyType(
    {"product": "product", "min": "minimum", "minimum": "minimum", "mean": "mean"}
)
_SPELLED = re.compile(r"\s*([A-Za-z_-]*)\s*\((.*)\)\s*", re.DOTALL)
_WEIGHED = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s+(\S.*)", re.DOTALL)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_PARTS_MAX = 16
_DEPTH_MAX = 4


class Joined(NamedTuple):
    """The parts, as they are spelled; `weights` of a mean that has some."""

    how: How
    parts: tuple[str, ...]
    weights: tuple[float, ...] | None


def joined(spec: str) -> Joined | None:
    """The rewards that `spec` names as one; None where it names a single one. Raises `InputError`."""
    found = _SPELLED.fullmatch(spec)
    if found is None:
        return None
    how = _HOWS.get(found[1])
    if how is None:
        raise InputError("reward", spec, f"before the parenthesis there must be one of {', '.join(_HOWS)}")
    parts = _put_together(part.strip() for part in _parted(found[2], spec))
    if not all(parts) or len(parts) > _PARTS_MAX:
        raise InputError(
            "reward", spec, f"between the parentheses there must be 1 to {_PARTS_MAX} rewards, with commas"
        )
    weighed = [_WEIGHED.fullmatch(part) for part in parts]
    if not any(weighed):
        return Joined(how, tuple(parts), None)
    if how != "mean" or not all(weighed):
        raise InputError("reward", spec, "weights stand before each reward of a mean, or before none")
    weights = [(float(match[1]), match[2]) for match in weighed if match is not None]
    return Joined(how, tuple(part for _, part in weights), tuple(weight for weight, _ in weights))


def _put_together(pieces: Iterable[str]) -> list[str]:
    """The parts, whose names may have commas in them, from what stands between all commas."""
    parts: list[str] = []
    for piece in pieces:
        if parts and _goes_on(parts[-1], piece):
            parts[-1] += f",{piece}"
        else:
            parts.append(piece)
    return parts


def _goes_on(part: str, piece: str) -> bool:
    """Whether the piece belongs to the part before it."""
    if not piece or "(" in part or "(" in piece:
        return False
    name, _, place = part.partition("@")
    if place:
        return _ADDRESS.match(piece) is not None and "://" in place
    front = piece.partition("@")[0].partition(":")[0]
    return ":" in name and _WEIGHED.fullmatch(piece) is None and front not in REWARDS.names()


def _parted(text: str, spec: str) -> list[str]:
    """What stands between the commas that no further parenthesis is around."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if not 0 <= depth < _DEPTH_MAX:
            told = (
                "its parentheses do not match" if depth < 0 else f"parentheses may stand in {_DEPTH_MAX} others at most"
            )
            raise InputError("reward", spec, told)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    if depth:
        raise InputError("reward", spec, "its parentheses do not match")
    return parts
