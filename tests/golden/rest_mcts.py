"""ReST-MCTS*, restated from its formula."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from spex.ids import ROOT, Expand, NodeId
from tests.golden.exact import MARGIN, as_decimal
from tests.golden.world import Record


@dataclass
class RestMcts:
    """One run: `value`, `visits` and `kids` of every node of the tree, `ends` all terminal nodes in the order met."""

    record: Record
    iterations: int
    children: int
    c: Decimal
    rollout_steps: int
    rollout_children: int
    alpha: Fraction
    answers: int
    depth_max: int
    value: dict[NodeId, Fraction] = field(default_factory=lambda: {ROOT: Fraction(0)})
    visits: dict[NodeId, int] = field(default_factory=lambda: {ROOT: 0})
    kids: dict[NodeId, list[NodeId]] = field(default_factory=dict)
    ends: list[NodeId] = field(default_factory=list)

    def run(self) -> None:
        for _ in range(self.iterations):
            if len(self.ends) >= self.answers or not any(map(self.grows, self.value)):
                break
            self.iterate()
        self.record.end(self.ends)

    def grows(self, node: NodeId) -> bool:
        return node not in self.kids and not self.record.terminal(node) and len(node) < self.depth_max

    def sampled(self, node: NodeId, count: int) -> list[NodeId]:
        made = self.record.sample([Expand(node, "step", index) for index in range(count)])
        self.ends += [kid for kid in made if self.record.terminal(kid) and kid not in self.ends]
        return made

    def best(self, nodes: list[NodeId]) -> NodeId:
        return min(nodes, key=lambda node: (-self.record.reward(node), node))

    def iterate(self) -> None:
        leaf = ROOT
        while self.kids.get(leaf):
            leaf = self.chosen(leaf)
        if self.grows(leaf):
            self.kids[leaf] = self.sampled(leaf, self.children)
            for kid in self.kids[leaf]:
                self.value[kid], self.visits[kid] = self.record.reward(kid), 0
            if self.kids[leaf]:
                self.look_into(self.best(self.kids[leaf]))
        for depth in range(len(leaf), -1, -1):
            self.back_up(leaf[:depth])

    def look_into(self, kid: NodeId) -> None:
        seen: list[Fraction] = []
        node = kid
        while len(seen) < self.rollout_steps and not self.record.terminal(node) and len(node) < self.depth_max:
            made = self.sampled(node, self.rollout_children)
            if not made:
                break
            node = self.best(made)
            seen.append(self.record.reward(node))
        if seen:
            self.value[kid] = (1 - self.alpha) * self.value[kid] + self.alpha * max(seen)
        self.visits[kid] += 1

    def back_up(self, node: NodeId) -> None:
        self.visits[node] += 1
        kids = self.kids.get(node, [])
        visits = sum(self.visits[kid] for kid in kids)
        if visits:
            self.value[node] = sum((self.visits[kid] * self.value[kid] for kid in kids), Fraction(0)) / visits

    def chosen(self, parent: NodeId) -> NodeId:
        best = self.kids[parent][0]
        for kid in self.kids[parent][1:]:
            lead = self.bound(kid, parent) - self.bound(best, parent)
            same = self.value[kid] == self.value[best] and self.visits[kid] == self.visits[best]
            if abs(lead) < MARGIN and not same:
                raise ArithmeticError("two bounds are too near to each other for floats")
            if lead >= MARGIN:
                best = kid
        return best

    def bound(self, kid: NodeId, parent: NodeId) -> Decimal:
        if not self.visits[kid]:
            return as_decimal(self.value[kid]) + 1
        return as_decimal(self.value[kid]) + self.c * (2 * Decimal(self.visits[parent]).ln() / self.visits[kid]).sqrt()
