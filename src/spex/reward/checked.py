"""What every reward's answer must be: one finite number in [0, 1] for each path."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite, isnan
from numbers import Real

from spex.engine.base import Path, Scoring
from spex.errors import Misbehaving


def validated(values: object, request: Scoring, reward_name: str) -> tuple[float, ...]:
    """`values` as floats. Raises `Misbehaving`, which names reward, problem and step.

    True and False count as 1 and 0; whatever else is no real number in [0, 1] is refused, and
    so is a count that is not the number of paths.
    """
    got = tuple(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else None
    paths = request.paths
    if got is None or len(got) != len(paths):
        where = (
            f"for problem {request.problem.id!r}, {_places(paths)} (a reward gives one for each path, in their order)"
        )
        raise Misbehaving(reward_name, f"{len(paths)} score{'s' * (len(paths) != 1)} {where}", values)
    return tuple(score_of(value, request, path, reward_name) for value, path in zip(got, paths, strict=True))


def score_of(value: object, request: Scoring, path: Path, reward_name: str) -> float:
    """One path's score as a float. Raises `Misbehaving`, which names reward, problem and step."""
    if isinstance(value, Real):
        number = float(value)
        if isfinite(number) and 0.0 <= number <= 1.0:
            return number
    raise Misbehaving(reward_name, f"{expectation(request, path)} ({_remedy(value)})", value)


def expectation(request: Scoring, path: Path) -> str:
    """What a reward should have said of `path`, for a message."""
    return f"a number from 0 to 1 for {place(request, path)}"


def place(request: Scoring, path: Path) -> str:
    """Where a reward was asked, for a message."""
    return f"problem {request.problem.id!r}, {_place(path)}"


def _remedy(value: object) -> str:
    """What may be wrong with a reward that gave `value`."""
    if not isinstance(value, Real):
        return "does it return its score? that is one number for each path"
    if isnan(float(value)):
        return "does it divide by 0, or overflow? let it say what such a path is worth"
    return "is it a logit or a percentage? let the reward map it to that range"


def _place(path: Path) -> str:
    return f"step {len(path.steps)}" if path.steps else "the root"


def _places(paths: tuple[Path, ...]) -> str:
    return " and ".join(_place(path) for path in paths[:4]) + (" and more" if len(paths) > 4 else "")
