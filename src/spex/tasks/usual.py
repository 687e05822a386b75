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

_TRAINED: Mapping[str, Usual] = MappingProxyType(
    {"game24": Usual("game24-bare", "llamacpp:game24-policy", "prm:game24@llamacpp:game24-prm")}
)
"""Tasks that have models of their own in this package."""


def usual(task: str) -> Usual:
    """What runs `task`: models that were trained for it, or those for any text."""
    return _TRAINED.get(task, Usual(task, ANY_POLICY, ANY_REWARD))
