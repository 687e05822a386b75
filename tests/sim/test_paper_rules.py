"""The published rules in our controller: the plain run's trees, sooner."""

from __future__ import annotations

import pytest

from spex.control.setup import Speculation
from spex.events import Event
from spex.search.base import AnySearch
from spex.search.beam import Beam
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS
from spex.speculate.market import FirstCome, Market
from spex.speculate.paper_budget import PaperBudget
from spex.speculate.paper_selection import PaperSelection

SEARCHES: list[AnySearch] = [Rebase(6), Beam(6, 2), Dvts(6, 2), Mcts(iterations=8)]


@pytest.mark.parametrize("market", [FirstCome(), PaperBudget(), PaperBudget(spare=True)])
@pytest.mark.parametrize("search", SEARCHES)
def test_whatever_they_start_the_trees_are_those_of_the_plain_run(search: AnySearch, market: Market) -> None:
    for seed in range(2):
        simulation = Simulation(search, WORKLOADS["served"], queries=2, concurrency=2, seed=seed)
        published = simulation.run(Speculation(rule=PaperSelection(), market=market))
        assert same_trees(simulation.run(None), published)
        assert sum(solution.foresight.committed for solution in published.solutions) > 0


@pytest.mark.parametrize("search", SEARCHES)
def test_they_save_time(search: AnySearch) -> None:
    simulation = Simulation(search, WORKLOADS["reference"], queries=2, concurrency=1)
    published = simulation.run(Speculation(rule=PaperSelection(), market=PaperBudget()))
    assert published.seconds < 0.95 * simulation.run(None).seconds


def cancelled(speculation: Speculation) -> list[Event]:
    events: list[Event] = []
    Simulation(Rebase(8), WORKLOADS["reference"], queries=2, concurrency=1).run(speculation, events.append)
    return [event for event in events if event.event == "cancelled"]


def test_while_there_are_slots_what_was_started_decodes_to_its_end_and_ours_is_priced_again() -> None:
    assert cancelled(Speculation(rule=PaperSelection(), market=PaperBudget())) == []
    assert cancelled(Speculation(rule=PaperSelection())) != []
    assert cancelled(Speculation()) != []
