"""Beam search over steps, in the form of Hugging Face's search-and-learn.

Every level: n samples are scored; terminal nodes leave as completed; of the rest the best n/m are kept,
and each gets m children (index 0 to m − 1). The search is over when nothing is left to keep, or after
`depth_max` levels, the last of which runs to EOS. Defaults: n = 16, m = 4, 40 levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spex.ids import ROOT
from spex.search.base import Demand, Outlook, Stop
from spex.search.levels import Level, answers_at_most, best_of, check_levels, next_level
from spex.search.samples import read_samples
from spex.tree import TreeView


@dataclass(frozen=True, slots=True)
class Beam:
    """Beam search over steps: every level keeps its best nodes.

    `width` samples a level (1 to 65536), `children` of a kept node (a divisor of the width),
    `depth_max` levels (1 to 1000). Raises `InputError`.
    """

    width: int = 16
    children: int = 4
    depth_max: int = 40

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Snell et al. 2024, arXiv 2408.03314; as in Hugging Face's search-and-learn"

    def __post_init__(self) -> None:
        check_levels(self.width, self.children, self.depth_max)

    @property
    def keep(self) -> int:
        """Nodes kept a level."""
        return self.width // self.children

    def start(self, seed: int) -> Level:
        return Level()

    def advance(self, state: Level, tree: TreeView) -> tuple[Level, Demand | Stop]:
        if not state.depth:
            first = next_level(state, [ROOT], range(self.width), self.depth_max)
            return first, first.samples.demand()
        frontier = read_samples(state.samples, tree)
        completed = tuple(scored.node for scored in frontier if scored.step.terminal)
        kept = best_of([scored for scored in frontier if not scored.step.terminal], self.keep)
        level = Level(state.depth, terminals=state.terminals + completed)
        if not kept or level.depth == self.depth_max:
            return level, Stop(level.terminals)
        after = next_level(level, [scored.node for scored in kept], range(self.children), self.depth_max)
        return after, after.samples.demand()

    def outlook(self, state: Level, tree: TreeView) -> Outlook:
        samples = len(state.samples.expands) if state.depth else self.width
        levels = self.depth_max - max(1, state.depth)
        return Outlook(answers_at_most(samples, levels, self.keep, self.children), keeps=True)
