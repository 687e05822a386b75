"""Self-consistency: independent full solutions and a majority vote (Wang et al. 2022).

Formula: W samples of action `solution` from the root; every answer counts one. Nothing is scored.
Default: W = 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from spex.ids import ROOT, Expand
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import WIDTH_MAX, check_whole
from spex.tree import TreeView


class State(NamedTuple):
    """`expands` is empty before they are demanded."""

    expands: tuple[Expand, ...]


@dataclass(frozen=True, slots=True)
class SelfConsistency:
    """Independent full solutions and a majority vote, without a reward.

    `width` of them (1 to 65536). Raises `InputError`.
    """

    width: int = 16

    answer_rule: ClassVar[str] = "majority"
    source: ClassVar[str] = "Wang et al. 2022, arXiv 2203.11171"

    def __post_init__(self) -> None:
        check_whole("width", self.width, 1, WIDTH_MAX)

    def start(self, seed: int) -> State:
        return State(())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if not state.expands:
            expands = tuple(Expand(ROOT, "solution", index) for index in range(self.width))
            return State(expands), Demand(expands)
        tree.need(state.expands)
        solutions = [node for expand in state.expands for node in tree.children(expand)]
        return state, Stop(tuple(node for node in solutions if tree.step(node).terminal))

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        return Outlook(self.width, keeps=True)
