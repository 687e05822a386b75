"""The record of a query's calls, and what a search sees of it."""

from __future__ import annotations

import pytest

from spex.ids import ROOT, Call, Expand, NodeId, Score, child
from spex.tree import Step, Tree, Unknown, Visible
from tests.builders import grow, node, rate


def grown() -> Tree:
    """root → 0 (0.7) → 0/0 (terminal, 0.9), 0/1 (unscored); root → 1 (no score)."""
    tree = Tree()
    tree.expand(grow(0), [Step("a")])
    tree.expand(grow(1), [Step("b")])
    tree.expand(grow(0, 0), [Step("c", terminal=True, answer="42")])
    tree.expand(grow(0, 1), [Step("d")])
    tree.scores[rate(0)] = (0.7,)
    tree.scores[rate(0, 0)] = (0.9,)
    return tree


def test_an_expansion_makes_its_children_in_order() -> None:
    tree = Tree()
    call = Expand(ROOT, "propose")
    tree.expand(call, [Step("x"), Step("y")])
    assert tree.expansions[call] == (child(call, 0), child(call, 1))
    assert tree.steps[child(call, 1)].text == "y"


def test_the_steps_of_a_path_lead_from_the_root() -> None:
    assert [step.text for step in grown().path(node(0, 1))] == ["a", "d"]
    assert grown().path(ROOT) == ()


def test_the_root_exists_and_so_does_what_was_made() -> None:
    tree = grown()
    assert [tree.exists(place) for place in (ROOT, node(0, 1), node(2))] == [True, True, False]


def test_a_finished_call_is_in_the_tree() -> None:
    tree = grown()
    assert [call in tree for call in (grow(0), rate(0), grow(5), rate(1))] == [True, True, False, False]


def test_a_nodes_reward_is_its_score_alone() -> None:
    tree = grown()
    tree.scores[Score((node(1), node(0, 1)))] = (0.1, 0.2)
    tree.scores[rate(7)] = ()
    assert [tree.reward(place) for place in (node(0), node(1), node(7))] == [0.7, None, None]


def test_children_and_terminals_stand_in_the_order_of_nodes() -> None:
    tree = grown()
    tree.expand(Expand(node(0), "solution"), [Step("e", terminal=True)])
    assert tree.children_of(node(0)) == sorted(tree.children_of(node(0)))
    assert list(tree.terminals()) == [child(Expand(node(0), "solution")), node(0, 0)]


def test_a_part_of_a_tree_has_the_given_calls_alone() -> None:
    part = grown().only([grow(0), rate(0)])
    assert part == Tree({node(0): Step("a")}, {grow(0): (node(0),)}, {rate(0): (0.7,)})


@pytest.mark.parametrize("call", [grow(0), rate(0)])
def test_a_view_shows_what_was_revealed_and_nothing_else(call: Call) -> None:
    view = Visible()
    assert call not in view
    view.reveal(call, grown())
    assert call in view
    view.need([call])
    for hidden in (grow(1), rate(0, 0)):
        with pytest.raises(Unknown) as unknown:
            view.need([call, hidden])
        assert unknown.value.calls == (hidden,)


def test_reading_what_is_missing_says_which_call_it_takes() -> None:
    view = Visible()
    with pytest.raises(Unknown) as children:
        view.children(grow(0))
    with pytest.raises(Unknown) as step:
        view.step(node(0, 1))
    with pytest.raises(Unknown) as score:
        view.score(rate(0))
    assert [raised.value.calls for raised in (children, step, score)] == [(grow(0),), (grow(0, 1),), (rate(0),)]


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(Unknown) as unknown:
        Visible().need([grow(0), rate(0), grow(1)])
    assert unknown.value.calls == (grow(0), rate(0), grow(1))


def test_what_is_revealed_can_be_read() -> None:
    view = Visible()
    for call in (grow(0), rate(0)):
        view.reveal(call, grown())
    assert view.children(grow(0)) == (node(0),)
    assert view.step(node(0)) == Step("a")
    assert view.score(rate(0)) == (0.7,)


def test_the_path_to_a_deep_node_is_there_before_anybody_asked_for_a_shorter_one() -> None:
    tree, node = Tree(), ROOT
    for depth in range(3_000):
        (node,) = _expanded(tree, Expand(node), Step(str(depth)))
    assert [step.text for step in tree.path(node)] == [str(depth) for depth in range(3_000)]
    assert tree.path(node[:2]) == tree.path(node)[:2]


def _expanded(tree: Tree, call: Expand, *steps: Step) -> tuple[NodeId, ...]:
    tree.expand(call, steps)
    return tree.expansions[call]
