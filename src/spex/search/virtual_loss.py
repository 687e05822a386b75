"""Parallel MCTS by virtual loss (Chaslot, Winands and van den Herik 2008): another search than the sequential one.

UCT as in `Mcts`, with several selections in flight (`spex.search.in_flight`). As long as a selection is out, every node
on its way counts `loss` more visits of reward 0, which turns the next one elsewhere: N' = N + loss·O, and the child of
highest Q/N' + c·√(ln N'_parent / N') is taken. With one worker it is sequential MCTS. Defaults: 4 workers, loss 1, and
`Mcts`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import ClassVar

from spex.search.base import Demand, Outlook, Stop
from spex.search.in_flight import InFlight, State, Waiting
from spex.search.parameters import check_real, check_tree_search, check_whole
from spex.search.uct import Place, Places
from spex.tree import TreeView


@dataclass(frozen=True, slots=True)
class VirtualLoss:
    """Parallel MCTS by virtual loss: faster than the sequential one, and not the same tree.

    `iterations` selections (1 to 65536), `children` of an expansion (1 to 1024), exploration `c` (0 to 1000),
    `workers` selections in flight (1 to 1024), `loss` of each in visits (0 to 1000), `nodes_max` (1 to 10⁶), which
    what is in flight may pass, `depth_max` (1 to 1000). Raises `InputError`.
    """

    iterations: int = 32
    children: int = 4
    c: float = 1.0
    workers: int = 4
    loss: float = 1.0
    nodes_max: int = 65_536
    depth_max: int = 25

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = 'Chaslot, Winands and van den Herik 2008, "Parallel Monte-Carlo Tree Search"'
    aliases: ClassVar[Mapping[str, str]] = {"rollouts": "iterations", "num_simulations": "iterations"}

    def __post_init__(self) -> None:
        check_tree_search(self.iterations, self.children, self.c, self.nodes_max, self.depth_max)
        check_whole("workers", self.workers, 1, 1024)
        check_real("loss", self.loss, 0.0, 1000.0)

    def start(self, seed: int) -> State:
        return self._rule.start()

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        return self._rule.advance(state, tree)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        return self._rule.outlook(state)

    @property
    def _rule(self) -> InFlight:
        return InFlight(self.iterations, self.children, self.workers, self.nodes_max, self.depth_max, self._highest)

    def _highest(self, places: Places, parent: Place, waiting: Waiting, parent_waiting: int) -> int:
        log_parent = log(parent.visits + self.loss * parent_waiting)
        highest, chosen = -inf, parent.kids[0]
        for number in parent.kids:
            kid = places[number]
            visits = kid.visits + self.loss * waiting.get(number, 0)
            bound = kid.total / visits + self.c * sqrt(log_parent / visits)
            if bound > highest:
                highest, chosen = bound, number
        return chosen
