"""Tree of Thoughts, breadth first (Yao et al. 2023, "Tree of Thoughts", ToT-BFS).

At each depth every kept node gets k children (`sample`: k calls; `propose`: one call that lists several); all of them
are evaluated, and the b best are kept: the highest ones (`greedy`), or b drawn without replacement in proportion to
their values (`sample`). A value is the mean of `samples` scores of a node by itself (`value`), or of its share in
`samples` votes over all nodes of the depth (`vote`). Of nodes of equal state at one depth the first keeps its value,
the others count 0. Terminal nodes leave as answers; the search is over when nothing is left to keep, or at `depth_max`.
Defaults: k = 5 samples, b = 5, greedy, one value.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import ClassVar, Literal, NamedTuple

from spex.errors import InputError
from spex.ids import ROOT, Call, Expand, NodeId, Score, child
from spex.search.base import Demand, Outlook, Stop
from spex.search.levels import answers_at_most
from spex.search.parameters import DEPTH_MAX, WIDTH_MAX, check_whole
from spex.seeds import draw
from spex.tree import TreeView


class State(NamedTuple):
    """`expands` make the nodes of `depth`; depth 0 is before the first. `seed`: of the draws."""

    seed: int
    depth: int
    expands: tuple[Expand, ...]
    terminals: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class TotBfs:
    """Tree of Thoughts, breadth first: all children of a depth are compared, the best are kept.

    `generate` by `sample`, `children` of a node (1 to 1024), or by `propose`, as many as are listed. `keep` nodes of a
    depth (1 to 65536), chosen by `select` (`greedy` or `sample`); `evaluate` by `value` or `vote`, `samples`
    times (1 to 64); `depth_max` (1 to 1000). Raises `InputError`.
    """

    children: int = 5
    keep: int = 5
    select: Literal["greedy", "sample"] = "greedy"
    evaluate: Literal["value", "vote"] = "value"
    generate: Literal["sample", "propose"] = "sample"
    samples: int = 1
    depth_max: int = 25

    source: ClassVar[str] = "Yao et al. 2023, arXiv 2305.10601"

    def __post_init__(self) -> None:
        check_whole("children", self.children, 1, 1024)
        check_whole("keep", self.keep, 1, WIDTH_MAX)
        check_whole("samples", self.samples, 1, 64)
        check_whole("depth_max", self.depth_max, 1, DEPTH_MAX)
        if self.select not in ("greedy", "sample"):
            raise InputError("select", self.select, "it must be one of greedy, sample")
        if self.evaluate not in ("value", "vote"):
            raise InputError("evaluate", self.evaluate, "it must be one of value, vote")
        if self.generate not in ("sample", "propose"):
            raise InputError("generate", self.generate, "it must be one of sample, propose")

    @property
    def answer_rule(self) -> str:
        """The best answer by value; a vote compares the nodes of one depth alone, so that answers are counted."""
        return "best" if self.evaluate == "value" else "majority"

    @property
    def actions(self) -> tuple[str, ...]:
        """What a task must know."""
        return ("step" if self.generate == "sample" else "propose",)

    def start(self, seed: int) -> State:
        return State(seed, 0, (), ())

    def advance(self, state: State, tree: TreeView) -> tuple[State, Demand | Stop]:
        if not state.depth:
            return self._grow(state, [ROOT])
        # What reads as missing is demanded, the votes on what has been made among it.
        nodes = [node for call in state.expands for node in tree.children(call)]
        values = self._values(nodes, tree)
        steps = {node: tree.step(node) for node in nodes}
        ended = tuple(node for node in nodes if steps[node].terminal)
        first: dict[Hashable, NodeId] = {}
        for node in nodes:
            if steps[node].state is not None and first.setdefault(steps[node].state, node) != node:
                values[node] = 0.0
        after = state._replace(terminals=state.terminals + ended)
        kept = self._kept([node for node in nodes if not steps[node].terminal], values, state)
        if not kept or state.depth == self.depth_max:
            return after, Stop(after.terminals)
        return self._grow(after, kept)

    def outlook(self, state: State, tree: TreeView) -> Outlook:
        samples = len(state.expands) if state.depth else self.children
        levels = self.depth_max - max(1, state.depth)
        # One call may list any number of proposals, so that nothing bounds what is still to come.
        bounded = self.generate == "sample"
        return Outlook(answers_at_most(samples, levels, self.keep, self.children), keeps=bounded)

    def _grow(self, state: State, nodes: Sequence[NodeId]) -> tuple[State, Demand]:
        """Demand the children of `nodes`, and what can be scored of them before they are there."""
        action, count = ("step", self.children) if self.generate == "sample" else ("propose", 1)
        expands = tuple(Expand(node, action, index) for node in nodes for index in range(count))
        calls: list[Call] = []
        for call in expands:
            calls.append(call)
            if self.evaluate == "value":
                calls += self._valuations(child(call))
        return state._replace(depth=state.depth + 1, expands=expands), Demand(tuple(calls))

    def _valuations(self, node: NodeId) -> list[Score]:
        return [Score((node,), "reward", number) for number in range(self.samples)]

    def _values(self, nodes: Sequence[NodeId], tree: TreeView) -> dict[NodeId, float]:
        """The mean of each node's scores, or of its shares in the votes."""
        if self.evaluate == "value":
            calls = {node: self._valuations(node) for node in nodes}
            tree.need(call for scores in calls.values() for call in scores)
            return {node: fsum(tree.score(call)[0] for call in calls[node]) / self.samples for node in nodes}
        votes = [Score(tuple(nodes), "reward", number) for number in range(self.samples)] if nodes else []
        tree.need(votes)
        shares = [tree.score(vote) for vote in votes]
        return {node: fsum(share[place] for share in shares) / self.samples for place, node in enumerate(nodes)}

    def _kept(self, nodes: Sequence[NodeId], values: Mapping[NodeId, float], state: State) -> list[NodeId]:
        """At most `keep` of `nodes`, in their order."""
        if self.select == "greedy" or len(nodes) <= self.keep:
            chosen = set(sorted(nodes, key=lambda node: values[node], reverse=True)[: self.keep])
        else:
            chosen = drawn(nodes, values, [draw(state.seed, 0, state.depth, number) for number in range(self.keep)])
        return [node for node in nodes if node in chosen]


def drawn(nodes: Sequence[NodeId], values: Mapping[NodeId, float], draws: Sequence[float]) -> set[NodeId]:
    """One node for each of `draws` (in [0, 1)), without replacement, in proportion to the values that are left.

    Where only zeros are left they are equally likely.
    """
    left, chosen = list(nodes), set[NodeId]()
    for number in draws:
        total = fsum(values[node] for node in left)
        weights = [values[node] / total for node in left] if total > 0.0 else [1.0 / len(left)] * len(left)
        passed, place = 0.0, 0
        while place < len(left) - 1 and number >= passed + weights[place]:
            passed += weights[place]
            place += 1
        chosen.add(left.pop(place))
    return chosen
