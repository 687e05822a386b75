"""The bridge makes a search of anything that asks and tells as TreeQuest's algorithms do, with or without TreeQuest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from spex.bridges.treequest import TreeQuest
from spex.ids import NodeId
from spex.testing import SyntheticWorld, check_search, run_alone, shuffled


class Trial(NamedTuple):
    trial_id: str
    action: str
    parent_state: NodeId | None


@dataclass
class Known:
    nodes: list[NodeId | None] = field(default_factory=lambda: [None])


class Wanderer:
    """Expands nodes that the shared generator draws, and changes its state in place."""

    def init_tree(self) -> Known:
        return Known()

    def ask_batch(self, state: Known, batch_size: int, actions: list[str]) -> tuple[Known, Sequence[Trial]]:
        parents = [random.choice(state.nodes) for _ in range(batch_size)]
        return state, [Trial(str(number), random.choice(actions), parent) for number, parent in enumerate(parents)]

    def tell(self, state: Known, trial_id: str, result: tuple[NodeId, float]) -> Known:
        state.nodes.append(result[0])
        return state


class Tired(Wanderer):
    """Has nothing to ask for after three results."""

    def ask_batch(self, state: Known, batch_size: int, actions: list[str]) -> tuple[Known, Sequence[Trial]]:
        return super().ask_batch(state, batch_size if len(state.nodes) <= 3 else 0, actions)


def test_an_algorithm_that_draws_from_the_shared_generators_is_a_search_as_any_other() -> None:
    check_search(TreeQuest(Wanderer(), 8, batch=2, depth_max=3), seeds=[0])


def test_it_draws_by_the_seed_of_the_search_alone() -> None:
    search, world = TreeQuest(Wanderer(), 12), SyntheticWorld(4)
    first = run_alone(search, world, seed=1)
    random.seed(99)
    assert run_alone(search, world, seed=1, order=shuffled(3)).tree == first.tree
    assert run_alone(search, world, seed=2).tree != first.tree


def test_the_search_is_over_when_the_algorithm_asks_for_nothing_more() -> None:
    run = run_alone(TreeQuest(Tired(), 30), SyntheticWorld(4))
    assert len(run.tree.expansions) == 3
