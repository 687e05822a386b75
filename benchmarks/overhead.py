"""The controller's own CPU time: for each event without speculation, and of looking ahead.

Plain: REBASE 16 on the virtual clock, with 1 to 256 queries at once. An event is one finished call. From the CPU time
of the whole run is taken that of the simulated engines alone: a driver that sends them the same requests at the same
moments, a task for each, and does nothing with the results. What is left is the controller: searching, requests,
seeds, records, lanes (and the tasks of the queries). World and requests are warm: what the model says is drawn before.
Python's garbage collector is a part of it: as seldom as the command `spex` has it, and as often as Python has it.

Run-ahead: the CPU time within the speculation rule (`foresee` and `learn`: prediction and imagination) and within the
market, taken with a clock of the process around each call; then by engine iteration, as a share of its time (ITL at
the mean number running). On the virtual clock nothing takes the controller time, so it looks ahead as often and as
hard as it may; in real time `control.pace.Pace` rests and cuts particles so that passes stay a tenth.

Then three cases in which cost once grew faster than the work: a chain, many demands at once, many queries at once.

    python -m benchmarks.overhead [--factor 0.5] [--only plain|ahead|growth] [--out tables]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, TypeAlias

from benchmarks.growth import CASES, growth
from benchmarks.listening import Asked, Listening, ListeningReward, TimedMarket, TimedRule
from spex.__main__ import COLLECT_AFTER
from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.engine.base import Engine
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.policy import Policy
from spex.problem import Problem
from spex.search.base import AnySearch
from spex.search.catalog import build_search
from spex.sim.task import SimulatedTask
from spex.sim.workload import WORKLOADS
from spex.sim.world import World

SCHEMA_VERSION = 1
PLAIN_AT_ONCE = (1, 4, 16, 64, 256)
AHEAD_AT_ONCE = (1, 4, 16)
SEARCHES = {
    "rebase-16": ("rebase", {"width": "16"}),
    "beam-16": ("beam", {"width": "16"}),
    "mcts-32": ("mcts", {"iterations": "32"}),
}
EVENT_MICROSECONDS_MAX = 150.0
ITERATION_SHARE_MAX = 0.10

Row: TypeAlias = dict[str, Any]


class Bench:
    """One load, on engines that are new each time and on a world that has been drawn once."""

    def __init__(self, search: AnySearch, queries: int, concurrency: int) -> None:
        self._search = search
        self._load = WORKLOADS["reference"]
        self._world = World(self._load)
        self._problems = [Problem(f"simulated problem {number}", f"q{number}") for number in range(queries)]
        self._conduct = Conduct(concurrency=concurrency)

    def run(self, speculation: Speculation | None) -> Run:
        policy, reward = self._engines()
        return run_virtual(self._carry_out(policy, reward, speculation))

    def listen(self) -> list[Asked]:
        """The requests of a plain run."""
        policy, reward = self._engines()
        asked: list[Asked] = []
        listening: Any = Listening(policy, asked)
        run_virtual(self._carry_out(listening, ListeningReward(reward, asked), None))
        return asked

    async def drive(self, asked: Sequence[Asked]) -> None:
        """Send the requests to new engines at their moments, and do nothing with what comes of them."""
        loop = asyncio.get_running_loop()
        policy, reward = self._engines()
        began = loop.time()
        tasks: list[asyncio.Task[object]] = []
        for moment, group in groupby(asked, lambda one: one.at_seconds):
            await asyncio.sleep(moment - (loop.time() - began))
            tasks += [loop.create_task(one.sent_to(policy, reward)) for one in group]
        await asyncio.gather(*tasks)

    def _engines(self) -> tuple[SimulatedPolicy, SimulatedReward]:
        return self._load.policy(self._world.write), self._load.reward(self._world.judge)

    async def _carry_out(self, policy: Engine, reward: Any, speculation: Speculation | None) -> Run:
        setup = Setup(self._search, Policy(policy, SimulatedTask()), {"reward": reward}, speculation=speculation)
        return await run(self._problems, setup, self._conduct)


def cpu_seconds(act: Callable[[], object]) -> float:
    """The CPU time of this process while it acts, its garbage collector's included, for what it makes meanwhile."""
    gc.collect()
    gc.freeze()  # the world is as large as all trees together: to go through it is no work of the controller's
    began = process_time()
    act()
    seconds = process_time() - began
    gc.unfreeze()
    return seconds


@contextmanager
def collecting_after(objects: int) -> Iterator[None]:
    """With the garbage collector started after so many new objects."""
    before = gc.get_threshold()
    gc.set_threshold(objects)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def plain_cost(concurrency: int, queries: int, repetitions: int = 3) -> Row:
    """Microseconds for each finished call, without speculation."""
    bench = Bench(build_search(*SEARCHES["rebase-16"]), queries, concurrency)
    asked = bench.listen()
    engines: list[float] = []
    total: list[float] = []
    often: list[float] = []
    for _ in range(repetitions):  # in turns, since the machine is not equally fast all the time
        with collecting_after(COLLECT_AFTER):
            engines.append(cpu_seconds(lambda: run_virtual(bench.drive(asked))))
            total.append(cpu_seconds(lambda: bench.run(None)))
        often.append(cpu_seconds(lambda: bench.run(None)))
    by_event = 1e6 / len(asked)
    return {
        "concurrency": concurrency,
        "queries": queries,
        "events": len(asked),
        "run_microseconds_per_event": median(total) * by_event,
        "engines_microseconds_per_event": median(engines) * by_event,
        "controller_microseconds_per_event": (median(total) - median(engines)) * by_event,
        "controller_microseconds_per_event_collecting_often": (median(often) - median(engines)) * by_event,
    }


def ahead_cost(name: str, concurrency: int, queries: int) -> Row:
    """What looking ahead costs, by pass, by query and second, and by engine iteration."""
    bench = Bench(build_search(*SEARCHES[name]), queries, concurrency)
    plain_seconds = cpu_seconds(lambda: bench.run(None))
    rule, market = TimedRule(), TimedMarket()
    kept: list[Run] = []
    total = cpu_seconds(lambda: kept.append(bench.run(Speculation(rule=rule, market=market))))
    done = kept[0]
    query_seconds = sum(solution.timings.latency_seconds for solution in done.solutions)
    ahead = rule.foreseeing.seconds + rule.learning.seconds
    generated = done.usage.paid.generated
    running = generated * 0.010 / max(1e-9, done.seconds - generated * 0.00008)
    itl = WORKLOADS["reference"].curve.itl_seconds(max(1.0, running))
    return {
        "search": name,
        "concurrency": concurrency,
        "queries": queries,
        "passes": rule.foreseeing.calls,
        "milliseconds_per_pass": rule.foreseeing.seconds / max(1, rule.foreseeing.calls) * 1e3,
        "milliseconds_per_query_second": ahead / query_seconds * 1e3,
        "itl_seconds": itl,
        "share_of_iteration": ahead / done.seconds,
        "market_share_of_iteration": market.watch.seconds / done.seconds,
        "everything_share_of_iteration": total / done.seconds,
        "run_cpu_seconds": total,
        "plain_cpu_seconds": plain_seconds,
    }


def tables(command: str, parts: dict[str, list[Row]]) -> str:
    """The Markdown file."""
    told = [f"`{command}`", ""]
    for title, rows in parts.items():
        if rows:
            told += [f"**{title}**", "", *_table(rows), ""]
    aims = f"{EVENT_MICROSECONDS_MAX:g} µs an event, {ITERATION_SHARE_MAX:.0%} of an engine iteration"
    return "\n".join([*told, f"Aims: {aims}. Missed: {'; '.join(too_slow(parts)) or 'none'}.", ""])


def _table(rows: Sequence[Row]) -> list[str]:
    names = list(rows[0])
    head = [f"| {' | '.join(name.replace('_', ' ') for name in names)} |", f"|{'---|' * len(names)}"]
    return head + [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows]


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write, with the aims that are missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", choices=("plain", "ahead", "growth"), help="one of the three parts")
    parser.add_argument("--factor", type=float, default=1.0, help="times the default number of queries")
    parser.add_argument("--at-once-max", type=int, default=256, help="leave out more queries at once than that")
    parser.add_argument("--out", type=Path, default=Path("tables"))
    given = parser.parse_args(arguments)
    said = shlex.join(sys.argv[1:] if arguments is None else arguments)
    command = f"python -m benchmarks.overhead {said}".rstrip()
    parts = {name: measure(given) for name, measure in PARTS.items() if given.only in (None, name)}
    given.out.mkdir(parents=True, exist_ok=True)
    told = json.dumps(parts, indent=1)[2:]
    head = f'{{"command": {json.dumps(command)}, "overhead": {SCHEMA_VERSION},'
    (given.out / "overhead.json").write_text(f"{head}\n{told}\n")
    (given.out / "overhead.md").write_text(tables(command, parts))
    print(tables(command, parts))


def too_slow(parts: dict[str, list[Row]]) -> list[str]:
    """Where an aim is missed, in words."""
    events = [(row["concurrency"], row["controller_microseconds_per_event"]) for row in parts.get("plain", ())]
    shares = [(row["search"], row["concurrency"], row["share_of_iteration"]) for row in parts.get("ahead", ())]
    return [
        *(f"{at_once} at once: {cost:.0f} µs an event" for at_once, cost in events if cost > EVENT_MICROSECONDS_MAX),
        *(f"{name}, {at_once} at once: {share:.0%}" for name, at_once, share in shares if share > ITERATION_SHARE_MAX),
    ]


def _measure_plain(given: argparse.Namespace) -> list[Row]:
    at_once = [count for count in PLAIN_AT_ONCE if count <= given.at_once_max]
    return [plain_cost(count, max(count, round(32 * given.factor))) for count in at_once]


def _measure_ahead(given: argparse.Namespace) -> list[Row]:
    at_once = [count for count in AHEAD_AT_ONCE if count <= given.at_once_max]
    return [ahead_cost(name, count, max(count, round(8 * given.factor))) for name in SEARCHES for count in at_once]


def _measure_growth(given: argparse.Namespace) -> list[Row]:
    return [row for case in CASES for row in growth(case, given.factor, cpu_seconds)]


PARTS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "plain": _measure_plain,
    "ahead": _measure_ahead,
    "growth": _measure_growth,
}


if __name__ == "__main__":
    main()
