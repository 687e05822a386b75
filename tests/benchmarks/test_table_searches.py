"""The table of searches has all of the catalogue, says what each command printed, and tells which ones failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.table_searches import PLACES, SEARCHES, Place, below, command_of, main, row, section, table
from spex.search.catalog import SEARCHES as CATALOG
from spex.search.catalog import build_search

ALONE = Place("reference", 1, 64)


def cell(share: float | None = 0.9, **more: object) -> dict[str, Any]:
    found: dict[str, Any] = {
        "speedup": 1.5,
        "speedup_low": 1.45,
        "speedup_high": 1.55,
        "speedup_clairvoyant": 1.7,
        "share": share,
        "share_low": None if share is None else share - 0.02,
        "share_high": None if share is None else share + 0.02,
        "same_tree": True,
        "plain": {"latency_seconds_mean": 30.0},
        "speculative": {"tokens_wasted": 30, "tokens_useful": 100, "controller_cpu_seconds": 6.4, "queries": 64},
        "floor": {"latency_seconds_mean": 15.25},
    }
    return found | more


def test_every_search_of_the_catalogue_is_in_the_table_with_parameters_that_it_takes() -> None:
    assert sorted(SEARCHES) == sorted(CATALOG.own)
    for name, settings in SEARCHES.items():
        build_search(name, {key: str(value) for key, value in settings.items()})


def test_a_cells_command_is_what_one_would_type() -> None:
    told = "--search beam --set width=16 --set children=4 --workload slow-reward --queries 32 --concurrency 1 --seed 7"
    assert command_of("beam", Place("slow-reward", 1, 32), None, 7) == f"spex simulate {told} --json"


def test_a_line_has_the_figures_of_its_cell() -> None:
    figures = ("beam", "64", "30.00", "1.50 (1.45–1.55)", "1.70", "15.25", "90 % (88–92)", "0.30", "yes", "0.10")
    assert row("beam", cell()) == f"| {' | '.join(figures)} |"
    assert "| NO |" in row("beam", cell(same_tree=False))


def test_a_cell_that_failed_is_told_with_its_reason() -> None:
    told = section(ALONE, {"beam": cell(), "mcts": {"failed": "no module named x"}})
    assert f"| mcts | {' | '.join(['failed'] * 9)} |" in told
    assert "Failed: mcts: no module named x\n" in told


def test_who_wins_too_little_at_one_query_is_named_below_the_table() -> None:
    found = {"beam": cell(0.849), "dvts": cell(0.85), "mcts": cell(0.0), "rebase": cell(None), "tot-bfs": None}
    assert below(found) == ["Share under 85 %: beam (84.9 %), mcts (0.0 %).", "", "Nothing to gain: rebase.", ""]
    assert below({"mcts": cell()}) == ["Share under 85 %: none.", ""]
    assert below({"mcts": None, "beam": {"failed": "why"}}) == []
    told = "Share under 85 %: mcts (10.0 %)."
    assert told in section(ALONE, {"mcts": cell(0.1)})
    assert told not in section(Place("reference", 4, 32), {"mcts": cell(0.1)})


def test_what_was_not_run_is_dashes() -> None:
    text = table({}, 5, 9)
    assert text.startswith("`python -m benchmarks.table_searches --seed 9 --queries 5`\n")
    assert text.count("| – | – | – | – | – | – | – | – | – |") == len(PLACES) * len(SEARCHES)


def test_only_what_is_asked_for_is_run_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(command: str) -> dict[str, Any]:
        asked.append(command)
        return cell()

    monkeypatch.setattr("benchmarks.cells.run", run)
    options = ["--queries", "3", "--seed", "7", "--folder", str(tmp_path), "--only"]
    main([*options, "mcts", "--concurrency", "1"])
    assert asked == [command_of("mcts", place, 3, 7) for place in PLACES if place.concurrency == 1]
    main([*options, "mcts", "dvts", "--concurrency", "1", "4"])
    assert len(asked) == len(set(asked)) == 6
    text = (tmp_path / "searches.md").read_text()
    assert text.count("| mcts | 64 | 30.00 |") == text.count("| dvts | 64 | 30.00 |") == 3
