"""Tree of Thoughts, depth first (Yao et al. 2023, "Tree of Thoughts", ToT-DFS).

The current node gets k children, which are scored. Those under the threshold are pruned; the others are visited by
falling score (equals in NodeId order), each with all that is below it before the next one: when nothing is left below
a node, the search goes back. A terminal that is visited is an answer. The search is over after `answers` of them, after
`visits` visits, or when nothing is left to visit. Defaults: k = 4, threshold 0.3, 100 visits, one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_real, check_whole
from spex.search.samples import Samples, read_samples, samples_of
from spex.tree import TreeView


class Next(NamedTuple):
    """A node to visit, and whether it is terminal; `then` is what comes after all that is below it."""

    node: NodeId
    terminal: bool
    then: Stack


Stack: TypeAlias = Next | None


class State(NamedTuple):
    """`samples` grow the node visited last; `stack` is what is left to visit, without their children."""

    stack: Stack
    samples: Samples
    visits: int
    terminals: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class TotDfs:
    """Tree of Thoughts, depth first: the best child first, back when nothing good is left.

    `children` of a node (1 to 1024), `threshold` under which one is pruned (0 to 1), `visits` of nodes (1 to 65536),
    `answers` after which it ends (1 to 65536), `depth_max` (1 to 1000), at which a node gets no children. Raises
    `InputError`.
    """

    children: int = 4
    threshold: float = 0.3
    visits: int = 100
    answers: int = 1
    depth_max: int = 25

    answer_rule: ClassVar[str] = "best"
    source: ClassVar[str] = "Yao et al. 2023, arXiv 2305.10601"

    def __post_init__(self) -> None:
        check_whole("children", self.children, 1, 1024)
        check_real("threshold", self.threshold, 0.0, 1.0)
        check_whole("visits", self.visits, 1, WIDTH_MAX)
        check_whole("answers", self.answers, 1, WIDTH_MAX)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)

    def start(self, seed: int) -> State:
        return State(None, Samples(), 0, ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if not state.samples.expands:
            return self._grow(state, ROOT)
        stack, visits, terminals = self._with_children(state, tree), state.visits, state.terminals
        while stack is not None and visits < self.visits and len(terminals) < self.answers:
            (node, terminal, stack), visits = stack, visits + 1
            if terminal:
                terminals = (*terminals, node)
            elif len(node) < self.depth_max:
                return self._grow(State(stack, Samples(), visits, terminals), node)
        return State(stack, Samples(), visits, terminals), Stop(terminals)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        return Outlook(max(0, min(self.answers - len(state.terminals), self.visits - state.visits)))

    def _grow(self, state: State, node: NodeId) -> tuple[State, Demand]:
        samples = samples_of(Expand(node, "step", index) for index in range(self.children))
        return state._replace(samples=samples), samples.demand()

    def _with_children(self, state: State, tree: TreeView) -> Stack:
        """What is left to visit, the children that are not pruned first."""
        good = [scored for scored in read_samples(state.samples, tree) if scored.reward >= self.threshold]
        good.sort(key=lambda scored: scored.reward, reverse=True)
        stack = state.stack
        for scored in reversed(good):
            stack = Next(scored.node, scored.step.terminal, stack)
        return stack
