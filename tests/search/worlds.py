"""Worlds that a test writes down node by node."""

from __future__ import annotations

from dataclasses import dataclass

from spex.ids import Expand, NodeId, Score
from spex.tree import Step
from tests.builders import node


@dataclass(frozen=True)
class Drawn:
    """A world that a test draws: for each node, its state (None: a terminal with its name as the answer) and reward."""

    states: dict[NodeId, str | None]
    rewards: dict[NodeId, float]

    def steps(self, call: Expand) -> tuple[Step, ...]:
        made = (*call.parent, *node(call.index))
        state = self.states.get(made, "elsewhere")
        name = "/".join(str(edge.index) for edge in made)
        return (Step(name, (1,), terminal=state is None, answer=None if state else name, state=state),)

    def scores(self, call: Score) -> tuple[float, ...]:
        return tuple(self.rewards.get(made, 0.5) for made in call.nodes)
