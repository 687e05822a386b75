"""REBASE: reward-balanced breadth-first search (Wu et al. 2024, "Inference scaling laws").

Each level gives out the remaining width R by `spex.search.balance`: a node gets children in proportion to exp(r/T).
The search is over when R ≤ 0, no node remains, or `depth_max` is reached. Defaults: W = 16, T = 0.2, 2048 tokens,
depth 25.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spex.search.balance import UNGROWN, State, check_balance, grown, taken_in
from spex.search.base import Demand, Outlook, Stop
from spex.search.samples import read_samples
from spex.tree import TreeView


@dataclass(frozen=True, slots=True)
class Rebase:
    """Breadth-first search that shares its width in proportion to exp(reward / temperature).

    `width` samples a level (1 to 65536); `temperature` of the balance (0.002 to 1000).
    `tokens_max` (1 to 10⁷) bounds a path's tokens, `depth_max` (1 to 1000) its steps; a node beyond either
    gets no children and has no answer. Raises `InputError`.
    """

    width: int = 16
    temperature: float = 0.2
    tokens_max: int = 2048
    depth_max: int = 25

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Wu et al. 2024, arXiv 2408.00724"

    def __post_init__(self) -> None:
        check_balance(self.width, self.temperature, self.tokens_max, self.depth_max)

    def start(self, seed: int) -> State:
        return State(self.width)

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        nodes = [UNGROWN]
        if state.depth:
            level = taken_in(state, read_samples(state.samples, tree), self.tokens_max)
            if level.is_last or state.depth == self.depth_max:
                return level.state, Stop(level.state.terminals)
            state, nodes = level.state, level.nodes
        after = grown(state, nodes, self.temperature)
        return after, after.samples.demand()

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Every answer takes one off the remaining width, as long as a call makes at most one child."""
        return Outlook(max(0, state.remaining), keeps=True)
