"""Cells of a table: run once, kept at once, and tried again where they failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cells import Book, Cell, command_of, run, share, speedup

SMALL = command_of("--search best-of-n --set width=2", "reference", 1, 1, 7)


def test_a_cell_is_the_object_that_its_command_printed() -> None:
    cell = run(SMALL)
    assert cell["run"]["search"] == "best-of-n"
    assert (cell["run"]["queries"], cell["run"]["concurrency"], cell["run"]["seed"]) == (1, 1, 7)
    assert cell["same_tree"]


def test_a_command_that_fails_leaves_its_last_words() -> None:
    cell = run("spex simulate --search nowhere --json")
    assert "search: 'nowhere' is not valid;" in cell["failed"]
    assert not cell["failed"].startswith("spex: ")


def test_a_cell_is_run_once_and_one_that_failed_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Cell] = [{"speedup": 1.5}, {"failed": "no such package"}, {"speedup": 2.0}]
    monkeypatch.setattr("benchmarks.cells.run", lambda command: answers.pop(0))
    path = tmp_path / "cells.json"
    assert Book(path).fill("one") == {"speedup": 1.5}
    assert Book(path).fill("other") == {"failed": "no such package"}
    assert json.loads(path.read_text()) == {"one": {"speedup": 1.5}, "other": {"failed": "no such package"}}
    again = Book(path)
    assert [again.fill("one"), again.fill("other"), again.fill("other")] == [{"speedup": 1.5}, *[{"speedup": 2.0}] * 2]


def test_a_table_that_was_killed_keeps_the_cells_that_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(command: str) -> Cell:
        raise KeyboardInterrupt

    path = tmp_path / "cells.json"
    with monkeypatch.context() as during:
        during.setattr("benchmarks.cells.run", lambda command: {"speedup": 1.5})
        Book(path).fill("one")
        during.setattr("benchmarks.cells.run", killed)
        with pytest.raises(KeyboardInterrupt):
            Book(path).fill("other")
    assert Book(path).cells == {"one": {"speedup": 1.5}}
    assert list(tmp_path.iterdir()) == [path]


def test_enough_queries_are_run_for_many_at_once() -> None:
    assert "--queries 64 --concurrency 4" in command_of("--search beam", "reference", 4, None, 7)
    assert "--queries 128 --concurrency 16" in command_of("--search beam", "reference", 16, None, 7)


def test_figures_stand_with_their_intervals_where_they_have_some() -> None:
    assert speedup({"speedup": 1.5, "speedup_low": 1.45, "speedup_high": 1.55}) == "1.50 (1.45–1.55)"
    assert share({"share": 0.93, "share_low": 0.919, "share_high": 0.95}) == "93 % (92–95)"
    assert share({"share": 0.93, "share_low": None, "share_high": None}) == "93 %"
    assert share({"share": None, "share_low": None, "share_high": None}) == "–"
