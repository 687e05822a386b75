"""A step that does not exist: what speculation puts where a text is missing."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from spex.tree import End, Unknown

ROOT_REWARD = 0.5
"""What the root counts as where nothing has scored it."""


class AbsentStep:
    """It has an end and a length (`tokens`, asked when it is read); anything else raises `Unknown`."""

    __slots__ = ("_tokens", "terminal")

    def __init__(self, terminal: bool, tokens: Callable[[], int]) -> None:  # as a step has it
        self.terminal: bool = terminal
        self._tokens = tokens

    @property
    def token_count(self) -> int:
        return self._tokens()

    @property
    def text(self) -> str:
        raise Unknown

    @property
    def token_ids(self) -> tuple[int, ...]:
        raise Unknown

    @property
    def logprobs(self) -> tuple[float, ...] | None:
        raise Unknown

    @property
    def end(self) -> End:
        raise Unknown

    @property
    def answer(self) -> str | None:
        raise Unknown

    @property
    def state(self) -> Hashable:
        raise Unknown
