"""Cells of a table: what one `spex simulate` command printed, kept in a JSON file under that command.

A cell that is there is not run again, and the file is whole at any moment: a table that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from spex.cli.comparing import queries_for

ROOT = Path(__file__).resolve().parents[1]

Cell: TypeAlias = Mapping[str, Any]
"""The object of `spex simulate --json`; of a command that failed, `{"failed": why}`."""


def command_of(search: str, workload: str, concurrency: int, queries: int | None, seed: int) -> str:
    """The command of one cell; `search` is as it is typed: `--search rebase --set width=16`."""
    count = queries or queries_for(concurrency)
    return (
        f"spex simulate {search} --workload {workload} --queries {count} "
        f"--concurrency {concurrency} --seed {seed} --json"
    )


def run(command: str) -> Cell:
    """What the command printed, or its last words where it failed."""
    arguments = [sys.executable, "-m", *command.split()]
    # The words are from the tables' own lists.
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603
    if done.returncode == 0:
        found: Cell = json.loads(done.stdout)
        return found
    words = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    return {"failed": words[-1].removeprefix("spex: ")}


class Book:
    """The cells of one file by their commands; those that failed are tried again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.cells: dict[str, Cell] = json.loads(path.read_text()) if path.exists() else {}

    def fill(self, command: str) -> Cell:
        """The command's cell, run now unless it is there."""
        cell = self.cells.get(command)
        if cell is None or "failed" in cell:
            cell = self.cells[command] = run(command)
            part = self._path.with_name(f"{self._path.name}.part")
            part.write_text(json.dumps(self.cells, indent=1) + "\n")
            part.replace(self._path)
        return cell


def options_of(
    arguments: Sequence[str] | None, description: str | None, names: Mapping[str, object], loads: Sequence[int]
) -> argparse.Namespace:
    """What a table's command line (None: this process's) says: queries, seed, only, concurrency, folder."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, help="queries a cell (default: max(64, 8 x concurrency))")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--only", nargs="*", choices=names, default=list(names), metavar="NAME")
    parser.add_argument("--concurrency", nargs="*", type=int, choices=loads, default=list(loads))
    parser.add_argument("--folder", type=Path, default=ROOT / "tables")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    return options


def speedup(cell: Cell) -> str:
    """Of the mean latency, with its interval."""
    return f"{cell['speedup']:.2f}{_between(cell['speedup_low'], cell['speedup_high'], '.2f')}"


def share(cell: Cell) -> str:
    """Of the clairvoyant gain in percent, with its interval; a dash where there is nothing to gain."""
    if cell["share"] is None:
        return "–"
    low, high = (None if cell[key] is None else 100 * cell[key] for key in ("share_low", "share_high"))
    return f"{100 * cell['share']:.0f} %{_between(low, high, '.0f')}"


def line(entries: list[str]) -> str:
    """A row in Markdown."""
    return f"| {' | '.join(entries)} |"


def _between(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f" ({low:{form}}–{high:{form}})"
