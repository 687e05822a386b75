"""The statistics of a tree search, and the way down: UCT (Kocsis and Szepesvári 2006), PUCT (Silver et al. 2017).

Every node has N, how often something was backed up through it, and Q, the sum of that. From a node the way goes on to
the child of highest Q/N + c·√(ln N_parent / N) (UCT), or Q/N + c·P·√N_parent / (1 + N) (PUCT), where the prior P is the
share of the child's weight among its siblings. A child with N = 0 comes first; of equals the earlier one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, inf, log, sqrt
from typing import NamedTuple

from immutables import Map, MapMutation

from spex.ids import NodeId

ROOT_NUMBER = 0


class Place(NamedTuple):
    """A node's statistics: `visits` is N, `total` is Q. `kids` are the numbers of its children.

    `samples`: of it that have been demanded. `grows`: it may get more of them. `weight`: of its prior.
    """

    node: NodeId
    reward: float
    terminal: bool
    grows: bool
    visits: int
    total: float
    kids: tuple[int, ...] = ()
    samples: int = 0
    weight: float = 1.0


Places = Map[int, Place]
"""Nodes are numbered as they came, the root 0: NodeId order among siblings."""


def highest_by_uct(places: Places, parent: Place, c: float) -> int:
    """The number of the child to go on to; `parent` has some."""
    log_parent = log(parent.visits)
    highest = -inf
    chosen = parent.kids[0]
    for number in parent.kids:
        kid = places[number]
        bound = kid.total / kid.visits + c * sqrt(log_parent / kid.visits) if kid.visits else inf
        if bound > highest:
            highest, chosen = bound, number
    return chosen


def highest_by_puct(places: Places, parent: Place, c: float) -> int:
    """The number of the child to go on to; `parent` has some."""
    kids = [places[number] for number in parent.kids]
    scale = c * sqrt(parent.visits) / (fsum(kid.weight for kid in kids) or 1.0)
    highest = -inf
    chosen = parent.kids[0]
    for number, kid in zip(parent.kids, kids, strict=True):
        mean = kid.total / kid.visits if kid.visits else inf
        bound = mean + scale * kid.weight / (1 + kid.visits)
        if bound > highest:
            highest, chosen = bound, number
    return chosen


def expanded(places: Places, path: Sequence[int], kids: Sequence[Place], leaf: Place) -> Places:
    """The node at the end of `path`, now `leaf`, has got `kids`, and all on the path have got their rewards.

    Where nothing came of it, it backs up its own reward; the root has none.
    """
    first = len(places)
    changed = places.mutate()
    changed[path[-1]] = leaf._replace(kids=(*leaf.kids, *range(first, first + len(kids))))
    for number, kid in enumerate(kids, first):
        changed[number] = kid
    if kids:
        back_up(changed, path, len(kids), fsum(kid.reward for kid in kids))
    elif leaf.node or leaf.grows:
        back_up(changed, path, 1, leaf.reward)
    return changed.finish()


def visited(places: Places, path: Sequence[int]) -> Places:
    """The node at the end of `path` cannot grow and has been selected: it backs up its own reward."""
    changed = places.mutate()
    back_up(changed, path, 1, places[path[-1]].reward)
    return changed.finish()


def back_up(changed: MapMutation[int, Place], path: Sequence[int], visits: int, total: float) -> None:
    """Every node on `path` gets `visits` more, with rewards of `total`."""
    for number in path:
        # Spelled out, for it is half as dear as `_replace`, and a run-ahead does little else.
        node, reward, terminal, grows, visits_before, total_before, kids, samples, weight = changed[number]
        changed[number] = Place(
            node, reward, terminal, grows, visits_before + visits, total_before + total, kids, samples, weight
        )
