"""Level by level: the samples of one depth are all in, some nodes are kept, and each gets its children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spex.errors import InputError
from spex.ids import Expand, NodeId
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_whole
from spex.search.rollout import Rollouts
from spex.search.samples import Samples, Scored, samples_of


class Level(NamedTuple):
    """`samples` make the nodes of `depth`; depth 0 is before the first. `terminals` were met so far."""

    depth: int = 0
    samples: Samples | Rollouts = Samples()
    terminals: tuple[NodeId, ...] = ()


def check_levels(width: int, children: int, depth_max: int) -> None:
    """Raise `InputError` unless `width` samples a level are whole families of `children`."""
    check_whole("width", width, 1, WIDTH_MAX)
    check_whole("children", children, 1, WIDTH_MAX)
    if width % children:
        raise InputError("children", children, f"it must divide the width ({width}) without remainder")
    check_whole("depth_max", depth_max, 1, DEPTH_MAX)


def next_level(level: Level, parents: Sequence[NodeId], indices: Sequence[int], depth_max: int) -> Level:
    """Every parent sampled once for each of `indices`; the last level runs to the end of the solution."""
    depth = level.depth + 1
    action = "solution" if depth == depth_max else "step"
    samples = samples_of(Expand(parent, action, index) for parent in parents for index in indices)
    return Level(depth, samples, level.terminals)


def best_of(nodes: Sequence[Scored], keep: int) -> list[Scored]:
    """The `keep` nodes of highest reward, in their order; of equals the earlier."""
    order = sorted(range(len(nodes)), key=lambda position: nodes[position].reward, reverse=True)
    return [nodes[position] for position in sorted(order[:keep])]


def answers_at_most(samples: int, levels: int, keep: int, children: int) -> int:
    """How many terminals can come from `samples` calls and `levels` more levels after them.

    A call makes at most one child. A node that is kept costs one answer and gives at least one child.
    """
    answers = 0
    for _ in range(levels):
        kept = min(keep, samples)
        answers += samples - kept
        samples = kept * children
    return answers + samples
