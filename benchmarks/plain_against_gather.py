"""Is plain SPEX as fast as a loop that one would write oneself? REBASE of width 16 on the reference workload.

In virtual time: the latency of every query, plain SPEX over a loop of `asyncio.gather`, for several numbers of
queries at once. In real time: the CPU time of a call where engine and reward answer at once, so that what is left
is the work of the two themselves (and of the simulated engine, which both pay for).

    python -m benchmarks.plain_against_gather [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from time import process_time
from typing import Any, NamedTuple

from benchmarks.gather import Found, GatherRebase
from spex import Problem, Rebase, Solution
from spex.control.clock import run_virtual
from spex.control.run import Conduct, run
from spex.control.setup import Setup
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.policy import Policy
from spex.profile import Affine
from spex.sim.task import SimulatedTask
from spex.sim.workload import WORKLOADS, Workload
from spex.sim.world import World

SCHEMA_VERSION = 1
CONCURRENCIES = (1, 4, 16)
RATIO_MAX = 1.0 + 1e-6
_CPU_CONCURRENCY = 4


class Timed(NamedTuple):
    """What the loop found, and how long that took on the event loop's clock."""

    found: Found
    latency_seconds: float


class Latency(NamedTuple):
    """Both in virtual time. Ratios are plain / gather: of the means, and of the query with the greatest."""

    concurrency: int
    queries: int
    gather_latency_seconds_mean: float
    plain_latency_seconds_mean: float
    ratio_mean: float
    ratio_max: float
    same_trees: bool


class Cost(NamedTuple):
    """CPU time of a call (median over the repetitions), and plain / gather over the repetitions."""

    repetitions: int
    calls: int
    gather_cpu_microseconds: float
    plain_cpu_microseconds: float
    ratio_min: float
    ratio_median: float
    ratio_max: float


@dataclass(frozen=True, slots=True)
class Contest:
    """The same problems for both, each time over engines that are new and alike."""

    world: World
    workload: Workload
    queries: int
    concurrency: int

    async def plain(self) -> Sequence[Solution]:
        """SPEX with speculation None."""
        policy, reward = self._engines()
        setup = Setup(Rebase(), Policy(policy, SimulatedTask()), {"reward": reward}, speculation=None)
        return (await run(self._problems(), setup, Conduct(concurrency=self.concurrency))).solutions

    async def gather(self) -> list[Timed]:
        """The loop: `concurrency` workers, each takes the next problem when it has done with one."""
        rebase = GatherRebase(*self._engines(), SimulatedTask())
        todo = iter(enumerate(self._problems()))
        done: dict[int, Timed] = {}

        async def work() -> None:
            clock = asyncio.get_running_loop()
            for number, problem in todo:
                began = clock.time()
                found = await rebase.solve(problem)
                done[number] = Timed(found, clock.time() - began)

        await asyncio.gather(*(work() for _ in range(self.concurrency)))
        return [done[number] for number in range(self.queries)]

    def _engines(self) -> tuple[SimulatedPolicy, SimulatedReward]:
        load = self.workload
        policy = SimulatedPolicy(self.world.write, load.curve, slots=load.slots)
        return policy, SimulatedReward(self.world.judge, Affine(load.reward_seconds, 0.0))

    def _problems(self) -> list[Problem]:
        return [Problem(f"simulated problem {number}", f"q{number}") for number in range(self.queries)]


def latency(concurrency: int, queries: int) -> Latency:
    """Both once on the virtual clock, `concurrency` of `queries` problems at once."""
    workload = WORKLOADS["reference"]
    contest = Contest(World(workload), workload, queries, concurrency)
    gather, plain = run_virtual(contest.gather()), run_virtual(contest.plain())
    pairs = list(zip(plain, gather, strict=True))
    gather_mean = fmean(timed.latency_seconds for timed in gather)
    plain_mean = fmean(solution.timings.latency_seconds for solution in plain)
    return Latency(
        concurrency=concurrency,
        queries=queries,
        gather_latency_seconds_mean=gather_mean,
        plain_latency_seconds_mean=plain_mean,
        ratio_mean=plain_mean / gather_mean,
        ratio_max=max(solution.timings.latency_seconds / timed.latency_seconds for solution, timed in pairs),
        same_trees=all(is_same(solution, timed.found) for solution, timed in pairs),
    )


def is_same(solution: Solution, found: Found) -> bool:
    """Whether both have the same nodes, with the same tokens and rewards, and the same answer."""
    tree = solution.tree
    ours = {node: (step.token_ids, tree.reward(node)) for node, step in tree.steps.items()}
    theirs = {node.name: (node.steps[-1].token_ids, node.reward) for node in found.nodes}
    return (ours, solution.answer) == (theirs, found.answer)


def is_no_slower(row: Latency) -> bool:
    """Whether plain SPEX has grown the same trees, and has taken no longer."""
    return row.same_trees and row.ratio_mean <= RATIO_MAX


def cost(repetitions: int, queries: int = 16) -> Cost:
    """Both again and again in real time, by turns: the first of one repetition is the second of the next."""
    workload = replace(WORKLOADS["reference"], curve=Affine(0.0, 0.0), reward_seconds=0.0)
    contest = Contest(World(workload), workload, queries, _CPU_CONCURRENCY)
    # Once unmeasured: the world draws what it says once, and that work is neither's.
    calls = 2 * sum(len(timed.found.nodes) for timed in asyncio.run(contest.gather()))
    gather: list[float] = []
    plain: list[float] = []
    for repetition in range(repetitions):
        turns = [
            (gather, lambda: asyncio.run(contest.gather())),
            (plain, lambda: asyncio.run(contest.plain())),
        ]
        for kept, act in turns if repetition % 2 else reversed(turns):
            kept.append(cpu_seconds(act) / calls)
    ratios = [one / other for one, other in zip(plain, gather, strict=True)]
    return Cost(
        repetitions=repetitions,
        calls=calls,
        gather_cpu_microseconds=median(gather) * 1e6,
        plain_cpu_microseconds=median(plain) * 1e6,
        ratio_min=min(ratios),
        ratio_median=median(ratios),
        ratio_max=max(ratios),
    )


def cpu_seconds(act: Callable[[], object]) -> float:
    """The CPU time of this process while it acts."""
    gc.collect()
    began = process_time()
    act()
    return process_time() - began


def lines(latencies: Iterable[Latency], cpu: Cost) -> list[str]:
    """Two small tables."""
    told = [
        "virtual time: mean latency of a query, s",
        f"{'at once':>9}{'queries':>9}{'gather':>10}{'plain':>10}{'ratio':>12}{'worst query':>14}  trees",
    ]
    for row in latencies:
        means = f"{row.gather_latency_seconds_mean:>10.4f}{row.plain_latency_seconds_mean:>10.4f}"
        ratios = f"{row.ratio_mean:>12.8f}{row.ratio_max:>14.8f}"
        trees = "the same" if row.same_trees else "DIFFERENT"
        told.append(f"{row.concurrency:>9}{row.queries:>9}{means}{ratios}  {trees}")
    times = f"{cpu.gather_cpu_microseconds:>10.1f}{cpu.plain_cpu_microseconds:>10.1f}"
    return [
        *told,
        "",
        f"real time: CPU time of a call, µs (engines that answer at once, {cpu.calls:,} calls a repetition)",
        f"{'repetitions':>18}{'gather':>10}{'plain':>10}{'ratio':>12}{'min':>8}{'max':>8}",
        f"{cpu.repetitions:>18}{times}{cpu.ratio_median:>12.2f}{cpu.ratio_min:>8.2f}{cpu.ratio_max:>8.2f}",
    ]


def as_json(latencies: Iterable[Latency], cpu: Cost) -> dict[str, Any]:
    """One object, with the version of its form."""
    return {
        "plain_against_gather": SCHEMA_VERSION,
        "search": repr(Rebase()),
        "latency": [row._asdict() for row in latencies],
        "cpu": cpu._asdict(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. 1 when plain SPEX is slower in virtual time, or grows another tree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_against_gather", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    parser.add_argument("--queries", type=int, default=64, help="problems, or 8 for each at once if that is more")
    parser.add_argument("--repetitions", type=int, default=11, help="of the measurement of CPU time")
    options = parser.parse_args(arguments)
    latencies = [latency(concurrency, max(options.queries, 8 * concurrency)) for concurrency in CONCURRENCIES]
    cpu = cost(options.repetitions)
    print(json.dumps(as_json(latencies, cpu)) if options.json else "\n".join(lines(latencies, cpu)))
    return 0 if all(map(is_no_slower, latencies)) else 1


if __name__ == "__main__":
    sys.exit(main())
