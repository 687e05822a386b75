"""The table of ablations: its cells add up, and a finished cell is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import table_ablation
from benchmarks.ablation import ROWS, Cell, Place, Row
from benchmarks.table_ablation import likeness, main, places_of, speedup, table

TINY = ["--search", "mcts-c1", "--concurrency", "2", "--queries", "2"]


def cell(row: str, *latencies: float, answers: tuple[str, ...] = ("4", "4"), trees: str = "same") -> Cell:
    return Cell(Place("mcts-c1", 2, row, 2), list(latencies), list(answers), 1, 1, 100, 25, 0.5, trees, 0.0)


def rows_of(folder: Path) -> list[list[str]]:
    lines = (folder / "ablation.md").read_text().splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| mcts")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    assert main([*TINY, "--out", str(folder)]) == 0
    return folder


def test_every_row_is_there_and_those_that_run_to_their_end_have_the_plain_trees(made: Path) -> None:
    found = rows_of(made)
    assert [entries[3] for entries in found] == [row.name for row in ROWS]
    assert "OTHER TREES" not in (made / "ablation.md").read_text()
    cells = json.loads((made / "ablation.json").read_text())["cells"].values()
    whole = {row.name for row in ROWS if row.stop == "off"}
    assert len({kept["trees"] for kept in cells if kept["place"]["row"] in whole}) == 1
    answers = {kept["place"]["row"]: kept["answers"] for kept in cells}
    assert answers["ours: + exact"] == answers["plain"]


def test_the_table_begins_with_the_command_that_made_it_and_says_how_many_queries(made: Path) -> None:
    first, _, head, *_ = (made / "ablation.md").read_text().splitlines()
    assert first == f"`python -m benchmarks.table_ablation {' '.join(TINY)} --out {made}`"
    assert "nothing to quote" in head
    assert {entries[2] for entries in rows_of(made)} == {"2"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rows that are computed; none of them takes any time."""
    rows: list[str] = []

    def measure(place: Place, row: Row) -> Cell:
        rows.append(row.name)
        return cell(row.name, 2.0, 4.0)

    monkeypatch.setattr(table_ablation, "measure", measure)
    return rows


def test_a_finished_cell_is_not_computed_again_unless_it_is_asked_for(measured: list[str], tmp_path: Path) -> None:
    command = [*TINY, "--out", str(tmp_path)]
    main(command)
    main(command)
    assert measured == [row.name for row in ROWS]
    main([*command, "--again"])
    assert len(measured) == 2 * len(ROWS)


def test_another_number_of_queries_is_another_cell(measured: list[str], tmp_path: Path) -> None:
    main([*TINY, "--out", str(tmp_path)])
    main([*TINY, "--queries", "3", "--out", str(tmp_path)])
    assert len(measured) == 2 * len(ROWS)


def test_what_is_stopped_goes_on_where_it_was(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*TINY, "--out", str(tmp_path)]
    main([*command, "--minutes", "-1"])
    assert measured == []
    assert "Finished: 0 of 11 cells" in capsys.readouterr().out
    main(command)
    assert measured == [row.name for row in ROWS]


def test_a_speed_up_is_the_ratio_of_the_means_with_an_interval_around_it() -> None:
    assert speedup(cell("plain", 6.0, 6.0), cell("ours", 2.0, 4.0)) == "2.00x [1.50, 3.00]"
    assert speedup(None, cell("ours", 2.0, 4.0)) == ""


@pytest.mark.parametrize(
    ("row", "other", "said"),
    [
        (Row("ours"), {"trees": "same"}, "same trees"),
        (Row("ours"), {"trees": "changed"}, "OTHER TREES"),
        (Row("ours", stop="exact"), {"answers": ("4", "5")}, "1 stopped, 1 answers differ"),
    ],
)
def test_the_last_column_says_what_became_of_the_plain_run(row: Row, other: Any, said: str) -> None:
    make: Callable[..., Cell] = cell
    assert likeness(cell("plain", 1.0, 1.0), make("ours", 1.0, 1.0, **other), row) == said


def test_waste_and_percentiles_are_those_of_the_cell() -> None:
    places = places_of(["mcts-c1"], [2], 2)
    cells = {place.key: cell(row.name, 2.0, 4.0) for place, row in places}
    line = next(line for line in table(cells, places, "command").splitlines() if "| ours: selection |" in line)
    assert line.endswith("| 3.00 | 1.00x [1.00, 1.00] |  | 3.00 | 3.98 | 25% | 50% | 1 of 2 | same trees |")


def test_enough_queries_run_in_each_cell_where_nothing_is_said() -> None:
    assert [place.queries for place, row in places_of(["rebase-16"], [1, 16], None) if row.name == "plain"] == [64, 128]


@pytest.mark.parametrize("wrong", [["--queries", "0"], ["--concurrency", "70000"], ["--search", "no-such"]])
def test_what_cannot_be_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
