"""ToT-DFS goes down the best way first, prunes what is under its threshold, and comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.errors import InputError
from spex.ids import ROOT, NodeId
from spex.search.tot_dfs import TotDfs
from spex.testing import SHAPES, Shape, SyntheticWorld, run_alone
from tests.builders import node
from tests.search.worlds import Drawn


def test_all_below_the_best_child_comes_before_the_next_one() -> None:
    rewards = {node(0): 0.8, node(1): 0.9, node(1, 0): 0.35, node(1, 1): 0.1}
    run = run_alone(TotDfs(children=2, depth_max=2, visits=3), Drawn({}, rewards))
    assert list(dict.fromkeys(call.parent for call in run.tree.expansions)) == [ROOT, node(1), node(0)]


def test_it_goes_back_where_nothing_good_is_left() -> None:
    # All below 1 is under the threshold: 0 is next, whose child is an answer.
    states: dict[NodeId, str | None] = {node(0, 1): None}
    rewards = {node(0): 0.4, node(1): 0.9, node(1, 0): 0.2, node(1, 1): 0.1, node(0, 0): 0.2, node(0, 1): 0.5}
    run = run_alone(TotDfs(children=2), Drawn(states, rewards))
    assert [call.parent for call in run.tree.expansions] == [ROOT, ROOT, node(1), node(1), node(0), node(0)]
    assert run.terminals == (node(0, 1),)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SHAPES), st.integers(1, 3), st.integers(1, 20), st.integers(1, 4))
def test_visits_answers_and_threshold_are_kept(
    seed: int, shape: Shape, children: int, visits: int, answers: int
) -> None:
    search = TotDfs(children=children, visits=visits, answers=answers, threshold=0.5)
    run = run_alone(search, SyntheticWorld(seed, shape))
    grown = {call.parent for call in run.tree.expansions} - {ROOT}
    assert len(grown) + len(run.terminals) <= visits
    assert len(run.terminals) <= answers
    assert all((run.tree.reward(visited) or 0.0) >= 0.5 for visited in (*grown, *run.terminals))


@pytest.mark.parametrize(
    ("field", "value"), [("children", 0), ("threshold", 1.5), ("visits", 0), ("answers", 0), ("depth_max", 1001)]
)
def test_a_parameter_out_of_its_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=field):
        TotDfs(**{field: value})  # type: ignore[arg-type]
