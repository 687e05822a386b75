"""The table of ablations: what each technique wins, ours and the published ones, on simulated queries.

Every row of every search at every load is a cell. A finished cell is kept in ablation.json and not computed again
without --again; the same command goes on where it was stopped. Beside it, ablation.md is the table of the cells that
the command names.

    python -m benchmarks.table_ablation [--search rebase-16] [--concurrency 1] [--queries 16] [--minutes 12]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.ablation import (
    ACCEPTANCE,
    DRAFT_TOKENS,
    FIRST_COME_MAX,
    QUERIES,
    ROWS,
    SEARCHES,
    Cell,
    Place,
    Row,
    measure,
)
from spex.report.intervals import interval, mean_ratio
from spex.sim.drafting import drafted
from spex.sim.workload import find_workload
from spex.speculate.paper_budget import ridge

SCHEMA_VERSION = 1
CONCURRENCIES = (1, 4, 16)

_HEAD = (
    "search", "at once", "n", "row", "mean latency", "speed-up [95 %]", "over its own plain", "P50", "P99", "waste",
    "accuracy", "correct", "beside plain",
)  # fmt: skip

RIDGE = ridge(find_workload("reference").curve)
RIDGE_DRAFTED = ridge(drafted(find_workload("reference").curve, ACCEPTANCE, DRAFT_TOKENS))

_FOOTER = f"""\
Speed-up: mean latency of `plain` over the row's, with the paired bootstrap interval over queries; "over its own
plain": the same against the run without speculation on the same engine. Waste: wasted over useful tokens. Accuracy:
committed over speculated calls. "Beside plain": the same demanded calls, results and answers, or how many answers
differ (rows that stop early end with fewer calls). Latencies in seconds of virtual time; one world, one seed.

`selection`: calls are started as they are foreseen, first come, first served, {FIRST_COME_MAX} at most on an engine.
`+ budget`: ours by price and re-priced, the paper's by shares of the ridge, to the end. The rows after it add one
thing to `+ budget` each. The paper's k_total is where ℓ(b) is 1.15·ℓ(1): {RIDGE} here, {RIDGE_DRAFTED} with drafts; an
affine ℓ has no ridge, and these rows hang on that choice. `drafts`: an engine with token-level speculation,
{DRAFT_TOKENS} drafted tokens, each accepted with probability {ACCEPTANCE}.

The paper's rows are its rules in our controller, by our reading of them (`spex.speculate.paper_selection`,
`paper_budget`, `early_alternatives` say what was read into them); its own system is another. It reports, in questions
per minute against SGLang without it: depth-first searches 1.8–3x on average, breadth-first 1.2–1.9x, rStar with 10
answers 3.1x (2.0x by token-level speculation alone, 4.1x together). Its figures are of real models on A6000 and A100,
steps of 50–100 tokens, ReST-MCTS, rStar, REBASE and ETS with 5 to 16 answers, 1, 4 and 8 questions at once, early
termination included and trees that may differ from those without it; ours are of a simulated engine with
ℓ(b) = 10 ms + 0.08 ms·b and rewards in 40 ms, and every row without early termination has the plain run's trees.
"""


class Book(msgspec.Struct):
    """The file of finished cells, by their keys."""

    ablation: int = SCHEMA_VERSION
    cells: dict[str, Cell] = {}


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    began = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    book = read_book(given.out / "ablation.json")
    places = places_of(given.search or list(SEARCHES), given.concurrency or CONCURRENCIES, given.queries)
    command = command_of(sys.argv[1:] if arguments is None else arguments)
    for number, (place, row) in enumerate(places, 1):
        if place.key in book.cells and not given.again:
            continue
        if given.minutes is not None and time.monotonic() - began > 60 * given.minutes:
            print(f"{given.minutes:g} minutes are over; the same command goes on from here", file=sys.stderr)
            break
        cell = book.cells[place.key] = measure(place, row)
        print(
            f"{number}/{len(places)}  {place.key}  {cell.latency_seconds_mean:.2f} s  (took {cell.wall_seconds:.0f} s)",
            file=sys.stderr,
            flush=True,
        )
        write(given.out, book, table(book.cells, places, command))
    text = table(book.cells, places, command)
    write(given.out, book, text)
    print(text, end="")
    return 0


def command_of(arguments: Sequence[str]) -> str:
    """What makes the table, however many times it was stopped on the way."""
    said = iter(arguments)
    kept = [word for word in said if word != "--minutes" or not next(said)]
    return f"python -m benchmarks.table_ablation {' '.join(kept)}".strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table_ablation")
    parser.add_argument("--search", action="append", choices=list(SEARCHES), help="repeatable; default: all")
    parser.add_argument("--concurrency", action="append", type=_count, help="repeatable; default: 1, 4 and 16")
    fewer = f"16 for {', '.join(QUERIES)}"
    parser.add_argument(
        "--queries", type=_count, help=f"of each cell; default: max(64, 8 times the concurrency), {fewer}"
    )
    parser.add_argument("--minutes", type=float, help="begin no cell after so many")
    parser.add_argument("--out", type=Path, default=Path("tables"), help="the folder of both files")
    parser.add_argument("--again", action="store_true", help="compute finished cells again")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= 65_536:
        raise argparse.ArgumentTypeError("it must be from 1 to 65536")
    return count


def queries_of(search: str, concurrency: int) -> int:
    """How many it takes for an interval to mean something, or can be borne."""
    return QUERIES.get(search) or enough(concurrency)


def enough(concurrency: int) -> int:
    """How many queries it takes for an interval to mean something."""
    return max(64, 8 * concurrency)


def places_of(searches: Sequence[str], loads: Sequence[int], queries: int | None) -> list[tuple[Place, Row]]:
    """Every cell, in the order of the table."""
    return [
        (Place(search, load, row.name, queries or queries_of(search, load)), row)
        for search in searches
        for load in loads
        for row in ROWS
    ]


def read_book(path: Path) -> Book:
    return msgspec.json.decode(path.read_bytes(), type=Book) if path.exists() else Book()


def write(folder: Path, book: Book, text: str) -> None:
    """Both files, each whole or not at all."""
    for name, content in (("ablation.json", msgspec.json.encode(book)), ("ablation.md", text.encode())):
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)


def table(cells: Mapping[str, Cell], places: Sequence[tuple[Place, Row]], command: str) -> str:
    """The finished cells of `places` in Markdown, under the command that made them."""
    done = [(place, row) for place, row in places if place.key in cells]
    head = f"n: queries of a cell. Finished: {len(done)} of {len(places)} cells."
    if any(place.queries < enough(place.concurrency) for place, _ in places):
        head += " With fewer queries than max(64, 8 times those at once), a row is a first look, nothing to quote."
    lines = [_line(_HEAD), _line(["---"] * len(_HEAD))]
    for place, row in done:
        lines.append(_line(_entries(cells, place, row)))
    return "\n".join([f"`{command}`", "", head, "", *lines, "", _FOOTER])


def _entries(cells: Mapping[str, Cell], place: Place, row: Row) -> list[str]:
    cell, plain = cells[place.key], cells.get(_beside(place, "plain"))
    return [
        place.search,
        str(place.concurrency),
        str(place.queries),
        row.name,
        f"{cell.latency_seconds_mean:.2f}",
        speedup(plain, cell),
        speedup(cells.get(_beside(place, row.own_plain)), cell) if row.drafts and row.rule else "",
        f"{cell.latency_seconds(50):.2f}",
        f"{cell.latency_seconds(99):.2f}",
        f"{cell.waste:.0%}" if row.rule else "",
        f"{cell.accuracy:.0%}" if cell.accuracy is not None else "",
        f"{cell.correct} of {len(cell.answers)}",
        likeness(plain, cell, row),
    ]


def speedup(plain: Cell | None, cell: Cell) -> str:
    """With its interval; nothing where there is nothing to compare."""
    if plain is None or plain == cell:
        return ""
    value = plain.latency_seconds_mean / cell.latency_seconds_mean
    statistic = mean_ratio(plain.latencies_seconds, cell.latencies_seconds)
    found = interval(value, statistic, len(cell.latencies_seconds), seed=0)
    return f"{value:.2f}x" if found.low is None else f"{value:.2f}x [{found.low:.2f}, {found.high:.2f}]"


def likeness(plain: Cell | None, cell: Cell, row: Row) -> str:
    """What became of the plain run's trees and answers."""
    if plain is None or plain == cell:
        return ""
    if row.stop == "off":
        return "same trees" if plain.trees == cell.trees else "OTHER TREES"
    differ = sum(one != other for one, other in zip(plain.answers, cell.answers, strict=True))
    return f"{cell.stopped} stopped, {differ} answers differ"


def _beside(place: Place, row: str) -> str:
    return msgspec.structs.replace(place, row=row).key


def _line(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"


if __name__ == "__main__":
    sys.exit(main())
