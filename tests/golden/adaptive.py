"""AB-MCTS-A restated: every belief is a list of the rewards it was told of, and is worked out anew for every draw.

Normal and gamma numbers are floats here as well. Where a comparison hangs on less than MARGIN, the case is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import exp, log, sqrt
from statistics import NormalDist

from spex.ids import ROOT, Expand, NodeId
from spex.seeds import draw
from tests.golden.exact import MARGIN
from tests.golden.world import Record

Uniform = Callable[[int], float]
NUMBERS_OF_GAMMA = 129
NUMBERS_OF_BELIEF = 2 * NUMBERS_OF_GAMMA


def is_greater(one: float, other: float) -> bool:
    if one != other and abs(one - other) < float(MARGIN) * max(1.0, abs(one)):
        raise ArithmeticError("two drawn numbers are too near to each other for floats")
    return one > other


def gamma(shape: float, uniform: Uniform) -> float:
    """Marsaglia and Tsang: a candidate d·(1 + x/√(9d))³ after another; `uniform(0)` is kept for shapes under 1."""
    if shape < 1:
        return gamma(shape + 1, uniform) * exp(log(uniform(0)) / shape)
    d = shape - 1 / 3
    for attempt in range(64):
        x = NormalDist().inv_cdf(uniform(1 + 2 * attempt))
        v = (1 + x / sqrt(9 * d)) ** 3
        if v > 0 and is_greater(x * x / 2 + d * (1 - v + log(v)), log(uniform(2 + 2 * attempt))):
            return d * v
    return d


def mean_of_normal_rewards(rewards: list[Fraction], uniform: Uniform) -> float:
    """From the posterior of all rewards together; the prior has m = 0, κ = 1, ν = 1, τ² = 1/10."""
    count = len(rewards)
    average = sum(rewards, Fraction(0)) / max(1, count)
    spread = sum(((reward - average) ** 2 for reward in rewards), Fraction(0))
    scatter = Fraction(1, 10) + spread + Fraction(count, 1 + count) * average**2
    variance = float(scatter / 2) / gamma((1 + count) / 2, lambda k: uniform(1 + k))
    middle = float(count * average / (1 + count))
    return middle + NormalDist().inv_cdf(uniform(0)) * sqrt(variance / (1 + count))


def mean_of_rewards_between_0_and_1(rewards: list[Fraction], uniform: Uniform) -> float:
    """From Beta(1/2 + Σ r, 1/2 + Σ (1 − r))."""
    total = sum(rewards, Fraction(0))
    one = gamma(float(Fraction(1, 2) + total), uniform)
    other = gamma(float(Fraction(1, 2) + len(rewards) - total), lambda k: uniform(NUMBERS_OF_GAMMA + k))
    return one / (one + other)


FORMS = {"gaussian": mean_of_normal_rewards, "beta": mean_of_rewards_between_0_and_1}


@dataclass
class Adaptive:
    """One run. Nodes are numbered as they came; `beliefs` holds the rewards told to widen, deepen, and the node."""

    record: Record
    iterations: int
    form: str
    depth_max: int
    seed: int
    nodes: list[NodeId] = field(default_factory=lambda: [ROOT])
    calls: dict[NodeId, int] = field(default_factory=dict)
    beliefs: dict[tuple[NodeId, int], list[Fraction]] = field(default_factory=dict)

    def run(self) -> None:
        for iteration in range(self.iterations):
            node = ROOT
            while self.deepens(node, iteration):
                node = self.followed(node, iteration)
            self.widen(node)
        self.record.end([node for node in self.nodes if self.record.terminal(node)])

    def candidates(self, node: NodeId) -> list[NodeId]:
        kids = [kid for kid in self.nodes if kid and kid[:-1] == node]
        return [kid for kid in kids if not self.record.terminal(kid) and len(kid) < self.depth_max]

    def deepens(self, node: NodeId, iteration: int) -> bool:
        if not self.candidates(node):
            return False
        return is_greater(self.drawn(node, 1, iteration), self.drawn(node, 0, iteration))

    def followed(self, node: NodeId, iteration: int) -> NodeId:
        best, *others = self.candidates(node)
        for kid in others:
            if is_greater(self.drawn(kid, 2, iteration), self.drawn(best, 2, iteration)):
                best = kid
        return best

    def widen(self, node: NodeId) -> None:
        call = Expand(node, "step", self.calls.get(node, 0))
        self.calls[node] = call.index + 1
        made = self.record.sample([call])
        self.nodes += made
        for kid in made:
            self.tell(kid, 2, self.record.reward(kid))
        for reward in [self.record.reward(kid) for kid in made] or [Fraction(0)]:
            self.tell(node, 0, reward)
            for depth in range(1, len(node) + 1):
                self.tell(node[:depth], 2, reward)
                self.tell(node[: depth - 1], 1, reward)

    def tell(self, node: NodeId, which: int, reward: Fraction) -> None:
        self.beliefs.setdefault((node, which), []).append(reward)

    def drawn(self, node: NodeId, which: int, iteration: int) -> float:
        first = (3 * self.nodes.index(node) + which) * NUMBERS_OF_BELIEF
        rewards = self.beliefs.get((node, which), [])
        return FORMS[self.form](rewards, lambda k: draw(self.seed, 0, iteration, first + k))
