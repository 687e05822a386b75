"""Best-first search over steps: a priority queue by reward; with costs it is A* (Hart, Nilsson and Raphael 1968).

The open node of highest priority is taken out. If it is terminal, the search is over and that is its answer; if not,
it gets k children, which are scored and put in. A node's priority is r(v) − depth_cost·d(v) − token_cost·t(v), d its
depth and t its tokens from the root: in the words of A*, the costs are g(v) and 1 − r(v) is h(v). Equals in NodeId
order. The search is over as well when nothing is open, when `nodes_max` nodes or `tokens_max` tokens have been made
(an expansion may pass either); then every terminal met is an answer. Defaults: k = 4, no costs, 128 nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, TOKENS_MAX, check_real, check_whole
from spex.search.priority_queue import Queue, popped, pushed
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.tree import TreeView


class Open(NamedTuple):
    """A node that waits: `cost` is its priority with the sign turned, `tokens` its length from the root."""

    cost: float
    node: NodeId
    tokens: int
    terminal: bool


class State(NamedTuple):
    """`samples` grow the node that was taken last, `grown`. `nodes` and `tokens` have been made so far."""

    queue: Queue[Open] | None
    grown: Open
    samples: Samples
    nodes: int
    tokens: int
    terminals: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class BestFirst:
    """Best-first search: always the best open node next, whatever its depth.

    `children` of an expansion (1 to 1024); `depth_cost` (0 to 1) of a step and `token_cost` (0 to 1) of a token, in
    units of reward; `nodes_max` (1 to 10⁶); `tokens_max` of all texts together (1 to 10⁷); `depth_max` (1 to 1000),
    at which a node gets no children. Raises `InputError`.
    """

    children: int = 4
    depth_cost: float = 0.0
    token_cost: float = 0.0
    nodes_max: int = 128
    tokens_max: int = TOKENS_MAX
    depth_max: int = 25

    answer_rule: ClassVar[str] = "best"
    source: ClassVar[str] = (
        'Hart, Nilsson and Raphael 1968, "A Formal Basis for the Heuristic Determination of Minimum Cost Paths"'
    )

    def __post_init__(self) -> None:
        check_whole("children", self.children, 1, 1024)
        check_real("depth_cost", self.depth_cost, 0.0, 1.0)
        check_real("token_cost", self.token_cost, 0.0, 1.0)
        check_whole("nodes_max", self.nodes_max, 1, 1_000_000)
        check_whole("tokens_max", self.tokens_max, 1, TOKENS_MAX)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)

    def start(self, seed: int) -> State:
        return State(None, Open(0.0, ROOT, 0, terminal=False), Samples(), 0, 0, ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if not state.samples.expands:
            return self._grow(state, state.grown)
        state = self._taken_in(state, read_samples(state.samples, tree))
        while state.queue is not None and state.nodes < self.nodes_max and state.tokens < self.tokens_max:
            best = state.queue.first
            if best.terminal:
                return state, Stop((best.node,))
            state = state._replace(queue=popped(state.queue))
            if len(best.node) < self.depth_max:
                return self._grow(state, best)
        return state, Stop(state.terminals)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Every expansion makes at most `children` nodes, and the last one begins below `nodes_max`."""
        return Outlook(max(0, self.nodes_max - state.nodes + self.children))

    def _grow(self, state: State, node: Open) -> tuple[State, Demand]:
        samples = samples_of(Expand(node.node, "step", index) for index in range(self.children))
        return state._replace(grown=node, samples=samples), samples.demand()

    def _taken_in(self, state: State, made: list[Scored]) -> State:
        """The new nodes are open."""
        queue, tokens = state.queue, state.tokens
        for node, reward, step, _ in made:
            length = state.grown.tokens + step.token_count
            cost = self.depth_cost * len(node) + self.token_cost * length - reward
            queue = pushed(queue, Open(cost, node, length, step.terminal))
            tokens += step.token_count
        ended = tuple(scored.node for scored in made if scored.step.terminal)
        return state._replace(
            queue=queue, nodes=state.nodes + len(made), tokens=tokens, terminals=state.terminals + ended
        )
