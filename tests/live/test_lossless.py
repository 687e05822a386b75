"""G1 on real servers: a speculating run grows the trees of the plain one, token for token and score for score."""

from __future__ import annotations

import pytest

import spex
from spex.engine.catalog import find_engine
from spex.search.base import AnySearch
from tests.live.alike import assert_same_trees
from tests.live.servers import Pair, pairs

QUESTIONS = [
    spex.Problem("Ann has 3 bags of 4 apples and eats 2 of them. How many are left?", "apples", "10"),
    spex.Problem("A bus has 40 seats. 25 are taken and 6 people get in. How many seats are free?", "bus", "9"),
    spex.Problem("A pen costs $2 and a book $5. What do 3 pens and 2 books cost in dollars?", "shop", "16"),
    spex.Problem("Leo runs 4 km on each of 5 days and 10 km on the sixth. How many km is that?", "runner", "30"),
    spex.Problem("A farmer packs 96 eggs in boxes of 12 and sells 5 boxes. How many boxes are left?", "eggs", "3"),
]
SEARCHES: dict[str, AnySearch] = {
    "rebase": spex.Rebase(width=16, depth_max=3),
    "mcts": spex.Mcts(iterations=16, children=3, depth_max=4),
}


def searched(pair: Pair, search: str, speculation: spex.Speculation | None) -> spex.Run:
    return spex.run_sync(
        QUESTIONS,
        policy=pair.policy,
        reward=spex.Judge(find_engine(pair.reward)),
        task="gsm8k",
        search=SEARCHES[search],
        speculation=speculation,
        step_tokens_max=48,
        temperature=0.8,
        concurrency=len(QUESTIONS),
        seed=7,
    )


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("pair", pairs())
def test_a_speculating_run_grows_the_trees_of_the_plain_one(pair: Pair, search: str) -> None:
    plain = searched(pair, search, None)
    speculating = searched(pair, search, spex.Speculation())
    assert_same_trees(plain, speculating)
    # Without these, equal trees would show nothing.
    assert sum(solution.foresight.committed for solution in speculating.solutions) > 0
    assert all(len({step.text for step in solution.tree.steps.values()}) > 4 for solution in plain.solutions)
