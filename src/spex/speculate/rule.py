"""What a speculation rule is: technique 1, exchangeable. It says what a search will probably ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from spex.ids import Call
from spex.speculate.course import Strand
from spex.speculate.predictor import Predictor
from spex.speculate.runahead import Effort, RunAhead
from spex.tree import Tree


class Foresight(Protocol):
    """What one query's speculation knows."""

    def foresee(self, strands: Sequence[Strand], effort: Effort) -> dict[Call, float]:
        """The probability, in (0, 1], of calls that could be made now and have no result yet."""
        ...

    def learn(self, call: Call) -> None:
        """A call of the query has finished; its result stands in the tree."""
        ...


class Rule(Protocol):
    """Makes the foresight of each query of a run."""

    def begin(self, problem_id: str, tree: Tree, predictor: Predictor, seed: int) -> Foresight:
        """For the query of `problem_id`, whose results will stand in `tree`; draws come from `seed` alone."""
        ...


@dataclass(frozen=True, slots=True)
class Imagination:
    """Ours: the search itself, run ahead on imagined results (see `spex.speculate.runahead`)."""

    def begin(self, problem_id: str, tree: Tree, predictor: Predictor, seed: int) -> Foresight:  # noqa: ARG002
        return RunAhead(tree, predictor, seed)
