"""Steps inside of a model's thinking, on real servers: budgets hold, the answer comes behind, trees are the same.

The model is none that was trained to think: it is made to begin with the tag, and its budget closes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import spex
from spex.engine.catalog import find_engine
from spex.tree import Step
from tests.live.alike import assert_same_trees
from tests.live.servers import Pair, at_work, pairs
from tests.live.test_lossless import QUESTIONS

BUDGET, CLOSING_MAX, ANSWER = 48, 16, 24  # tokens of thinking, of the tag that closes it, of the answer
TASK = spex.Thinking(
    spex.Gsm8k(), tokens_max=BUDGET, delimiter="\n", step_tokens_max=24, answer_tokens_max=ANSWER, begin="<think>\n"
)


def thought(pair: Pair, speculation: spex.Speculation | None) -> spex.Run:
    return spex.run_sync(
        QUESTIONS[:2],
        policy=pair.policy,
        reward=spex.Judge(find_engine(pair.reward)),
        task=TASK,
        search=spex.Rebase(width=6, depth_max=6),
        speculation=speculation,
        temperature=0.8,
        seed=5,
    )


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pair", pairs())
def test_thinking_is_closed_within_its_budget_and_answered_and_speculation_changes_no_tree(pair: Pair) -> None:
    plain, speculating = thought(pair, None), thought(pair, spex.Speculation())
    assert_same_trees(plain, speculating)
    assert sum(solution.foresight.committed for solution in speculating.solutions) > 0
    found = [solution.tree.path(node) for solution in plain.solutions for node in solution.tree.terminals()]
    closed = [path for path in found if "</think>" in text_of(path)]
    assert closed, "a model may end its text in the middle of its thoughts, but not always"
    for path in closed:
        *thoughts, answer = path
        assert text_of(thoughts).count("</think>") == 1
        assert sum(step.token_count for step in thoughts) <= BUDGET + CLOSING_MAX
        assert answer.token_count <= ANSWER
    for path in found:
        assert path in closed or path[-1].end in ("eos", "context")
    assert at_work(pair.policy) == 0


def text_of(path: Sequence[Step]) -> str:
    return "".join(step.text for step in path)
