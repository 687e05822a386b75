"""A synthetic world: every step and every reward is a pure function of a seed and of the node's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from spex.ids import Expand, NodeId, Score, child, node_key
from spex.seeds import seed_of
from spex.tree import Step

_ANSWERS = ("1", "2", "3", "5", "8", "13")
_PROPOSALS_MAX = 3
_SPAN = 1 << 64


class World(Protocol):
    """Answers calls. Equal questions get equal answers, whenever they are asked."""

    def steps(self, call: Expand) -> tuple[Step, ...]:
        """The children that `call` makes; its parent exists and is not terminal."""
        ...

    def scores(self, call: Score) -> tuple[float, ...]:
        """A number in [0, 1] for each node of `call`; all of them exist."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What a synthetic world is like. Probabilities are in [0, 1].

    barren: that a call makes no child. terminal: that a child at depth `terminal_from` or deeper ends its
    path. answerless: that a terminal has no answer. reward_levels: how many different rewards there are,
    evenly from 0 to 1 (one: all are 0.5); few of them make ties. tokens_max: of a step.
    """

    name: str
    barren: float = 0.0
    terminal_from: int = 3
    terminal: float = 1 / 7
    answerless: float = 0.1
    reward_levels: int = 1001
    tokens_max: int = 60


SHAPES = (
    Shape("ordinary"),
    Shape("ties", reward_levels=4, terminal_from=2, terminal=0.3),
    Shape("all equal", reward_levels=1, terminal=0.3),
    Shape("zeros and ones", reward_levels=2, terminal_from=2, terminal=0.3),
    Shape("gaps", barren=0.4, terminal_from=1, terminal=0.2, reward_levels=8),
    Shape("ends at once", terminal_from=1, terminal=1.0),
    Shape("no children", barren=1.0),
    Shape("no end", terminal=0.0, reward_levels=8),
    Shape("no answers", answerless=1.0, terminal=0.4),
)
"""Worlds that a search must live with, corner cases included."""


@dataclass(frozen=True, slots=True)
class SyntheticWorld:
    """A world of the given shape. `step` and `solution` make one child at most, other actions up to three."""

    seed: int = 0
    shape: Shape = SHAPES[0]

    def steps(self, call: Expand) -> tuple[Step, ...]:
        name = f"{node_key(call.parent)}>{call.action}.{call.index}"
        if self._chance("barren", name) < self.shape.barren:
            return ()
        several = 1 if call.action in ("step", "solution") else _PROPOSALS_MAX
        return tuple(self._step(child(call, part)) for part in range(1 + int(self._chance("parts", name) * several)))

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(self._score(node, call.model, call.index) for node in call.nodes)

    def _step(self, node: NodeId) -> Step:
        name = node_key(node)
        token_count = 1 + int(self._chance("tokens", name) * self.shape.tokens_max)
        logprob = -self._chance("logprob", name)
        late = len(node) >= self.shape.terminal_from or node[-1].action == "solution"
        terminal = late and self._chance("terminal", name) < self.shape.terminal
        answered = terminal and self._chance("answerless", name) >= self.shape.answerless
        answer = _ANSWERS[int(self._chance("answer", name) * len(_ANSWERS))] if answered else None
        return Step(
            text=f"{name}\n",
            token_ids=tuple(range(token_count)),
            logprobs=tuple(logprob * (1 + place % 3) for place in range(token_count)),
            end="eos" if terminal else "delimiter",
            terminal=terminal,
            answer=answer,
            state=int(self._chance("state", name) * 8),
        )

    def _score(self, node: NodeId, model: str, index: int) -> float:
        levels = self.shape.reward_levels
        if levels == 1:
            return 0.5
        return int(self._chance(f"reward {model} {index}", node_key(node)) * levels) / (levels - 1)

    def _chance(self, subject: str, name: str) -> float:
        """A number in [0, 1) for one property of one name."""
        return seed_of(self.seed, self.shape.name, subject, "world", name) / _SPAN
