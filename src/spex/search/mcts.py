"""MCTS with a reward model: step-level UCT.

An iteration goes from the root to a leaf by argmax Q/N + c·√(ln N_parent / N) and gives it k children. A child
u starts with N = 1 and Q = r(u) (with `unvisited="first"` N = Q = 0, which counts as +∞); every ancestor gets
N += the number of children and Q += the sum of their rewards. A leaf that cannot grow (terminal, at `depth_max`,
or without children when it was expanded) backs up its own reward instead. The search is over after `iterations`,
when `nodes_max` nodes exist, or when no leaf can grow. Defaults: 32 iterations, k = 4, c = 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf, log, sqrt
from typing import ClassVar, Literal, NamedTuple

from immutables import Map, MapMutation

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_real, check_whole
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.tree import TreeView

_ROOT = 0


class Place(NamedTuple):
    """A node's statistics: `visits` is N, `total` is Q. `kids` are the numbers of its children.

    `grows`: it is a leaf that may get children.
    """

    node: NodeId
    reward: float
    terminal: bool
    grows: bool
    visits: int
    total: float
    kids: range


class State(NamedTuple):
    """Nodes are numbered as they came, the root 0: NodeId order among siblings.

    `path` leads from the root to the leaf that `samples` expand; it is empty where nothing is awaited.
    """

    places: Map[int, Place]
    iterations: int
    leaves: int
    path: tuple[int, ...]
    samples: Samples


@dataclass(frozen=True, slots=True)
class Mcts:
    """Monte Carlo tree search with a reward model.

    `iterations` selections (1 to 65536), `children` of an expansion (1 to 1024), exploration `c` (0 to 1000).

    `nodes_max` (1 to 10⁶, the root not counted) may be passed by one expansion; `depth_max` is from 1 to 1000.
    `unvisited`: children count as visited once by their reward (`"scored"`), or come first. Raises `InputError`.
    """

    iterations: int = 32
    children: int = 4
    c: float = 1.0
    nodes_max: int = 65_536
    depth_max: int = 25
    unvisited: Literal["scored", "first"] = "scored"

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = 'Kocsis and Szepesvári 2006, "Bandit based Monte-Carlo Planning"'
    aliases: ClassVar[Mapping[str, str]] = {"rollouts": "iterations", "num_simulations": "iterations"}

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 1, WIDTH_MAX)
        check_whole("children", self.children, 1, 1024)
        check_real("c", self.c, 0.0, 1000.0)
        check_whole("nodes_max", self.nodes_max, 1, 1_000_000)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)
        if self.unvisited not in ("scored", "first"):
            raise InputError("unvisited", self.unvisited, "it must be one of scored, first")

    def start(self, seed: int) -> State:
        root = Place(ROOT, 0.0, terminal=False, grows=True, visits=0, total=0.0, kids=range(0))
        return State(Map({_ROOT: root}), 0, 1, (), Samples())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        places, iterations, leaves = state.places, state.iterations, state.leaves
        if state.path:
            kids = [self._place(scored) for scored in read_samples(state.samples, tree)]
            places = _expanded(places, state.path, kids)
            iterations += 1
            leaves += sum(kid.grows for kid in kids) - 1
        while leaves and iterations < self.iterations and len(places) <= self.nodes_max:
            path = self._selected(places)
            leaf = places[path[-1]]
            if leaf.grows:
                samples = samples_of([Expand(leaf.node, "step", index) for index in range(self.children)])
                return State(places, iterations, leaves, path, samples), samples.demand()
            places = _visited(places, path)
            iterations += 1
        over = State(places, iterations, leaves, (), Samples())
        return over, Stop(tuple(places[number].node for number in range(len(places)) if places[number].terminal))

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Every iteration makes at most `children` nodes, and the last one begins below `nodes_max`."""
        room = self.nodes_max - len(state.places) + self.children
        return Outlook(min((self.iterations - state.iterations) * self.children, room), keeps=True)

    def _selected(self, places: Map[int, Place]) -> tuple[int, ...]:
        """The path of argmax Q/N + c·√(ln N_parent / N) from the root to a leaf; of equals the earlier child."""
        path = [_ROOT]
        place = places[_ROOT]
        while place.kids:
            log_parent = log(place.visits)
            highest = -inf
            for number in place.kids:
                kid = places[number]
                bound = kid.total / kid.visits + self.c * sqrt(log_parent / kid.visits) if kid.visits else inf
                if bound > highest:
                    highest, best, chosen = bound, kid, number
            place = best
            path.append(chosen)
        return tuple(path)

    def _place(self, scored: Scored) -> Place:
        """A new child with its first visit, where it has one."""
        node, reward, step, _ = scored
        grows = not step.terminal and len(node) < self.depth_max
        visits, total = (1, reward) if self.unvisited == "scored" else (0, 0.0)
        return Place(node, reward, step.terminal, grows, visits, total, range(0))


def _expanded(places: Map[int, Place], path: Sequence[int], kids: Sequence[Place]) -> Map[int, Place]:
    """The leaf at the end of `path` has got `kids`, and all on the path have got their rewards."""
    number, first = path[-1], len(places)
    leaf = places[number]
    changed = places.mutate()
    changed[number] = leaf._replace(grows=False, kids=range(first, first + len(kids)))
    for position, kid in enumerate(kids, first):
        changed[position] = kid
    if kids:
        _back_up(changed, path, len(kids), fsum(kid.reward for kid in kids))
    elif leaf.node:
        _back_up(changed, path, 1, leaf.reward)
    return changed.finish()


def _visited(places: Map[int, Place], path: Sequence[int]) -> Map[int, Place]:
    """The leaf at the end of `path` cannot grow and has been selected."""
    changed = places.mutate()
    _back_up(changed, path, 1, places[path[-1]].reward)
    return changed.finish()


def _back_up(changed: MapMutation[int, Place], path: Sequence[int], visits: int, total: float) -> None:
    """Every node on `path` gets `visits` more, with rewards of `total`."""
    for number in path:
        node, reward, terminal, grows, visits_before, total_before, kids = changed[number]
        changed[number] = Place(node, reward, terminal, grows, visits_before + visits, total_before + total, kids)
