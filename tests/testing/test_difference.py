"""Of two trees, the first difference is one that no other explains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spex.testing import Difference, first_difference
from spex.tree import Step, Tree
from tests.builders import grow, rate

STEP = Step("a b\n", (1, 2, 3), (-0.1, -0.2, -0.3))
OTHER = Step("a c\n", (1, 4, 3), (-0.1, -0.5, -0.3))


def tree(**changed: Any) -> Tree:
    """A root with two children and one grandchild; `changed` are the results of calls that are not as usual."""
    results: dict[str, Any] = {"first": STEP, "second": STEP, "below": STEP, "score": 0.5, "score_below": 0.25}
    results.update(changed)
    made = Tree()
    made.expand(grow(0), [results["first"]])
    made.expand(grow(1), [results["second"]])
    made.expand(grow(1, 0), [results["below"]])
    made.scores[rate(1)] = (results["score"],)
    made.scores[rate(1, 0)] = (results["score_below"],)
    return made


def test_equal_trees_have_none() -> None:
    assert first_difference(tree(), tree()) is None
    assert first_difference(Tree(), Tree()) is None


def test_another_token_is_told_with_both_log_probabilities_by_its_place() -> None:
    found = first_difference(tree(), tree(second=OTHER))
    assert found == Difference("expand:root>step.1, step.1", "token", 1, 2, 4, -0.2, -0.5)
    assert str(found) == (
        "expand:root>step.1, step.1: token 1: 2 (log-probability -0.2) against 4 (log-probability -0.5)"
    )


def test_a_text_that_goes_on_is_told_where_the_other_ends() -> None:
    found = first_difference(tree(second=replace(STEP, token_ids=(1, 2), logprobs=None)), tree())
    assert found == Difference("expand:root>step.1, step.1", "token", 2, None, 3, None, -0.3)
    assert "nothing against 3 (log" in str(found)


@pytest.mark.parametrize(
    ("changed", "aspect", "position"),
    [
        ({"logprobs": (-0.1, -0.2, -0.30000000000000004)}, "log-probability", 2),
        ({"logprobs": None}, "log-probability", 0),
        ({"text": "a b"}, "text", None),
        ({"end": "eos"}, "end", None),
        ({"terminal": True}, "terminal", None),
        ({"answer": "7"}, "answer", None),
        ({"state": (1, 2)}, "state", None),
    ],
)
def test_what_else_of_a_step_differs_is_named(changed: dict[str, Any], aspect: str, position: int | None) -> None:
    found = first_difference(tree(), tree(below=replace(STEP, **changed)))
    assert found is not None
    assert (found.call, found.aspect, found.position) == ("expand:step.1>step.0, step.1/step.0", aspect, position)


def test_a_score_that_differs_in_its_last_bit_differs() -> None:
    found = first_difference(tree(score=0.1 + 0.2), tree(score=0.3))
    assert found == Difference("score:reward.0:step.1", "score", 0, 0.1 + 0.2, 0.3)
    assert str(found) == "score:reward.0:step.1: score 0: 0.30000000000000004 against 0.3"


def test_a_text_comes_before_the_score_that_it_was_given() -> None:
    found = first_difference(tree(second=OTHER, score=0.9), tree())
    assert found is not None
    assert found.aspect == "token"


def test_what_is_nearer_to_the_root_comes_first() -> None:
    found = first_difference(tree(score=0.9, below=OTHER, score_below=0.8), tree())
    assert found is not None
    assert found.call == "score:reward.0:step.1"


def test_a_result_comes_before_the_calls_that_it_led_to_wherever_they_are() -> None:
    left, right = tree(score_below=0.9), tree()
    left.expand(grow(2), [STEP])
    found = first_difference(left, right)
    assert found is not None
    assert found.call == "score:reward.0:step.1/step.0"


def test_calls_that_one_tree_alone_has_are_told_last() -> None:
    left, right = tree(), tree()
    right.expand(grow(2), [STEP])
    assert first_difference(left, right) == Difference("expand:root>step.2", "call", None, None, "asked for")
    assert str(first_difference(right, left)).endswith("call: 'asked for' against nothing")


def test_how_many_children_a_call_made_is_told_after_those_that_both_have() -> None:
    left, right = Tree(), Tree()
    left.expand(grow(0), [STEP, STEP])
    right.expand(grow(0), [STEP])
    assert first_difference(left, right) == Difference("expand:root>step.0", "children", None, 2, 1)
    right = Tree()
    right.expand(grow(0), [OTHER])
    found = first_difference(left, right)
    assert found is not None
    assert found.aspect == "token"
