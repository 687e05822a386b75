"""ToT-BFS keeps the best nodes of a depth, by values or by votes, the best ones or drawn ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.api import solve_sync
from spex.engine.function import FunctionPolicy
from spex.errors import InputError
from spex.ids import Expand, NodeId, Score
from spex.reward.function import FunctionReward
from spex.search.tot_bfs import TotBfs, drawn
from spex.seeds import draw
from spex.tasks.game24 import PROPOSE
from spex.testing import SHAPES, Shape, SyntheticWorld, check_search, run_alone
from tests.builders import node
from tests.search.worlds import Drawn

SEARCHES = [
    TotBfs(children=3, keep=2),
    TotBfs(children=3, keep=2, samples=3),
    TotBfs(children=3, keep=2, evaluate="vote", samples=2),
    TotBfs(children=3, keep=2, select="sample"),
    TotBfs(keep=2, generate="propose"),
    TotBfs(keep=2, generate="propose", evaluate="vote"),
]


@pytest.mark.parametrize("search", SEARCHES, ids=repr)
def test_it_is_a_search_as_any_other(search: TotBfs) -> None:
    check_search(replace(search, depth_max=5))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SEARCHES), st.sampled_from(SHAPES), st.integers(0, 10_000))
def test_no_more_nodes_are_kept_than_asked_for_and_every_terminal_is_an_answer(
    search: TotBfs, shape: Shape, seed: int
) -> None:
    run = run_alone(replace(search, depth_max=4), SyntheticWorld(seed, shape))
    grown = Counter(len(parent) for parent in {call.parent for call in run.tree.expansions})
    assert max(grown.values()) <= search.keep
    assert set(run.terminals) == set(run.tree.terminals())


def test_the_best_of_a_depth_are_kept_whoever_their_parents_are() -> None:
    rewards = {node(0): 0.9, node(1): 0.8, node(2): 0.1}
    rewards |= {node(0, index): 0.3 for index in range(3)} | {node(1, index): 0.4 for index in range(3)}
    run = run_alone(TotBfs(children=3, keep=2, depth_max=3), Drawn(distinct(rewards), rewards))
    parents = {call.parent for call in run.tree.expansions}
    assert {parent for parent in parents if len(parent) == 1} == {node(0), node(1)}
    assert {parent for parent in parents if len(parent) == 2} == {node(1, 0), node(1, 1)}


def test_of_equal_states_the_first_alone_keeps_its_value() -> None:
    states: dict[NodeId, str | None] = {node(0): "a", node(1): "a", node(2): "b"}
    rewards = {node(0): 0.6, node(1): 0.9, node(2): 0.1}
    run = run_alone(TotBfs(children=3, keep=2, depth_max=2), Drawn(states, rewards))
    assert {call.parent for call in run.tree.expansions if call.parent} == {node(0), node(2)}


def test_a_vote_is_one_call_over_all_nodes_of_a_depth() -> None:
    rewards = {node(0): 0.2, node(1): 0.9}
    search = TotBfs(children=2, keep=1, evaluate="vote", samples=2, depth_max=2)
    run = run_alone(search, Drawn(distinct(rewards), rewards))
    assert {call for call in run.tree.scores if call.nodes[0] == node(0)} == {
        Score((node(0), node(1)), "reward", number) for number in range(2)
    }
    assert {call.parent for call in run.tree.expansions if call.parent} == {node(1)}
    assert search.answer_rule == "majority"


def test_a_puzzle_is_solved_by_moves_that_are_listed() -> None:
    first, second, third = "10 - 4 = 6 (left: 6 9 13)\n", "13 - 9 = 4 (left: 4 6)\n", "4 * 6 = 24 (left: 24)\n"
    lists = {
        "": f"13 - 10 = 3 (left: 3 4 9)\n{first}foo\n{first}\n",
        first: f"{second}9 - 6 = 3 (left: 3 13)\n\n",
        first + second: f"{third}4 + 6 = 10 (left: 10)\n\n",
    }

    def write(prompt: str, seed: int) -> str:
        played, cue, after = prompt.rpartition("Assistant: ")[2].rpartition(PROPOSE)
        assert cue
        assert not after
        return lists.get(played, "")

    def judge(text: str) -> float:
        return 0.9 if first in text else 0.1

    search = TotBfs(keep=1, generate="propose")
    policy, reward = FunctionPolicy(write), FunctionReward(judge)
    solution = solve_sync("4 9 10 13", task="game24", policy=policy, reward=reward, search=search)
    assert solution.correct
    assert [step.text for step in solution.tree.path(solution.terminals[0])] == [first, second, third]
    assert len(solution.tree.expansions[Expand((), "propose", 0)]) == 2


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.integers(0, 2**32), st.data())
def test_as_many_nodes_are_drawn_as_there_are_draws_and_zeros_last(
    values: list[float], seed: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, len(values) - 1))
    nodes = [node(index) for index in range(len(values))]
    worth = dict(zip(nodes, values, strict=True))
    chosen = drawn(nodes, worth, [draw(seed, 0, 1, number) for number in range(count)])
    assert len(chosen) == count
    if count <= sum(value > 1e-6 for value in values):
        assert all(worth[one] > 0.0 for one in chosen)


def test_nodes_are_drawn_in_proportion_to_their_values() -> None:
    nodes, worth = [node(0), node(1)], {node(0): 0.75, node(1): 0.25}
    first = sum(node(0) in drawn(nodes, worth, [draw(seed, 0, 1)]) for seed in range(2000))
    assert 1400 < first < 1600


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("children", 0),
        ("keep", 0),
        ("samples", 0),
        ("depth_max", 0),
        ("select", "best"),
        ("evaluate", "guess"),
        ("generate", "x"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field):
        TotBfs(**{field: value})  # type: ignore[arg-type]


def distinct(rewards: dict[NodeId, float]) -> dict[NodeId, str | None]:
    """A state of its own for each node."""
    return {name: str(name) for name in rewards}


def test_what_calls_propose_is_unbounded_so_that_no_search_of_proposals_is_stopped_for_certain() -> None:
    for generate, bounded in (("sample", True), ("propose", False)):
        search = TotBfs(children=2, keep=1, generate=generate, depth_max=3)  # type: ignore[arg-type]
        run = run_alone(search, SyntheticWorld(0, SHAPES[0]))
        assert search.outlook(search.start(0), run.courses[0].view).keeps is bounded
