"""What runs a task where nobody says what: by the names that the doors take."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Usual(NamedTuple):
    """A task as the policy wants it asked, the policy, and the reward."""

    task: str
    policy: str
    reward: str


ANY_POLICY, ANY_REWARD = "llamacpp", "confidence"
"""The small model for any text, and its own confidence."""

_GAME24 = Usual("game24-bare", "llamacpp:game24-policy", "prm:game24@llamacpp:game24-prm")
_TRAINED: Mapping[str, Usual] = MappingProxyType({"game24": _GAME24, "game24-bare": _GAME24})
"""Tasks that have models of their own in this package."""


def usual(task: str) -> Usual:
    """What runs `task`: models that were trained for it, or those for any text."""
    return _TRAINED.get(task, Usual(task, ANY_POLICY, ANY_REWARD))


def asked_of(policy: str, task: str) -> str:
    """The task as `policy` wants it asked: a model that was trained for it reads no instructions."""
    own = usual(task)
    return own.task if policy == own.policy else task
