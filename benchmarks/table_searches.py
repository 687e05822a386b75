"""Every search of the catalogue at a comparable size: what speculation wins, costs and leaves, at several loads.

    python -m benchmarks.table_searches [--queries N] [--seed S] [--only NAME ...] [--concurrency C ...]

Each cell is the JSON of one `spex simulate` command, kept in tables/searches.json under that command: a cell that is
there is not run again, unless it failed. tables/searches.md is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks import cells
from benchmarks.cells import Book, Cell, line, options_of

SEARCHES: Mapping[str, Mapping[str, int]] = {
    "ab-mcts": {"iterations": 128},
    "beam": {"width": 16, "children": 4},
    "best-first": {"children": 4, "nodes_max": 128},
    "best-of-n": {"width": 16},
    "dvts": {"width": 16, "children": 4},
    "ets": {"width": 16},
    "mcts": {"iterations": 32, "children": 4},
    "rebase": {"width": 16},
    "rest-mcts": {"iterations": 32, "children": 4, "answers": 128},
    "rstar": {"iterations": 16, "votes": 8},
    "self-consistency": {"width": 16},
    "tot-bfs": {"children": 4, "keep": 4},
    "tot-dfs": {"children": 4, "visits": 32, "answers": 32},
    "virtual-loss": {"iterations": 32, "children": 4},
    "wu-uct": {"iterations": 32, "children": 4},
}
"""Each search with what makes it 16 samples wide, or 128 nodes long, 4 children at a time; the rest by default."""


class Place(NamedTuple):
    """Where all of them run, and how many queries of each."""

    workload: str
    concurrency: int
    queries: int


PLACES = (
    Place("reference", 1, 64),
    Place("reference", 4, 32),
    Place("reference", 16, 32),
    Place("slow-reward", 1, 16),
)
CONCURRENCIES = (1, 4, 16)
QUERIES_MAX: Mapping[str, int] = {"ab-mcts": 8, "rstar": 16}
"""Of those that take the controller many seconds a query."""
SHARE_WANTED = 0.85

_HEAD = [
    "search",
    "queries",
    "plain, s",
    "speed-up",
    "clairvoyant",
    "floor, s",
    "share",
    "wasted / useful",
    "same trees",
    "CPU a query, s",
]
_EXPLAINED = """\
Plain and floor: mean latency in seconds of virtual time. Speed-up and clairvoyant: the plain run's mean latency over
that of the speculative and of the clairvoyant run; share: how much of the clairvoyant gain speculation got. In
brackets: 95 %, from paired draws of the queries. Wasted / useful: tokens of the speculative run. CPU: of the process in
the speculative run, simulated engine included; virtual time does not count it. A dash: not run, or nothing to gain."""


def command_of(name: str, place: Place, queries: int | None, seed: int) -> str:
    """The command of one cell."""
    settings = " ".join(f"--set {key}={value}" for key, value in SEARCHES[name].items())
    count = queries or min(place.queries, QUERIES_MAX.get(name, place.queries))
    return cells.command_of(f"--search {name} {settings}", place.workload, place.concurrency, count, seed)


def row(name: str, cell: Cell | None) -> str:
    """One search's line of one place; a cell that was not run is dashes, one that failed says why below the table."""
    if cell is None or "failed" in cell:
        return line([name, *["–" if cell is None else "failed"] * (len(_HEAD) - 1)])
    plain, speculative = cell["plain"], cell["speculative"]
    return line(
        [
            name,
            str(speculative["queries"]),
            f"{plain['latency_seconds_mean']:.2f}",
            cells.speedup(cell),
            f"{cell['speedup_clairvoyant']:.2f}",
            f"{cell['floor']['latency_seconds_mean']:.2f}",
            cells.share(cell),
            f"{speculative['tokens_wasted'] / max(1, speculative['tokens_useful']):.2f}",
            "yes" if cell["same_tree"] else "NO",
            f"{speculative['controller_cpu_seconds'] / speculative['queries']:.2f}",
        ]
    )


def section(place: Place, found: Mapping[str, Cell | None]) -> list[str]:
    """One place: a line for each search, then those that failed, and at one query at once those that win too little."""
    queries = "1 query" if place.concurrency == 1 else f"{place.concurrency} queries"
    lines = [f"## Workload {place.workload}, {queries} at once", "", line(_HEAD), line(["---"] * len(_HEAD))]
    lines += [*(row(name, cell) for name, cell in found.items()), ""]
    lines += [f"Failed: {name}: {cell['failed']}\n" for name, cell in found.items() if cell and "failed" in cell]
    return lines + (below(found) if place.concurrency == 1 else [])


def below(found: Mapping[str, Cell | None]) -> list[str]:
    """Who gets less than is wanted of the clairvoyant gain, and who has nothing to gain."""
    shares = {name: cell["share"] for name, cell in found.items() if cell and "failed" not in cell}
    nothing = [name for name, share in shares.items() if share is None]
    little = [
        f"{name} ({100 * share:.1f} %)" for name, share in shares.items() if share is not None and share < SHARE_WANTED
    ]
    lines = [f"Share under {100 * SHARE_WANTED:.0f} %: {', '.join(little) or 'none'}.", ""] if shares else []
    return lines + ([f"Nothing to gain: {', '.join(nothing)}.", ""] if nothing else [])


def table(found: Mapping[str, Cell], queries: int | None, seed: int) -> str:
    """All places in Markdown, under the command that made them."""
    again = f"python -m benchmarks.table_searches --seed {seed}" + (f" --queries {queries}" if queries else "")
    lines = [f"`{again}`", "", _EXPLAINED, ""]
    for place in PLACES:
        lines += section(place, {name: found.get(command_of(name, place, queries, seed)) for name in SEARCHES})
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    options = options_of(arguments, __doc__, SEARCHES, CONCURRENCIES)
    book = Book(options.folder / "searches.json")
    for place in PLACES:
        for name in options.only if place.concurrency in options.concurrency else ():
            cell = book.fill(command_of(name, place, options.queries, options.seed))
            print(f"{place.workload}, {place.concurrency} at once: {cell.get('failed') or row(name, cell)}", flush=True)
            (options.folder / "searches.md").write_text(table(book.cells, options.queries, options.seed))
    print(f"in {options.folder / 'searches.md'}, of the cells in {options.folder / 'searches.json'}")


if __name__ == "__main__":
    main()
