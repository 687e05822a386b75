"""MCTS with several selections in flight, restated: every count is taken anew from lists of what has happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from spex.ids import ROOT, Expand, NodeId
from tests.golden.exact import MARGIN, as_decimal
from tests.golden.world import Record


@dataclass
class ParallelMcts:
    """`loss`: visits of reward 0 that a selection in flight counts for; None: WU-UCT.

    `events`: every reward that was backed up, with the node that it is of; `out`: leaves in flight, oldest first.
    """

    record: Record
    iterations: int
    children: int
    c: Decimal
    workers: int
    nodes_max: int
    loss: Fraction | None
    events: list[tuple[NodeId, Fraction]] = field(default_factory=list)
    nodes: list[NodeId] = field(default_factory=lambda: [ROOT])
    expanded: dict[NodeId, list[NodeId]] = field(default_factory=dict)
    out: list[tuple[NodeId, list[NodeId]]] = field(default_factory=list)
    begun: int = 0

    def run(self) -> None:
        while True:
            if self.out:
                self.land(*self.out.pop(0))
            leaves = self.launch()
            if leaves:
                calls = [Expand(leaf, "step", index) for leaf in leaves for index in range(self.children)]
                made = self.record.sample(calls)
                self.out += [(leaf, [kid for kid in made if kid[:-1] == leaf]) for leaf in leaves]
            elif not self.out:
                break
        self.record.end([node for node in self.nodes if self.record.terminal(node)])

    def land(self, leaf: NodeId, kids: list[NodeId]) -> None:
        self.expanded[leaf] = kids
        self.nodes += kids
        if not kids and leaf != ROOT:
            self.events.append((leaf, self.record.reward(leaf)))
        # An event counts for the node that it is of and for all above: a child's first visit is its own reward.
        self.events += [(kid, self.record.reward(kid)) for kid in kids]

    def launch(self) -> list[NodeId]:
        """The leaves to which selections go while there is room for them."""
        fresh: list[NodeId] = []
        while len(self.out) + len(fresh) < self.workers and self.begun < self.iterations:
            in_flight = [leaf for leaf, _ in self.out] + fresh
            open_nodes = [node for node in self.nodes if self.grows(node) and node not in in_flight]
            if not open_nodes or len(self.nodes) > self.nodes_max:
                break
            leaf = self.selected(in_flight)
            if leaf in in_flight:
                break
            if self.grows(leaf):
                fresh.append(leaf)
            else:
                self.events.append((leaf, self.record.reward(leaf)))
            self.begun += 1
        return fresh

    def grows(self, node: NodeId) -> bool:
        return node not in self.expanded and not self.record.terminal(node)

    def selected(self, in_flight: list[NodeId]) -> NodeId:
        node = ROOT
        while kids := self.expanded.get(node):
            best = kids[0]
            for kid in kids[1:]:
                lead = self.bound(kid, node, in_flight) - self.bound(best, node, in_flight)
                if abs(lead) < MARGIN and not self.alike(kid, best, in_flight):
                    raise ArithmeticError("two bounds are too near to each other for floats")
                if lead >= MARGIN:
                    best = kid
            node = best
        return node

    def alike(self, one: NodeId, other: NodeId, in_flight: list[NodeId]) -> bool:
        """Whether two nodes have the same counts and sums, so that floats are as equal as fractions."""
        return self.counts(one, in_flight) == self.counts(other, in_flight)

    def counts(self, node: NodeId, in_flight: list[NodeId]) -> tuple[int, int, Fraction]:
        rewards = [reward for found, reward in self.events if found[: len(node)] == node]
        out = sum(leaf[: len(node)] == node for leaf in in_flight)
        return len(rewards), out, sum(rewards, Fraction(0))

    def bound(self, kid: NodeId, parent: NodeId, in_flight: list[NodeId]) -> Decimal:
        visits, out, total = self.counts(kid, in_flight)
        parent_visits, parent_out, _ = self.counts(parent, in_flight)
        weight = Fraction(1) if self.loss is None else self.loss
        seen, parent_seen = visits + weight * out, parent_visits + weight * parent_out
        mean = as_decimal(total / (visits if self.loss is None else seen))
        return mean + self.c * (as_decimal(parent_seen).ln() / as_decimal(seen)).sqrt()
