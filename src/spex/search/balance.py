"""A width shared by reward: what the breadth-first searches with a balanced allocation have in common.

Remaining width R starts at W. A node of the frontier that is terminal or longer than `tokens_max` takes 1 off R. The
others, by falling reward, get wᵢ = ⌈R'·exp(rᵢ/T)/S'⌉ children, where R' and S' start at R and S = Σ exp(r/T) and lose
wᵢ and exp(rᵢ/T) after each node.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

from spex.ids import ROOT, Expand, NodeId
from spex.search.parameters import DEPTH_MAX, TOKENS_MAX, WIDTH_MAX, check_real, check_whole
from spex.search.samples import Samples, Scored, samples_of

_SCALE = 2.0**52


class Open(NamedTuple):
    """A node that may get children, `tokens` long from the root."""

    node: NodeId
    reward: float
    tokens: int


UNGROWN = Open(ROOT, 0.0, 0)
"""The root, before the first level."""


class State(NamedTuple):
    """`samples` make the nodes of `depth`; `tokens` has the length of each one's parent, from the root."""

    remaining: int
    depth: int = 0
    samples: Samples = Samples()
    tokens: tuple[int, ...] = ()
    terminals: tuple[NodeId, ...] = ()


class Level(NamedTuple):
    """A level that is all in: the state after it, and its nodes that may get children, in NodeId order."""

    state: State
    nodes: list[Open]

    @property
    def is_last(self) -> bool:
        """Whether no width remains, or no node."""
        return self.state.remaining <= 0 or not self.nodes


def check_balance(width: int, temperature: float, tokens_max: int, depth_max: int) -> None:
    """Raise `InputError` unless each parameter is within its range."""
    check_whole("width", width, 1, WIDTH_MAX)
    # exp(1 / 0.002) is far from the largest float, so that no weight overflows.
    check_real("temperature", temperature, 0.002, 1000.0)
    check_whole("tokens_max", tokens_max, 1, TOKENS_MAX)
    check_whole("depth_max", depth_max, 1, DEPTH_MAX)


def taken_in(state: State, frontier: Sequence[Scored], tokens_max: int) -> Level:
    """What `state` comes to by the nodes that its samples have made."""
    nodes: list[Open] = []
    for node, reward, step, sample in frontier:
        if not step.terminal:
            length = state.tokens[sample] + step.token_count
            if length <= tokens_max:
                nodes.append(Open(node, reward, length))
    ended = tuple(scored.node for scored in frontier if scored.step.terminal)
    remaining = state.remaining - (len(frontier) - len(nodes))
    return Level(State(remaining, state.depth, Samples(), (), state.terminals + ended), nodes)


def grown(state: State, nodes: Sequence[Open], temperature: float) -> State:
    """The remaining width shared among `nodes`, which stand in NodeId order: the samples of the next level."""
    shares = allocation([node.reward for node in nodes], state.remaining, temperature)
    expands: list[Expand] = []
    tokens: list[int] = []
    for node, share in zip(nodes, shares, strict=True):
        expands += [Expand(node.node, "step", index) for index in range(share)]
        tokens += [node.tokens] * share
    return State(state.remaining, state.depth + 1, samples_of(expands), tuple(tokens), state.terminals)


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
