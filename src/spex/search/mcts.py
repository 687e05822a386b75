"""MCTS with a reward model: step-level UCT, and its usual variants.

An iteration goes from the root to a leaf by UCT or PUCT (`spex.search.uct`) and gives it k children. A child u starts
with N = 1 and Q = r(u) (with `unvisited="first"` N = Q = 0, which comes first); every ancestor gets N += the number of
children and Q += the sum of their rewards. A leaf that cannot grow (terminal, at `depth_max`, or without children when
it was expanded) backs up its own reward instead. The search is over after `iterations`, when `nodes_max` nodes exist,
or when no leaf can grow. Defaults: 32 iterations, k = 4, c = 1.

PUCT's weight of a child is exp of the mean log-probability of its tokens, 1 where the engine tells none. With
`rollout`, r(u) is the reward of the end of a solution that is sampled from u. c may fall to `c_last` over the
iterations. Progressive widening by α > 0 (Coulom 2007): children come one at a time, and a node of N visits takes
another one as long as it has had fewer than N^α of k samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum
from typing import ClassVar, Literal, NamedTuple

from immutables import Map

from spex.errors import InputError
from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.exploration import Schedule, c_at, check_schedule
from spex.search.parameters import check_real, check_tree_search, check_truth
from spex.search.rollout import Rollouts, read_played, rollouts_of
from spex.search.samples import Samples, Scored, samples_of
from spex.search.uct import ROOT_NUMBER, Place, Places, expanded, highest_by_puct, highest_by_uct, visited
from spex.tree import TreeView


class State(NamedTuple):
    """`path` leads from the root to the node that `samples` expand; it is empty where nothing is awaited.

    `leaves`: the nodes that may get children. `played`: the terminal nodes that rollouts have come to.
    """

    places: Places
    iterations: int
    leaves: int
    path: tuple[int, ...]
    samples: Samples | Rollouts
    played: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class Mcts:
    """Monte Carlo tree search with a reward model.

    `iterations` selections (1 to 65536), `children` of an expansion (1 to 1024), exploration `c` (0 to 1000).

    `nodes_max` (1 to 10⁶, neither the root nor rollouts counted) may be passed by one expansion; `depth_max` is from 1
    to 1000. `unvisited`: children count as visited once by their reward (`"scored"`), or come first. `select` by
    `"uct"` or `"puct"`. `rollout`: a child is worth what a solution from it is. `schedule` of c: `"constant"`,
    `"linear"` or `"exponential"` to `c_last` (0 to 1000). `widening` (0 to 1), 0: none. Raises `InputError`.
    """

    iterations: int = 32
    children: int = 4
    c: float = 1.0
    nodes_max: int = 65_536
    depth_max: int = 25
    unvisited: Literal["scored", "first"] = "scored"
    select: Literal["uct", "puct"] = "uct"
    rollout: bool = False
    schedule: Schedule = "constant"
    c_last: float = 0.1
    widening: float = 0.0

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = 'Kocsis and Szepesvári 2006, "Bandit based Monte-Carlo Planning"'
    aliases: ClassVar[Mapping[str, str]] = {"rollouts": "iterations", "num_simulations": "iterations"}

    def __post_init__(self) -> None:
        check_tree_search(self.iterations, self.children, self.c, self.nodes_max, self.depth_max)
        if self.unvisited not in ("scored", "first"):
            raise InputError("unvisited", self.unvisited, "it must be one of scored, first")
        if self.select not in ("uct", "puct"):
            raise InputError("select", self.select, "it must be one of uct, puct")
        check_truth("rollout", self.rollout)
        check_real("c_last", self.c_last, 0.0, 1000.0)
        check_schedule(self.schedule, self.c, self.c_last)
        check_real("widening", self.widening, 0.0, 1.0)

    def start(self, seed: int) -> State:
        root = Place(ROOT, 0.0, terminal=False, grows=True, visits=0, total=0.0)
        return State(Map({ROOT_NUMBER: root}), 0, 1, (), Samples())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if state.path:
            state = self._taken_in(state, tree)
        places, iterations = state.places, state.iterations
        while state.leaves and iterations < self.iterations and len(places) <= self.nodes_max:
            path = self._selected(places, iterations)
            leaf = places[path[-1]]
            if self._may_grow(leaf):
                grown = self._samples(leaf)
                return State(places, iterations, state.leaves, path, grown, state.played), grown.demand()
            places = visited(places, path)
            iterations += 1
        over = State(places, iterations, state.leaves, (), Samples(), state.played)
        ends = [places[number].node for number in range(len(places)) if places[number].terminal]
        return over, Stop((*ends, *state.played))

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Every iteration makes at most `children` nodes, and the last one begins below `nodes_max`.

        A child and its rollout make one answer at most.
        """
        room = self.nodes_max - len(state.places) + self.children
        return Outlook(min((self.iterations - state.iterations) * self.children, room), keeps=True)

    def _selected(self, places: Places, iterations: int) -> tuple[int, ...]:
        """The path from the root to a leaf, or to a node that is to be widened."""
        highest = highest_by_uct if self.select == "uct" else highest_by_puct
        c = c_at(self.schedule, self.c, self.c_last, iterations / max(1, self.iterations - 1))
        path = [ROOT_NUMBER]
        place = places[ROOT_NUMBER]
        while place.kids and not (place.grows and self._may_grow(place)):
            path.append(highest(places, place, c))
            place = places[path[-1]]
        return tuple(path)

    def _may_grow(self, place: Place) -> bool:
        """Whether the node gets children when it is come to."""
        return place.grows and (not self.widening or place.samples < max(1, place.visits) ** self.widening)

    def _samples(self, leaf: Place) -> Samples | Rollouts:
        """The next samples of children, one alone where the tree is widened."""
        count = 1 if self.widening else self.children
        expands = [Expand(leaf.node, "step", index) for index in range(leaf.samples, leaf.samples + count)]
        return rollouts_of(expands, "solution", 1) if self.rollout else samples_of(expands)

    def _taken_in(self, state: State, tree: TreeView) -> State:
        """The state with what was awaited."""
        made = read_played(state.samples, tree)
        leaf = state.places[state.path[-1]]
        samples = leaf.samples + len(state.samples.expands)
        leaf = leaf._replace(samples=samples, grows=samples < self.children)
        kids = [self._place(scored) for scored, _ in made]
        beyond = tuple(end for scored, end in made if end != scored.node and tree.step(end).terminal)
        leaves = state.leaves + sum(kid.grows for kid in kids) - (not leaf.grows)
        places = expanded(state.places, state.path, kids, leaf)
        return State(places, state.iterations + 1, leaves, (), Samples(), state.played + beyond)

    def _place(self, scored: Scored) -> Place:
        """A new child with its first visit, where it has one."""
        node, reward, step, _ = scored
        grows = not step.terminal and len(node) < self.depth_max
        visits, total = (1, reward) if self.unvisited == "scored" else (0, 0.0)
        weight = _weight(step.logprobs) if self.select == "puct" else 1.0
        return Place(node, reward, step.terminal, grows, visits, total, weight=weight)


def _weight(logprobs: Sequence[float] | None) -> float:
    """The exponential of the mean; 1 for a text without tokens, or of an engine that tells no log-probabilities."""
    return exp(min(0.0, fsum(logprobs) / len(logprobs))) if logprobs else 1.0
