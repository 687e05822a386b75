"""Merging of equal states: any search, where what is the same is explored once and counts as often as it was found.

Two steps of one depth may lead to the same state: the same numbers left in Game of 24, whatever the order of the
moves. What can follow is then the same too, so that exploring it twice buys nothing but another draw of it. Here the
first node that a state grows from stands for all others of its depth: whatever the search demands below one of these
is taken from below that one. The search itself sees every node, each with its own text and reward, and decides as
ever; a terminal that it has met in several places votes as often (its multiplicity). Terminals are never merged.

That is another search than the one inside: it has fewer calls, and correlated ones. A state is what the task says
(`Step.state`); where it says none, nothing is merged. Below a node nothing can be demanded before its text is there,
so that a search which demands whole paths at once goes step by step; and no stopping rule may end it early.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from immutables import Map

from spex.errors import InputError
from spex.ids import ROOT, Call, Expand, NodeId, Score, maker
from spex.search.base import AnySearch, Demand, Outlook, Parallel, Search, Stop, strands_of
from spex.search.catalog import actions_of, answer_rule_of, models_of
from spex.tree import Sketch, TreeView

_Place: TypeAlias = tuple[int, Hashable]


@dataclass(frozen=True, slots=True)
class Merging:
    """`inner` with equal states merged, strand by strand. Raises `InputError`."""

    inner: AnySearch

    repeats_terminals: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.inner, type) or not isinstance(self.inner, Search | Parallel):
            raise InputError("inner", self.inner, "it must be a search, such as Rebase(width=16)")

    @property
    def answer_rule(self) -> str:
        """That of the search inside."""
        return answer_rule_of(self.inner)

    @property
    def models(self) -> tuple[str, ...]:
        """Those of the search inside."""
        return models_of(self.inner)

    @property
    def actions(self) -> tuple[str, ...]:
        """Those of the search inside."""
        return actions_of(self.inner)

    def strands(self) -> tuple[MergingStrand, ...]:
        return tuple(map(MergingStrand, strands_of(self.inner)))


class State(NamedTuple):
    """`grown`: which node each one takes its children from; `first`: the first of each state, by depth."""

    inner: Any
    grown: Map[NodeId, NodeId]
    first: Map[_Place, NodeId]


@dataclass(frozen=True, slots=True)
class MergingStrand:
    """One strand of the search inside."""

    inner: Search[Any]

    repeats_terminals: ClassVar[bool] = True

    def start(self, seed: int) -> State:
        return State(self.inner.start(seed), Map(), Map())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        names = _Names(state, tree)
        inner, outcome = self.inner.advance(state.inner, _Merged(tree, names))
        if isinstance(outcome, Stop):
            told: Demand | Stop = Stop(tuple(map(names.made, outcome.terminals)))
        else:
            told = Demand(tuple(dict.fromkeys(map(names.call, outcome.calls))))
        return State(inner, names.grown.finish(), names.first.finish()), told

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        """Of the search inside, which counts by multiplicity: so nothing read so far can be told from what comes."""
        within = self.inner.outlook(state.inner, _Merged(tree, _Names(state, tree)))
        return Outlook(within.answers, within.best)


class _Names:
    """What the nodes of the search inside are called in the tree, where those of one state share their children."""

    def __init__(self, state: State, tree: TreeView) -> None:
        self.grown = state.grown.mutate()
        self.first = state.first.mutate()
        self._tree = tree

    def made(self, node: NodeId) -> NodeId:
        """Where the text and the reward of `node` are."""
        return node if node == ROOT else (*self._grown(node[:-1]), node[-1])

    def call(self, call: Call) -> Call:
        return self.expand(call) if isinstance(call, Expand) else self.score(call)

    def expand(self, call: Expand) -> Expand:
        return call._replace(parent=self._grown(call.parent))

    def score(self, call: Score) -> Score:
        return call._replace(nodes=tuple(map(self.made, call.nodes)))

    def _grown(self, node: NodeId) -> NodeId:
        """The node that grows in the place of `node`; waits for the text of this one."""
        if node == ROOT:
            return ROOT
        found: NodeId | None = self.grown.get(node)
        if found is None:
            found = self.grown[node] = self._representative(self.made(node))
        return found

    def _representative(self, node: NodeId) -> NodeId:
        """The first node of the same state; that is itself, where it ends its path or was never made."""
        if node not in self._tree.children(maker(node)):
            return node
        step = self._tree.step(node)
        return node if step.terminal or step.state is None else self._first(node, (len(node), step.state))

    def _first(self, node: NodeId, place: _Place) -> NodeId:
        found: NodeId = self.first.get(place, node)
        self.first[place] = found
        return found


class _Merged:
    """The tree as the search inside knows it."""

    def __init__(self, tree: TreeView, names: _Names) -> None:
        self._tree = tree
        self._names = names

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        made = self._tree.children(self._names.expand(call))
        return tuple((*call.parent, node[-1]) for node in made)

    def step(self, node: NodeId) -> Sketch:
        return self._tree.step(self._names.made(node))

    def score(self, call: Score) -> tuple[float, ...]:
        return self._tree.score(self._names.score(call))

    def need(self, calls: Iterable[Call]) -> None:
        self._tree.need(map(self._names.call, calls))
