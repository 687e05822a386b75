"""Children and their rewards: demanded together, so that no reward waits for a sibling's text, and read together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from spex.ids import Call, Edge, Expand, NodeId, Score
from spex.search.base import Demand
from spex.tree import Sketch, TreeView


class Samples(NamedTuple):
    """Calls for children, and for the reward of the first child of each."""

    expands: tuple[Expand, ...] = ()
    scores: tuple[Score, ...] = ()

    def demand(self) -> Demand:
        """All calls, each child's score right after the call that makes it."""
        calls: Iterable[Call] = chain.from_iterable(zip(self.expands, self.scores, strict=True))
        return Demand(tuple(calls))


class Scored(NamedTuple):
    """A node that was made, its reward in [0, 1], and the number of the sample that made it."""

    node: NodeId
    reward: float
    step: Sketch
    sample: int


def samples_of(expands: Iterable[Expand]) -> Samples:
    """The expansions together with the scores of what they will make."""
    calls = tuple(expands)
    # Parents share edges: making an edge costs more than the path that ends with it.
    edges = {place: Edge(*place) for place in {(action, index) for _, action, index in calls}}
    scores = [Score(((*parent, edges[action, index]),)) for parent, action, index in calls]
    return Samples(calls, tuple(scores))


def read_samples(samples: Samples, tree: TreeView) -> list[Scored]:
    """What the samples made, in their order, which is NodeId order where theirs is.

    Waits for all rewards. An expansion may have made no child, or several.
    """
    # A score has a result only after the text that it is about: this waits for the texts as well.
    tree.need(samples.scores)
    frontier: list[Scored] = []
    for sample, (expand, score) in enumerate(zip(samples.expands, samples.scores, strict=True)):
        made = tree.children(expand)
        if len(made) == 1:
            frontier.append(Scored(made[0], tree.score(score)[0], tree.step(made[0]), sample))
        elif made:
            tree.need(Score((node,)) for node in made)
            frontier += [Scored(node, tree.score(Score((node,)))[0], tree.step(node), sample) for node in made]
    return frontier
