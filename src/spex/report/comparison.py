"""A plain and a speculative run of the same problems, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from rich.table import Table

from spex.report.records import SCHEMA_VERSION, SummaryRecord
from spex.report.table import table


class ComparisonRecord(msgspec.Struct, frozen=True):
    """The one object of `spex simulate --json`. A speed-up is plain / speculative."""

    spex: int
    run: dict[str, str]
    same_trees: bool
    latency_speed_up: float
    makespan_speed_up: float
    plain: SummaryRecord
    speculative: SummaryRecord


def comparison_record(
    plain: SummaryRecord, speculative: SummaryRecord, configuration: Mapping[str, str], *, same_trees: bool
) -> ComparisonRecord:
    """The record of two runs."""
    return ComparisonRecord(
        spex=SCHEMA_VERSION,
        run=dict(configuration),
        same_trees=same_trees,
        latency_speed_up=_ratio(plain.latency_seconds_mean, speculative.latency_seconds_mean),
        makespan_speed_up=_ratio(plain.makespan_seconds, speculative.makespan_seconds),
        plain=plain,
        speculative=speculative,
    )


_ROWS: tuple[tuple[str, Callable[[SummaryRecord], str]], ...] = (
    ("mean latency, s", lambda run: f"{run.latency_seconds_mean:.3f}"),
    ("makespan, s", lambda run: f"{run.makespan_seconds:.3f}"),
    ("tokens useful", lambda run: f"{run.tokens_useful:,}"),
    ("tokens wasted", lambda run: f"{run.tokens_wasted:,}"),
    ("calls demanded", lambda run: f"{run.calls_demanded:,}"),
    ("calls speculated", lambda run: f"{run.calls_speculated:,}"),
    ("calls committed", lambda run: f"{run.calls_committed:,}"),
    ("answers correct", lambda run: f"{run.correct} of {run.checked}"),
)


def comparison_table(record: ComparisonRecord) -> Table:
    """One row a figure."""
    speed_ups = {"mean latency, s": record.latency_speed_up, "makespan, s": record.makespan_speed_up}
    rows = [
        (name, spell(record.plain), spell(record.speculative), f"{speed_ups[name]:.3f}" if name in speed_ups else "")
        for name, spell in _ROWS
    ]
    return table(("", "plain", "speculative", "speed-up"), rows, numbers=("plain", "speculative", "speed-up"))


def _ratio(plain: float, speculative: float) -> float:
    return plain / speculative if speculative > 0.0 else 1.0
