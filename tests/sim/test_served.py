"""The workload `served`: what a real server's queue, cache and cancellations do to a run, and what they do not."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.engine.base import Counters, Progress, Server
from spex.engine.kv_pool import KvPool
from spex.policy import Policy
from spex.problem import Problem
from spex.profile import Affine
from spex.search.rebase import Rebase
from spex.sim.simulate import Simulation, same_trees
from spex.sim.task import SimulatedTask
from spex.sim.workload import WORKLOADS, Workload
from spex.sim.world import World
from spex.usage import Tokens, Usage
from tests.builders import request

SERVED = WORKLOADS["served"]
SEARCH = Rebase(width=8, depth_max=6)


def carried_out(load: Workload, speculation: Speculation | None, queries: int = 4) -> tuple[Run, Counters, Counters]:
    """The run, and the counts of its policy's engine and of its reward's."""

    async def main() -> tuple[Run, Counters, Counters]:
        world = World(load)
        policy, reward = load.policy(world.write), load.reward(world.judge)
        setup = Setup(SEARCH, Policy(policy, SimulatedTask()), {"reward": reward}, speculation=speculation)
        problems = [Problem(f"problem {number}", f"q{number}") for number in range(queries)]
        done = await run(problems, setup, Conduct(concurrency=2))
        return done, policy.counters(), reward.counters()

    return run_virtual(main())


def paid(done: Run) -> Tokens:
    total = Usage()
    for solution in done.solutions:
        total = total.plus(solution.usage)
    return total.paid


def states(server: Server) -> tuple[int, float, float]:
    said = server.capabilities
    return said.slots, said.prefill_seconds, said.cancel_delay_seconds


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_speculative_run_has_the_plain_runs_trees(seed: int) -> None:
    simulation = Simulation(SEARCH, SERVED, queries=6, concurrency=3, seed=seed)
    plain, speculative = simulation.run(None), simulation.run(Speculation())
    assert same_trees(plain, speculative)
    assert speculative.seconds < plain.seconds


@pytest.mark.parametrize("pool_tokens", [1, 1500, None])
def test_trees_do_not_hang_on_the_size_of_the_pool(pool_tokens: int | None) -> None:
    simulation = Simulation(SEARCH, SERVED, queries=2, concurrency=2)
    other = replace(simulation, workload=replace(SERVED, pool_tokens=pool_tokens))
    assert same_trees(simulation.run(None), other.run(Speculation()))


@pytest.mark.parametrize("speculation", [None, Speculation()], ids=["plain", "speculative"])
@pytest.mark.parametrize("pool_tokens", [1500, 200_000])
def test_every_prompt_token_is_in_the_account_as_the_engine_counted_it(
    speculation: Speculation | None, pool_tokens: int
) -> None:
    done, policy, reward = carried_out(replace(SERVED, pool_tokens=pool_tokens), speculation)
    assert policy.running == reward.running == 0
    assert paid(done) == policy.cost.plus(reward.cost)


def test_a_small_pool_makes_prompts_be_computed_again_and_costs_time() -> None:
    small, counted_small, _ = carried_out(replace(SERVED, pool_tokens=1500), None)
    large, counted_large, _ = carried_out(SERVED, None)
    assert counted_small.cost.prompt_uncached > 5 * counted_large.cost.prompt_uncached
    assert small.seconds > large.seconds
    whole = [counted.cost.prompt_cached + counted.cost.prompt_uncached for counted in (counted_small, counted_large)]
    assert whole[0] == whole[1]


def test_what_speculation_prefills_is_in_its_account() -> None:
    _, plain, _ = carried_out(SERVED, None)
    _, speculative, _ = carried_out(SERVED, Speculation())
    assert speculative.cost.prompt_uncached > plain.cost.prompt_uncached
    assert speculative.cost.generated > plain.cost.generated


def test_its_engines_say_what_they_are() -> None:
    world = World(SERVED)
    policy, reward = SERVED.policy(world.write), SERVED.reward(world.judge)
    assert states(policy) == (64, 0.0001, 0.1)
    assert states(reward) == (8, 0.0, 0.0)
    assert policy.capabilities.curve == Affine(0.010, 0.00008)
    assert reward.capabilities.curve.itl_seconds(8) == pytest.approx(0.070)
    assert isinstance(policy._cache, KvPool)
    assert policy._cache.tokens_max == 200_000


def test_a_sequence_of_it_takes_its_prefill_and_its_tokens() -> None:
    async def main() -> tuple[float, int]:
        progress = Progress()
        await SERVED.policy(World(SERVED).write).generate(request(prompt=tuple(range(500))), progress)
        return asyncio.get_running_loop().time(), progress.cost.generated

    seconds, tokens = run_virtual(main())
    assert seconds == pytest.approx(500 * 0.0001 + tokens * 0.01008)


def test_the_same_work_runs_on_another_curve() -> None:
    other = SERVED.on(Affine(0.005, 0.0))
    assert replace(other, curve=SERVED.curve) == SERVED
    assert other.policy(World(other).write).capabilities.curve == Affine(0.005, 0.0)
