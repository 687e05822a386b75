"""rStar (Qi et al. 2024, arXiv 2408.06195, section 3.2): MCTS whose edges are the acts of somebody who reasons.

A1 `step`, A2 `solution` (all that is left), A3 `subquestion` with its answer, A4 `reanswer` of it, A5 `rephrase` of the
question; `_ALLOWED` says which may follow which, and at `depth_max` there are solutions alone. An iteration goes down
by UCT, where a node has children without a visit to one of them by a draw; gives what it comes to all allowed children;
and walks on by draws, each node on its way getting its children too, to an end, whose value it backs up: N += 1 and
Q += value. The value of a solution edge is the share of its commonest answer among its own samples, of which the first
with that answer stands in the tree; of another end the share of its answer among itself and its parent's solutions; 0
without an answer, and where a walk meets a node that got no children. With `confidence="reward"` it is that reward.

The answer with most votes wins: of a solution edge all samples vote that agree with its answer, so that it weighs as
much as it is worth. Defaults: 16 iterations, c = 2, depth 5, 3 children each by A1 and A3, and 32 votes, as in the
authors' code (the paper: 32 iterations and 5 children); one child each by A4 and A5. Their votes on the answer of a
sub-question, and the second model that checks paths, are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from immutables import Map

from spex.errors import InputError
from spex.ids import ROOT, Call, Expand, NodeId, Score, child
from spex.search.base import Demand, Outlook, Stop
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_real, check_whole
from spex.search.uct import ROOT_NUMBER, Place, Places, highest_by_uct, visited
from spex.seeds import draw
from spex.tree import TreeView

_ONWARD = ("solution", "step", "subquestion")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "": ("rephrase", *_ONWARD),
    "rephrase": _ONWARD,
    "step": _ONWARD,
    "subquestion": ("reanswer", *_ONWARD),
    "reanswer": _ONWARD,
}
"""By what made a node, the root by nothing: what may make its children, in NodeId order."""


class State(NamedTuple):
    """`path` leads from the root to the node whose children `calls` make; it is empty where nothing is awaited.

    `leaves`: the nodes that may get children. `terminals`: those that vote, in the order in which they were met.
    """

    seed: int
    places: Places
    iterations: int
    leaves: int
    path: tuple[int, ...]
    calls: tuple[Expand, ...]
    terminals: tuple[NodeId, ...]


class Grown(NamedTuple):
    """The children of a node, and the terminals among what was made that vote."""

    kids: list[Place]
    terminals: list[NodeId]


@dataclass(frozen=True, slots=True)
class RStar:
    """Tree search over rStar's five reasoning actions, led by how far a node's own solutions agree.

    `iterations` (1 to 65536), `children` by a step and by a sub-question (1 to 1024), exploration `c` (0 to 1000),
    `depth_max` (1 to 1000), `votes`: solutions sampled from a node (1 to 1024). `confidence` by `"votes"`, or by
    `"reward"` with one solution from a node. Raises `InputError`.
    """

    iterations: int = 16
    children: int = 3
    c: float = 2.0
    depth_max: int = 5
    votes: int = 32
    confidence: Literal["votes", "reward"] = "votes"

    source: ClassVar[str] = 'Qi et al. 2024, "Mutual Reasoning Makes Smaller LLMs Stronger Problem-Solvers"'
    aliases: ClassVar[Mapping[str, str]] = {"rollouts": "iterations", "num_simulations": "iterations"}
    actions: ClassVar[tuple[str, ...]] = ("reanswer", "rephrase", "solution", "step", "subquestion")

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, 1, WIDTH_MAX)
        check_whole("children", self.children, 1, 1024)
        check_real("c", self.c, 0.0, 1000.0)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)
        check_whole("votes", self.votes, 1, 1024)
        if self.confidence not in ("votes", "reward"):
            raise InputError("confidence", self.confidence, "it must be one of votes, reward")

    @property
    def answer_rule(self) -> str:
        """Samples are counted; with rewards these are summed."""
        return "majority" if self.confidence == "votes" else "weighted"

    def start(self, seed: int) -> State:
        root = Place(ROOT, 0.0, terminal=False, grows=True, visits=0, total=0.0)
        return State(seed, Map({ROOT_NUMBER: root}), 0, 1, (), (), ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if state.path:
            state = self._walked(self._taken_in(state, tree))
        while state.path or (state.leaves and state.iterations < self.iterations):
            path = state.path or self._selected(state)
            leaf = state.places[path[-1]]
            if leaf.grows:
                grown = state._replace(path=path, calls=self._expansions(leaf.node))
                return grown, Demand(self._early(grown.calls))
            state = _ended(state, path)
        return state, Stop(state.terminals)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """An iteration expands a node of each depth at most. Of votes, those for a lesser answer are not kept."""
        nodes = 2 * self.children + 2 + self._samples
        left = (self.iterations - state.iterations) * self.depth_max * nodes
        return Outlook(left, keeps=self.confidence == "reward")

    @property
    def _samples(self) -> int:
        """The solutions of one edge."""
        return self.votes if self.confidence == "votes" else 1

    def _selected(self, state: State) -> tuple[int, ...]:
        """The path to a node that has not been visited, or to an end."""
        path: tuple[int, ...] = (ROOT_NUMBER,)
        place = state.places[ROOT_NUMBER]
        while place.kids:
            fresh = [number for number in place.kids if not state.places[number].visits]
            chosen = _drawn(state, len(path), fresh) if fresh else highest_by_uct(state.places, place, self.c)
            path = (*path, chosen)
            place = state.places[chosen]
        return path

    def _walked(self, state: State) -> State:
        """One step down from a node that has got its children; the iteration is over where there is none."""
        place = state.places[state.path[-1]]
        if not place.kids:
            return _ended(state, state.path)
        return state._replace(path=(*state.path, _drawn(state, len(state.path), place.kids)))

    def _expansions(self, node: NodeId) -> tuple[Expand, ...]:
        """All calls for children of `node`, in NodeId order."""
        last = len(node) + 1 == self.depth_max
        actions = ("solution",) if last else _ALLOWED[node[-1].action if node else ""]
        counts = {"solution": self._samples, "step": self.children, "subquestion": self.children}
        return tuple(Expand(node, action, index) for action in actions for index in range(counts.get(action, 1)))

    def _early(self, calls: Sequence[Expand]) -> tuple[Call, ...]:
        """The calls, with the scores of what ends its path for sure."""
        if self.confidence == "votes":
            return tuple(calls)
        return (*calls, *(Score((child(call),)) for call in calls if call.action == "solution"))

    def _taken_in(self, state: State, tree: TreeView) -> State:
        """The state with the children of the node that `path` leads to."""
        tree.need(self._early(state.calls))
        grown = self._by_votes(state.calls, tree) if self.confidence == "votes" else _by_reward(state.calls, tree)
        first, number = len(state.places), state.path[-1]
        numbers = tuple(range(first, first + len(grown.kids)))
        changed = state.places.mutate()
        changed[number] = state.places[number]._replace(grows=False, kids=numbers)
        for kid_number, kid in zip(numbers, grown.kids, strict=True):
            changed[kid_number] = kid
        return state._replace(
            places=changed.finish(),
            leaves=state.leaves + sum(kid.grows for kid in grown.kids) - 1,
            terminals=(*state.terminals, *grown.terminals),
        )

    def _by_votes(self, calls: Sequence[Expand], tree: TreeView) -> Grown:
        """What `calls` made, one child for all solutions."""
        answers = {node: _answer(node, tree) for node in _made(calls, tree) if node[-1].action == "solution"}
        counts = Counter(answer for answer in answers.values() if answer is not None)
        commonest = max(counts, key=counts.__getitem__, default=None)  # of equals the one that is met first
        agreeing = [node for node, answer in answers.items() if answer is not None and answer == commonest]
        kids, terminals = [], agreeing.copy()
        for node in _made(calls, tree):
            if node in answers:
                if node == next(iter(agreeing or answers)):
                    kids.append(_end(node, len(agreeing) / self.votes))
            elif tree.step(node).terminal:
                answer = _answer(node, tree)
                kids.append(_end(node, (counts[answer] + 1) / (self.votes + 1) if answer is not None else 0.0))
                terminals.append(node)
            else:
                kids.append(_leaf(node))
        return Grown(kids, terminals)


def _by_reward(calls: Sequence[Expand], tree: TreeView) -> Grown:
    """What `calls` made; the ends among it are scored."""
    made = _made(calls, tree)
    terminals = [node for node in made if tree.step(node).terminal]
    ends = {node: Score((node,)) for node in made if node[-1].action == "solution" or tree.step(node).terminal}
    tree.need(ends.values())
    return Grown([_end(node, tree.score(ends[node])[0]) if node in ends else _leaf(node) for node in made], terminals)


def _made(calls: Sequence[Expand], tree: TreeView) -> list[NodeId]:
    return [node for call in calls for node in tree.children(call)]


def _answer(node: NodeId, tree: TreeView) -> str | None:
    step = tree.step(node)
    return step.answer if step.terminal else None


def _leaf(node: NodeId) -> Place:
    return Place(node, 0.0, terminal=False, grows=True, visits=0, total=0.0)


def _end(node: NodeId, value: float) -> Place:
    return Place(node, value, terminal=True, grows=False, visits=0, total=0.0)


def _drawn(state: State, depth: int, numbers: Sequence[int]) -> int:
    """One of `numbers`, the child at `depth` of this iteration's path: all are equally likely."""
    return numbers[int(draw(state.seed, 0, state.iterations, depth) * len(numbers))]


def _ended(state: State, path: Sequence[int]) -> State:
    """The iteration is over: all on `path` get the value of its end."""
    return state._replace(places=visited(state.places, path), iterations=state.iterations + 1, path=(), calls=())
