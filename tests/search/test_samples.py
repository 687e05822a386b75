"""Samples are demanded with their scores, and read all at once."""

from __future__ import annotations

import pytest

from spex.ids import ROOT, Call, Expand, Score, child
from spex.search.samples import Samples, read_samples, samples_of
from spex.tree import Step, Tree, Unknown, Visible

CALLS = [Expand(ROOT, "step", 0), Expand(ROOT, "step", 1), Expand(child(Expand(ROOT, "step", 0)), "step", 0)]
SAMPLES = samples_of(CALLS)


def view_of(tree: Tree) -> Visible:
    view = Visible()
    calls: list[Call] = [*tree.expansions, *tree.scores]
    for call in calls:
        view.reveal(call, tree)
    return view


def missing(samples: Samples, tree: Tree) -> tuple[Call, ...]:
    with pytest.raises(Unknown) as caught:
        read_samples(samples, view_of(tree))
    return caught.value.calls


def grown(*children: int) -> Tree:
    """Each sample has made so many children, and the first of each is scored."""
    tree = Tree()
    for call, count in zip(CALLS, children, strict=True):
        tree.expand(call, [Step("")] * count)
        tree.scores[Score((child(call),))] = (0.5,) if count else ()
    return tree


def test_each_score_is_demanded_right_after_what_it_scores() -> None:
    assert SAMPLES.demand().calls == tuple(call for expand in CALLS for call in (expand, Score((child(expand),))))


def test_all_scores_that_are_missing_are_named_at_once() -> None:
    tree = grown(1, 1, 1)
    scores = list(tree.scores)
    assert missing(SAMPLES, Tree()) == tuple(scores)
    del tree.scores[scores[1]], tree.scores[scores[2]]
    assert missing(SAMPLES, tree) == tuple(scores[1:])


def test_a_sample_that_made_nothing_is_passed_over() -> None:
    made = read_samples(SAMPLES, view_of(grown(1, 0, 1)))
    assert [(scored.node, scored.sample) for scored in made] == [(child(CALLS[0]), 0), (child(CALLS[2]), 2)]


def test_the_scores_of_further_children_are_asked_for_together() -> None:
    tree = grown(1, 3, 1)
    further = [Score((child(CALLS[1], part),)) for part in (1, 2)]
    assert missing(SAMPLES, tree) == tuple(further)
    for score in further:
        tree.scores[score] = (0.25,)
    made = read_samples(SAMPLES, view_of(tree))
    assert [scored.reward for scored in made] == [0.5, 0.5, 0.25, 0.25, 0.5]
    assert [scored.sample for scored in made] == [0, 1, 1, 1, 2]
