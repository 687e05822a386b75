"""What a query has found: its tree, the answer that its terminals vote for, and whether that is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spex.answer import answer_of
from spex.control.reading import Reading, of_all_strands
from spex.control.setup import Setup
from spex.control.strand import RunningStrand
from spex.errors import SearchError
from spex.ids import Call, NodeId
from spex.problem import Problem
from spex.tree import Tree


class Found(NamedTuple):
    """A query's demanded tree, and the terminals in it that vote."""

    tree: Tree
    terminals: tuple[NodeId, ...]


def found(tree: Tree, demanded: Iterable[Call], strands: Sequence[RunningStrand], reading: Reading) -> Found:
    """What a query that has ended by itself has found: what its strands have read, up to where they were stopped."""
    if reading.stopped:
        return Found(tree.only(call for call in demanded if call in reading.known), reading.terminals())
    known = set[Call]().union(*(strand.known() for strand in strands))
    ends = [strand.stop.terminals for strand in strands if strand.stop]
    return Found(tree.only(call for call in demanded if call in known), of_all_strands(ends))


def found_by_chance(tree: Tree, demanded: Iterable[Call]) -> Found:
    """What had come when a query was cut short."""
    part = tree.only(call for call in demanded if call in tree)
    return Found(part, tuple(part.terminals()))


class Verdict(NamedTuple):
    """`correct` is None where nobody can tell; `error` says that the task could not judge its own answers.

    `score`: the best that the rule has counted for the answer, None where none of its terminals was scored.
    """

    answer: str | None = None
    correct: bool | None = None
    error: SearchError | None = None
    score: float | None = None


def verdict(problem: Problem, tree: Tree, terminals: Iterable[NodeId], setup: Setup, *, ended: bool = True) -> Verdict:
    """The answer that wins by the setup's rule, checked by its task. Never raises: a task's defect is its query's.

    Where a search has `ended` and found none, that is wrong wherever anything would be.
    """
    task = setup.policy.task
    try:
        vote = answer_of(tree, terminals, setup.answer_rule, task.normalise)
        if vote is None:
            return Verdict(correct=False if ended and task.check(problem, "") is False else None)
        scored = (ballot.score for ballot in vote.ballots if tree.reward(ballot.node) is not None)
        return Verdict(vote.answer, task.check(problem, vote.answer), score=max(scored, default=None))
    except Exception as error:  # noqa: BLE001  # whatever it is, other queries go on
        return Verdict(error=SearchError(f"task {task.name}: its answers raised {type(error).__name__}: {error}"))
