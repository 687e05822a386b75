"""REBASE: reward-balanced breadth-first search (Wu et al. 2024, "Inference scaling laws").

Remaining width R starts at W. A node of the frontier that is terminal or longer than `tokens_max` takes
1 off R. The others, by falling reward, get wᵢ = ⌈R'·exp(rᵢ/T)/S'⌉ children, where R' and S' start at R and
S = Σ exp(r/T) and lose wᵢ and exp(rᵢ/T) after each node. The search is over when R ≤ 0, no node remains, or
`depth_max` is reached. Defaults: W = 16, T = 0.2, 2048 tokens, depth 25.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import ClassVar, NamedTuple

from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, TOKENS_MAX, WIDTH_MAX, check_real, check_whole
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.tree import TreeView

_SCALE = 2.0**52


class Open(NamedTuple):
    """A node that may get children, `tokens` long from the root."""

    node: NodeId
    reward: float
    tokens: int


class State(NamedTuple):
    """`samples` make the nodes of `depth`; `tokens` has the length of each one's parent, from the root."""

    remaining: int
    depth: int
    samples: Samples
    tokens: tuple[int, ...]
    terminals: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Rebase:
    """Breadth-first search that shares its width in proportion to exp(reward / temperature).

    `width` samples a level (1 to 65536); `temperature` of the balance (0.002 to 1000).
    `tokens_max` (1 to 10⁷) bounds a path's tokens, `depth_max` (1 to 1000) its steps; a node beyond either
    gets no children and has no answer. Raises `InputError`.
    """

    width: int = 16
    temperature: float = 0.2
    tokens_max: int = 2048
    depth_max: int = 25

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Wu et al. 2024, arXiv 2408.00724"

    def __post_init__(self) -> None:
        check_whole("width", self.width, 1, WIDTH_MAX)
        # exp(1 / 0.002) is far from the largest float, so that no weight overflows.
        check_real("temperature", self.temperature, 0.002, 1000.0)
        check_whole("tokens_max", self.tokens_max, 1, TOKENS_MAX)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)

    def start(self, seed: int) -> State:
        return State(self.width, 0, Samples(), (), ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if not state.depth:
            return self._grow(state, [Open(ROOT, 0.0, 0)])
        frontier = read_samples(state.samples, tree)
        nodes = self._open(frontier, state.tokens)
        ended = tuple(scored.node for scored in frontier if scored.step.terminal)
        remaining = state.remaining - (len(frontier) - len(nodes))
        after = State(remaining, state.depth, Samples(), (), state.terminals + ended)
        if remaining <= 0 or not nodes or state.depth == self.depth_max:
            return after, Stop(after.terminals)
        return self._grow(after, nodes)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Every answer takes one off the remaining width, as long as a call makes at most one child."""
        return Outlook(max(0, state.remaining), keeps=True)

    def _open(self, frontier: Sequence[Scored], tokens: Sequence[int]) -> list[Open]:
        """The nodes that may get children; `tokens` has the length of each sample's parent."""
        nodes: list[Open] = []
        for node, reward, step, sample in frontier:
            if not step.terminal:
                length = tokens[sample] + step.token_count
                if length <= self.tokens_max:
                    nodes.append(Open(node, reward, length))
        return nodes

    def _grow(self, state: State, nodes: Sequence[Open]) -> tuple[State, Demand]:
        """Share the remaining width among `nodes`, which stand in NodeId order."""
        shares = allocation([node.reward for node in nodes], state.remaining, self.temperature)
        expands: list[Expand] = []
        tokens: list[int] = []
        for node, share in zip(nodes, shares, strict=True):
            expands += [Expand(node.node, "step", index) for index in range(share)]
            tokens += [node.tokens] * share
        samples = samples_of(expands)
        grown = State(state.remaining, state.depth + 1, samples, tuple(tokens), state.terminals)
        return grown, samples.demand()


def allocation(rewards: Sequence[float], width: int, temperature: float) -> list[int]:
    """Children of each node, `width` (≥ 1) in all: ties go to the earlier node."""
    # Whole numbers are exact: subtracting floats from S moves a ceiling in a quarter of the inputs with ties.
    # A weight is at least exp(0), so that its 52 binary places are all that it has.
    weights = [int(exp(reward / temperature) * _SCALE) for reward in rewards]
    shares = [0] * len(weights)
    rest = sum(weights)
    for position in sorted(range(len(rewards)), key=rewards.__getitem__, reverse=True):
        if not width:
            break
        share = -(-width * weights[position] // rest)
        shares[position] = share
        width -= share
        rest -= weights[position]
    return shares
