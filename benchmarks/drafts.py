"""Token-level speculation and SPEX together: the embedded llama.cpp with drafts and without, plain and speculative.

    python -m benchmarks.drafts [--model FILE] [--draft ngram:4] [--search rebase] [--queries 8] [--out FILE]

Every problem is searched in all four ways, each time beginning with another one, so that all of them meet the same load
and clocks. Ratios are of mean latencies, over the plain search without drafts. llama.cpp's texts depend on what runs
beside them, so that the searches are equal and their trees need not be. CPU is this process's, llama.cpp included: on a
machine that has other work it says more than latencies do. Problems: see `benchmarks.live`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import process_time
from typing import NamedTuple

import msgspec

from benchmarks.cells import line
from benchmarks.live import problems, side
from benchmarks.live_rows import Side
from spex.api import run
from spex.control.setup import Speculation
from spex.engine.llamacpp import LlamaCpp
from spex.problem import Problem
from spex.report.intervals import interval, mean_ratio
from spex.search.base import AnySearch
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.solution import Solution
from spex.tasks.gsm8k import Gsm8k

SEARCHES: Mapping[str, AnySearch] = {
    "rebase": Rebase(width=3, depth_max=2),
    "mcts": Mcts(iterations=3, children=2, depth_max=3),
}
TASK = Gsm8k(step_tokens_max=24, solution_tokens_max=48)

_HEAD = ["way", "queries", "mean latency, s", "sooner [95 %]", "mean CPU, s", "useful tokens", "wasted / useful"]


class Way(NamedTuple):
    """How a problem is searched."""

    drafts: bool
    speculative: bool

    def __str__(self) -> str:
        return ("speculative" if self.speculative else "plain") + (", drafts" if self.drafts else "")


WAYS = (Way(False, False), Way(True, False), Way(False, True), Way(True, True))


class Row(msgspec.Struct, frozen=True):
    """One way of one search."""

    search: str
    draft: str
    way: str
    side: Side
    cpu_seconds: list[float]


class Found(NamedTuple):
    """What came of one way, and the CPU seconds of each of its queries."""

    side: Side
    cpu_seconds: list[float]


async def measured(engines: Mapping[bool, LlamaCpp], search: AnySearch, asked: Sequence[Problem]) -> list[Found]:
    """What is found in each of `WAYS`. `engines`: by whether they draft. Raises `EngineError`."""
    found: dict[Way, list[Solution]] = {way: [] for way in WAYS}
    cpu_seconds: dict[Way, list[float]] = {way: [] for way in WAYS}
    for turn, problem in enumerate(asked):
        first = turn % len(WAYS)
        for way in WAYS[first:] + WAYS[:first]:
            began = process_time()
            done = await run(
                [problem],
                policy=engines[way.drafts],
                task=TASK,
                reward="arithmetic",  # llama.cpp tells no log-probabilities of what it drafts
                search=search,
                speculation=Speculation() if way.speculative else None,
            )
            found[way].extend(done.solutions)
            cpu_seconds[way].append(process_time() - began)
    return [Found(side(found[way]), cpu_seconds[way]) for way in WAYS]


def entries(row: Row, base: Side) -> list[str]:
    """A row of the table; `base`: what it is compared with."""
    own = row.side
    value = base.latency_seconds_mean / own.latency_seconds_mean
    statistic = mean_ratio(base.latencies_seconds, own.latencies_seconds)
    among = interval(value, statistic, len(own.latencies_seconds), seed=0)
    between = "" if among.low is None or own is base else f" [{among.low:.2f}, {among.high:.2f}]"
    return [
        row.way,
        str(len(own.latencies_seconds)),
        f"{own.latency_seconds_mean:.2f}",
        f"{value:.2f}{between}",
        f"{sum(row.cpu_seconds) / max(1, len(row.cpu_seconds)):.2f}",
        str(own.tokens_useful),
        f"{own.tokens_wasted / max(1, own.tokens_useful):.2f}",
    ]


async def measure(given: argparse.Namespace) -> None:
    engines = {
        False: LlamaCpp(given.model, slots=4, context_tokens=1024, threads=given.threads),
        True: LlamaCpp(given.model, slots=4, context_tokens=1024, threads=given.threads, draft=given.draft),
    }
    search = SEARCHES[given.search]
    async with AsyncExitStack() as stack:
        for engine in engines.values():
            await engine.open()
            stack.push_async_callback(engine.close)
        await measured(engines, search, problems(1))  # what is cold is not measured
        found = await measured(engines, search, problems(given.queries))
    rows = [Row(given.search, given.draft, str(way), *own) for way, own in zip(WAYS, found, strict=True)]
    print(f"{given.search} on {engines[True].name}")
    print(line(_HEAD), line(["---"] * len(_HEAD)), *(line(entries(row, rows[0].side)) for row in rows), sep="\n")
    if given.out is not None:
        given.out.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drafts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="a GGUF file (default: SmolLM2-135M-Instruct)")
    parser.add_argument("--draft", default="ngram:4", help="as `spex solve --draft` takes it")
    parser.add_argument("--search", choices=SEARCHES, default="rebase")
    parser.add_argument("--queries", type=int, default=8, help="1 to 8")
    parser.add_argument("--threads", type=int, default=1, help="of llama.cpp")
    parser.add_argument("--out", type=Path, help="the rows as JSON")
    asyncio.run(measure(parser.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
