"""Best-of-N and self-consistency sample full solutions from the root."""

from __future__ import annotations

import pytest

from spex.answer import Majority, answer_of
from spex.errors import InputError
from spex.ids import ROOT, Expand, Score, child
from spex.search.base import AnySearch, Demand, Outlook
from spex.search.best_of_n import BestOfN
from spex.search.self_consistency import SelfConsistency
from spex.testing import Shape, SyntheticWorld, run_alone

HALF = Shape("half", terminal=0.5)


@pytest.mark.parametrize("search", [BestOfN(9), SelfConsistency(9)])
def test_all_solutions_that_end_are_answers(search: AnySearch) -> None:
    run = run_alone(search, SyntheticWorld(0, HALF))
    solutions = [Expand(ROOT, "solution", index) for index in range(9)]
    assert sorted(run.tree.expansions) == solutions
    ended = [child(call) for call in solutions if run.tree.steps[child(call)].terminal]
    assert 0 < len(ended) < 9
    assert list(run.terminals) == ended


def test_best_of_n_scores_each_solution_once_and_demands_it_at_once() -> None:
    run = run_alone(BestOfN(3), SyntheticWorld(0))
    first = run.courses[0].decisions[0].outcome
    assert isinstance(first, Demand)
    assert list(run.courses[0].demanded) == list(first.calls)
    assert set(run.tree.scores) == {Score((child(Expand(ROOT, "solution", index)),)) for index in range(3)}


def test_self_consistency_asks_for_no_score_and_is_voted_by_majority() -> None:
    search = SelfConsistency(9)
    run = run_alone(search, SyntheticWorld(0, HALF))
    assert run.tree.scores == {}
    assert search.answer_rule == "majority"
    vote = answer_of(run.tree, run.terminals, Majority(), str)
    assert vote is not None
    assert vote.weight == len(vote.ballots)


@pytest.mark.parametrize("search", [BestOfN(4), SelfConsistency(4)])
def test_no_more_answers_can_come_than_there_are_solutions(search: BestOfN | SelfConsistency) -> None:
    view = run_alone(search, SyntheticWorld(0)).courses[0].view
    assert search.outlook(search.start(0), view) == Outlook(4, keeps=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [BestOfN, SelfConsistency])
@pytest.mark.parametrize("width", [0, 65_537, True, 2.0, "4", None])
def test_a_bad_width_is_refused(kind: type[BestOfN | SelfConsistency], width: object) -> None:
    with pytest.raises(InputError, match="1 to 65536"):
        kind(width)  # type: ignore[arg-type]
