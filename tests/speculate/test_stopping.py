"""Each stopping rule at its threshold, worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.answer import AnswerRule, Ballot, Best, Majority, Weighted
from spex.errors import InputError
from spex.ids import NodeId
from spex.speculate.confident import Confident
from spex.speculate.early_alternatives import AdaptiveConsistency, Paper, leads
from spex.speculate.standing import Candidate, Standing, ranked
from spex.speculate.stopping import Exact, StoppingRule, stopping_rule
from tests.builders import node

RULES: Sequence[AnswerRule] = (Weighted(), Majority(), Best())


def candidate(answer: str, *scores: float, first: int = 0, least: float | None = None) -> Candidate:
    """Ballots of these scores, of nodes numbered from `first`; the last one's may end at `least`, or at 1."""
    ballots = [Ballot(node(first + place), score) for place, score in enumerate(scores)]
    if least is None:
        return Candidate(answer, tuple(ballots), tuple(ballots), tuple(ballots))
    *settled, last = ballots
    return Candidate(
        answer, tuple(ballots), (*settled, last._replace(score=least)), (*settled, last._replace(score=1.0))
    )


def standing(
    *candidates: Candidate,
    left: int,
    rule: AnswerRule | None = None,
    best: float = 1.0,
    used: int | None = None,
    sure: bool = True,
    seed: int = 1,
) -> Standing:
    """As it is where every answer so far has taken one off the bound, if `used` does not say otherwise."""
    rule = rule or Weighted()
    answers = sum(len(one.ballots) for one in candidates)
    return Standing(ranked(candidates, rule), left, best, answers if used is None else used, sure, rule, seed)


# Exact


def test_exact_stops_where_the_lead_is_more_than_all_that_is_left() -> None:
    ahead, behind = candidate("a", 0.9, 0.9, 0.9), candidate("b", 0.5, first=3)
    assert Exact().stops(standing(ahead, behind, left=2))
    assert not Exact().stops(standing(ahead, behind, left=3))


def test_exact_takes_a_tie_for_no_lead_because_what_comes_may_stand_first() -> None:
    ahead, behind = candidate("a", 1.0, 1.0), candidate("b", 1.0, first=2)
    assert not Exact().stops(standing(ahead, behind, left=1))
    assert Exact().stops(standing(ahead, behind, left=1, best=0.999))


def test_exact_thinks_of_answers_that_nobody_has_given_yet() -> None:
    assert not Exact().stops(standing(candidate("a", 0.4), left=1))
    assert Exact().stops(standing(candidate("a", 0.6, 0.6), left=1))


def test_exact_counts_a_majority_by_heads() -> None:
    ahead, behind = candidate("a", 0.1, 0.1, 0.1), candidate("b", 0.9, first=3)
    assert Exact().stops(standing(ahead, behind, left=1, rule=Majority()))
    assert not Exact().stops(standing(ahead, behind, left=2, rule=Majority()))


def test_exact_waits_for_every_answer_where_the_best_one_wins_and_may_still_come() -> None:
    assert not Exact().stops(standing(candidate("a", 0.99), left=1, rule=Best()))
    assert Exact().stops(standing(candidate("a", 0.99), left=5, rule=Best(), best=0.98))


def test_exact_stops_where_nothing_is_left_even_in_a_tie_or_without_an_answer() -> None:
    assert Exact().stops(standing(candidate("a", 0.5), candidate("b", 0.5, first=1), left=0))
    assert Exact().stops(standing(left=0))
    assert not Exact().stops(standing(left=1))


def test_exact_takes_a_score_that_is_still_to_come_at_its_least_for_the_leader_and_at_its_most_for_others() -> None:
    assert Exact().stops(standing(candidate("a", 1.0, 0.9, least=0.8), candidate("b", 0.7, first=2), left=1))
    assert not Exact().stops(standing(candidate("a", 1.0, 0.9, least=0.7), candidate("b", 0.7, first=2), left=1))
    assert Exact().stops(standing(candidate("a", 1.0), candidate("b", 0.5, first=1, least=0.0), left=0))
    assert not Exact().stops(standing(candidate("a", 1.0, first=1), candidate("b", 0.5, least=0.0), left=0))


def test_exact_trusts_no_search_that_may_drop_what_it_has_read() -> None:
    assert not Exact().stops(standing(candidate("a", 1.0, 1.0), left=0, sure=False))


class Mean:
    """The mean score: a poor ballot more makes an answer lighter."""

    aggregate = "last"

    def weigh(self, ballots: Sequence[Ballot]) -> tuple[float, NodeId]:
        return fsum(ballot.score for ballot in ballots) / len(ballots), min(ballot.node for ballot in ballots)


def test_exact_trusts_no_answer_rule_by_which_a_ballot_can_do_harm() -> None:
    lead = candidate("a", 1.0, 1.0)
    assert not Exact().stops(standing(lead, left=1, best=0.2, rule=Mean()))  # type: ignore[arg-type]
    assert Exact().stops(standing(lead, left=1, best=0.2))


def scores() -> st.SearchStrategy[float]:
    return st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0])


@given(
    st.lists(st.tuples(st.sampled_from("abc"), scores()), max_size=5),
    st.integers(0, 2),
    st.sampled_from(RULES),
    st.sampled_from([0.3, 1.0]),
)
def test_exact_stops_at_once_when_no_completion_changes_the_answer_and_never_when_one_does(
    ballots: list[tuple[str, float]], left: int, rule: AnswerRule, best: float
) -> None:
    """All completions, by brute force: what comes stands before or after all that is there."""
    seen = [(answer, Ballot(node(place + 10), score)) for place, (answer, score) in enumerate(ballots)]
    comes = list(product("abcd", [0.0, best], [0, 20]))
    ends = {
        winner(
            [*seen, *((answer, Ballot(node(place + k), score)) for k, (answer, score, place) in enumerate(more))], rule
        )
        for count in range(left + 1)
        for more in product(comes, repeat=count)
    }
    groups = {answer: tuple(ballot for other, ballot in seen if other == answer) for answer, _ in seen}
    candidates = [Candidate(answer, group, group, group) for answer, group in groups.items()]
    assert Exact().stops(standing(*candidates, left=left, rule=rule, best=best)) == (len(ends) == 1)


def winner(ballots: Sequence[tuple[str, Ballot]], rule: AnswerRule) -> str | None:
    groups: dict[str, list[Ballot]] = {}
    for answer, ballot in ballots:
        groups.setdefault(answer, []).append(ballot)
    weighed = {answer: rule.weigh(group) for answer, group in groups.items()}
    return min(weighed, key=lambda answer: (-weighed[answer][0], weighed[answer][1]), default=None)


# How many answers are expected


def test_where_each_answer_takes_one_off_the_bound_all_that_are_left_are_expected() -> None:
    assert standing(candidate("a", 0.5, 0.5), left=14).expected_left == 14


def test_where_one_child_in_ten_became_an_answer_one_in_ten_is_expected() -> None:
    assert standing(candidate("a", 0.5, 0.5), left=100, used=29).expected_left == 10


# Confident


def test_confident_needs_a_few_answers_that_agree() -> None:
    early = [standing(candidate("a", *[0.5] * count), left=16 - count, rule=Majority()) for count in range(1, 17)]
    stops = [Confident(0.05).stops(one) for one in early]
    assert stops.index(True) in (3, 4)
    assert all(stops[5:])


def test_confident_goes_on_while_two_answers_are_close() -> None:
    close = standing(candidate("a", *[0.5] * 4), candidate("b", *[0.5] * 3, first=4), left=9, rule=Majority())
    assert not Confident(0.05).stops(close)


def test_confident_stops_where_exact_does() -> None:
    assert Confident(0.001).stops(standing(candidate("a", 0.9, 0.9, 0.9), candidate("b", 0.5, first=3), left=2))


def test_a_smaller_epsilon_is_more_careful() -> None:
    some = standing(candidate("a", *[0.5] * 3), left=13, rule=Majority())
    assert Confident(0.3).stops(some)
    assert not Confident(0.01).stops(some)


def test_confident_draws_by_the_seed_alone() -> None:
    border = [
        standing(candidate("a", *[0.5] * 3), left=13, rule=Majority(), seed=seed) for seed in (*range(20), *range(20))
    ]
    decisions = [Confident(0.06, 50).stops(one) for one in border]
    assert decisions[:20] == decisions[20:]
    assert len(set(decisions)) == 2


def test_confident_knows_that_a_better_score_than_any_so_far_may_come() -> None:
    one_of_two = standing(candidate("a", 0.9), candidate("b", 0.1, first=1), left=8, rule=Best())
    assert not Confident(0.05).stops(one_of_two)


def test_confident_needs_an_answer_and_is_sure_of_none_where_thousands_are_expected() -> None:
    assert not Confident(0.4).stops(standing(left=3))
    assert not Confident(0.4).stops(standing(candidate("a", *[1.0] * 9), left=5000))


def test_the_model_of_confident_has_the_probability_of_a_polya_urn() -> None:
    """One answer left, three of "a", one of "b" of equal score 1: nothing changes. Two of "a": a tie counts."""
    half = standing(candidate("a", 1.0, 1.0), candidate("b", 1.0, first=2), left=1, rule=Majority())
    # The next is a "b" with probability 1/4: more than 0.2, less than 0.3.
    assert not Confident(0.2, 5000).stops(half)
    assert Confident(0.3, 5000).stops(half)


# The published rules


def test_the_papers_rule_weighs_the_lead_against_half_of_what_the_runner_up_may_gain() -> None:
    ahead, behind = candidate("a", 0.75, 0.75), candidate("b", 0.5, first=2)
    assert Paper().stops(standing(ahead, behind, left=3))
    assert not Paper().stops(standing(ahead, behind, left=4))
    assert Paper(alpha=0.4).stops(standing(ahead, behind, left=4))


def test_the_papers_rule_wants_some_answers_first() -> None:
    assert not Paper().stops(standing(candidate("a", 1.0, 1.0), left=1))
    assert Paper(answers_min=2).stops(standing(candidate("a", 1.0, 1.0), left=1))


def test_the_papers_rule_ranks_by_summed_rewards_whatever_the_answer_rule() -> None:
    many, heavy = candidate("a", 0.1, 0.1, 0.1), candidate("b", 0.9, first=3)
    assert Paper().stops(standing(many, heavy, left=11, rule=Majority()))
    assert not Paper().stops(standing(many, heavy, left=12, rule=Majority()))


def test_adaptive_consistency_stops_after_four_answers_that_agree() -> None:
    agreeing = [standing(candidate("a", *[0.0] * count), left=9) for count in range(1, 6)]
    assert [AdaptiveConsistency().stops(one) for one in agreeing] == [False, False, False, True, True]


def test_adaptive_consistency_looks_at_the_first_two_answers() -> None:
    five_to_one = [candidate("a", *[0.5] * 5), candidate("b", 0.5, first=5), candidate("c", 0.5, first=6)]
    assert leads(5, 1) == float(Fraction(120, 128))
    assert not AdaptiveConsistency().stops(standing(*five_to_one, left=9))
    assert AdaptiveConsistency(0.93).stops(standing(*five_to_one, left=9))
    assert not AdaptiveConsistency().stops(standing(left=9))


# By name


@pytest.mark.parametrize(
    ("spelled", "rule"),
    [
        ("exact", Exact()),
        ("confident", Confident(0.05)),
        ("confident:0.1", Confident(0.1)),
        ("paper", Paper()),
        ("paper:1", Paper(1.0)),
        ("adaptive-consistency:0.9", AdaptiveConsistency(0.9)),
    ],
)
def test_a_rule_has_a_name_and_perhaps_a_number(spelled: str, rule: StoppingRule) -> None:
    assert stopping_rule(spelled) == rule
    assert stopping_rule(rule.name) == rule


def test_off_is_no_rule() -> None:
    assert stopping_rule("off") is None


@pytest.mark.parametrize(
    "spelled",
    [
        "", "of", "exact:1", "exact:", "confident:", "confident:0", "confident:0.5", "confident:nan", "confident:x",
        "paper:-1", "paper:inf", "adaptive-consistency:1", "adaptive-consistency:0.4", "off:1",
    ],
)  # fmt: skip
def test_another_name_or_number_is_refused(spelled: str) -> None:
    with pytest.raises(InputError, match="stop"):
        stopping_rule(spelled)


@pytest.mark.parametrize("wrong", [lambda: Paper(answers_min=0), lambda: Confident(0.1, 10), lambda: Confident(1)])
def test_parameters_out_of_range_are_refused(wrong: type) -> None:
    with pytest.raises(InputError):
        wrong()
