"""Is speculation ever in the way? Plain over speculative over a grid of loads, ℓ(b) curves and wrong beliefs.

A cell is a search, so many queries at once, a curve (or a workload with an engine of its own), rewards that can be
foreseen or cannot (each drawn afresh: `reward_memory` 0), and what the controller believes of the curve at first (a
factor; it learns). Every cell is run twice on the virtual clock over the same problems. Ratios have a paired bootstrap
interval; one below 0.98 is marked. Both files keep their command in the first line, and the JSON every latency, so that
each ratio can be computed again. A cell that the JSON has with the same number of queries is not run again (--again: it
is).

    python -m benchmarks.grid_never_in_the_way [--only rebase-16] [--factor 0.5] [--seconds 600] [--list]

On one core of two that were shared, a cell of 8 to 11 queries took 8 to 14 s, one of 16 at once 13 to 24 s, one of 64
at once 60 to 104 s. By that --factor 0.34 --without-largest is some 18 minutes and the default three quarters of an
hour; the four cells of 64 queries of width 64 come on top, and cost 5 to 15 minutes each.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from time import monotonic, process_time
from typing import Any, TypeAlias

from spex.control.run import Run
from spex.control.setup import Speculation
from spex.profile import Affine, Curve, Roofline, Scaled
from spex.report.intervals import Interval, interval, makespan_ratio, mean_ratio
from spex.search.catalog import build_search
from spex.sim.simulate import Simulation, same_trees
from spex.sim.workload import WORKLOADS

SCHEMA_VERSION = 1
RATIO_MIN = 0.98
CURVES: dict[str, Curve] = {
    "affine": Affine(0.010, 0.00008),
    "roofline": Roofline(0.010, 0.0002, 64),
    "llama.cpp-cpu": Affine(0.0026, 0.0034),
    "sglang-cpu": Affine(0.0225, 0.0032),
}
SERVERS = ("cpu-server",)
"""Workloads whose engine is their own: prompts cost, slots are few, and texts that are stopped are lost."""
SEARCHES = {
    "rebase-16": ("rebase", {"width": "16"}),
    "rebase-64": ("rebase", {"width": "64"}),
    "beam-16": ("beam", {"width": "16"}),
    "mcts-32": ("mcts", {"iterations": "32"}),
    "dvts-16": ("dvts", {"width": "16"}),
    "rstar-8": ("rstar", {"iterations": "8", "children": "2", "votes": "4", "depth_max": "4"}),
}
QUERIES = {1: 24, 2: 24, 3: 24, 4: 32, 16: 48, 64: 64}

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the grid."""

    search: str
    concurrency: int
    curve: str
    reward_memory: float = 1.0
    belief: float = 1.0

    @property
    def key(self) -> str:
        """Its name in the files."""
        rewards = "" if self.reward_memory == 1.0 else f" memory={self.reward_memory:g}"
        belief = "" if self.belief == 1.0 else f" belief={self.belief:g}"
        return f"{self.search} x{self.concurrency} {self.curve}{rewards}{belief}"

    @property
    def is_largest(self) -> bool:
        return self.search == "rebase-64" and self.concurrency == 64

    def queries(self, factor: float) -> int:
        """How many it is run with, at `factor` times the default."""
        return max(self.concurrency, round(QUERIES[self.concurrency] * factor))

    def simulation(self, queries: int, seed: int = 0) -> Simulation:
        load = WORKLOADS[self.curve] if self.curve in SERVERS else WORKLOADS["reference"].on(CURVES[self.curve])
        believed = None if self.belief == 1.0 else Scaled(load.curve, self.belief)
        load = replace(load, believed=believed, reward_memory=self.reward_memory)
        search = build_search(*SEARCHES[self.search])
        return Simulation(search, load, queries=queries, concurrency=self.concurrency, seed=seed)

    def measure(self, queries: int, seed: int = 0) -> Row:
        """Run it plain and speculative."""
        simulation = self.simulation(queries, seed)
        began = process_time()
        plain = simulation.run(None)
        between = process_time()
        speculative = simulation.run(Speculation())
        cpu = {"plain": between - began, "speculative": process_time() - between}
        return {
            "cell": self.key,
            "search": self.search,
            "concurrency": self.concurrency,
            "curve": self.curve,
            "reward_memory": self.reward_memory,
            "belief": self.belief,
            "queries": queries,
            "seed": seed,
            "same_trees": same_trees(plain, speculative),
            "cpu_seconds": cpu,
            "plain": figures(plain),
            "speculative": figures(speculative),
            **ratios(figures(plain), figures(speculative), self.concurrency, seed),
        }


def figures(done: Run) -> Row:
    """What the ratios are computed from, and what the run generated."""
    return {
        "makespan_seconds": done.seconds,
        "latency_seconds": [solution.timings.latency_seconds for solution in done.solutions],
        "tokens_useful": done.usage.useful.generated,
        "tokens_wasted": done.usage.wasted.generated,
    }


def ratios(plain: Row, speculative: Row, concurrency: int, seed: int) -> Row:
    """Plain over speculative, more than 1 where speculation wins."""
    upper, lower = plain["latency_seconds"], speculative["latency_seconds"]
    latency = fmean(upper) / fmean(lower)
    makespan = plain["makespan_seconds"] / speculative["makespan_seconds"]
    spans = makespan_ratio(upper, lower, concurrency, None)
    return {
        "ratio_latency_mean": interval(latency, mean_ratio(upper, lower), len(upper), seed)._asdict(),
        "ratio_makespan": interval(makespan, spans, len(upper), seed)._asdict(),
    }


def default_grid() -> list[Cell]:
    """Five loads on four curves; few queries with fresh rewards or wrong beliefs; other searches; a server on a CPU."""
    loads = [("rebase-16", 1), ("rebase-16", 4), ("rebase-16", 16), ("rebase-16", 64), ("rebase-64", 64)]
    cells = [Cell(search, at_once, curve) for search, at_once in loads for curve in CURVES]
    for at_once in (1, 2, 3, 4, 16):
        cells += [Cell("rebase-16", at_once, curve, reward_memory=0.0) for curve in CURVES]
    for belief in (2.0, 0.5):
        cells += [Cell("rebase-16", at_once, curve, belief=belief) for at_once in (1, 2, 3, 16) for curve in CURVES]
    cells += [Cell(search, 4, curve) for search in ("beam-16", "mcts-32") for curve in CURVES]
    cells += [Cell("mcts-32", 1, "llama.cpp-cpu"), Cell("beam-16", 1, "llama.cpp-cpu", reward_memory=0.0)]
    for server in SERVERS:
        loads = [(search, at_once) for at_once in (1, 4) for search in ("rebase-16", "dvts-16")]
        cells += [Cell(*load, server, memory) for load in loads for memory in (1.0, 0.0)]
        cells += [Cell(search, at_once, server) for search in ("mcts-32", "rstar-8") for at_once in (1, 4)]
        cells += [Cell("rebase-16", 16, server), Cell("rebase-16", 4, server, belief=0.5)]
    return sorted(cells, key=lambda cell: cell.is_largest)


def is_slower(row: Row) -> bool:
    """Whether speculation was in the way: a ratio under 0.98."""
    return bool(min(row["ratio_latency_mean"]["value"], row["ratio_makespan"]["value"]) < RATIO_MIN)


def may_be_slower(row: Row) -> bool:
    """Whether the interval of a ratio goes below 0.98."""
    return bool(min(row["ratio_latency_mean"]["low"], row["ratio_makespan"]["low"]) < RATIO_MIN)


def line(row: Row) -> str:
    """A row of the Markdown table."""
    mark = "**< 0.98**" if is_slower(row) else ""
    trees = "" if row["same_trees"] else "OTHER TREES"
    waste = row["speculative"]["tokens_wasted"] / max(1, row["speculative"]["tokens_useful"])
    told = [_told(Interval(**row[name])) for name in ("ratio_latency_mean", "ratio_makespan")]
    cells = [row["cell"], str(row["queries"]), *told, f"{waste:.0%}", f"{sum(row['cpu_seconds'].values()):.0f}"]
    return f"| {' | '.join(cells)} | {mark}{trees} |"


def _told(ratio: Interval) -> str:
    return f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def write(folder: Path, command: str, rows: Iterable[Row]) -> None:
    """grid.json and grid.md."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(rows)
    told = ",\n".join(json.dumps(row) for row in rows)
    (folder / "grid.json").write_text(
        f'{{"command": {json.dumps(command)}, "grid": {SCHEMA_VERSION}, "cells": [\n{told}\n]}}\n'
    )
    slower, unsure = sum(map(is_slower, rows)), sum(map(may_be_slower, rows))
    (folder / "grid.md").write_text(
        "\n".join([
            f"`{command}`",
            "",
            f"Plain over speculative (95 % interval) in virtual time; {len(rows)} cells, {slower} below {RATIO_MIN}.",
            f"Of {unsure} the lower end of an interval is: with so few queries they are wide.",
            "Waste: tokens of calls never demanded by tokens of demanded ones.",
            "",
            "| cell | queries | mean latency | makespan | waste | CPU, s | |",
            "|---|---|---|---|---|---|---|",
            *map(line, rows),
            "",
        ])
    )  # fmt: skip


def in_order(rows: Mapping[str, Row]) -> list[Row]:
    """The rows as the grid has their cells, others behind."""
    order = {cell.key: place for place, cell in enumerate(default_grid())}
    return sorted(rows.values(), key=lambda row: order.get(row["cell"], len(order)))


def read(folder: Path) -> dict[str, Row]:
    """The cells that there are."""
    path = folder / "grid.json"
    if not path.exists():
        return {}
    return {row["cell"]: row for row in json.loads(path.read_text())["cells"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write. 1 when a cell of those asked for is below 0.98 or grew another tree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid_never_in_the_way", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="cells whose names hold it")
    parser.add_argument("--factor", type=float, default=1.0, help="times the default number of queries")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no cell after so long")
    parser.add_argument("--without-largest", action="store_true", help="no cell of 64 queries of width 64")
    parser.add_argument("--again", action="store_true", help="cells that are in the file, too")
    parser.add_argument("--list", action="store_true", help="name the cells and do nothing")
    parser.add_argument("--out", type=Path, default=Path("tables"))
    given = parser.parse_args(arguments)
    cells = [cell for cell in default_grid() if all(text in cell.key for text in given.only)]
    if given.without_largest:
        cells = [cell for cell in cells if not cell.is_largest]
    if given.list:
        print("\n".join(f"{cell.key}, {cell.queries(given.factor)} queries" for cell in cells))
        return 0
    said = shlex.join(sys.argv[1:] if arguments is None else arguments)
    command = f"python -m benchmarks.grid_never_in_the_way {said}".rstrip()
    return _run(cells, given, command)


def _run(cells: Sequence[Cell], given: argparse.Namespace, command: str) -> int:
    rows, began = read(given.out), monotonic()
    for cell in cells:
        queries = cell.queries(given.factor)
        known = rows.get(cell.key)
        if (
            known is not None and known["queries"] == queries and not given.again
        ) or monotonic() - began > given.seconds:
            continue
        rows[cell.key] = cell.measure(queries)
        write(given.out, command, in_order(rows))
        print(line(rows[cell.key]), flush=True)
    write(given.out, command, in_order(rows))
    asked = [rows[cell.key] for cell in cells if cell.key in rows]
    failed = [row for row in asked if is_slower(row) or not row["same_trees"]]
    print(f"{len(asked)} of {len(cells)} cells, {len(failed)} below {RATIO_MIN} or with other trees", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
