"""Real servers: plain and speculative searches, alternating problem by problem, or group by group.

    python -m benchmarks.live --policy sglang:URL --reward judge@sglang:URL
        [--search rebase ...] [--concurrency 1 4] [--queries 5] [--out FILE]

Each problem (each group of as many as run at once) is searched plainly and speculatively, in turns of first and second,
so that both meet the same load, caches and clocks. The problems are the first of `gsm8k.jsonl` (of the test set of
GSM8K, Cobbe et al. 2021, openai/grade-school-math, MIT licence). Seeds do not make both runs write the same texts on a
server that is not deterministic, so that trees and answers may differ: the ratio of mean latencies is between runs of
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
from benchmarks.live_clairvoyant import Replay, Watch, pace_of
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
from spex.report.intervals import interval, mean_ratio
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

_HEAD = [
    "search",
    "at once",
    "queries",
    "plain, s",
    "speculative, s",
    "ratio [95 %]",
    "clairvoyant",
    "share",
    "explained",
    "wasted / useful",
    "prompt cached",
    "right",
]


class Question(msgspec.Struct, frozen=True):
    """A line of the file."""

    id: str
    question: str
    answer: str


class Side(msgspec.Struct, frozen=True):
    """One way of searching: latencies in the order of the problems, tokens of all of them.

    `score_seconds`: how long a score took on average, from when it was sent; None where there was none, and in rows of
    before it was kept.
    """

    latencies_seconds: list[float]
    tokens_useful: int
    tokens_wasted: int
    prompt_cached: int
    prompt_uncached: int
    correct: int
    score_seconds: float | None = None

    @property
    def latency_seconds_mean(self) -> float:
        return sum(self.latencies_seconds) / len(self.latencies_seconds)

    @property
    def cached_share(self) -> float:
        return self.prompt_cached / max(1, self.prompt_cached + self.prompt_uncached)


class Virtual(msgspec.Struct, frozen=True):
    """The plain runs on a virtual clock: latencies in the order of the problems."""

    plain_seconds: list[float]
    clairvoyant_seconds: list[float]
    reward_seconds: float

    @property
    def clairvoyant(self) -> float:
        """The speed-up of a schedule that knows what will be demanded."""
        return sum(self.plain_seconds) / sum(self.clairvoyant_seconds)


class Row(msgspec.Struct, frozen=True):
    """One search at one load. `profiled`: the price began with what the probe had measured."""

    policy: str
    reward: str
    search: str
    concurrency: int
    plain: Side
    speculative: Side
    virtual: Virtual
    profiled: bool = False

    @property
    def ratio(self) -> float:
        return self.plain.latency_seconds_mean / self.speculative.latency_seconds_mean

    @property
    def share(self) -> float | None:
        """Of the clairvoyant gain; None where a hundredth or less could be won."""
        most = 1.0 - 1.0 / self.virtual.clairvoyant
        return (1.0 - 1.0 / self.ratio) / most if most > 0.01 else None


class Rows(msgspec.Struct, frozen=True):
    """One run of this program: what was measured of the policy's server, and the rows. A file has several."""

    profile: EngineProfile
    rows: list[Row]


def problems(count: int) -> list[Problem]:
    """The first `count` of the file."""
    lines = PROBLEMS.read_bytes().splitlines()[:count]
    found = [msgspec.json.decode(text, type=Question) for text in lines]
    return [Problem(question.question, question.id, question.answer) for question in found]


async def measured(
    engine: Engine, reward: Reward, search: str, concurrency: int, asked: Sequence[Problem], profile: EngineProfile
) -> tuple[Side, Side, Replay]:
    """Plain and speculative, and the plain runs to be carried out again. Raises `EngineError` where a search failed."""
    ways: tuple[Speculation | None, Speculation | None] = (None, Speculation())
    found: tuple[list[Solution], list[Solution]] = ([], [])
    logs, watches = (MemoryLog(), MemoryLog()), (Watch(), Watch())
    groups = [asked[first : first + concurrency] for first in range(0, len(asked), concurrency)]
    for turn, group in enumerate(groups):
        for way in (0, 1) if turn % 2 == 0 else (1, 0):
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


def entries(row: Row) -> list[str]:
    """A row of the table."""
    plain, speculative = row.plain, row.speculative
    statistic = mean_ratio(plain.latencies_seconds, speculative.latencies_seconds)
    found = interval(row.ratio, statistic, len(plain.latencies_seconds), seed=0)
    between = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return [
        row.search,
        str(row.concurrency),
        str(len(plain.latencies_seconds)),
        f"{plain.latency_seconds_mean:.1f}",
        f"{speculative.latency_seconds_mean:.1f}",
        f"{row.ratio:.2f}{between}",
        f"{row.virtual.clairvoyant:.2f}",
        "–" if row.share is None else f"{row.share:.0%}",
        f"{sum(row.virtual.plain_seconds) / sum(plain.latencies_seconds):.0%}",
        f"{speculative.tokens_wasted / max(1, speculative.tokens_useful):.2f}",
        f"{plain.cached_share:.0%} / {speculative.cached_share:.0%}",
        f"{plain.correct} / {speculative.correct}",
    ]


def kept(file: Path) -> list[Rows]:
    """What earlier runs have put there."""
    return msgspec.json.decode(file.read_bytes(), type=list[Rows]) if file.exists() else []


def keep(file: Path, runs: Sequence[Rows]) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(runs), indent=1) + b"\n")


def pace_line(profile: EngineProfile) -> str:
    """The server, and its ℓ(b)."""
    points = [] if profile.itl is None else profile.itl.points
    told = ", ".join(f"{1000 * point.itl_seconds:.1f} at {point.running}" for point in points)
    return f"{profile.version}: ms a token: {told or 'not measured'}"


async def measure(given: argparse.Namespace) -> None:
    engine = Retrying(find_engine(given.policy))
    before = kept(given.out) if given.out is not None else []
    await engine.open()  # once for all: its connections are kept between two runs
    try:
        profile = await probe(engine)
        policy = engine if given.without_profile else Profiled(engine, profile)
        reward = find_reward(given.reward, policy, given.policy)
        print(pace_line(profile), "", line(_HEAD), line(["---"] * len(_HEAD)), sep="\n", flush=True)
        await measured(policy, reward, given.search[0], 1, problems(1), profile)  # what is cold is not measured
        rows: list[Row] = []
        for search in given.search:
            for concurrency in given.concurrency:
                asked = problems(max(given.queries, concurrency))
                plain, speculative, again = await measured(policy, reward, search, concurrency, asked, profile)
                found = await asyncio.to_thread(virtual, again)
                names = given.policy, given.reward, search, concurrency
                rows.append(Row(*names, plain, speculative, found, profiled=not given.without_profile))
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
    parser.add_argument("--queries", type=int, default=5, help="of each search at each load (1 to 8)")
    parser.add_argument("--without-profile", action="store_true", help="the price begins with what it believes of any")
    parser.add_argument("--out", type=Path, help="the rows as JSON, behind those of earlier runs")
    asyncio.run(measure(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
