"""Names of nodes and calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spex.ids import ROOT, Call, Edge, Expand, NodeId, Score, call_key, child, maker, node_key
from tests.builders import grow, node, rate

actions = st.sampled_from(["step", "solution", "propose", "a1"])
edges = st.builds(Edge, actions, st.integers(0, 20), st.integers(0, 3))
nodes: st.SearchStrategy[NodeId] = st.lists(edges, max_size=4).map(tuple)
expands = st.builds(Expand, nodes, actions, st.integers(0, 20))
scores = st.builds(Score, st.lists(nodes, min_size=1, max_size=3).map(tuple), st.sampled_from(["reward", "value"]))
calls: st.SearchStrategy[Call] = st.one_of(expands, scores)


@given(expands, st.integers(0, 3))
def test_the_maker_of_a_child_is_the_call_that_made_it(call: Expand, part: int) -> None:
    assert maker(child(call, part)) == call


@given(calls, calls)
def test_calls_have_one_key_each(one: Call, other: Call) -> None:
    assert (call_key(one) == call_key(other)) == (one == other)


@given(nodes, nodes)
def test_nodes_have_one_key_each(one: NodeId, other: NodeId) -> None:
    assert (node_key(one) == node_key(other)) == (one == other)


def test_keys_can_be_read() -> None:
    assert node_key(ROOT) == "root"
    assert node_key((Edge("step", 0), Edge("propose", 3, 2))) == "step.0/propose.3.2"
    assert call_key(grow(1)) == "expand:root>step.1"
    assert call_key(grow(1, 0)) == "expand:step.1>step.0"
    assert call_key(rate(1, 0)) == "score:reward.0:step.1/step.0"
    assert call_key(Score((node(0), node(1)), "vote", 2)) == "score:vote.2:step.0,step.1"


def test_nodes_stand_in_the_order_of_their_paths() -> None:
    assert sorted([node(1), node(0, 5), node(0), ROOT]) == [ROOT, node(0), node(0, 5), node(1)]
