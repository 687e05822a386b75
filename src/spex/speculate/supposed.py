"""A supposed world: a tree in which what is missing is as one assumption has it, with nothing learned and no chance.

Real results stand where they exist, demanded or not. What else a search reads is as `AsParent` or `Worthless`
says, and is noted: the calls that have no result, and the nodes whose children are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from spex.ids import REWARD, Call, Expand, NodeId, Score, child
from spex.speculate.absent import ROOT_REWARD, AbsentStep, told_apart
from spex.tree import Sketch, Tree

_ROOT_TOKENS = 64


class Assumption(Protocol):
    """What a node is like whose text or reward is missing."""

    @property
    def terminal(self) -> bool:
        """Whether it ends its path."""
        ...

    def reward(self, tree: Tree, node: NodeId) -> float:
        """Its reward, in [0, 1]."""
        ...


@dataclass(frozen=True, slots=True)
class AsLong:
    """As many `tokens` as another text, whose log-probabilities nobody tells."""

    tokens: int
    logprob: float | None = None

    def length(self, z: float) -> int:  # noqa: ARG002  # nothing departs from it
        return self.tokens


class AsParent:
    """As its parent is: the reward of its nearest ancestor that has one, ½ where none has; it goes on."""

    terminal: bool = False

    def reward(self, tree: Tree, node: NodeId) -> float:
        for depth in range(len(node) - 1, -1, -1):
            known = tree.reward(node[:depth])
            if known is not None:
                return known
        return ROOT_REWARD


class Worthless:
    """Of no use to anybody: reward 0, and its path ends there."""

    terminal: bool = True

    def reward(self, tree: Tree, node: NodeId) -> float:  # noqa: ARG002
        return 0.0


class SupposedTree:
    """A `TreeView`. `missing`: the calls asked for that have no result; `parents`: of all children asked for."""

    def __init__(self, tree: Tree, assumption: Assumption) -> None:
        self.missing: dict[Call, None] = {}
        self.parents: set[NodeId] = set()
        self._tree = tree
        self._assumption = assumption
        self._made: set[NodeId] = set()
        self._unscored: set[NodeId] = set()

    @property
    def finished(self) -> set[NodeId]:
        """The nodes read that have a text, and a reward if one was asked for."""
        return self._made - self._unscored

    def children(self, call: Expand) -> tuple[NodeId, ...]:
        self._ask(call)
        made = self._tree.expansions.get(call)
        if made is None:
            return (child(call),)
        self._made.update(made)
        return made

    def step(self, node: NodeId) -> Sketch:
        real = self._tree.steps.get(node)
        if real is not None and (not self._assumption.terminal or node not in self._unscored):
            return real
        before = self._tree.steps.get(node[:-1])
        tokens = real.token_count if real else before.token_count if before else _ROOT_TOKENS
        return AbsentStep(self._assumption.terminal, AsLong(tokens))

    def score(self, call: Score) -> tuple[float, ...]:
        self._ask(call)
        real = self._tree.scores.get(call)
        if real is not None:
            return real
        if call.model != REWARD:
            return told_apart(len(call.nodes))
        return tuple(map(self._reward, call.nodes))

    def need(self, calls: Iterable[Call]) -> None:
        for call in calls:
            self._ask(call)

    def _ask(self, call: Call) -> None:
        if isinstance(call, Expand):
            self.parents.add(call.parent)
        if call not in self._tree:
            self.missing.setdefault(call)
            if isinstance(call, Score) and call.model == REWARD:
                self._unscored.update(call.nodes)

    def _reward(self, node: NodeId) -> float:
        known = self._tree.reward(node)
        return self._assumption.reward(self._tree, node) if known is None else known
