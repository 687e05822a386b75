"""A search's parameters in JSON."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from spex.cli.parameters import parameters_of
from spex.search.mcts import Mcts


@dataclass(frozen=True)
class Odd:
    """A search of a plug-in, with values of every kind."""

    size: object


def test_parameters_keep_their_types() -> None:
    assert parameters_of(Mcts(iterations=3, unvisited="first")) == {
        "iterations": 3,
        "children": 4,
        "c": 1.0,
        "nodes_max": 65_536,
        "depth_max": 25,
        "unvisited": "first",
        "select": "uct",
        "rollout": False,
        "schedule": "constant",
        "c_last": 0.1,
        "widening": 0.0,
    }


@pytest.mark.parametrize(
    ("value", "shown"), [(True, True), (None, None), (float("inf"), "inf"), ((1, 2), "(1, 2)"), ("a", "a")]
)
def test_what_json_has_no_value_for_is_spelled(value: object, shown: object) -> None:
    assert parameters_of(Odd(value)) == {"size": shown}


def test_a_search_that_is_no_dataclass_has_no_parameters() -> None:
    assert parameters_of(object()) == {}
    assert parameters_of(Odd) == {}
