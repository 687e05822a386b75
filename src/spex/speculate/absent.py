"""A step that does not exist: what speculation puts where a text is missing."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from spex.tree import End, Step, Unknown

ROOT_REWARD = 0.5
"""What the root counts as where nothing has scored it."""


def told_apart(count: int) -> tuple[float, ...]:
    """What another model than the reward is taken to say of `count` nodes: that no two of them are alike."""
    return tuple((place + 0.5) / count for place in range(count))


class AbsentStep:
    """It has an end, a length, and a state like no other; anything else raises `Unknown`.

    The length is `tokens(z)`, asked when it is read: `z` says how the step departs from what is expected.
    `told_state`: its state has been read, which its text will contradict.
    """

    __slots__ = ("_tokens", "_z", "terminal", "told_state")

    def __init__(self, terminal: bool, tokens: Callable[[float], int], z: float = 0.0) -> None:  # as a step has it
        self.terminal: bool = terminal
        self._tokens = tokens
        self._z = z
        self.told_state: bool = False

    def is_contradicted_by(self, step: Step) -> bool:
        """Whether what has been read of it is otherwise in the real step, the length apart."""
        return self.told_state or self.terminal != step.terminal

    @property
    def token_count(self) -> int:
        return self._tokens(self._z)

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
        # What merges equal states must be able to go on where a text is missing. It equals itself alone.
        self.told_state = True
        return self
