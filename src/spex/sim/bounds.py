"""Lower bounds: what no schedule of a plain run's demanded calls can beat.

Latency of a query: its calls form a tree of texts, and a text of n tokens takes n·ℓ(1) at least, however
few run beside it. So: max over its nodes of the path's Σ(prefill + tokens·ℓ(1)) plus the node's score.
Makespan of a run: N engine iterations that make W tokens run W/N sequences on average, and take N·ℓ(W/N) at
least, with ℓ's lower convex hull (Jensen). N is the longest path CP in tokens or more, and N·ℓ(W/N) is least
at W/N = x* = argmax x/ℓ(x): the bound is N*·ℓ(W/N*), N* = max(CP, W/x*). Scores and prefill are left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spex.ids import ROOT, NodeId
from spex.profile import Curve
from spex.solution import Solution
from spex.tree import Tree

_BATCH_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Pace:
    """The best that the engines can do: ℓ(b) up to `slots` sequences, and what a call takes by itself.

    prefill_seconds: for the one prompt token that no cache holds. score_seconds: for one score.
    """

    curve: Curve
    slots: int = 4096
    prefill_seconds: float = 0.0
    score_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Floor:
    """Lower bounds of one run, in seconds: of each query's latency, and of the makespan."""

    latencies_seconds: tuple[float, ...]
    makespan_seconds: float


def floor_of(
    plain: Sequence[Solution], pace: Pace, concurrency: int, arrivals_seconds: Sequence[float] | None = None
) -> Floor:
    """The floors of the problems of a plain run, `concurrency` (≥ 1) queries at once.

    With arrivals (seconds, one a query), no query can end before its own arrival and latency either.
    """
    trees = [solution.tree for solution in plain]
    latencies = tuple(latency_floor_seconds(tree, pace) for tree in trees)
    makespan = makespan_floor_seconds(trees, pace, concurrency)
    ends = [at + latency for at, latency in zip(arrivals_seconds or (), latencies, strict=False)]
    return Floor(latencies, max([makespan, *ends]))


def latency_floor_seconds(tree: Tree, pace: Pace) -> float:
    """The least latency of a query that demands what is in `tree`, alone on its engines."""
    itl = pace.curve.itl_seconds(1)
    finished = _finished(tree, lambda tokens: pace.prefill_seconds + tokens * itl)
    scored = (
        max(finished[node] for node in call.nodes) + pace.score_seconds
        for call, values in tree.scores.items()
        if values
    )
    return max([*finished.values(), *scored])


def critical_path_tokens(tree: Tree) -> int:
    """The tokens of the longest path."""
    return round(max(_finished(tree, float).values()))


def demanded_tokens(tree: Tree) -> int:
    """The tokens of all texts."""
    return sum(step.token_count for step in tree.steps.values())


def makespan_floor_seconds(trees: Sequence[Tree], pace: Pace, concurrency: int) -> float:
    """The least time in which `concurrency` (≥ 1) queries at once can be done with all of `trees`."""
    work = sum(map(demanded_tokens, trees))
    if work == 0:
        return 0.0
    paths = [critical_path_tokens(tree) for tree in trees]
    path = max(*paths, sum(paths) / concurrency)
    hull = Hull(pace.curve, min(pace.slots, work))
    iterations = max(path, work / hull.best)
    return iterations * hull.itl_seconds(work / iterations)


class Hull:
    """The lower convex hull of ℓ at 1 to `most` running sequences (≥ 1), which is also cut at 65,536."""

    def __init__(self, curve: Curve, most: int) -> None:
        corners: list[tuple[float, float]] = []
        for running in range(1, min(most, _BATCH_MAX) + 1):
            point = (float(running), curve.itl_seconds(running))
            while len(corners) > 1 and _is_above(corners[-2], corners[-1], point):
                corners.pop()
            corners.append(point)
        self._running, self._itl_seconds = (np.array(axis) for axis in zip(*corners, strict=True))

    def itl_seconds(self, running: float) -> float:
        """ℓ at `running` sequences on average, between 1 and the most."""
        return float(np.interp(running, self._running, self._itl_seconds))

    @property
    def best(self) -> float:
        """x* = argmax x/ℓ(x): how many sequences make the most tokens a second. Always at a corner."""
        return float(self._running[np.argmax(self._running / self._itl_seconds)])


def _is_above(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether `middle` lies on or above the line from `left` to `right`."""
    rise = (right[1] - left[1]) * (middle[0] - left[0])
    return (middle[1] - left[1]) * (right[0] - left[0]) >= rise


def _finished(tree: Tree, cost: Callable[[int], float]) -> dict[NodeId, float]:
    """When each node can be there at the earliest, if a call that makes so many tokens takes `cost` of them."""
    finished: dict[NodeId, float] = {ROOT: 0.0}
    for call, nodes in sorted(tree.expansions.items(), key=lambda item: len(item[0].parent)):
        if nodes:
            made = sum(tree.steps[node].token_count for node in nodes)
            end = finished[call.parent] + cost(made)
            finished.update(dict.fromkeys(nodes, end))
    return finished
