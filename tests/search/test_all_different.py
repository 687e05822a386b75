"""Two searches that come to equal trees on ten random problems are one search."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import pytest

from spex.ids import Call, Expand, Score
from spex.testing import SyntheticWorld, run_alone
from tests.search.small import NAMES, small

PROBLEMS = range(10)


@cache
def demanded(name: str, problem: int) -> frozenset[Call]:
    """The calls that the search demands of a drawn world."""
    courses = run_alone(small(name), SyntheticWorld(problem), seed=problem).courses
    return frozenset(call for course in courses for call in course.demanded)


def expansions(name: str, problem: int) -> set[Call]:
    return {call for call in demanded(name, problem) if isinstance(call, Expand)}


WHOLE_SOLUTIONS = ("best-of-n", "self-consistency")
PAIRS = [pair for pair in combinations(NAMES, 2) if pair != WHOLE_SOLUTIONS]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_two_searches_grow_equal_trees_on_ten_problems(one: str, other: str) -> None:
    assert [expansions(one, problem) for problem in PROBLEMS] != [expansions(other, problem) for problem in PROBLEMS]


def test_best_of_n_and_self_consistency_differ_by_their_scores_alone() -> None:
    for problem in PROBLEMS:
        scored, counted = (demanded(name, problem) for name in WHOLE_SOLUTIONS)
        assert counted < scored
        assert all(isinstance(call, Score) for call in scored - counted)
