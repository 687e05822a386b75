"""The tables of a comparison: one row a figure, one column a run; then what is divided by what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table

from spex.report.comparison import ComparisonRecord, FloorRecord, Point, TrialRecord
from spex.report.table import table

_OF_EACH: tuple[tuple[str, Callable[[TrialRecord | FloorRecord], str]], ...] = (
    ("mean latency, s", lambda run: f"{run.latency_seconds_mean:.3f}"),
    ("median latency, s", lambda run: f"{run.latency_seconds_p50:.3f}"),
    ("99 % latency, s", lambda run: f"{run.latency_seconds_p99:.3f}"),
    ("makespan, s", lambda run: f"{run.makespan_seconds:.3f}"),
)
_OF_RUNS: tuple[tuple[str, Callable[[TrialRecord], str]], ...] = (
    ("tokens useful", lambda run: f"{run.tokens_useful:,}"),
    ("tokens wasted", lambda run: f"{run.tokens_wasted:,}"),
    ("tokens lost", lambda run: f"{run.tokens_lost:,}"),
    ("calls demanded", lambda run: f"{run.calls_demanded:,}"),
    ("calls speculated", lambda run: f"{run.calls_speculated:,}"),
    ("calls committed", lambda run: f"{run.calls_committed:,}"),
    ("accuracy, %", lambda run: _percent(run.accuracy)),
    ("coverage, %", lambda run: _percent(run.coverage)),
    ("mean head start, s", lambda run: _number(run.head_start_seconds_mean)),
    ("answers correct", lambda run: f"{run.correct} of {run.checked}"),
    ("CPU, s", lambda run: f"{run.controller_cpu_seconds:.2f}"),
)


def comparison_table(record: ComparisonRecord) -> Table:
    """The runs and their floor."""
    runs = (record.plain, record.speculative, record.clairvoyant)
    rows = [(name, *(spell(run) for run in (*runs, record.floor))) for name, spell in _OF_EACH]
    rows += [(name, *(spell(run) for run in runs), "") for name, spell in _OF_RUNS]
    columns = ("plain", "speculative", "clairvoyant", "floor")
    return table(("", *columns), rows, numbers=columns)


def ratios_table(record: ComparisonRecord) -> Table:
    """Speed-ups and shares, each with its interval."""
    rows = [
        ("speed-up, mean latency", *_numbers(record.speedup, record.speedup_low, record.speedup_high)),
        (
            "speed-up, makespan",
            *_numbers(record.speedup_makespan, record.speedup_makespan_low, record.speedup_makespan_high),
        ),
        (
            "clairvoyant, mean latency",
            *_numbers(record.speedup_clairvoyant, record.speedup_clairvoyant_low, record.speedup_clairvoyant_high),
        ),
        (
            "clairvoyant, makespan",
            *_numbers(
                record.speedup_clairvoyant_makespan,
                record.speedup_clairvoyant_makespan_low,
                record.speedup_clairvoyant_makespan_high,
            ),
        ),
        ("share, mean latency, %", *_percents(record.share, record.share_low, record.share_high)),
        (
            "share, makespan, %",
            *_percents(record.share_makespan, record.share_makespan_low, record.share_makespan_high),
        ),
        ("share, steady, %", *_percents(record.share_steady, record.share_steady_low, record.share_steady_high)),
    ]
    return table(("ratio", "", "95 % from", "to"), rows, numbers=("", "95 % from", "to"))


def points_table(points: Sequence[Point]) -> Table:
    """Latency and throughput at each number of queries at once."""
    columns = ("at once", "queries", "plain, s", "speculative, s", "plain, queries/s", "speculative, queries/s")
    rows = [
        (
            str(point.concurrency),
            str(point.queries),
            _number(point.plain_latency_seconds_mean),
            _number(point.speculative_latency_seconds_mean),
            _number(point.plain_queries_per_second),
            _number(point.speculative_queries_per_second),
        )
        for point in points
    ]
    return table(columns, rows, numbers=columns)


def _numbers(*values: float | None) -> tuple[str, ...]:
    return tuple(map(_number, values))


def _percents(*values: float | None) -> tuple[str, ...]:
    return tuple(map(_percent, values))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
