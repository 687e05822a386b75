"""The simulated world says which steps mean the same, and serves the searches that ask for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from spex.control.setup import Speculation
from spex.engine.base import Path, Scoring
from spex.errors import InputError
from spex.ids import Score
from spex.problem import Problem
from spex.prompt import Prompt
from spex.search.ets import Ets
from spex.search.rebase import Rebase
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS
from spex.sim.world import World

WORLD = World(WORKLOADS["reference"])


def scores(*segments: tuple[int, ...]) -> tuple[float, ...]:
    """Of paths that are named by the first tokens of their steps."""
    paths = tuple(Path(Prompt([(0,), *((name,) for name in names)]), ()) for names in segments)
    return WORLD.cluster(Scoring("key", Problem("p"), paths, "clusters", 0))


def test_below_one_parent_there_are_a_few_things_to_say() -> None:
    siblings = scores(*((7, name) for name in range(64, 128)))
    assert 2 <= len(set(siblings)) <= 16
    shares = Counter(siblings).most_common()
    assert 0.3 < shares[0][1] / 64 < 0.6


def test_what_is_said_below_different_parents_is_different() -> None:
    assert len(set(scores((7, 64), (8, 64), (7, 7, 64), (64,)))) == 4


def test_a_meaning_is_that_of_the_step_whatever_else_is_asked() -> None:
    one, other = scores((7, 64), (7, 65)), scores((7, 66), (7, 64), (7, 65))
    assert (one[0] == one[1]) == (other[1] == other[2])
    assert scores((7, 64), (7, 64)) == (0.0, 0.0)


def test_the_root_alone_means_something_too() -> None:
    assert scores((), ()) == (0.0, 0.0)


def test_a_simulated_ets_gains_and_gives_the_same_trees() -> None:
    simulation = Simulation(Ets(width=6), WORKLOADS["reference"], queries=3, concurrency=1)
    plain, speculative = simulation.run(None), simulation.run(Speculation())
    assert same_trees(plain, speculative)
    taken = [sum(one.timings.latency_seconds for one in run.solutions) for run in (plain, speculative)]
    assert taken[1] < 0.9 * taken[0]
    calls = [call for call in plain.solutions[0].tree.scores if call.model == "clusters"]
    assert calls
    assert all(isinstance(call, Score) and len(call.nodes) > 1 for call in calls)


@dataclass(frozen=True)
class Asking(Rebase):
    """Asks for scores that the world does not give."""

    models: tuple[str, ...] = ("novelty",)


def test_a_search_that_asks_for_another_model_cannot_be_simulated() -> None:
    with pytest.raises(InputError, match="no world is there for the scores 'novelty'"):
        Simulation(Asking(), WORKLOADS["reference"], queries=1).run(None)
