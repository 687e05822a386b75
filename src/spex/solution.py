"""What a query gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from spex.errors import SpexError
from spex.ids import NodeId
from spex.problem import Problem
from spex.render import tree_html, tree_text
from spex.tree import Tree
from spex.usage import Usage


class Timings(NamedTuple):
    """Seconds on the run's clock. `latency_seconds` runs from the query's start to its end."""

    started_at_seconds: float = 0.0
    latency_seconds: float = 0.0


class Foresight(NamedTuple):
    """How speculation fared, in calls: `committed` of the `speculated` were demanded after all.

    `foreseen` of the `demanded` calls had been started before; `head_start_seconds` is the sum
    of what the committed ones won.
    """

    speculated: int = 0
    committed: int = 0
    demanded: int = 0
    foreseen: int = 0
    head_start_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Solution:
    """The result of one problem.

    `tree` holds the demanded calls alone, `terminals` the nodes whose answers counted, each as often
    as it counted. `correct` is None where nobody can tell. `partial` says why the query did not end by
    itself (a deadline, a cancellation, a failed call), else None; `error` is the failure, if any.
    `stopped_early` is the name of the stopping rule that ended the search, if one did. `score`: the best reward of a
    terminal with the answer, in [0, 1], as the answer rule counts it; None where none of them was scored by itself.
    `repr` is one line, `str` the tree.
    """

    problem: Problem
    answer: str | None
    correct: bool | None
    tree: Tree
    terminals: tuple[NodeId, ...] = ()
    usage: Usage = Usage()
    timings: Timings = Timings()
    foresight: Foresight = Foresight()
    partial: str | None = None
    error: SpexError | None = None
    stopped_early: str | None = None
    score: float | None = None

    def __repr__(self) -> str:
        tokens = self.usage.useful.generated
        return f"Solution({self.problem.id!r}, answer={self.answer!r}, tokens={tokens}, partial={self.partial!r})"

    def __str__(self) -> str:
        return tree_text(self.tree, title=f"{self.problem.id}: {self.answer}", judge=self._judge)

    def _repr_html_(self) -> str:
        return tree_html(self.tree, title=f"{self.problem.id}: {self.answer}", judge=self._judge)

    def _judge(self, answer: str) -> bool | None:
        """Only the answer that won has been checked."""
        return self.correct if answer == self.answer else None
