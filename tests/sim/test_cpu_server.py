"""G2 on a server whose prompts cost time, which has few slots and loses what is stopped: a small model on a CPU."""

from __future__ import annotations

import pytest

from spex.control.setup import Speculation
from spex.search.base import AnySearch
from spex.search.dvts import Dvts
from spex.search.rebase import Rebase
from spex.search.rstar import RStar
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS

SEARCHES: list[AnySearch] = [Rebase(width=16), Dvts(width=16), RStar(iterations=8, children=2, votes=4, depth_max=4)]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: type(search).__name__)
def test_speculation_is_not_in_the_way_where_prompts_cost_and_slots_are_few(search: AnySearch) -> None:
    """The price must not take the seconds of others' prompts for a curve that is flat, nor lose what it has bought."""
    simulation = Simulation(search, WORKLOADS["cpu-server"], queries=16, concurrency=4)
    plain, speculative = simulation.run(None), simulation.run(Speculation())
    assert same_trees(plain, speculative)
    before, after = ([done.timings.latency_seconds for done in run.solutions] for run in (plain, speculative))
    assert sum(before) / sum(after) >= 0.98
    assert plain.seconds / speculative.seconds >= 0.98
    assert speculative.usage.wasted.generated < 0.12 * speculative.usage.useful.generated
