"""The share of the clairvoyant gain that each search reaches, at 1, 4 and 16 queries at once, beside its goal.

    python benchmarks/table_goals.py [--queries N] [--seed S] [--only NAME ...]

Each cell is the JSON of one `spex simulate` command on the reference workload, kept in tables/goals.json under
that command: a cell that is there is not run again. tables/goals.md is made of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
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
    count = queries or max(64, 8 * concurrency)
    return (
        f"spex simulate {SEARCHES[name][0]} --workload reference --queries {count} "
        f"--concurrency {concurrency} --seed {seed} --json"
    )


def run(command: str) -> dict[str, Any]:
    """What the command printed. Raises `CalledProcessError`."""
    arguments = [sys.executable, "-m", *command.split()]
    # The words are from the table above.
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(name: str, cells: dict[str, dict[str, Any]], queries: int | None, seed: int) -> str:
    """One search's line of the table; a cell that was not run is a dash."""
    columns = [name]
    for concurrency, goal in zip(CONCURRENCIES, SEARCHES[name][1], strict=True):
        cell = cells.get(command_of(name, concurrency, queries, seed))
        if cell is None:
            columns += ["–"] * 4
            continue
        share, low, high = (100 * cell[key] for key in ("share", "share_low", "share_high"))
        columns += [
            f"{cell['speedup']:.2f} ({cell['speedup_low']:.2f}–{cell['speedup_high']:.2f})",
            f"{cell['speedup_clairvoyant']:.2f}",
            f"{share:.0f} % ({low:.0f}–{high:.0f})",
            f"{goal} %{' ✓' if low >= goal else ''}",
        ]
    return f"| {' | '.join(columns)} |"


def table(cells: dict[str, dict[str, Any]], queries: int | None, seed: int) -> str:
    """The table in Markdown, with the command that made it."""
    again = f"python benchmarks/table_goals.py --seed {seed}" + (f" --queries {queries}" if queries else "")
    heads = [f"{what}, {count}" for count in CONCURRENCIES for what in ("speed-up", "clairvoyant", "share", "goal")]
    return "\n".join(
        [
            f"`{again}`",
            "",
            "Mean latency in virtual time, reference workload: speed-up against the plain run of the same search, and",
            "share of the clairvoyant gain, with 95 % paired bootstrap intervals; 1, 4 and 16 are queries at once. A",
            "goal is met (✓) where the lower end of the interval reaches it. Virtual time counts no controller.",
            "",
            f"| search | {' | '.join(heads)} |",
            f"|---{'|---' * len(heads)}|",
            *(row(name, cells, queries, seed) for name in SEARCHES),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, help="queries a cell (default: max(64, 8 x concurrency))")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--only", nargs="*", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--concurrency", nargs="*", type=int, choices=CONCURRENCIES, default=list(CONCURRENCIES))
    parser.add_argument("--folder", type=Path, default=ROOT / "tables")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    store = options.folder / "goals.json"
    cells: dict[str, dict[str, Any]] = json.loads(store.read_text()) if store.exists() else {}
    for concurrency in options.concurrency:
        for name in options.only:
            command = command_of(name, concurrency, options.queries, options.seed)
            if command not in cells:
                cells[command] = run(command)
                store.write_text(json.dumps(cells, indent=1) + "\n")
            print(row(name, {command: cells[command]}, options.queries, options.seed), flush=True)
            (options.folder / "goals.md").write_text(table(cells, options.queries, options.seed))


if __name__ == "__main__":
    main()
