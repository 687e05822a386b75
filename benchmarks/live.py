"""Real servers: plain and speculative searches, alternating problem by problem, or group by group.

    python -m benchmarks.live --policy sglang:URL --reward judge@sglang:URL
        [--search rebase ...] [--concurrency 1 4] [--queries 5] [--emptied URL ...] [--out FILE]

Each problem (each group of as many as run at once) is searched plainly and speculatively, in turns of first and second,
so that both meet the same load and clocks; with `--emptied`, caches are emptied before each and the problems' prompts
read, since the second would find what the first has left. The problems are the first of `gsm8k.jsonl` (of the test set
of GSM8K, Cobbe et al. 2021, openai/grade-school-math, MIT licence). Seeds do not make both runs write the same texts on
a server that is not deterministic, so that trees and answers may differ: the ratio of mean latencies is between runs of
equal searches, not of equal trees.

Before all the policy's server is probed, for a minute at most, and what was measured is the price's first belief, as
after `spex probe` (not with `--without-profile`). With its ℓ(b) the plain runs are carried out again on a virtual
clock, plainly and by a clairvoyant schedule: `share` is how much of the clairvoyant gain speculation got, on the real
server: (1 - 1/ratio) / (1 - 1/clairvoyant). `explained` is the plain latency on the virtual clock over the real one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.cells import line
from benchmarks.live_caches import emptied, read_in
from benchmarks.live_clairvoyant import Replay, Watch, pace_of
from benchmarks.live_rows import HEAD, Row, Rows, Side, Virtual, entries, keep, kept, pace_line
from spex.api import run
from spex.control.setup import Speculation
from spex.engine.base import Engine
from spex.engine.catalog import find_engine
from spex.engine.measured import EngineProfile
from spex.engine.probe import probe
from spex.engine.profiled import Profiled
from spex.engine.retrying import Retrying
from spex.problem import Problem
from spex.record import MemoryLog
from spex.reward.base import Reward
from spex.reward.named import find_reward
from spex.search.base import AnySearch
from spex.search.dvts import Dvts
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.search.rstar import RStar
from spex.solution import Solution
from spex.tasks.gsm8k import Gsm8k

SEARCHES: Mapping[str, AnySearch] = {
    "rebase": Rebase(width=16, depth_max=6),
    "dvts": Dvts(width=16, depth_max=6),
    "mcts": Mcts(iterations=32, depth_max=6),
    "rstar": RStar(iterations=8, children=2, votes=4, depth_max=4),  # the usual sixteen and 32 votes take an hour here
}
TASK = Gsm8k(step_tokens_max=48, solution_tokens_max=96)
PROBLEMS = Path(__file__).with_name("gsm8k.jsonl")


class Question(msgspec.Struct, frozen=True):
    """A line of the file."""

    id: str
    question: str
    answer: str


def problems(count: int) -> list[Problem]:
    """The first `count` of the file. Raises `ValueError` where it has fewer."""
    lines = PROBLEMS.read_bytes().splitlines()
    if not 1 <= count <= len(lines):
        raise ValueError(f"{count} problems, in whole groups: the file has {len(lines)}")
    found = [msgspec.json.decode(text, type=Question) for text in lines[:count]]
    return [Problem(question.question, question.id, question.answer) for question in found]


def whole(queries: int, concurrency: int) -> int:
    """As many queries, made up to whole groups: in a part of one fewer would run at once. Raises `ValueError`."""
    if concurrency < 1:
        raise ValueError(f"{concurrency} at once: at least one")
    return -(-queries // concurrency) * concurrency


async def measured(
    engine: Engine,
    reward: Reward,
    search: str,
    concurrency: int,
    asked: Sequence[Problem],
    profile: EngineProfile,
    caches: Sequence[str] = (),
) -> tuple[Side, Side, Replay]:
    """Plain and speculative, and the plain runs to be carried out again. Raises `EngineError` where a search failed.

    `caches`: where to ask for their being emptied before each run. Raises `NotEmptied`.
    """
    ways: tuple[Speculation | None, Speculation | None] = (None, Speculation())
    found: tuple[list[Solution], list[Solution]] = ([], [])
    logs, watches = (MemoryLog(), MemoryLog()), (Watch(), Watch())
    groups = [asked[first : first + concurrency] for first in range(0, len(asked), concurrency)]
    for turn, group in enumerate(groups):
        for way in (0, 1) if turn % 2 == 0 else (1, 0):
            if caches:
                await emptied(caches)
                await read_in(engine, TASK, group)
            done = await run(
                group,
                policy=engine,
                task=TASK,
                reward=reward,
                search=SEARCHES[search],
                concurrency=concurrency,
                speculation=ways[way],
                log=logs[way],
                on_event=watches[way],
            )
            found[way].extend(done.solutions)
    sides = side(found[0], watches[0].score_seconds), side(found[1], watches[1].score_seconds)
    pace = pace_of(profile, watches[0])
    replay = Replay(SEARCHES[search], TASK, groups, logs[0], pace, engine.capabilities)
    return *sides, replay


def virtual(replay: Replay) -> Virtual:
    """The plain runs again; it runs a loop of its own."""
    found = replay.latencies_seconds()
    return Virtual(found["plain"], found["clairvoyant"], replay.pace.reward.itl_seconds(1))


def side(solutions: Sequence[Solution], score_seconds: float | None = None) -> Side:
    """The figures of one way. Raises the error of the first search that failed."""
    for solution in solutions:
        if solution.error is not None:
            raise solution.error
    paid = [solution.usage.paid for solution in solutions]
    return Side(
        [solution.timings.latency_seconds for solution in solutions],
        sum(solution.usage.useful.generated for solution in solutions),
        sum(solution.usage.wasted.generated for solution in solutions),
        sum(tokens.prompt_cached for tokens in paid),
        sum(tokens.prompt_uncached for tokens in paid),
        sum(solution.correct is True for solution in solutions),
        score_seconds,
    )


async def measure(given: argparse.Namespace, groups: Mapping[int, Sequence[Problem]]) -> None:
    """Every search with the problems of each load."""
    engine = Retrying(find_engine(given.policy))
    before = kept(given.out) if given.out is not None else []
    await engine.open()  # once for all: its connections are kept between two runs
    try:
        profile = await probe(engine)
        policy = engine if given.without_profile else Profiled(engine, profile)
        reward = find_reward(given.reward, policy, given.policy)
        print(pace_line(profile), "", line(HEAD), line(["---"] * len(HEAD)), sep="\n", flush=True)
        await measured(policy, reward, given.search[0], 1, problems(1), profile)  # what is cold is not measured
        rows: list[Row] = []
        for search in given.search:
            for concurrency, asked in groups.items():
                plain, speculative, again = await measured(
                    policy, reward, search, concurrency, asked, profile, given.emptied
                )
                found = await asyncio.to_thread(virtual, again)
                names = given.policy, given.reward, search, concurrency
                kind = not given.without_profile, bool(given.emptied)
                rows.append(Row(*names, plain, speculative, found, *kind))
                print(line(entries(rows[-1])), flush=True)
                if given.out is not None:
                    keep(given.out, [*before, Rows(profile, rows)])
    finally:
        await engine.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--policy", required=True, metavar="ENGINE", help="as `spex solve --policy` takes it")
    parser.add_argument("--reward", default="judge", metavar="REWARD", help="as `spex solve --reward` takes it")
    parser.add_argument("--search", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--concurrency", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--queries", type=int, default=5, help="a search and load, in whole groups (1 to 8)")
    parser.add_argument("--without-profile", action="store_true", help="the price begins with what it believes of any")
    parser.add_argument("--emptied", nargs="+", default=[], metavar="URL", help="POST there to empty the caches")
    parser.add_argument("--out", type=Path, help="the rows as JSON, behind those of earlier runs")
    given = parser.parse_args(arguments)
    try:
        groups = {count: problems(whole(given.queries, count)) for count in given.concurrency}
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(measure(given, groups))
    return 0


if __name__ == "__main__":
    sys.exit(main())
