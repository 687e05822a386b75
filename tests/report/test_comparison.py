"""Three runs and a floor, side by side."""

from __future__ import annotations

from io import StringIO

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from spex.control.run import Run
from spex.problem import Problem
from spex.report.comparison import Comparison, ComparisonRecord, Trial, comparison_record, point
from spex.report.comparison_tables import comparison_table, points_table, ratios_table
from spex.solution import Foresight, Solution, Timings
from spex.tree import Tree
from spex.usage import Tokens, Usage

PLAIN = [6.0, 8.0, 4.0, 10.0, 12.0, 8.0, 6.0, 10.0]


def solved(number: int, seconds: float, foresight: Foresight) -> Solution:
    usage = Usage(Tokens(10), Tokens(5), Tokens(3))
    timings = Timings(0.0, seconds)
    return Solution(
        Problem("question", f"p{number}"),
        "42",
        number % 2 == 0,
        Tree(),
        usage=usage,
        timings=timings,
        foresight=foresight,
    )


def trial(latencies: list[float], makespan: float, foresight: Foresight = Foresight(), cpu: float = 0.5) -> Trial:
    solutions = tuple(solved(number, seconds, foresight) for number, seconds in enumerate(latencies))
    return Trial(Run(solutions, makespan), cpu)


def divided(latencies: list[float], by: float) -> list[float]:
    return [seconds / by for seconds in latencies]


def compared(clairvoyant: float = 4.0, concurrency: int = 2) -> ComparisonRecord:
    """Plain, twice as fast, and `clairvoyant` times as fast."""
    runs = Comparison(
        plain=trial(PLAIN, 36.0),
        speculative=trial(divided(PLAIN, 2), 18.0, Foresight(8, 4, 10, 6, 1.5), cpu=3.0),
        clairvoyant=trial(divided(PLAIN, clairvoyant), 36.0 / clairvoyant),
        floor_latencies_seconds=divided(PLAIN, 8),
        floor_makespan_seconds=4.0,
        concurrency=concurrency,
    )
    return comparison_record(runs, {"queries": 8}, same_tree=True)


def drawn(shown: Table) -> str:
    file = StringIO()
    Console(file=file, width=200, color_system=None).print(shown)
    return file.getvalue()


def test_a_speed_up_is_plain_by_other_for_mean_latency_and_for_makespan() -> None:
    record = compared()
    assert (record.speedup, record.speedup_low, record.speedup_high) == pytest.approx((2.0, 2.0, 2.0))
    assert (record.speedup_makespan, record.speedup_clairvoyant, record.speedup_clairvoyant_makespan) == (2.0, 4.0, 4.0)


def test_a_share_is_of_what_the_clairvoyant_run_gained() -> None:
    record = compared()
    for found in (record.share, record.share_low, record.share_high, record.share_makespan, record.share_steady):
        assert found == pytest.approx(1 / 3)


def test_where_the_clairvoyant_run_gained_nothing_there_is_no_share() -> None:
    record = compared(clairvoyant=1.0)
    assert (record.share, record.share_low, record.share_makespan, record.share_steady) == (None,) * 4
    assert "share, mean latency" in drawn(ratios_table(record))


def test_the_steady_share_leaves_out_the_first_and_the_last_queries() -> None:
    slow_ends = [99.0, 99.0, 2.0, 5.0, 6.0, 4.0, 99.0, 99.0]
    runs = Comparison(
        trial(PLAIN, 36.0), trial(slow_ends, 30.0), trial(divided(PLAIN, 4), 9.0), divided(PLAIN, 8), 4.0, concurrency=2
    )
    record = comparison_record(runs, {}, same_tree=True)
    assert record.share_steady == pytest.approx(1 / 3)
    assert record.share is not None
    assert record.share < 0.0
    assert compared(concurrency=3).share_steady is None


def test_the_figures_of_a_run_add_up() -> None:
    run = compared().speculative
    assert (run.latency_seconds_mean, run.latency_seconds_p50, run.makespan_seconds) == (4.0, 4.0, 18.0)
    assert run.latency_seconds_p99 == pytest.approx(5.93)
    assert (run.tokens_useful, run.tokens_wasted, run.tokens_lost) == (80, 40, 24)
    assert (run.calls_speculated, run.calls_committed, run.calls_demanded, run.calls_foreseen) == (64, 32, 80, 48)
    assert (run.accuracy, run.coverage, run.head_start_seconds_mean) == (0.5, 0.6, 0.375)
    assert (run.queries, run.checked, run.correct, run.answered, run.partial) == (8, 8, 4, 8, 0)
    assert run.controller_cpu_seconds == compared().controller_cpu_seconds == 3.0


def test_a_plain_run_has_no_accuracy_and_no_head_start() -> None:
    run = compared().plain
    assert (run.accuracy, run.head_start_seconds_mean) == (None, None)


def test_the_floor_stands_beside_the_runs() -> None:
    floor = compared().floor
    assert (floor.latency_seconds_mean, floor.latency_seconds_p50, floor.makespan_seconds) == (1.0, 1.0, 4.0)


def test_the_record_is_one_json_object_with_a_schema_version() -> None:
    record = msgspec.json.decode(msgspec.json.encode(compared()))
    assert record["spex"] == 1
    assert record["run"] == {"queries": 8}
    assert record["same_tree"] is True


def test_the_tables_show_what_the_record_has() -> None:
    record = compared()
    runs = drawn(comparison_table(record))
    for text in ("clairvoyant", "floor", "8.000", "2.000", "50.0", "60.0", "0.375", "4 of 8"):
        assert text in runs
    ratios = drawn(ratios_table(record))
    for text in ("speed-up, mean latency", "share, steady, %", "33.3", "95 % from"):
        assert text in ratios


def test_a_point_of_a_plot_has_latency_and_throughput_of_both_runs() -> None:
    found = point(4, trial(PLAIN, 32.0), trial(divided(PLAIN, 2), 16.0))
    assert msgspec.structs.astuple(found) == (4, 8, 8.0, 0.25, 4.0, 0.5)
    assert "0.250" in drawn(points_table([found]))
