"""A plain, a speculative and a clairvoyant run of the same problems, side by side, above their floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from spex.control.run import Run
from spex.report.intervals import Interval, Statistic, interval, makespan_ratio, mean_ratio, share, share_of
from spex.report.records import SCHEMA_VERSION, SummaryRecord, summary_record


class Trial(NamedTuple):
    """One run, and the CPU seconds that this process spent on it: controller and simulated engines together."""

    run: Run
    cpu_seconds: float

    @property
    def latencies_seconds(self) -> list[float]:
        return [solution.timings.latency_seconds for solution in self.run.solutions]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared. All runs are of the same problems (≥ 1); latencies of the floor are in their order.

    `concurrency` queries at once; `seed` is that of the intervals' draws.
    """

    plain: Trial
    speculative: Trial
    clairvoyant: Trial
    floor_latencies_seconds: Sequence[float]
    floor_makespan_seconds: float
    concurrency: int
    arrivals_seconds: Sequence[float] | None = None
    seed: int = 0


class FloorRecord(msgspec.Struct, frozen=True):
    """What no schedule of the demanded calls beats."""

    latency_seconds_mean: float
    latency_seconds_p50: float
    latency_seconds_p99: float
    makespan_seconds: float


class TrialRecord(msgspec.Struct, frozen=True):
    """One run. `accuracy`: committed / speculated; `coverage`: foreseen / demanded; head start: per committed call."""

    latency_seconds_mean: float
    latency_seconds_p50: float
    latency_seconds_p99: float
    makespan_seconds: float
    tokens_useful: int
    tokens_wasted: int
    tokens_lost: int
    calls_demanded: int
    calls_speculated: int
    calls_committed: int
    calls_foreseen: int
    accuracy: float | None
    coverage: float | None
    head_start_seconds_mean: float | None
    queries: int
    partial: int
    answered: int
    checked: int
    correct: int
    controller_cpu_seconds: float


class Point(msgspec.Struct, frozen=True):
    """Latency and throughput of a plain and a speculative run at one number of queries at once."""

    concurrency: int
    queries: int
    plain_latency_seconds_mean: float
    plain_queries_per_second: float
    speculative_latency_seconds_mean: float
    speculative_queries_per_second: float


class ComparisonRecord(msgspec.Struct, frozen=True):
    """The one object of `spex simulate --json`.

    A speed-up is plain / other: of the mean latency unless it says makespan; the other is the speculative run
    unless it says clairvoyant. `share`: (speedup − 1)/(clairvoyant speedup − 1); `share_steady`: the same without
    the first and the last `concurrency` queries, None where fewer than 4·concurrency ran. `…_low`, `…_high`: 95 %.
    `controller_cpu_seconds`: CPU time of this process in the speculative run, simulated engines included.
    `points` are there where a plot was asked for.
    """

    spex: int
    run: dict[str, object]
    same_tree: bool
    speedup: float
    speedup_low: float | None
    speedup_high: float | None
    speedup_makespan: float
    speedup_makespan_low: float | None
    speedup_makespan_high: float | None
    speedup_clairvoyant: float
    speedup_clairvoyant_low: float | None
    speedup_clairvoyant_high: float | None
    speedup_clairvoyant_makespan: float
    speedup_clairvoyant_makespan_low: float | None
    speedup_clairvoyant_makespan_high: float | None
    share: float | None
    share_low: float | None
    share_high: float | None
    share_makespan: float | None
    share_makespan_low: float | None
    share_makespan_high: float | None
    share_steady: float | None
    share_steady_low: float | None
    share_steady_high: float | None
    controller_cpu_seconds: float
    plain: TrialRecord
    speculative: TrialRecord
    clairvoyant: TrialRecord
    floor: FloorRecord
    points: tuple[Point, ...] = ()


def comparison_record(
    compared: Comparison, configuration: Mapping[str, object], *, same_tree: bool
) -> ComparisonRecord:
    """All figures; `configuration` in the types of JSON."""
    figures: dict[str, float | None] = {}
    for name, found in _ratios(compared).items():
        figures |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    speculative = trial_record(compared.speculative)
    return ComparisonRecord(
        spex=SCHEMA_VERSION,
        run=dict(configuration),
        same_tree=same_tree,
        controller_cpu_seconds=speculative.controller_cpu_seconds,
        plain=trial_record(compared.plain),
        speculative=speculative,
        clairvoyant=trial_record(compared.clairvoyant),
        floor=FloorRecord(*_latencies(compared.floor_latencies_seconds), compared.floor_makespan_seconds),
        **figures,  # type: ignore[arg-type]  # the fields of the record, by name; a speed-up has a value
    )


def point(concurrency: int, plain: Trial, speculative: Trial) -> Point:
    """Where two runs lie in a plot of latency against throughput."""
    return Point(
        concurrency, len(plain.run.solutions), *_latency_and_throughput(plain), *_latency_and_throughput(speculative)
    )


def trial_record(trial: Trial) -> TrialRecord:
    """The figures of one run."""
    summary = summary_record(trial.run.solutions, trial.run.seconds)
    return TrialRecord(
        *_latencies(trial.latencies_seconds),
        makespan_seconds=trial.run.seconds,
        tokens_useful=summary.tokens_useful,
        tokens_wasted=summary.tokens_wasted,
        tokens_lost=summary.tokens_lost,
        calls_demanded=summary.calls_demanded,
        calls_speculated=summary.calls_speculated,
        calls_committed=summary.calls_committed,
        calls_foreseen=summary.calls_foreseen,
        accuracy=summary.speculation_accuracy,
        coverage=summary.speculation_coverage,
        head_start_seconds_mean=_head_start_seconds_mean(summary),
        queries=summary.problems,
        partial=summary.partial,
        answered=summary.answered,
        checked=summary.checked,
        correct=summary.correct,
        controller_cpu_seconds=trial.cpu_seconds,
    )


def _latency_and_throughput(trial: Trial) -> tuple[float, float]:
    seconds = trial.latencies_seconds
    return sum(seconds) / len(seconds), len(seconds) / trial.run.seconds


def _latencies(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Mean, median and 99th percentile (between neighbours, in proportion)."""
    half, most = np.percentile(seconds, (50, 99))
    return sum(seconds) / len(seconds), float(half), float(most)


def _head_start_seconds_mean(summary: SummaryRecord) -> float | None:
    return summary.head_start_seconds / summary.calls_committed if summary.calls_committed else None


def _ratios(compared: Comparison) -> dict[str, Interval]:
    """Every ratio by its name in the record."""
    plain, speculative, clairvoyant = compared.plain, compared.speculative, compared.clairvoyant
    latencies = _Latencies(plain.latencies_seconds, speculative.latencies_seconds, clairvoyant.latencies_seconds)
    speedup = _ratio(sum(latencies.plain), sum(latencies.speculative))
    best = _ratio(sum(latencies.plain), sum(latencies.clairvoyant))
    shorter = _ratio(plain.run.seconds, speculative.run.seconds)
    shortest = _ratio(plain.run.seconds, clairvoyant.run.seconds)
    of_mean = (mean_ratio(latencies.plain, latencies.speculative), mean_ratio(latencies.plain, latencies.clairvoyant))
    workers = (compared.concurrency, compared.arrivals_seconds)
    of_makespan = (
        makespan_ratio(latencies.plain, latencies.speculative, *workers),
        makespan_ratio(latencies.plain, latencies.clairvoyant, *workers),
    )

    def told(value: float | None, statistic: Statistic) -> Interval:
        return interval(value, statistic, len(latencies.plain), compared.seed)

    return {
        "speedup": told(speedup, of_mean[0]),
        "speedup_makespan": told(shorter, of_makespan[0]),
        "speedup_clairvoyant": told(best, of_mean[1]),
        "speedup_clairvoyant_makespan": told(shortest, of_makespan[1]),
        "share": told(share_of(speedup, best), share(*of_mean)),
        "share_makespan": told(share_of(shorter, shortest), share(*of_makespan)),
        "share_steady": _share_steady(latencies, compared.concurrency, compared.seed),
    }


class _Latencies(NamedTuple):
    """Of each query, in seconds."""

    plain: Sequence[float]
    speculative: Sequence[float]
    clairvoyant: Sequence[float]


def _share_steady(latencies: _Latencies, concurrency: int, seed: int) -> Interval:
    """The share without the queries that began on cold engines and those that ended on emptying ones."""
    if len(latencies.plain) < 4 * concurrency:
        return Interval(None, None, None)
    middle = _Latencies(*(seconds[concurrency:-concurrency] for seconds in latencies))
    value = share_of(
        _ratio(sum(middle.plain), sum(middle.speculative)), _ratio(sum(middle.plain), sum(middle.clairvoyant))
    )
    statistic = share(mean_ratio(middle.plain, middle.speculative), mean_ratio(middle.plain, middle.clairvoyant))
    return interval(value, statistic, len(middle.plain), seed)


def _ratio(plain: float, other: float) -> float:
    return plain / other if other > 0.0 else 1.0
