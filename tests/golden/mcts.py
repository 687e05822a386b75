"""MCTS, restated from its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from spex.ids import ROOT, Expand, NodeId
from tests.golden.exact import MARGIN, as_decimal
from tests.golden.world import Record


@dataclass
class Statistic:
    """N and Q of a node, its children where it has been expanded, and how many samples of it were asked for."""

    visits: int = 0
    total: Fraction = Fraction(0)
    children: list[NodeId] | None = None
    samples: int = 0


@dataclass
class Mcts:
    """One MCTS run. `first`: unvisited children come first; `widening`: α, 0 for none; `c`: by iteration."""

    record: Record
    iterations: int
    children: int
    c: Callable[[int], Decimal]
    nodes_max: int
    depth_max: int
    first: bool
    puct: bool = False
    rollout: bool = False
    widening: Decimal = Decimal(0)
    statistics: dict[NodeId, Statistic] = field(default_factory=lambda: {ROOT: Statistic()})
    worth: dict[NodeId, Fraction] = field(default_factory=dict)
    played: list[NodeId] = field(default_factory=list)
    over: int = 0

    def run(self) -> None:
        while self.over < self.iterations and len(self.statistics) - 1 < self.nodes_max:
            self.iterate()
            self.over += 1
        self.record.end([node for node in self.statistics if self.record.terminal(node)] + self.played)

    def can_grow(self, node: NodeId) -> bool:
        """Whether the node may get children, now or later."""
        if self.record.terminal(node) or len(node) >= self.depth_max:
            return False
        return self.statistics[node].samples < self.children

    def grows_now(self, node: NodeId) -> bool:
        found = self.statistics[node]
        if not self.can_grow(node) or not self.widening:
            return self.can_grow(node)
        allowed = Decimal(max(1, found.visits)) ** self.widening
        if found.visits > 1 and abs(allowed - allowed.to_integral_value()) < MARGIN:
            raise ArithmeticError("a number of children is too near to a whole one for floats")
        return found.samples < allowed

    def iterate(self) -> None:
        leaf = ROOT
        while not self.grows_now(leaf) and (kids := self.statistics[leaf].children):
            leaf = self.chosen(leaf, kids)
        made: list[NodeId] = []
        expands = self.grows_now(leaf)
        if expands:
            made = self.expand(leaf)
        for kid in made:
            self.statistics[kid] = Statistic() if self.first else Statistic(1, self.worth[kid])
        backed_up = [self.worth[kid] for kid in made]
        if not made and (leaf != ROOT or self.can_grow(ROOT)):
            backed_up = [self.worth.get(leaf, Fraction(0))]
        for depth in range(len(leaf) + 1):
            self.statistics[leaf[:depth]].visits += len(backed_up)
            self.statistics[leaf[:depth]].total += sum(backed_up)

    def expand(self, leaf: NodeId) -> list[NodeId]:
        found = self.statistics[leaf]
        count = 1 if self.widening else self.children
        calls = [Expand(leaf, "step", found.samples + number) for number in range(count)]
        pairs = self.record.play(calls) if self.rollout else [(kid, kid) for kid in self.record.sample(calls)]
        for kid, end in pairs:
            self.worth[kid] = self.record.reward(end)
            if end != kid and self.record.terminal(end):
                self.played.append(end)
        made = [kid for kid, _ in pairs]
        found.children = (found.children or []) + made
        found.samples += count
        return made

    def chosen(self, parent: NodeId, kids: list[NodeId]) -> NodeId:
        best = kids[0]
        for kid in kids[1:]:
            if self.beats(parent, kid, best, len(kids)):
                best = kid
        return best

    def beats(self, parent: NodeId, kid: NodeId, best: NodeId, siblings: int) -> bool:
        """Whether a later child is chosen rather than an earlier one."""
        one, other = self.statistics[kid], self.statistics[best]
        if one.visits == 0 or other.visits == 0:
            return other.visits > 0
        means = Fraction(one.total, one.visits), Fraction(other.total, other.visits)
        c = self.c(self.over)
        if one.visits == other.visits or c == 0:
            return means[0] > means[1]
        visits = Decimal(self.statistics[parent].visits)
        if self.puct:  # every prior is alike here
            bonus = visits.sqrt() / siblings * (Decimal(1) / (1 + one.visits) - Decimal(1) / (1 + other.visits))
        else:
            bonus = (visits.ln() / one.visits).sqrt() - (visits.ln() / other.visits).sqrt()
        lead = as_decimal(means[0] - means[1]) + c * bonus
        if abs(lead) < MARGIN:
            raise ArithmeticError("two bounds are too near to each other for floats")
        return lead > 0
