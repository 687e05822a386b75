"""Best-first search takes the best open node, whatever its depth, and ends with the first terminal that it takes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import NodeId
from spex.search.best_first import BestFirst
from spex.testing import SHAPES, Shape, SyntheticWorld, run_alone
from tests.builders import node
from tests.search.worlds import Drawn


def test_it_goes_back_to_a_shallow_node_that_is_better_than_all_deeper_ones() -> None:
    rewards = {node(0): 0.9, node(1): 0.6, node(0, 0): 0.2, node(0, 1): 0.1, node(1, 0): 0.8, node(1, 1): 0.1}
    run = run_alone(BestFirst(children=2, nodes_max=6), Drawn({}, rewards))
    assert [call.parent for call in run.tree.expansions] == [(), (), node(0), node(0), node(1), node(1)]


def test_a_terminal_that_was_made_is_no_answer_before_it_is_taken() -> None:
    # 0 ends with 0.5; 1 is better and is grown first, and its child ends with 0.7.
    states: dict[NodeId, str | None] = {node(0): None, node(1, 0): None}
    rewards = {node(0): 0.5, node(1): 0.6, node(1, 0): 0.7, node(1, 1): 0.1}
    run = run_alone(BestFirst(children=2), Drawn(states, rewards))
    assert run.terminals == (node(1, 0),)


def test_what_steps_and_tokens_cost_makes_it_prefer_the_short_way() -> None:
    states: dict[NodeId, str | None] = {node(0): None, node(1, 0): None}
    rewards = {node(0): 0.5, node(1): 0.6, node(1, 0): 0.7, node(1, 1): 0.1}
    for search, answer in [
        (BestFirst(children=2, depth_cost=0.15), node(1, 0)),
        (BestFirst(children=2, token_cost=0.15), node(1, 0)),
        (BestFirst(children=2, depth_cost=0.25), node(0)),
        (BestFirst(children=2, token_cost=0.25), node(0)),
    ]:
        assert run_alone(search, Drawn(states, rewards)).terminals == (answer,)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SHAPES), st.integers(1, 3), st.integers(1, 30))
def test_it_passes_its_limit_of_nodes_by_one_expansion_at_most(
    seed: int, shape: Shape, children: int, nodes_max: int
) -> None:
    run = run_alone(BestFirst(children=children, nodes_max=nodes_max), SyntheticWorld(seed, shape))
    assert len(run.tree.steps) < nodes_max + children
    assert len(run.terminals) == 1 or set(run.terminals) == set(run.tree.terminals())


@pytest.mark.parametrize(
    ("field", "value"),
    [("children", 0), ("depth_cost", -0.1), ("token_cost", 2.0), ("nodes_max", 0), ("tokens_max", 0), ("depth_max", 0)],
)
def test_a_parameter_out_of_its_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        BestFirst(**{field: value})  # type: ignore[arg-type]
