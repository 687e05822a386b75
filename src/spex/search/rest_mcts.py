"""ReST-MCTS* (Zhang et al. 2024, arXiv 2406.03816): step-level MCTS on a value model, with short rollouts.

V(u) says how good u is so far: at first its reward. An iteration goes from the root to a leaf by the highest
V + c·√(2 ln N_parent / N), a child that has not been visited (N = 0) counting V + 1, and gives the leaf k children. The
best of them is followed by a rollout of so many steps, each the best of its samples: if v is the highest reward on it,
V becomes (1 − α)·V + α·v, and N 1. Then, from the leaf up, N += 1 and V = Σ N·V / Σ N over the children. A leaf that
cannot grow (terminal, at `depth_max`, or without children when it was expanded) only adds its visit. The search is over
when `answers` terminal nodes have been met, those of rollouts among them, after `iterations`, or when no leaf can grow.
Defaults: k = 3, c = 0.7, rollouts of 2 steps of 1 sample, α = 0.5, 5 answers, 32 iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, log, sqrt
from typing import ClassVar, NamedTuple

from immutables import Map

from spex.ids import ROOT, Expand, NodeId
from spex.search.base import Demand, Outlook, Stop
from spex.search.levels import best_of
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_real, check_whole
from spex.search.samples import Samples, Scored, read_samples, samples_of
from spex.tree import TreeView

_ROOT = 0
_UNVISITED = 1.0


class Valued(NamedTuple):
    """A node: `value` is V, `visits` is N, `kids` are the numbers of its children. `grows`: it may get children."""

    node: NodeId
    value: float
    terminal: bool
    grows: bool
    visits: int = 0
    kids: range = range(0)


class Rolling(NamedTuple):
    """A rollout that has come `steps` far: the number of the child that it follows, and its highest reward so far."""

    kid: int
    steps: int
    highest: float


class State(NamedTuple):
    """Nodes are numbered as they came, the root 0. `terminals`: all that have been met.

    `path` leads from the root to the leaf of this iteration; it is empty between two. `samples` are awaited: the leaf's
    children, or, where there is one, the next step of the rollout.
    """

    valued: Map[int, Valued]
    iterations: int
    leaves: int
    path: tuple[int, ...]
    samples: Samples
    rolling: Rolling | None
    terminals: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class RestMcts:
    """ReST-MCTS*: tree search on values of partial solutions, each new one looked into by a short rollout.

    `iterations` (1 to 65536), `children` of an expansion (1 to 1024), exploration `c` (0 to 1000); `rollout_steps` (0
    to 100) of `rollout_children` samples each (1 to 1024), mixed in by `alpha` (0 to 1); `answers` (1 to 65536) after
    which it ends; `depth_max` (1 to 1000). Raises `InputError`.
    """

    iterations: int = 32
    children: int = 3
    c: float = 0.7
    rollout_steps: int = 2
    rollout_children: int = 1
    alpha: float = 0.5
    answers: int = 5
    depth_max: int = 25

    answer_rule: ClassVar[str] = "weighted"
    source: ClassVar[str] = "Zhang et al. 2024, arXiv 2406.03816"

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 1, WIDTH_MAX)
        check_whole("children", self.children, 1, 1024)
        check_real("c", self.c, 0.0, 1000.0)
        check_whole("rollout_steps", self.rollout_steps, 0, 100)
        check_whole("rollout_children", self.rollout_children, 1, 1024)
        check_real("alpha", self.alpha, 0.0, 1.0)
        check_whole("answers", self.answers, 1, WIDTH_MAX)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)

    def start(self, seed: int) -> State:
        root = Valued(ROOT, 0.0, terminal=False, grows=True)
        return State(Map({_ROOT: root}), 0, 1, (), Samples(), None, ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if state.path:
            made = read_samples(state.samples, tree)
            state = self._expanded(state, made) if state.rolling is None else self._rolled(state, state.rolling, made)
        while not state.path and not self._is_over(state):
            path = _selected(state.valued, self.c)
            leaf = state.valued[path[-1]]
            if leaf.grows:
                state = state._replace(path=path, samples=_steps(leaf.node, self.children))
            else:
                state = _backed_up(state, path)
        return state, state.samples.demand() if state.path else Stop(state.terminals)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """The iteration that meets the last answers may meet more of them than are missing."""
        an_iteration = self.children + self.rollout_steps * self.rollout_children
        left = (self.iterations - state.iterations) * an_iteration
        return Outlook(max(0, min(left, self.answers - len(state.terminals) - 1 + an_iteration)), keeps=True)

    def _is_over(self, state: State) -> bool:
        ended = len(state.terminals) >= self.answers or state.iterations >= self.iterations
        return ended or not state.leaves

    def _expanded(self, state: State, made: Sequence[Scored]) -> State:
        """The leaf has its children, and a rollout from the best of them begins."""
        first = len(state.valued)
        kids = [
            Valued(node, reward, step.terminal, self._may_grow(node, step.terminal)) for node, reward, step, _ in made
        ]
        changed = state.valued.mutate()
        leaf = state.valued[state.path[-1]]
        changed[state.path[-1]] = leaf._replace(grows=False, kids=range(first, first + len(kids)))
        for number, kid in enumerate(kids, first):
            changed[number] = kid
        leaves = state.leaves + sum(kid.grows for kid in kids) - 1
        state = _met(state._replace(valued=changed.finish(), leaves=leaves), made)
        if not kids:
            return _backed_up(state, state.path)
        best = made.index(best_of(made, 1)[0])
        return self._onward(state, Rolling(first + best, 0, -inf), kids[best].node, kids[best].grows)

    def _rolled(self, state: State, rolling: Rolling, made: Sequence[Scored]) -> State:
        """The rollout has come one step further, or to its end."""
        state = _met(state, made)
        if not made:
            return self._valued(state, rolling)
        best = best_of(made, 1)[0]
        rolling = Rolling(rolling.kid, rolling.steps + 1, max(rolling.highest, best.reward))
        return self._onward(state, rolling, best.node, self._may_grow(best.node, best.step.terminal))

    def _onward(self, state: State, rolling: Rolling, node: NodeId, grows: bool) -> State:
        """The rollout, which has come to `node`, goes on where it can."""
        if not grows or rolling.steps == self.rollout_steps:
            return self._valued(state, rolling)
        return state._replace(rolling=rolling, samples=_steps(node, self.rollout_children))

    def _valued(self, state: State, rolling: Rolling) -> State:
        """The rollout is over: what it says is mixed in and backed up."""
        kid = state.valued[rolling.kid]
        value = (1.0 - self.alpha) * kid.value + self.alpha * rolling.highest if rolling.steps else kid.value
        valued = state.valued.set(rolling.kid, kid._replace(value=value, visits=kid.visits + 1))
        return _backed_up(state._replace(valued=valued), state.path)

    def _may_grow(self, node: NodeId, terminal: bool) -> bool:
        return not terminal and len(node) < self.depth_max


def _steps(node: NodeId, count: int) -> Samples:
    return samples_of([Expand(node, "step", index) for index in range(count)])


def _met(state: State, made: Sequence[Scored]) -> State:
    """The terminal nodes among `made` are answers, each once: a step of a rollout may become a child later."""
    known = set(state.terminals)
    fresh = tuple(scored.node for scored in made if scored.step.terminal and scored.node not in known)
    return state._replace(terminals=state.terminals + fresh)


def _selected(valued: Map[int, Valued], c: float) -> tuple[int, ...]:
    """The path from the root to a leaf; of equals the earlier child."""
    path = [_ROOT]
    place = valued[_ROOT]
    while place.kids:
        exploration = c * sqrt(2.0 * log(place.visits))
        highest, chosen = -inf, place.kids[0]
        for number in place.kids:
            kid = valued[number]
            bound = kid.value + (exploration / sqrt(kid.visits) if kid.visits else _UNVISITED)
            if bound > highest:
                highest, chosen = bound, number
        path.append(chosen)
        place = valued[chosen]
    return tuple(path)


def _backed_up(state: State, path: Sequence[int]) -> State:
    """One more visit of every node on `path`, from the leaf up, each worth what its children are: an iteration."""
    changed = state.valued.mutate()
    for number in reversed(path):
        place = changed[number]
        kids = [changed[kid] for kid in place.kids]
        visits = sum(kid.visits for kid in kids)
        value = fsum(kid.visits * kid.value for kid in kids) / visits if visits else place.value
        changed[number] = place._replace(value=value, visits=place.visits + 1)
    return state._replace(
        valued=changed.finish(), iterations=state.iterations + 1, path=(), samples=Samples(), rolling=None
    )
