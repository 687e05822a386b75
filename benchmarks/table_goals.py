"""The share of the clairvoyant gain that each search reaches, at 1, 4 and 16 queries at once, beside its goal.

    python -m benchmarks.table_goals [--queries N] [--seed S] [--only NAME ...]

Each cell is the JSON of one `spex simulate` command on the reference workload, kept in tables/goals.json under
that command: a cell that is there is not run again. tables/goals.md is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks import cells
from benchmarks.cells import Book, Cell, line, options_of

CONCURRENCIES = (1, 4, 16)

SEARCHES = {
    "DVTS 16": ("--search dvts --set width=16 --set children=4", (90, 78, 60)),
    "REBASE 16": ("--search rebase --set width=16", (92, 86, 70)),
    "MCTS c=1": ("--search mcts --set c=1.0", (98, 95, 93)),
    "MCTS c=0.3": ("--search mcts --set c=0.3", (93, 88, 82)),
    "beam 16": ("--search beam --set width=16 --set children=4", (93, 87, 72)),
    "REBASE 64": ("--search rebase --set width=64", (90, 84, 68)),
}
"""What to run, and the least share in percent that is aimed at for each concurrency."""


def command_of(name: str, concurrency: int, queries: int | None, seed: int) -> str:
    """The command of one cell."""
    return cells.command_of(SEARCHES[name][0], "reference", concurrency, queries, seed)


def row(name: str, found: Mapping[str, Cell], queries: int | None, seed: int) -> str:
    """One search's line of the table; a cell that was not run, or failed, is a dash."""
    columns = [name]
    for concurrency, goal in zip(CONCURRENCIES, SEARCHES[name][1], strict=True):
        cell = found.get(command_of(name, concurrency, queries, seed))
        if cell is None or "failed" in cell:
            columns += ["–"] * 4
            continue
        columns += [
            cells.speedup(cell),
            f"{cell['speedup_clairvoyant']:.2f}",
            cells.share(cell),
            f"{goal} %{' ✓' if 100 * cell['share_low'] >= goal else ''}",
        ]
    return line(columns)


def table(found: Mapping[str, Cell], queries: int | None, seed: int) -> str:
    """The table in Markdown, with the command that made it."""
    again = f"python -m benchmarks.table_goals --seed {seed}" + (f" --queries {queries}" if queries else "")
    heads = [f"{what}, {count}" for count in CONCURRENCIES for what in ("speed-up", "clairvoyant", "share", "goal")]
    return "\n".join(
        [
            f"`{again}`",
            "",
            "Mean latency in virtual time, reference workload: speed-up against the plain run of the same search, and",
            "share of the clairvoyant gain, with 95 % paired bootstrap intervals; 1, 4 and 16 are queries at once. A",
            "goal is met (✓) where the lower end of the interval reaches it. Virtual time counts no controller.",
            "",
            line(["search", *heads]),
            f"|---{'|---' * len(heads)}|",
            *(row(name, found, queries, seed) for name in SEARCHES),
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    options = options_of(arguments, __doc__, SEARCHES, CONCURRENCIES)
    book = Book(options.folder / "goals.json")
    for concurrency in options.concurrency:
        for name in options.only:
            command = command_of(name, concurrency, options.queries, options.seed)
            cell = book.fill(command)
            print(cell.get("failed") or row(name, {command: cell}, options.queries, options.seed), flush=True)
            (options.folder / "goals.md").write_text(table(book.cells, options.queries, options.seed))


if __name__ == "__main__":
    main()
