"""rStar, restated from its formula as the recursion that it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from spex.ids import ROOT, Expand, NodeId, Score, call_key, child
from spex.seeds import draw, strand_seed
from tests.golden.exact import MARGIN, as_decimal
from tests.golden.mcts import Statistic
from tests.golden.world import Record

AFTER = {
    "question": "rephrase solution step subquestion",
    "rephrase": "solution step subquestion",
    "step": "solution step subquestion",
    "subquestion": "reanswer solution step subquestion",
    "reanswer": "solution step subquestion",
}
SEED = strand_seed(0, "alone", 0)


@dataclass
class RStar:
    """One run. `votes` is 0 where the reward says what an end is worth; `worth` is of the ends in the tree."""

    record: Record
    iterations: int
    children: int
    c: Fraction
    depth_max: int
    votes: int
    statistics: dict[NodeId, Statistic] = field(default_factory=lambda: {ROOT: Statistic()})
    worth: dict[NodeId, Fraction] = field(default_factory=dict)
    voting: list[NodeId] = field(default_factory=list)

    def run(self) -> None:
        for iteration in range(self.iterations):
            if self.exhausted:
                break
            self.go(ROOT, iteration)
        self.record.end(self.voting)

    @property
    def exhausted(self) -> bool:
        """Whether nothing can grow: what is left of the iterations would only add visits."""
        return all(node in self.worth or found.children is not None for node, found in self.statistics.items())

    def go(self, node: NodeId, iteration: int) -> Fraction:
        """Select, expand, walk and back up, from `node` on: what has been backed up through it."""
        found = self.statistics[node]
        value = Fraction(0)
        if node in self.worth:
            value = self.worth[node]
        else:
            walks = found.children is None
            if found.children is None:
                found.children = self.expanded(node)
            unseen = [kid for kid in found.children if walks or not self.statistics[kid].visits]
            if unseen:
                value = self.go(unseen[int(draw(SEED, 0, iteration, len(node) + 1) * len(unseen))], iteration)
            elif found.children:
                value = self.go(self.chosen(node, found.children), iteration)
        found.visits += 1
        found.total += value
        return value

    def expanded(self, node: NodeId) -> list[NodeId]:
        """The children that stand in the tree."""
        actions = AFTER[node[-1].action if node else "question"] if len(node) + 1 < self.depth_max else "solution"
        numbers = {"step": self.children, "subquestion": self.children, "solution": self.votes or 1}
        calls = [Expand(node, action, index) for action in actions.split() for index in range(numbers.get(action, 1))]
        self.record.decisions.append([call_key(call) for call in calls])
        if not self.votes:
            self.record.decisions[-1] += [
                call_key(Score((child(call),))) for call in calls if call.action == "solution"
            ]
        made = [kid for call in calls for kid in self.record.found(call)]
        kids = made if not self.votes else self.united(made)
        for kid in kids:
            self.statistics[kid] = Statistic()
            if kid[-1].action == "solution" or self.record.terminal(kid):
                self.worth[kid] = self.value(kid, made)
        self.voting += [kid for kid in made if self.record.terminal(kid) and self.is_heard(kid, made)]
        return kids

    def answer(self, node: NodeId) -> str | None:
        return self.record.answer(node)

    def answers(self, made: list[NodeId]) -> list[str]:
        """What the solutions among `made` say."""
        said = [self.answer(kid) for kid in made if kid[-1].action == "solution"]
        return [answer for answer in said if answer is not None]

    def commonest(self, made: list[NodeId]) -> str | None:
        said = self.answers(made)
        return min(said, key=lambda answer: (-said.count(answer), said.index(answer))) if said else None

    def united(self, made: list[NodeId]) -> list[NodeId]:
        """`made` with one solution, the first that has the commonest answer, or the first of all."""
        solutions = [kid for kid in made if kid[-1].action == "solution"]
        best = self.commonest(made)
        standing = [kid for kid in solutions if best is None or self.answer(kid) == best][:1]
        return [kid for kid in made if kid not in solutions or kid in standing]

    def is_heard(self, kid: NodeId, made: list[NodeId]) -> bool:
        if not self.votes or kid[-1].action != "solution":
            return True
        return self.answer(kid) is not None and self.answer(kid) == self.commonest(made)

    def value(self, kid: NodeId, made: list[NodeId]) -> Fraction:
        if not self.votes:
            return self.record.reward(kid)
        answer, said = self.answer(kid), self.answers(made)
        if answer is None:
            return Fraction(0)
        if kid[-1].action == "solution":
            return Fraction(said.count(answer), self.votes)
        return Fraction(said.count(answer) + 1, self.votes + 1)

    def chosen(self, parent: NodeId, kids: list[NodeId]) -> NodeId:
        best = kids[0]
        for kid in kids[1:]:
            if self.lead(parent, kid, best) > 0:
                best = kid
        return best

    def lead(self, parent: NodeId, kid: NodeId, best: NodeId) -> Decimal:
        """By how much `kid` is above `best`."""
        one, other = self.statistics[kid], self.statistics[best]
        means = as_decimal(one.total / one.visits - other.total / other.visits)
        logarithm = Decimal(self.statistics[parent].visits).ln()
        lead = means + as_decimal(self.c) * ((logarithm / one.visits).sqrt() - (logarithm / other.visits).sqrt())
        if one.visits != other.visits and abs(lead) < MARGIN:
            raise ArithmeticError("two bounds are too near to each other for floats")
        return means if one.visits == other.visits else lead
