"""Beam search over steps, in the form of Hugging Face's search-and-learn.

Every level: n samples are scored; terminal nodes leave as completed; of the rest the best n/m are kept,
and each gets m children (index 0 to m − 1). The search is over when nothing is left to keep, or after
`depth_max` levels, the last of which runs to EOS. Defaults: n = 16, m = 4, 40 levels.

With `lookahead` L, a sample of any level but the last is worth what the end of L more steps from it is, and only the
step is kept. With `dedup`, of samples of one node with the same text the first alone can be kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from spex.ids import ROOT, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.levels import Level, answers_at_most, best_of, check_levels, next_level
from spex.search.parameters import check_truth, check_whole
from spex.search.rollout import read_played, rollouts_of
from spex.search.samples import Scored
from spex.tree import TreeView


@dataclass(frozen=True, slots=True)
class Beam:
    """Beam search over steps: every level keeps its best nodes.

    `width` samples a level (1 to 65536), `children` of a kept node (a divisor of the width),
    `depth_max` levels (1 to 1000), `lookahead` steps (0 to 100), `dedup` of equal texts. Raises `InputError`.
    """

    width: int = 16
    children: int = 4
    depth_max: int = 40
    lookahead: int = 0
    dedup: bool = False

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Snell et al. 2024, arXiv 2408.03314; as in Hugging Face's search-and-learn"

    def __post_init__(self) -> None:
        check_levels(self.width, self.children, self.depth_max)
        check_whole("lookahead", self.lookahead, 0, 100)
        check_truth("dedup", self.dedup)

    @property
    def keep(self) -> int:
        """Nodes kept a level."""
        return self.width // self.children

    def start(self, seed: int) -> Level:
        return Level()

    def advance(self, state: Level, tree: TreeView) -> tuple[Level, Demand | Stop]:
        if not state.depth:
            return self._grow(state, [ROOT], self.width)
        frontier = [scored for scored, _ in read_played(state.samples, tree)]
        completed = tuple(scored.node for scored in frontier if scored.step.terminal)
        kept = best_of(self._candidates(frontier), self.keep)
        level = Level(state.depth, terminals=state.terminals + completed)
        if not kept or level.depth == self.depth_max:
            return level, Stop(level.terminals)
        return self._grow(level, [scored.node for scored in kept], self.children)

    def outlook(self, state: Level, tree: TreeView) -> Outlook:
        samples = len(state.samples.expands) if state.depth else self.width
        levels = self.depth_max - max(1, state.depth)
        return Outlook(answers_at_most(samples, levels, self.keep, self.children), keeps=not self.lookahead)

    def _grow(self, level: Level, nodes: Sequence[NodeId], count: int) -> tuple[Level, Demand]:
        """The next level, `count` samples of each of `nodes`."""
        after = next_level(level, nodes, range(count), self.depth_max)
        if self.lookahead and after.depth < self.depth_max:
            after = after._replace(samples=rollouts_of(after.samples.expands, "step", self.lookahead))
        return after, after.samples.demand()

    def _candidates(self, frontier: Sequence[Scored]) -> list[Scored]:
        """The nodes that may be kept."""
        alive = [scored for scored in frontier if not scored.step.terminal]
        if not self.dedup:
            return alive
        # Parents differ in their texts, so that equal ones are siblings.
        first: dict[tuple[NodeId, Hashable], Scored] = {}
        for scored in alive:
            first.setdefault((scored.node[:-1], scored.step.content), scored)
        return list(first.values())
