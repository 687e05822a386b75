"""How the vote stands in the middle of a search, and what may still come: all that a stopping rule is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from spex.answer import AnswerRule, Ballot
from spex.ids import NodeId


class Candidate(NamedTuple):
    """An answer and its ballots, at least one: with their scores as they stand, and as they may end.

    `least` and `most` bound the scores of terminals that are still to be scored; of others all three agree.
    """

    answer: str
    ballots: tuple[Ballot, ...]
    least: tuple[Ballot, ...]
    most: tuple[Ballot, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The demanded results up to one point of a search.

    `candidates`: the winner so far first, ordered as `rule` orders votes. `left`: at most so many terminals
    still come, none scored above `best`. `used`: how far that bound has fallen since the search began.
    `sure`: all of `candidates`' ballots will count in the end. `seed`: for draws at this point.
    Everything is a function of the configuration and of results.
    """

    candidates: tuple[Candidate, ...]
    left: int
    best: float
    used: int
    sure: bool
    rule: AnswerRule
    seed: int

    @property
    def answers(self) -> int:
        """Ballots so far."""
        return sum(len(candidate.ballots) for candidate in self.candidates)

    @property
    def expected_left(self) -> int:
        """Answers that probably still come: ⌈left · (answers + 1) / (used + 1)⌉, at most `left`.

        A bound counts every child that a search could make; what share of them became answers so far is taken to
        go on. Where each answer takes one off the bound (REBASE, whole solutions) that is the bound itself.
        """
        return min(self.left, ceil(self.left * (self.answers + 1) / (self.used + 1)))


def ranked(candidates: Sequence[Candidate], rule: AnswerRule) -> tuple[Candidate, ...]:
    """The candidates as a vote orders them: by falling weight, ties by the node that stands for each."""

    def place(candidate: Candidate) -> tuple[float, NodeId]:
        weight, node = rule.weigh(candidate.ballots)
        return -weight, node

    return tuple(sorted(candidates, key=place))
