"""Playing on: samples whose worth is that of where their path leads, so many steps further or at its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spex.ids import Call, Expand, NodeId, Score, child
from spex.search.base import Demand
from spex.search.samples import Samples, Scored, read_samples
from spex.tree import TreeView


class Rollouts(NamedTuple):
    """`expands` make nodes; `chains` play on from the first child of each, `steps` times by `action`."""

    expands: tuple[Expand, ...] = ()
    chains: tuple[tuple[Expand, ...], ...] = ()
    action: str = "solution"
    steps: int = 1

    def demand(self) -> Demand:
        """All calls: each sample, what plays on from it, and the score of where that leads."""
        calls: list[Call] = []
        for expand, chain in zip(self.expands, self.chains, strict=True):
            calls += [expand, *chain, Score((child(chain[-1]),))]
        return Demand(tuple(calls))


class Played(NamedTuple):
    """A node that was made, with the reward of where playing on from it led, and that node."""

    scored: Scored
    end: NodeId


def rollouts_of(expands: Iterable[Expand], action: str, steps: int) -> Rollouts:
    """`steps` (at least 1) calls of `action` after each of `expands`, one below the other, all with index 0."""
    calls = tuple(expands)
    chains: list[tuple[Expand, ...]] = []
    for call in calls:
        chain: list[Expand] = []
        for _ in range(steps):
            chain.append(Expand(child(chain[-1] if chain else call), action, 0))
        chains.append(tuple(chain))
    return Rollouts(calls, tuple(chains), action, steps)


def read_played(samples: Samples | Rollouts, tree: TreeView) -> list[Played]:
    """What the samples made, in their order, each with the reward of the last node that playing on from it made.

    Waits for all of it. A path that ends sooner is worth what its end is; what is not played on from is its own end.
    """
    if isinstance(samples, Samples):
        return [Played(scored, scored.node) for scored in read_samples(samples, tree)]
    tree.need(Score((child(chain[-1]),)) for chain in samples.chains)
    played: list[tuple[NodeId, NodeId, int]] = []
    for sample, expand in enumerate(samples.expands):
        played += [(node, _end(node, samples, tree), sample) for node in tree.children(expand)]
    tree.need(Score((end,)) for _, end, _ in played)
    return [
        Played(Scored(node, tree.score(Score((end,)))[0], tree.step(node), sample), end) for node, end, sample in played
    ]


def _end(node: NodeId, rollouts: Rollouts, tree: TreeView) -> NodeId:
    """The last node of the rollout from `node`."""
    for _ in range(rollouts.steps):
        made = tree.children(Expand(node, rollouts.action, 0))
        if not made:
            break
        node = made[0]
    return node
