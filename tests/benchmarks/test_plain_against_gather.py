"""Plain SPEX against a loop of `asyncio.gather`: as long in virtual time, and a benchmark that can fail."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from benchmarks import gather
from benchmarks.gather import Found, GatherRebase
from benchmarks.plain_against_gather import Contest, Latency, as_json, cost, is_no_slower, is_same, latency, lines
from spex.control.clock import run_virtual
from spex.sim.task import SimulatedTask
from spex.sim.workload import WORKLOADS
from spex.sim.world import World
from tests.builders import policy, reward

FORBIDDEN = ("spex.search", "spex.control", "spex.speculate", "spex.policy", "spex.answer", "spex.api", "spex.sim")


@pytest.fixture(scope="module")
def contest() -> Contest:
    workload = WORKLOADS["reference"]
    return Contest(World(workload), workload, queries=2, concurrency=1)


@pytest.mark.parametrize(("concurrency", "queries"), [(1, 2), (4, 8), (16, 16)])
def test_a_plain_run_takes_as_long_as_a_hand_written_loop_to_the_microsecond(concurrency: int, queries: int) -> None:
    measured = latency(concurrency, queries)
    assert measured.same_trees
    assert measured.ratio_mean == pytest.approx(1.0, abs=1e-6)
    assert measured.ratio_max == pytest.approx(1.0, abs=1e-6)
    assert measured.plain_latency_seconds_mean > 1.0
    assert is_no_slower(measured)


def test_the_loop_has_nothing_of_the_searches_and_of_the_controller() -> None:
    tree = ast.parse(Path(gather.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert "spex.engine.base" in imported
    assert "spex" not in imported
    assert [module for module in imported if module.startswith(FORBIDDEN)] == []


def test_the_loop_shares_its_width_in_proportion_to_the_exponential_of_the_reward() -> None:
    loop = GatherRebase(policy(), reward(), SimulatedTask(), temperature=0.5)
    assert loop.shares([0.0], 16) == [16]
    # Weights 1 and e: ⌈16·e / (1 + e)⌉ = 12, and the rest.
    assert loop.shares([0.0, 0.5], 16) == [4, 12]
    assert loop.shares([0.3, 0.3, 0.3], 15) == [5, 5, 5]
    assert loop.shares([0.1, 0.9, 0.9], 1) == [0, 1, 0]


def test_a_tree_that_lacks_a_node_and_another_answer_are_not_the_same(contest: Contest) -> None:
    solution = run_virtual(contest.plain())[0]
    found = run_virtual(contest.gather())[0].found
    assert is_same(solution, found)
    assert not is_same(solution, Found(found.nodes[:-1], found.answer))
    assert not is_same(solution, Found(found.nodes, "another"))
    worse = found.nodes[0]._replace(reward=found.nodes[0].reward / 2)
    assert not is_same(solution, Found([worse, *found.nodes[1:]], found.answer))


@pytest.mark.parametrize(
    ("ratio", "same_trees", "passes"), [(0.9, True, True), (1.001, True, False), (1.0, False, False)]
)
def test_a_slower_plain_run_and_another_tree_fail_the_benchmark(ratio: float, same_trees: bool, passes: bool) -> None:
    assert is_no_slower(Latency(1, 64, 10.0, 10.0 * ratio, ratio, ratio, same_trees)) is passes


def test_cpu_time_is_measured_over_the_same_calls_for_both_and_told_in_both_forms(contest: Contest) -> None:
    row, cpu = latency(1, 1), cost(3, contest.queries)
    assert cpu.repetitions == 3
    assert cpu.calls == 2 * sum(len(timed.found.nodes) for timed in run_virtual(contest.gather()))
    assert 0.0 < cpu.ratio_min <= cpu.ratio_median <= cpu.ratio_max
    told = json.loads(json.dumps(as_json([row], cpu)))
    assert told["latency"] == [row._asdict()]
    assert told["cpu"] == cpu._asdict()
    assert f"{cpu.ratio_median:.2f}" in lines([row], cpu)[-1]
    assert "the same" in lines([row], cpu)[2]
    assert "DIFFERENT" in lines([row._replace(same_trees=False)], cpu)[2]
