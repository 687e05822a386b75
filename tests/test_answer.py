"""Terminal nodes vote: grouped by normalised answer, weighed by a rule, ties by the smallest node."""

from __future__ import annotations

from math import prod
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.answer import ANSWER_RULES, AnswerRule, Best, Majority, Weighted, answer_of, answer_rule, score_of, tally
from spex.errors import InputError
from spex.ids import ROOT, Edge, Expand, NodeId, Score, child
from spex.tree import Step, Tree


def node(index: int) -> NodeId:
    return (Edge("step", index),)


def tree(*leaves: tuple[str | None, float | None]) -> Tree:
    """Terminal children of the root, each with an answer and a reward."""
    made = Tree()
    for index, (answer, reward) in enumerate(leaves):
        made.expand(Expand(ROOT, "step", index), [Step("", terminal=True, answer=answer)])
        if reward is not None:
            made.scores[Score((node(index),))] = (reward,)
    return made


def winner(made: Tree, rule: AnswerRule) -> str | None:
    vote = answer_of(made, made.terminals(), rule, str)
    return vote.answer if vote else None


def test_weighted_sums_the_scores_of_equal_answers() -> None:
    made = tree(("2", 0.9), ("3", 0.5), ("3", 0.5))
    vote = answer_of(made, made.terminals(), Weighted(), str)
    assert vote is not None
    assert (vote.answer, vote.weight, vote.node) == ("3", 1.0, node(1))
    assert [ballot.score for ballot in vote.ballots] == [0.5, 0.5]


def test_majority_counts_and_best_takes_the_highest_score() -> None:
    made = tree(("2", 0.9), ("3", 0.1), ("3", 0.1), ("4", 0.95))
    assert winner(made, Majority()) == "3"
    assert winner(made, Best()) == "4"
    assert winner(made, Weighted()) == "4"


@pytest.mark.parametrize("rule", [Weighted(), Majority(), Best()])
def test_ties_go_to_the_smallest_node(rule: AnswerRule) -> None:
    made = tree(("9", 0.5), ("1", 0.5))
    assert winner(made, rule) == "9"
    reverse = answer_of(made, [node(1), node(0)], rule, str)
    assert reverse is not None
    assert reverse.answer == "9"


def test_a_tie_of_best_scores_is_broken_by_the_nodes_that_have_them() -> None:
    made = tree(("1", 0.2), ("2", 0.7), ("1", 0.7))
    assert winner(made, Best()) == "2"


def test_equal_answers_are_those_that_normalise_to_the_same() -> None:
    made = tree(("2", 0.4), ("7", 0.5), (" 2.", 0.4))
    vote = answer_of(made, made.terminals(), Weighted(), lambda answer: answer.strip(" ."))
    assert vote is not None
    assert (vote.answer, len(vote.ballots)) == ("2", 2)


def test_a_terminal_without_an_answer_does_not_vote() -> None:
    made = tree((None, 0.9), ("3", 0.1))
    assert winner(made, Weighted()) == "3"
    assert winner(tree((None, 0.9)), Weighted()) is None
    assert winner(Tree(), Best()) is None


def test_a_terminal_without_a_score_counts_nothing_by_weight_and_one_by_majority() -> None:
    made = tree(("3", None), ("3", None), ("4", 0.1))
    assert winner(made, Weighted()) == "4"
    assert winner(made, Majority()) == "3"
    assert winner(tree(("3", None)), Weighted()) == "3"


def test_a_terminal_votes_as_often_as_it_is_named() -> None:
    made = tree(("3", 0.4), ("4", 0.5))
    for rule, weight in ((Weighted(), 0.8), (Majority(), 2.0)):
        vote = answer_of(made, [node(0), node(1), node(0)], rule, str)
        assert vote is not None
        assert (vote.answer, vote.weight) == ("3", weight)


def test_all_votes_are_told_from_the_winner_down() -> None:
    made = tree(("1", 0.2), ("2", 0.7), ("3", 0.2))
    votes = tally(made, made.terminals(), Weighted(), str)
    assert [(vote.answer, vote.weight) for vote in votes] == [("2", 0.7), ("1", 0.2), ("3", 0.2)]


def path_tree(rewards: list[float | None]) -> tuple[Tree, NodeId]:
    made, parent = Tree(), ROOT
    for depth, reward in enumerate(rewards, 1):
        last = depth == len(rewards)
        made.expand(Expand(parent), [Step("", terminal=last, answer="1" if last else None)])
        parent = child(Expand(parent))
        if reward is not None:
            made.scores[Score((parent,))] = (reward,)
    return made, parent


def test_a_node_score_is_the_last_the_least_or_the_product_of_its_path() -> None:
    made, leaf = path_tree([0.5, 0.25, 0.8])
    assert score_of(made, leaf) == 0.8
    assert score_of(made, leaf, "min") == 0.25
    assert score_of(made, leaf, "prod") == 0.5 * 0.25 * 0.8


def test_steps_that_were_never_scored_are_left_out_of_a_path() -> None:
    made, leaf = path_tree([0.5, None, 0.8])
    assert score_of(made, leaf, "min") == 0.5
    assert score_of(made, leaf, "prod") == 0.4


@pytest.mark.parametrize("aggregate", ["last", "min", "prod"])
def test_a_node_that_was_never_scored_itself_has_the_score_zero(aggregate: str) -> None:
    made, leaf = path_tree([0.5, 0.9, None])
    assert score_of(made, leaf, aggregate) == 0.0  # type: ignore[arg-type]


def test_rules_are_found_by_name_with_their_aggregate() -> None:
    assert {name: answer_rule(name) for name in ANSWER_RULES} == {
        "weighted": Weighted(),
        "majority": Majority(),
        "best": Best(),
    }
    assert answer_rule("best", "min") == Best("min")


def test_an_unknown_rule_or_aggregate_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match="answer: 'mean' is not valid; it must be one of weighted, majority, best"):
        answer_rule("mean")
    with pytest.raises(InputError, match="aggregate: 'mean' is not valid; it must be one of last, min, prod"):
        Weighted("mean")  # type: ignore[arg-type]


LEAVES = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", None]), st.sampled_from([0.0, 0.25, 0.5, 1.0, None])), max_size=12
)
RULES = st.sampled_from([Weighted(), Majority(), Best()])


@given(LEAVES, RULES, st.randoms(use_true_random=False))
def test_the_order_of_terminals_does_not_matter(
    leaves: list[tuple[str | None, float | None]], rule: AnswerRule, random: Random
) -> None:
    made = tree(*leaves)
    terminals = list(made.terminals())
    before = [(vote.answer, vote.weight, vote.node) for vote in tally(made, terminals, rule, str)]
    random.shuffle(terminals)
    assert [(vote.answer, vote.weight, vote.node) for vote in tally(made, terminals, rule, str)] == before


@given(LEAVES, RULES)
def test_the_winner_weighs_the_most_and_every_answer_is_told_once(
    leaves: list[tuple[str | None, float | None]], rule: AnswerRule
) -> None:
    made = tree(*leaves)
    votes = tally(made, made.terminals(), rule, str)
    assert sorted(vote.answer for vote in votes) == sorted({answer for answer, _ in leaves if answer is not None})
    assert [vote.weight for vote in votes] == sorted((vote.weight for vote in votes), reverse=True)
    voters = [ballot.node for vote in votes for ballot in vote.ballots]
    assert sorted(voters) == [node(index) for index, (answer, _) in enumerate(leaves) if answer is not None]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_aggregates_are_those_of_the_whole_path(rewards: list[float]) -> None:
    made, leaf = path_tree(list(rewards))
    assert score_of(made, leaf, "last") == rewards[-1]
    assert score_of(made, leaf, "min") == min(rewards)
    assert score_of(made, leaf, "prod") == prod(rewards)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_a_weight_does_not_depend_on_the_order_of_addition(rewards: list[float], random: Random) -> None:
    made = tree(*[("1", reward) for reward in rewards])
    terminals = list(made.terminals())
    first = answer_of(made, terminals, Weighted(), str)
    random.shuffle(terminals)
    second = answer_of(made, terminals, Weighted(), str)
    assert first is not None
    assert second is not None
    assert first.weight == second.weight
