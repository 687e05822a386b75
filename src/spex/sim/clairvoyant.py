"""The clairvoyant schedule: what speculation could win if it knew everything. A yardstick, not a limit.

The demanded calls of a plain run are known in advance. Each has probability 1 from the moment at which it
could be made, that is, at its parent's text, and nothing else has any. Scheduler and market are those of
every speculating run; ties go in the order of the plain run's demands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from spex.ids import Call, Expand, NodeId
from spex.solution import Solution
from spex.speculate.course import Strand
from spex.speculate.predictor import Predictor
from spex.speculate.rule import Foresight
from spex.speculate.runahead import Effort
from spex.tree import Tree


@dataclass(frozen=True, slots=True)
class Clairvoyant:
    """A speculation rule that has the demanded calls of each problem, by its id, in their order."""

    demanded: Mapping[str, tuple[Call, ...]]

    @classmethod
    def of(cls, plain: Iterable[Solution]) -> Self:
        """Knows what these queries of a plain run have demanded, and what had a result."""
        return cls({solution.problem.id: _demanded(solution.tree) for solution in plain})

    def begin(self, problem_id: str, tree: Tree, predictor: Predictor, seed: int) -> Foresight:  # noqa: ARG002
        return Plan(self.demanded.get(problem_id, ()), tree)


class Plan:
    """What is left to do of one query's demanded calls, of which `ripe` ones could be made now."""

    def __init__(self, demanded: Sequence[Call], tree: Tree) -> None:
        self._tree = tree
        self._rank = {call: rank for rank, call in enumerate(demanded)}
        self._waiting: dict[NodeId, list[Call]] = {}
        self._ripe: dict[Call, None] = {}
        for call in demanded:
            self._await_text(call)

    def foresee(self, strands: Sequence[Strand], effort: Effort) -> dict[Call, float]:  # noqa: ARG002
        """Probability 1 for each of the demanded calls that could be made now and has no result."""
        return dict.fromkeys(sorted(self._ripe, key=self._rank.__getitem__), 1.0)

    def learn(self, call: Call) -> None:
        """What builds on the texts of `call` can be made now."""
        self._ripe.pop(call, None)
        for node in self._tree.expansions[call] if isinstance(call, Expand) else ():
            for waiting in self._waiting.pop(node, ()):
                self._await_text(waiting)

    def _await_text(self, call: Call) -> None:
        """File the call under a text that it needs and that is not there, or as ripe."""
        nodes = (call.parent,) if isinstance(call, Expand) else call.nodes
        missing = next((node for node in nodes if not self._tree.exists(node)), None)
        if missing is None:
            self._ripe[call] = None
        else:
            self._waiting.setdefault(missing, []).append(call)


def _demanded(tree: Tree) -> tuple[Call, ...]:
    """The calls of a demanded tree that an engine was asked for: what is void asks nothing."""
    return (
        *(call for call, nodes in tree.expansions.items() if nodes),
        *(call for call, values in tree.scores.items() if values),
    )
