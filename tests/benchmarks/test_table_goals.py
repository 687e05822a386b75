"""The table of goals says of each cell what its command printed, and calls a goal met by the lower end alone."""

from __future__ import annotations

import pytest

from benchmarks.table_goals import SEARCHES, command_of, row, table

CELL = {
    "speedup": 1.5,
    "speedup_low": 1.45,
    "speedup_high": 1.55,
    "speedup_clairvoyant": 1.7,
    "share": 0.93,
    "share_high": 0.95,
}


@pytest.mark.parametrize(("low", "met"), [(0.919, False), (0.92, True)])
def test_a_goal_is_met_where_the_lower_end_reaches_it(low: float, met: bool) -> None:
    command = command_of("REBASE 16", 1, None, 7)
    assert "--search rebase --set width=16" in command
    assert "--queries 64 --concurrency 1 --seed 7" in command
    line = row("REBASE 16", {command: {**CELL, "share_low": low}}, None, 7)
    assert "1.50 (1.45–1.55) | 1.70 | 93 % (92–95) | 92 %" in line
    assert ("✓" in line) == met


def test_what_was_not_run_is_a_dash() -> None:
    lines = table({}, 5, 9).splitlines()
    assert lines[0] == "`python -m benchmarks.table_goals --seed 9 --queries 5`"
    assert sum(line.count("– | – | – | –") for line in lines) == 3 * len(SEARCHES)
    failed = {command_of("REBASE 16", 1, 5, 9): {"failed": "why"}}
    assert table(failed, 5, 9).splitlines() == lines
