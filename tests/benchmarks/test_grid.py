"""The grid of G2: what its files hold, that ratios can be computed again, and that cells are not run twice."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from benchmarks.grid_never_in_the_way import (
    CURVES,
    Cell,
    default_grid,
    figures,
    is_slower,
    line,
    main,
    ratios,
    read,
    write,
)
from spex.profile import Scaled

SMALL = ["--only", "rebase-16 x1 sglang-cpu", "--only", "memory", "--factor", "0.05"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("tables")
    main([*SMALL, "--out", str(found)])
    return found


def cells(folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((folder / "grid.json").read_text())["cells"])


def test_the_grid_has_five_loads_on_four_curves_and_few_queries_with_fresh_rewards_and_wrong_beliefs() -> None:
    grid = default_grid()
    assert len({cell.key for cell in grid}) == len(grid)
    usual = {(cell.search, cell.concurrency, cell.curve) for cell in grid if cell.reward_memory == cell.belief == 1.0}
    loads = [("rebase-16", 1), ("rebase-16", 4), ("rebase-16", 16), ("rebase-16", 64), ("rebase-64", 64)]
    assert len(CURVES) == 4
    assert all((*load, curve) in usual for load in loads for curve in CURVES)
    assert {cell.concurrency for cell in grid if cell.belief == 2.0} >= {1, 2, 3}
    assert {cell.concurrency for cell in grid if cell.reward_memory == 0.0} >= {1, 2, 3}


def test_a_wrong_belief_is_what_the_engine_says_and_not_what_it_does() -> None:
    load = Cell("rebase-16", 1, "affine", belief=2.0).simulation(1).workload
    assert load.believed == Scaled(load.curve, 2.0)
    assert Cell("rebase-16", 1, "affine").simulation(1).workload.believed is None


def test_both_files_begin_with_the_command(folder: Path) -> None:
    for name in ("grid.json", "grid.md"):
        first = (folder / name).read_text().splitlines()[0]
        assert "python -m benchmarks.grid_never_in_the_way --only" in first
        assert "--factor 0.05" in first


def test_every_ratio_can_be_computed_again_from_the_json(folder: Path) -> None:
    (row,) = cells(folder)
    plain, speculative = row["plain"], row["speculative"]
    latency = fmean(plain["latency_seconds"]) / fmean(speculative["latency_seconds"])
    assert row["ratio_latency_mean"]["value"] == pytest.approx(latency)
    makespan = plain["makespan_seconds"] / speculative["makespan_seconds"]
    assert row["ratio_makespan"]["value"] == pytest.approx(makespan)
    again = ratios(plain, speculative, row["concurrency"], row["seed"])
    assert again["ratio_latency_mean"] == pytest.approx(row["ratio_latency_mean"])
    assert row["same_trees"] is True
    assert len(plain["latency_seconds"]) == row["queries"]


def test_a_cell_that_is_in_the_file_is_not_run_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cells(folder)

    def never(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Cell, "measure", never)
    main([*SMALL, "--out", str(folder)])
    assert cells(folder) == before
    with pytest.raises(AssertionError):
        main([*SMALL, "--out", str(folder), "--again"])


def test_a_cell_below_the_limit_is_marked_and_fails_the_benchmark(folder: Path, tmp_path: Path) -> None:
    (row,) = cells(folder)
    slow = {**row["plain"], "latency_seconds": [2 * seconds for seconds in row["plain"]["latency_seconds"]]}
    worse = {**row, "speculative": slow, **ratios(row["plain"], slow, 1, 0)}
    assert is_slower(worse)
    assert "< 0.98" in line(worse)
    write(tmp_path, "a command", [worse])
    assert "1 below 0.98" in (tmp_path / "grid.md").read_text()
    assert list(read(tmp_path)) == [row["cell"]]
    assert main([*SMALL, "--out", str(tmp_path)]) == 1


def test_cells_can_be_listed_without_being_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--without-largest"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == sum(not cell.is_largest for cell in default_grid())
    assert not any("rebase-64 x64" in name for name in told)


def test_fresh_rewards_do_not_follow_the_parents() -> None:
    run = Cell("rebase-16", 1, "affine", reward_memory=0.0).simulation(2).run(None)
    pairs = [
        (tree.reward(node[:-1]), tree.reward(node))
        for tree in (solution.tree for solution in run.solutions)
        for node in tree.steps
        if len(node) > 1
    ]
    parents, own = [float(one or 0) for one, _ in pairs], [float(other or 0) for _, other in pairs]
    middle, mean = fmean(parents), fmean(own)
    joint = fmean((one - middle) * (other - mean) for one, other in zip(parents, own, strict=True))
    assert abs(joint) < 0.15**2 / 4
    assert figures(run)["tokens_useful"] > 0
