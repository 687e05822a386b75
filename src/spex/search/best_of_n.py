"""Best-of-N: independent full solutions, each scored once.

Formula: W samples of action `solution` from the root; all that end in an answer are voted on.
Default: W = 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from spex.ids import ROOT, Expand
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import WIDTH_MAX, check_whole
from spex.search.samples import Samples, read_samples, samples_of
from spex.tree import TreeView


class State(NamedTuple):
    """`samples` is None before they are demanded."""

    samples: Samples | None


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Independent full solutions, each scored once.

    `width` of them (1 to 65536). Raises `InputError`.
    """

    width: int = 16

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Cobbe et al. 2021, arXiv 2110.14168"

    def __post_init__(self) -> None:
        check_whole("width", self.width, 1, WIDTH_MAX)

    def start(self, seed: int) -> State:
        return State(None)

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if state.samples is None:
            samples = samples_of(Expand(ROOT, "solution", index) for index in range(self.width))
            return State(samples), samples.demand()
        solutions = read_samples(state.samples, tree)
        return state, Stop(tuple(solution.node for solution in solutions if solution.step.terminal))

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        return Outlook(self.width, keeps=True)
