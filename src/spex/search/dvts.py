"""DVTS: diverse verifier tree search (Beeching et al. 2024, search-and-learn).

n/m independent subtrees, each a strand: every level samples m children of the one kept node and keeps the
best of them; a subtree ends when that one is terminal, when there is none, or after `depth_max` levels, the
last of which runs to EOS. Every terminal node met is an answer. Strand i begins with the root's samples
i·m to i·m + m − 1. Defaults: n = 16, m = 4, 40 levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spex.ids import ROOT
from spex.search.base import Demand, Outlook, Stop
from spex.search.levels import Level, answers_at_most, best_of, check_levels, next_level
from spex.search.rollout import read_played
from spex.tree import TreeView


@dataclass(frozen=True, slots=True)
class Dvts:
    """Diverse verifier tree search: independent subtrees that each keep their best node.

    `width` samples a level over all subtrees (1 to 65536), `children` of a kept node (a divisor of the width),
    `depth_max` levels (1 to 1000). Raises `InputError`.
    """

    width: int = 16
    children: int = 4
    depth_max: int = 40

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = 'Beeching et al. 2024, "Scaling test-time compute with open models"'

    def __post_init__(self) -> None:
        check_levels(self.width, self.children, self.depth_max)

    def strands(self) -> tuple[Subtree, ...]:
        return tuple(Subtree(number, self.children, self.depth_max) for number in range(self.width // self.children))


@dataclass(frozen=True, slots=True)
class Subtree:
    """Strand `number` of a DVTS."""

    number: int
    children: int
    depth_max: int

    def start(self, seed: int) -> Level:
        return Level()

    def advance(self, state: Level, tree: TreeView) -> tuple[Level, Demand | Stop]:
        if not state.depth:
            first = self.number * self.children
            grown = next_level(state, [ROOT], range(first, first + self.children), self.depth_max)
            return grown, grown.samples.demand()
        frontier = [scored for scored, _ in read_played(state.samples, tree)]
        completed = tuple(scored.node for scored in frontier if scored.step.terminal)
        level = Level(state.depth, terminals=state.terminals + completed)
        kept = best_of(frontier, 1)
        if not kept or kept[0].step.terminal or level.depth == self.depth_max:
            return level, Stop(level.terminals)
        after = next_level(level, [kept[0].node], range(self.children), self.depth_max)
        return after, after.samples.demand()

    def outlook(self, state: Level, tree: TreeView) -> Outlook:
        levels = self.depth_max - max(1, state.depth)
        return Outlook(answers_at_most(self.children, levels, 1, self.children), keeps=True)
