"""What a query's terminals say: the answer that they vote for, and whether it is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from spex.answer import answer_of
from spex.control.setup import Setup
from spex.errors import SearchError
from spex.ids import NodeId
from spex.problem import Problem
from spex.tree import Tree


class Verdict(NamedTuple):
    """`correct` is None where nobody can tell; `error` says that the task could not judge its own answers."""

    answer: str | None = None
    correct: bool | None = None
    error: SearchError | None = None


def verdict(problem: Problem, tree: Tree, terminals: Iterable[NodeId], setup: Setup) -> Verdict:
    """The answer that wins by the setup's rule, checked by its task. Never raises: a task's defect is its query's."""
    task = setup.policy.task
    try:
        vote = answer_of(tree, terminals, setup.answer_rule, task.normalise)
        if vote is None:
            return Verdict()
        return Verdict(vote.answer, task.check(problem, vote.answer))
    except Exception as error:  # noqa: BLE001  # whatever it is, other queries go on
        return Verdict(error=SearchError(f"task {task.name}: its answers raised {type(error).__name__}: {error}"))
