"""The Game of 24 by the small models that come with SPEX: samples and searches, plain and speculative.

    python -m benchmarks.game24 [--only rebase ...] [--puzzles 100] [--seed 0] [--out tables]

The puzzles are those that the models never saw: ranks 901 to 1000 (`training/game24.toml`). Each is searched plainly
and speculatively, in turns of first and second, one at once; of single samples each has eight, of as many seeds. A
puzzle is solved where the one expression that is answered uses each number once and is 24, in exact arithmetic. The
speculative run's log is then replayed by a plain run without an engine: `same tree` counts where that gave the same
tree and answer. What was measured is in game24.jsonl, a line for each puzzle, search, seed and mode; the table is made
of those lines alone (`--puzzles 0` makes it again). Intervals are Wilson's, of samples of few puzzles a bootstrap's.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from operator import attrgetter
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from scipy.stats import binomtest

from benchmarks.cells import ROOT, line
from spex.answer import AnswerRule, Best, Majority, Weighted
from spex.api import Options, run
from spex.control.setup import Speculation
from spex.demo.programmes import game24
from spex.demo.show import replays
from spex.engine.base import Engine
from spex.problem import Problem
from spex.record import MemoryLog
from spex.report.intervals import interval, mean_ratio
from spex.reward.base import Reward
from spex.search.base import AnySearch
from spex.search.beam import Beam
from spex.search.best_of_n import BestOfN
from spex.search.mcts import Mcts
from spex.search.rebase import Rebase
from spex.search.self_consistency import SelfConsistency
from spex.search.tot_bfs import TotBfs
from spex.tasks.game24 import bare
from training.config import read_config

_FIRST_RANK = 901
_HEAD = ["search", "mode", "solved [95 %]", "useful tokens", "wasted", "mean latency, s", "sooner [95 %]", "same tree"]
_PUBLISHED = (
    ("GPT-4: IO prompt", "7.3"),
    ("GPT-4: chain of thought", "4.0"),
    ("GPT-4: self-consistency of 100", "9.0"),
    ("GPT-4: ToT, b = 1", "45"),
    ("GPT-4: ToT, b = 5", "74"),
)


class Method(NamedTuple):
    """A search, how its terminals vote, how a table calls it, and by how many seeds each puzzle is searched."""

    title: str
    search: AnySearch
    rule: AnswerRule
    seeds: int = 1


METHODS: Mapping[str, Method] = {
    "single": Method("single sample", SelfConsistency(width=1), Majority(), seeds=8),
    "majority": Method("majority of 16", SelfConsistency(width=16), Majority()),
    "best-of-n": Method("best of 16 by the PRM", BestOfN(width=16), Best()),
    "tot-bfs": Method("ToT-BFS, b = 5, 8 children", TotBfs(children=8, keep=5, depth_max=3), Weighted()),
    "rebase": Method("REBASE, width 16", Rebase(width=16, depth_max=3), Weighted()),
    "beam": Method("beam, width 16", Beam(width=16, depth_max=3), Weighted()),
    "mcts": Method("MCTS, 32 iterations, 8 children", Mcts(iterations=32, children=8, depth_max=3), Weighted()),
}

Mode = Literal["plain", "speculative"]


class Line(msgspec.Struct, frozen=True):
    """One puzzle by one method in one mode. `same_tree`: under replay, of speculative runs alone."""

    rank: int
    puzzle: str
    search: str
    mode: Mode
    expression: str | None
    solved: bool
    tokens_useful: int
    tokens_wasted: int
    latency_seconds: float
    same_tree: bool | None
    seed: int


async def measured(policy: Engine, reward: Reward, name: str, rank: int, problem: Problem, seed: int) -> list[Line]:
    """Both modes of one puzzle, every other puzzle the speculative one first. Raises `EngineError`."""
    method = METHODS[name]
    options = Options(
        policy=policy,
        reward=reward,
        task=bare(),
        search=method.search,
        answer_rule=method.rule,
        seed=seed,
        concurrency=1,
    )
    modes: tuple[Mode, Mode] = ("plain", "speculative") if rank % 2 else ("speculative", "plain")
    return [await _in_mode(mode, options, name, rank, problem) for mode in modes]


async def _in_mode(mode: Mode, options: Options, name: str, rank: int, problem: Problem) -> Line:
    asked, log = options.copy(), MemoryLog()
    asked["speculation"] = Speculation() if mode == "speculative" else None
    asked["log"] = log
    (solution,) = (await run([problem], **asked)).solutions
    if solution.error is not None:
        raise solution.error
    expression = solution.answer
    return Line(
        rank=rank,
        puzzle=problem.text,
        search=name,
        mode=mode,
        expression=expression,
        solved=expression is not None and bare().check(problem, expression),
        tokens_useful=solution.usage.useful.generated,
        tokens_wasted=solution.usage.wasted.generated,
        latency_seconds=solution.timings.latency_seconds,
        same_tree=await replays(solution, asked, log) if mode == "speculative" else None,
        seed=options["seed"],
    )


async def measure(names: Sequence[str], puzzles: int, seed: int, keep: Callable[[list[Line]], None]) -> None:
    """All lines of the methods, the first `puzzles` of the test set each; `keep` gets those of each as it ends."""
    asked = [" ".join(map(str, numbers)) for numbers in read_config().test[:puzzles]]
    programme = game24()
    policy, reward = programme.policy(None), programme.reward()
    async with AsyncExitStack() as stack:
        for opened in (policy, reward):
            await opened.open()
            stack.push_async_callback(opened.close)
        for name in names:
            await measured(policy, reward, name, 0, Problem("1 2 3 4"), seed)  # what is cold is not measured
            lines: list[Line] = []
            for rank, puzzle in enumerate(asked, start=_FIRST_RANK):
                for one in range(seed, seed + METHODS[name].seeds):
                    lines += await measured(policy, reward, name, rank, Problem(puzzle), one)
            keep(lines)
            solved = sum(found.solved for found in lines)
            print(f"{name}: {solved} of {len(lines)} solved in both modes together", file=sys.stderr)


def table(lines: Iterable[Line]) -> Iterator[str]:
    """The rows of the table, and the published figures behind them."""
    by_side: dict[tuple[str, Mode], list[Line]] = {}
    for found in lines:
        by_side.setdefault((found.search, found.mode), []).append(found)
    yield line(_HEAD)
    yield line(["---"] * len(_HEAD))
    for name, method in METHODS.items():
        if (name, "plain") in by_side:
            plain, speculative = (
                sorted(by_side[name, mode], key=attrgetter("rank", "seed")) for mode in ("plain", "speculative")
            )
            yield line([method.title, "plain", *_entries(plain), "", ""])
            same = f"{sum(found.same_tree is True for found in speculative)} of {len(speculative)}"
            yield line(["", "speculative", *_entries(speculative), _sooner(plain, speculative), same])
    for title, solved in _PUBLISHED:
        yield line([title, "published", solved, "", "", "", "", ""])


def _entries(lines: Sequence[Line]) -> list[str]:
    count = len(lines)
    useful, wasted = (
        sum(values) / count for values in zip(*((f.tokens_useful, f.tokens_wasted) for f in lines), strict=True)
    )
    mean = sum(found.latency_seconds for found in lines) / count
    return [
        _solved(lines),
        f"{useful:.0f}",
        f"{wasted:.0f}",
        f"{mean:.3f}",
    ]


def _solved(lines: Sequence[Line]) -> str:
    """In per cent, with the interval; samples of one puzzle go together in it, since a puzzle is easy or hard."""
    by_puzzle: dict[int, list[bool]] = {}
    for found in lines:
        by_puzzle.setdefault(found.rank, []).append(found.solved)
    shares = [fmean(solved) for solved in by_puzzle.values()]
    if len(shares) == len(lines):
        low, high = binomtest(round(sum(shares)), len(shares)).proportion_ci(method="wilson")
    else:
        each = np.asarray(shares)
        around = interval(fmean(shares), lambda draws: each[draws].mean(axis=1), len(shares), seed=0)
        low, high = around.low or 0.0, around.high or 1.0
    return f"{100 * fmean(shares):.0f} [{100 * low:.0f}, {100 * high:.0f}]"


def _sooner(plain: Sequence[Line], speculative: Sequence[Line]) -> str:
    above, below = ([found.latency_seconds for found in lines] for lines in (plain, speculative))
    value = interval(sum(above) / sum(below), mean_ratio(above, below), len(above), seed=0)
    between = "" if value.low is None else f" [{value.low:.2f}, {value.high:.2f}]"
    return f"{value.value:.2f}{between}"


def written(lines: Sequence[Line], folder: Path) -> None:
    """The lines and the table, in `folder`."""
    (folder / "game24.jsonl").write_bytes(b"".join(msgspec.json.encode(found) + b"\n" for found in lines))
    ranks = sorted({found.rank for found in lines})
    which = f"ranks {ranks[0]} to {ranks[-1]}" if ranks else "no puzzles yet"
    about = (
        f"Game of 24, {which}, by the packaged models of 2.8 million parameters each (`make bench-game24`): of"
        f" {len(ranks)} puzzles, in per cent (of single samples eight a puzzle); tokens and latency are means of a"
        " puzzle, one at once. Rows are not independent: with one seed, searches draw the same first moves, so that"
        " several fail on the same puzzles.\n\n"
    )
    unlike = (
        "\nThe published figures (Yao et al. 2023, table 2) are of another kind: a generalist that was told the game in"
        " its prompt, beside a specialist that was trained on it with exact labels and can do nothing else.\n"
    )
    (folder / "game24.md").write_text(about + "\n".join(table(lines)) + "\n" + unlike)


def kept(folder: Path) -> list[Line]:
    """What is in `folder` already."""
    file = folder / "game24.jsonl"
    return [msgspec.json.decode(text, type=Line) for text in file.read_bytes().splitlines()] if file.exists() else []


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.game24", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), help="these alone")
    parser.add_argument(
        "--puzzles", type=int, default=100, help="the first of the test set, into another --out; 0: the table alone"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "tables", help="a folder")
    given = parser.parse_args(arguments)
    if given.puzzles not in (0, len(read_config().test)) and given.out.resolve() == (ROOT / "tables").resolve():
        parser.error("a table of fewer puzzles would take the place of that of all: name another folder by --out")
    given.out.mkdir(parents=True, exist_ok=True)

    def keep(lines: list[Line]) -> None:
        names = {found.search for found in lines}
        written([*(found for found in kept(given.out) if found.search not in names), *lines], given.out)

    if given.puzzles:
        asyncio.run(measure(given.only, given.puzzles, given.seed, keep))
    keep([])
    print((given.out / "game24.md").read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
