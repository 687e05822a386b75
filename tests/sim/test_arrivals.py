"""Queries that come by themselves."""

from __future__ import annotations

import pytest

from spex.errors import InputError
from spex.search.rebase import Rebase
from spex.sim.arrivals import Poisson, find_arrivals
from spex.sim.simulate import Simulation
from spex.sim.workload import WORKLOADS


def test_arrivals_are_drawn_from_the_seed_alone_and_never_fall() -> None:
    times = Poisson(2.0).seconds(500, seed=3)
    assert times == Poisson(2.0).seconds(500, seed=3)
    assert times != Poisson(2.0).seconds(500, seed=4)
    assert list(times) == sorted(times)


def test_more_queries_leave_the_first_arrivals_as_they_were() -> None:
    assert Poisson(2.0).seconds(500, seed=3)[:10] == Poisson(2.0).seconds(10, seed=3)


def test_the_gaps_have_the_mean_and_the_spread_of_their_rate() -> None:
    times = Poisson(2.0).seconds(4000, seed=0)
    gaps = [later - earlier for earlier, later in zip((0.0, *times), times, strict=False)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.5, rel=0.05)
    assert spread == pytest.approx(0.5, rel=0.08)


def test_arrivals_are_found_by_their_text() -> None:
    assert find_arrivals("poisson:0.25") == Poisson(0.25)


@pytest.mark.parametrize("text", ["", "poisson", "poisson:", "poisson:0", "poisson:-1", "poisson:nan", "bursts:3"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="poisson:RATE"):
        find_arrivals(text)


def test_a_query_begins_when_it_arrives_however_many_run() -> None:
    workload = WORKLOADS["reference"]
    simulation = Simulation(Rebase(width=3, depth_max=4), workload, 6, concurrency=1, arrivals=Poisson(5.0))
    run = simulation.run(None)
    began = [solution.timings.started_at_seconds for solution in run.solutions]
    assert began == pytest.approx(simulation.arrivals_seconds())
    first = run.solutions[0].timings
    assert began[1] < first.started_at_seconds + first.latency_seconds
