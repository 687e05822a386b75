"""The table of drafts: ways over the first of them, on the problems that all were asked."""

from __future__ import annotations

from benchmarks.drafts import WAYS, Row, entries
from benchmarks.live_rows import Side


def row(way: object, latencies_seconds: list[float], wasted: int = 0) -> Row:
    return Row("rebase", "ngram:4", str(way), Side(latencies_seconds, 100, wasted, 0, 0, 1), [1.0, 2.0])


def test_the_ways_are_told_apart_and_the_first_is_plain() -> None:
    assert list(map(str, WAYS)) == ["plain", "plain, drafts", "speculative", "speculative, drafts"]


def test_a_way_is_told_over_the_plain_one_which_has_no_interval() -> None:
    base = row(WAYS[0], [4.0, 8.0])
    faster = row(WAYS[3], [2.0, 4.0], wasted=25)
    assert entries(base, base.side) == ["plain", "2", "6.00", "1.00", "1.50", "100", "0.00"]
    assert entries(faster, base.side) == [
        "speculative, drafts",
        "2",
        "3.00",
        "2.00 [2.00, 2.00]",
        "1.50",
        "100",
        "0.25",
    ]
