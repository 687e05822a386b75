"""What no schedule beats, worked out by hand, and over drawn runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spex.control.clock import run_virtual
from spex.control.setup import Speculation
from spex.engine.batch import Batch, Sequence
from spex.ids import Expand, Score
from spex.profile import Affine, Curve, Roofline
from spex.search.base import AnySearch
from spex.sim.arrivals import Poisson
from spex.sim.bounds import Hull, Pace, critical_path_tokens, demanded_tokens, latency_floor_seconds
from spex.sim.bounds import makespan_floor_seconds as floor_seconds
from spex.sim.simulate import Simulation
from spex.sim.workload import Workload
from spex.tree import Step, Tree
from tests.builders import grow, node, rate
from tests.guarantees.situations import searches, workloads

STEP_TOKENS = 70
CHAIN = 10
LEAVES = 900
COMPUTE_BOUND_FROM_100 = Roofline(0.010, 0.0001, 100.0)
"""ℓ(b) = 10 ms · max(1, b/100)."""


def tree_of(tokens: dict[Expand, int], scores: Iterable[Score] = ()) -> Tree:
    """A tree in which each call made one child of so many tokens (none: no child)."""
    tree = Tree()
    for call, count in tokens.items():
        tree.expand(call, [Step("x", tuple(range(count)))] if count else [])
    for score in scores:
        tree.scores[score] = (0.5,)
    return tree


def chain_with_side_leaves() -> Tree:
    chain = {grow(*[0] * depth): STEP_TOKENS for depth in range(1, CHAIN + 1)}
    return tree_of(chain | {grow(1 + leaf): STEP_TOKENS for leaf in range(LEAVES)})


async def decoded_seconds(leaves_beside_each_step: list[int]) -> float:
    """How long a batch takes for the chain, if so many leaves start with each of its steps."""
    batch = Batch(COMPUTE_BOUND_FROM_100)
    leaves = []
    for count in leaves_beside_each_step:
        leaves += [batch.join(STEP_TOKENS) for _ in range(count)]
        step = batch.join(STEP_TOKENS)
        at = await ended(step)
    return max([at, *[await ended(leaf) for leaf in leaves]])


async def ended(sequence: Sequence) -> float:
    await sequence.done
    return asyncio.get_running_loop().time()


# The chain: 10 steps of 70 tokens, 900 leaves of 70 tokens beside it, a curve flat up to 100 sequences, then linear.
# Shared, its first step waits for all 901: 70 · 90.1 ms = 6.307 s, then 9 steps alone: 9 · 0.7 s. Ranked, 90
# leaves run beside each step, and 91 sequences are as fast as one: 10 · 0.7 s.


def test_a_chain_that_shares_the_engine_with_all_its_side_leaves_takes_12_6_seconds() -> None:
    assert run_virtual(decoded_seconds([LEAVES] + [0] * 9)) == pytest.approx(6.307 + 9 * 0.7)


def test_a_chain_that_goes_first_takes_7_seconds_which_is_the_floor() -> None:
    ranked = run_virtual(decoded_seconds([LEAVES // CHAIN] * CHAIN))
    assert ranked == pytest.approx(7.0)
    tree, pace = chain_with_side_leaves(), Pace(COMPUTE_BOUND_FROM_100)
    assert (critical_path_tokens(tree), demanded_tokens(tree)) == (700, 63_700)
    assert floor_seconds([tree], pace, 1) == pytest.approx(7.0)
    assert latency_floor_seconds(tree, pace) == pytest.approx(7.0)


def test_with_ten_times_the_leaves_the_work_is_the_floor_not_the_chain() -> None:
    leaves = {grow(1 + leaf): STEP_TOKENS for leaf in range(10 * LEAVES)}
    work = 10 * LEAVES * STEP_TOKENS + STEP_TOKENS
    assert floor_seconds([tree_of({grow(0): STEP_TOKENS} | leaves)], Pace(COMPUTE_BOUND_FROM_100), 1) == pytest.approx(
        work / 100 * 0.010
    )


def test_fewer_slots_than_the_best_batch_raise_the_floor() -> None:
    wide = tree_of({grow(leaf): 10 for leaf in range(100)})
    flat = Affine(0.010, 0.0)
    assert floor_seconds([wide], Pace(flat), 1) == pytest.approx(10 * 0.010)
    assert floor_seconds([wide], Pace(flat, slots=4), 1) == pytest.approx(1000 / 4 * 0.010)


def test_the_paths_of_queries_add_up_where_they_do_not_run_together() -> None:
    trees = [tree_of({grow(0): tokens}) for tokens in (10, 20, 30, 40)]
    pace = Pace(Affine(0.010, 0.0))
    found = [round(floor_seconds(trees, pace, concurrency) / 0.010, 9) for concurrency in (1, 2, 4, 100)]
    assert found == [100, 50, 40, 40]


def test_a_run_of_no_tokens_has_no_floor() -> None:
    assert floor_seconds([tree_of({grow(0): 0})], Pace(Affine(0.010, 0.0)), 1) == 0.0


# The latency floor


PACE = Pace(Affine(0.009, 0.001), prefill_seconds=0.002, score_seconds=0.5)


def test_a_path_costs_its_tokens_alone_on_the_engine_and_each_prompt() -> None:
    tree = tree_of({grow(0): 10, grow(0, 1): 20, grow(1): 29})
    assert latency_floor_seconds(tree, PACE) == pytest.approx(0.002 + 0.10 + 0.002 + 0.20)


def test_a_score_comes_after_the_last_of_its_texts_and_delays_no_child() -> None:
    tree = tree_of({grow(0): 10, grow(0, 1): 20, grow(1): 29}, [rate(0), rate(1)])
    assert latency_floor_seconds(tree, PACE) == pytest.approx(0.002 + 0.29 + 0.5)
    both = tree_of({grow(0): 10, grow(0, 1): 20, grow(1): 29}, [Score((node(0, 1), node(1)))])
    assert latency_floor_seconds(both, PACE) == pytest.approx(0.004 + 0.30 + 0.5)


def test_a_call_that_makes_several_children_costs_all_their_tokens() -> None:
    tree = Tree()
    tree.expand(grow(0), [Step("a", (1, 2)), Step("b", (3, 4, 5))])
    assert critical_path_tokens(tree) == 5


def test_what_is_void_costs_nothing() -> None:
    tree = tree_of({grow(0): 10, grow(0, 0): 0})
    tree.void(rate(0, 0))
    assert latency_floor_seconds(tree, PACE) == pytest.approx(0.002 + 0.10)
    assert latency_floor_seconds(Tree(), PACE) == 0.0


# The hull


class Steps:
    """A curve with a step, as a kernel's tiles make it: ℓ is 1 s to 4 sequences, 2 s from 5 on."""

    def itl_seconds(self, running: float) -> float:
        return 1.0 if running <= 4 else 2.0


def test_the_hull_is_the_greatest_convex_curve_below() -> None:
    hull = Hull(Steps(), 8)
    assert [hull.itl_seconds(x) for x in (1, 4, 5, 6, 8)] == [1.0, 1.0, 1.25, 1.5, 2.0]


def test_the_best_batch_makes_the_most_tokens_a_second() -> None:
    assert Hull(Affine(0.010, 0.0), 64).best == 64.0
    assert Hull(Roofline(1.0, 10.0, 7.0), 64).best == 7.0


# Runs


CLOCK = 1e-9
"""The virtual clock's resolution in seconds; every timer is rounded to it."""
CURVES: st.SearchStrategy[Curve] = st.sampled_from(
    [Affine(0.010, 0.00008), Affine(0.0026, 0.0034), Roofline(0.012, 0.0004, 4.0), COMPUTE_BOUND_FROM_100]
)


@settings(max_examples=40, deadline=None)
@given(
    search=searches(),
    workload=workloads(),
    curve=CURVES,
    slots=st.sampled_from([4096, 8]),
    prefill_seconds=st.sampled_from([0.0, 0.0005]),
    reward_seconds=st.sampled_from([0.0, 0.04, 1.0]),
    queries=st.integers(1, 4),
    concurrency=st.integers(1, 3),
    seed=st.integers(0, 1 << 16),
    rate=st.sampled_from([None, 0.1, 2.0]),
)
def test_no_run_beats_a_floor(
    search: AnySearch,
    workload: Workload,
    curve: Curve,
    slots: int,
    prefill_seconds: float,
    reward_seconds: float,
    queries: int,
    concurrency: int,
    seed: int,
    rate: float | None,
) -> None:
    load = replace(workload, curve=curve, slots=slots, prefill_seconds=prefill_seconds, reward_seconds=reward_seconds)
    arrivals = None if rate is None else Poisson(rate)
    simulation = Simulation(search, load, queries, concurrency, seed, arrivals=arrivals)
    plain = simulation.run(None)
    floor = simulation.floor(plain)
    for run in (plain, simulation.run(Speculation()), simulation.run(simulation.clairvoyant(plain))):
        for solution, least in zip(run.solutions, floor.latencies_seconds, strict=True):
            assert solution.timings.latency_seconds >= least - CLOCK * max(1.0, least)
        assert run.seconds >= floor.makespan_seconds - CLOCK * max(1.0, floor.makespan_seconds)
