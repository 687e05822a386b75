"""Latency against throughput, drawn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from spex.errors import InputError
from spex.report.comparison import Point
from spex.report.plot import check_plot, draw_plot

POINTS = [Point(1, 64, 30.0, 0.03, 18.0, 0.05), Point(2, 64, 31.0, 0.06, 19.0, 0.1)]


def test_the_drawing_names_both_runs_and_how_many_ran_at_once(tmp_path: Path) -> None:
    draw_plot(tmp_path / "p.svg", POINTS, "Rebase")
    drawn = (tmp_path / "p.svg").read_text()
    for text in ("plain", "speculative", "Rebase", "mean latency, s", "throughput", ">2<"):
        assert text in drawn


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw_plot(tmp_path / name, POINTS, "Rebase")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_drawing_may_be_a_png(tmp_path: Path) -> None:
    draw_plot(tmp_path / "p.PNG", POINTS, "Rebase")
    assert (tmp_path / "p.PNG").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_to_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "folder.svg").mkdir()
    for path in (tmp_path / "p.pdf", tmp_path / "none" / "p.svg", tmp_path / "folder.svg"):
        with pytest.raises(InputError) as caught:
            check_plot(path)
        assert caught.value.field == "plot"
    check_plot(tmp_path / "p.svg")
    assert not (tmp_path / "p.svg").exists()


def test_a_link_to_nowhere_is_refused_beforehand_and_a_drawing_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to(tmp_path / "none" / "p.svg")
    with pytest.raises(InputError, match="cannot be written"):
        check_plot(tmp_path / "link.svg")
    (tmp_path / "p.svg").write_text("older")
    check_plot(tmp_path / "p.svg")
    assert (tmp_path / "p.svg").read_text() == "older"


def test_a_file_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        draw_plot(tmp_path / "none" / "p.svg", POINTS, "Rebase")


def test_without_matplotlib_it_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.report.plot.find_spec", lambda name: None if name == "matplotlib" else find_spec(name))
    with pytest.raises(InputError, match=r"spex-search\[plot\]"):
        check_plot(tmp_path / "p.svg")
