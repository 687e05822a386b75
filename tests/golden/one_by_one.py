"""The searches that expand one node at a time, restated from their formulas."""

from __future__ import annotations

from fractions import Fraction

from spex.ids import ROOT, Expand, NodeId
from tests.golden.exact import MARGIN
from tests.golden.world import Record


def best_first(
    record: Record,
    children: int,
    depth_cost: Fraction,
    token_cost: Fraction,
    nodes_max: int,
    tokens_max: int,
    depth_max: int,
) -> None:
    """The list of open nodes is gone through each time."""

    def priority(node: NodeId) -> Fraction:
        return record.reward(node) - depth_cost * len(node) - token_cost * record.tokens(node)

    made = record.sample([Expand(ROOT, "step", index) for index in range(children)])
    waiting = list(made)
    while waiting and len(made) < nodes_max and sum(own_tokens(record, node) for node in made) < tokens_max:
        highest = max(map(priority, waiting))
        near = [node for node in waiting if highest - priority(node) < MARGIN]
        if len(near) > 1 and (depth_cost or token_cost):
            raise ArithmeticError("two priorities are too near to each other for floats")
        best = min(near)
        if record.terminal(best):
            record.end([best])
            return
        waiting.remove(best)
        if len(best) < depth_max:
            kids = record.sample([Expand(best, "step", index) for index in range(children)])
            made += kids
            waiting += kids
    record.end([node for node in made if record.terminal(node)])


def own_tokens(record: Record, node: NodeId) -> int:
    return record.tokens(node) - record.tokens(node[:-1])


class DepthFirst:
    """ToT-DFS as the recursion that it is."""

    def __init__(
        self, record: Record, children: int, threshold: Fraction, visits: int, answers: int, depth_max: int
    ) -> None:
        self.record = record
        self.children = children
        self.threshold = threshold
        self.visits_left = visits
        self.answers_left = answers
        self.depth_max = depth_max
        self.terminals: list[NodeId] = []

    def run(self) -> None:
        self.visit_children(ROOT)
        self.record.end(self.terminals)

    def visit_children(self, node: NodeId) -> None:
        kids = self.record.sample([Expand(node, "step", index) for index in range(self.children)])
        good = [kid for kid in kids if self.record.reward(kid) >= self.threshold]
        for kid in sorted(good, key=lambda kid: (-self.record.reward(kid), kid)):
            if self.visits_left == 0 or self.answers_left == 0:
                return
            self.visits_left -= 1
            if self.record.terminal(kid):
                self.terminals.append(kid)
                self.answers_left -= 1
            elif len(kid) < self.depth_max:
                self.visit_children(kid)
