"""MCTS, restated from its formula."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from spex.ids import ROOT, Expand, NodeId
from tests.golden.exact import MARGIN, as_decimal
from tests.golden.world import Record


@dataclass
class Statistic:
    """N and Q of a node, and its children where it has been expanded."""

    visits: int = 0
    total: Fraction = Fraction(0)
    children: list[NodeId] | None = None


@dataclass
class Mcts:
    """One MCTS run; `first` is the option that unvisited children come first."""

    record: Record
    iterations: int
    children: int
    c: Fraction
    nodes_max: int
    depth_max: int
    first: bool
    statistics: dict[NodeId, Statistic] = field(default_factory=lambda: {ROOT: Statistic()})

    def run(self) -> None:
        for _ in range(self.iterations):
            if len(self.statistics) - 1 >= self.nodes_max:
                break
            self.iterate()
        self.record.end([node for node in self.statistics if self.record.terminal(node)])

    def can_grow(self, node: NodeId) -> bool:
        unexpanded = self.statistics[node].children is None
        return unexpanded and not self.record.terminal(node) and len(node) < self.depth_max

    def iterate(self) -> None:
        leaf = ROOT
        while kids := self.statistics[leaf].children:
            leaf = self.chosen(leaf, kids)
        made: list[NodeId] = []
        if self.can_grow(leaf):
            made = self.record.sample([Expand(leaf, "step", index) for index in range(self.children)])
            self.statistics[leaf].children = made
        for kid in made:
            self.statistics[kid] = Statistic() if self.first else Statistic(1, self.record.reward(kid))
        backed_up = [self.record.reward(kid) for kid in made]
        if not made and leaf != ROOT:
            backed_up = [self.record.reward(leaf)]
        for depth in range(len(leaf) + 1):
            self.statistics[leaf[:depth]].visits += len(backed_up)
            self.statistics[leaf[:depth]].total += sum(backed_up)

    def chosen(self, parent: NodeId, kids: list[NodeId]) -> NodeId:
        best = kids[0]
        for kid in kids[1:]:
            if self.beats(parent, kid, best):
                best = kid
        return best

    def beats(self, parent: NodeId, kid: NodeId, best: NodeId) -> bool:
        """Whether a later child is chosen rather than an earlier one."""
        one, other = self.statistics[kid], self.statistics[best]
        if one.visits == 0 or other.visits == 0:
            return other.visits > 0
        means = Fraction(one.total, one.visits), Fraction(other.total, other.visits)
        if one.visits == other.visits or self.c == 0:
            return means[0] > means[1]
        logarithm = Decimal(self.statistics[parent].visits).ln()
        lead = as_decimal(means[0] - means[1]) + as_decimal(self.c) * (
            (logarithm / one.visits).sqrt() - (logarithm / other.visits).sqrt()
        )
        if abs(lead) < MARGIN:
            raise ArithmeticError("two bounds are too near to each other for floats")
        return lead > 0
