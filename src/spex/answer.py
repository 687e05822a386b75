"""The answer of a search: terminal nodes vote, apart from the rule that found them.

A node's score is an aggregate of its path's step rewards: `last` (the terminal's own reward), `min` or
`prod`. Answers that are equal once normalised form one group; the group of greatest weight wins:
`Weighted` (default) sums its scores, `Majority` counts it, `Best` takes its highest score.
Ties go to the smallest NodeId.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, prod
from typing import ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from spex.errors import InputError
from spex.ids import NodeId
from spex.tree import Tree

Aggregate: TypeAlias = Literal["last", "min", "prod"]
Normalise: TypeAlias = Callable[[str], str]


class Ballot(NamedTuple):
    """One terminal's say: its score in [0, 1]."""

    node: NodeId
    score: float


class Vote(NamedTuple):
    """What one answer got. `weight` is in the rule's unit; `node` is the terminal that ties are broken by."""

    answer: str
    weight: float
    node: NodeId
    ballots: tuple[Ballot, ...]


class AnswerRule(Protocol):
    """How ballots for one answer add up.

    A class whose `monotone` is true says that one more ballot, or a higher score, never lowers a weight.
    """

    @property
    def aggregate(self) -> Aggregate:
        """How the rewards along a path become its terminal's score."""
        ...

    def weigh(self, ballots: Sequence[Ballot]) -> tuple[float, NodeId]:
        """The weight of these ballots (at least one), and the node that stands for them in a tie."""
        ...


@dataclass(frozen=True, slots=True)
class Weighted:
    """The sum of the scores."""

    aggregate: Aggregate = "last"

    monotone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_aggregate(self.aggregate)

    def weigh(self, ballots: Sequence[Ballot]) -> tuple[float, NodeId]:
        # fsum is exact, so that neither the order of the ballots nor Python's version matters.
        return fsum(ballot.score for ballot in ballots), _smallest(ballots)


@dataclass(frozen=True, slots=True)
class Majority:
    """The number of ballots, whatever their scores."""

    aggregate: Aggregate = "last"

    monotone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_aggregate(self.aggregate)

    def weigh(self, ballots: Sequence[Ballot]) -> tuple[float, NodeId]:
        return float(len(ballots)), _smallest(ballots)


@dataclass(frozen=True, slots=True)
class Best:
    """The highest score; the smallest node that has it stands for it."""

    aggregate: Aggregate = "last"

    monotone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_aggregate(self.aggregate)

    def weigh(self, ballots: Sequence[Ballot]) -> tuple[float, NodeId]:
        highest = max(ballot.score for ballot in ballots)
        return highest, _smallest([ballot for ballot in ballots if ballot.score == highest])


ANSWER_RULES: Mapping[str, Callable[..., AnswerRule]] = {"weighted": Weighted, "majority": Majority, "best": Best}


def answer_rule(name: str, aggregate: Aggregate = "last") -> AnswerRule:
    """The rule called `name`. Raises `InputError` for an unknown name or aggregate."""
    rule = ANSWER_RULES.get(name)
    if rule is None:
        raise InputError("answer", name, f"it must be one of {', '.join(ANSWER_RULES)}")
    return rule(aggregate)


def answer_of(tree: Tree, terminals: Iterable[NodeId], rule: AnswerRule, normalise: Normalise) -> Vote | None:
    """The winning vote; None where no terminal has an answer."""
    return next(iter(tally(tree, terminals, rule, normalise)), None)


def tally(tree: Tree, terminals: Iterable[NodeId], rule: AnswerRule, normalise: Normalise) -> tuple[Vote, ...]:
    """All votes, the winner first: by falling weight, ties by NodeId. Answers are in their normalised form.

    Each of `terminals` must be in `tree`; one without an answer does not vote, one that is named twice has two votes.
    """
    groups: dict[str, list[Ballot]] = {}
    for node in terminals:
        answer = tree.steps[node].answer
        if answer is not None:
            groups.setdefault(normalise(answer), []).append(Ballot(node, score_of(tree, node, rule.aggregate)))
    votes = [Vote(answer, *rule.weigh(ballots), tuple(ballots)) for answer, ballots in groups.items()]
    return tuple(sorted(votes, key=lambda vote: (-vote.weight, vote.node)))


def score_of(tree: Tree, node: NodeId, aggregate: Aggregate = "last") -> float:
    """A node's score in [0, 1]: the aggregate of its path's step rewards, 0 where `node` itself has none.

    Steps on its way that were never scored are left out.
    """
    own = tree.reward(node)
    if own is None:
        return 0.0
    rewards = [tree.reward(node[:depth]) for depth in range(1, len(node))]
    return _AGGREGATES[aggregate]([*(reward for reward in rewards if reward is not None), own])


def _last(rewards: Sequence[float]) -> float:
    return rewards[-1]


_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {"last": _last, "min": min, "prod": prod}


def _check_aggregate(aggregate: str) -> None:
    if aggregate not in _AGGREGATES:
        raise InputError("aggregate", aggregate, f"it must be one of {', '.join(_AGGREGATES)}")


def _smallest(ballots: Sequence[Ballot]) -> NodeId:
    return min(ballot.node for ballot in ballots)
