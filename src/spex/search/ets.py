"""ETS: efficient tree search (Hooper et al. 2025, "ETS: Efficient Tree Search for Inference-Time Scaling").

REBASE, which before it shares the width of a level chooses the leaves that are worth keeping: those whose rewards
together weigh up against the nodes that they keep alive (λ_c), with a bonus for each meaning among their last steps
(λ_s); the formula is in `spex.search.ets_choice`. The others get no share. What means the same, a model of scores says:
one call for all nodes of a level, in which equal numbers are one meaning. Defaults: W = 16, T = 0.2, λ_c = 1,
λ_s = 1.5; the paper's λ_s for W = 64 is 1.4, and for W = 256 1.45.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from spex.ids import NodeId, Score
from spex.search.balance import UNGROWN, Open, State, allocation, check_balance, grown, taken_in
from spex.search.base import Demand, Outlook, Stop
from spex.search.ets_choice import Candidate, chosen
from spex.search.highs import check_solver
from spex.search.parameters import check_real
from spex.search.samples import Scored, read_samples
from spex.tree import TreeView

CLUSTERS = "clusters"
"""The model whose equal scores are one meaning."""


@dataclass(frozen=True, slots=True)
class Ets:
    """REBASE on the leaves worth their cost alone: by reward, nodes shared, and difference in meaning.

    `width` samples a level (1 to 65536); `temperature` of the balance (0.002 to 1000); `cost` λ_c of nodes and
    `diversity` λ_s of meanings (0 to 1000), where 0 asks for no meanings. `tokens_max` (1 to 10⁷) bounds a path's
    tokens, `depth_max` (1 to 1000) its steps; a node beyond either gets no children and has no answer. Needs the
    package highspy. Raises `InputError`.
    """

    width: int = 16
    temperature: float = 0.2
    cost: float = 1.0
    diversity: float = 1.5
    tokens_max: int = 2048
    depth_max: int = 25

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Hooper et al. 2025, arXiv 2502.13575"

    def __post_init__(self) -> None:
        check_balance(self.width, self.temperature, self.tokens_max, self.depth_max)
        check_real("cost", self.cost, 0.0, 1000.0)
        check_real("diversity", self.diversity, 0.0, 1000.0)
        check_solver("ets")

    @property
    def models(self) -> tuple[str, ...]:
        """The models of scores that it asks for besides the reward."""
        return (CLUSTERS,) if self.diversity else ()

    def start(self, seed: int) -> State:
        return State(self.width)

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        nodes = [UNGROWN]
        if state.depth:
            frontier = read_samples(state.samples, tree)
            # Read even where nothing hangs on it any more: so all that is demanded is there, in every run.
            tree.need(self._meaning_calls(state))
            level = taken_in(state, frontier, self.tokens_max)
            if level.is_last or state.depth == self.depth_max:
                return level.state, Stop(level.state.terminals)
            state, nodes = level.state, level.nodes
            if len(nodes) > 1:
                nodes = self._kept(nodes, state.remaining, self._meanings(frontier, tree))
        after = grown(state, nodes, self.temperature)
        return after, Demand(after.samples.demand().calls + self._meaning_calls(after))

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Every answer takes one off the remaining width, as long as a call makes at most one child."""
        return Outlook(max(0, state.remaining), keeps=True)

    def _meaning_calls(self, state: State) -> tuple[Score, ...]:
        """The call for what the first child of each sample means; none where nothing can hang on it."""
        if not self.diversity or len(state.samples.scores) < 2 or state.depth == self.depth_max:
            return ()
        return (Score(tuple(node for score in state.samples.scores for node in score.nodes), CLUSTERS),)

    def _meanings(self, frontier: Sequence[Scored], tree: TreeView) -> dict[NodeId, float]:
        """What each node of the frontier means; empty where nothing hangs on that."""
        if not self.diversity:
            return {}
        nodes = tuple(scored.node for scored in frontier)
        # Where a sample made no child, or several, the call that came with the samples is not about these nodes.
        return dict(zip(nodes, tree.score(Score(nodes, CLUSTERS)), strict=True))

    def _kept(self, nodes: list[Open], width: int, meanings: dict[NodeId, float]) -> list[Open]:
        """The nodes that are worth keeping, in their order."""
        shares = allocation([node.reward for node in nodes], width, self.temperature)
        candidates = [
            Candidate(node.node, share, meanings.get(node.node, 0.0)) for node, share in zip(nodes, shares, strict=True)
        ]
        kept = chosen(candidates, self.cost, self.diversity)
        return [node for node in nodes if node.node in kept]
