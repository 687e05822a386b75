"""Tables for a terminal. What a model or a user wrote goes in as `Text`, never as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from spex.report.records import SolutionRecord, SummaryRecord
from spex.visible import one_line

_CELLS_MAX = 60


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[str] = ()) -> Table:
    """A table of plain texts, each cut at 60 cells; the columns that `numbers` names are set to the right."""
    right = set(numbers)
    drawn = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        drawn.add_column(Text(column), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(one_line(cell, _CELLS_MAX)) if cell else Text() for cell in row))
    return drawn


def solutions_table(records: Sequence[SolutionRecord]) -> Table:
    """One row a problem; with the answers' scores where nobody can tell of one whether it is correct."""
    scored = any(record.correct is None and record.score is not None for record in records)
    columns = ("problem", "answer", "correct", *("score",) * scored, "seconds", "tokens", "wasted", "remark")
    rows = [
        (
            record.problem,
            "" if record.answer is None else record.answer,
            _verdict(record.correct),
            *(("" if record.score is None else f"{record.score:.2f}"),) * scored,
            f"{record.latency_seconds:.2f}",
            f"{record.tokens_useful:,}",
            f"{record.tokens_wasted:,}",
            record.error or record.partial or "",
        )
        for record in records
    ]
    return table(columns, rows, numbers=("score", "seconds", "tokens", "wasted"))


def summary_lines(summary: SummaryRecord, *, interrupted: bool = False) -> list[str]:
    """A few lines of talk about a whole run. `interrupted`: it was stopped with calls in flight."""
    problems = "1 problem" if summary.problems == 1 else f"{summary.problems} problems"
    counts = [f"{problems} in {summary.makespan_seconds:.2f} s"]
    if summary.checked:
        counts.append(f"{summary.correct} of {summary.checked} correct")
    if summary.stopped_early:
        counts.append(f"{summary.stopped_early} stopped early")
    if summary.failed:
        counts.append(f"{summary.failed} failed")
    tokens = f"tokens: {summary.tokens_useful:,} useful, {summary.tokens_wasted:,} wasted, {summary.tokens_lost:,} lost"
    if summary.tokens_replayed:
        tokens += f"; {summary.tokens_replayed:,} of them from the call log"
    if interrupted and summary.tokens_wasted:
        tokens += "; wasted includes what was in flight when the run was stopped"
    lines = [", ".join(counts), tokens]
    if summary.calls_speculated:
        lines.append(
            f"speculation: {summary.calls_committed} of {summary.calls_speculated} calls committed, "
            f"{summary.calls_foreseen} of {summary.calls_demanded} demands foreseen, "
            f"{summary.head_start_seconds:.1f} s of head start"
        )
    if summary.verdicts_unread:
        were = "1 verdict was" if summary.verdicts_unread == 1 else f"{summary.verdicts_unread:,} verdicts were"
        lines.append(f"reward: {were} in no form that it reads, and count as undecided")
    return lines


def _verdict(correct: bool | None) -> str:
    return {True: "yes", False: "no", None: ""}[correct]
