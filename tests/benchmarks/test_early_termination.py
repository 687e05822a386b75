"""The benchmark of early termination: its limit is Clopper and Pearson's, and what it prints adds up."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path

import pytest

from benchmarks import early_termination
from benchmarks.early_termination import Bench, binomial_tail, main, upper_limit


@pytest.mark.parametrize("trials", [1, 20, 1000])
def test_where_nothing_changed_the_limit_is_known_in_closed_form(trials: int) -> None:
    assert upper_limit(0, trials) == pytest.approx(1 - 0.05 ** (1 / trials))


def test_at_the_limit_so_few_changes_have_the_probability_of_the_doubt() -> None:
    for count in (1, 7, 19):
        assert binomial_tail(count, 20, upper_limit(count, 20)) == pytest.approx(0.05)
    assert upper_limit(20, 20) == 1.0


def test_the_tail_is_the_sum_of_its_terms() -> None:
    exact = sum(comb(30, count) * 0.3**count * 0.7 ** (30 - count) for count in range(8))
    assert binomial_tail(7, 30, 0.3) == pytest.approx(exact)


def test_each_rule_is_measured_against_the_search_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--search", "self-consistency", "--set", "width=8", "--queries", "12", "--speculation"]
    assert main([*arguments, "--rule", "off", "--rule", "exact", "--json"]) == 0
    off, exact = json.loads(capsys.readouterr().out)["parts"][0]["effects"]
    assert (off["stopped"], off["changed"], off["latency_ratio"], off["tokens_ratio"]) == (0, 0, 1.0, 1.0)
    assert exact["changed"] == 0 < exact["stopped"]
    assert exact["latency_ratio"] > 1.0
    assert exact["accuracy"] == exact["accuracy_off"]
    assert off["same_speculative"] is exact["same_speculative"] is True


def test_people_get_a_line_for_each_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--search", "self-consistency", "--set", "width=4", "--queries", "2"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "2 queries" in head
    assert [line.split()[0].partition(":")[0] for line in lines] == [
        "exact",
        "confident",
        "paper",
        "adaptive-consistency",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["--queries", "0"], "--queries: '0' is not valid; it must be a whole number of at least 1"),
        (["--queries", "many"], "--queries: 'many' is not valid"),
        (["--concurrency", "-1"], "--concurrency: '-1' is not valid"),
        (["--set", "width"], "it must read KEY=VALUE"),
        (["--search", "rebbase"], "did you mean rebase"),
        (["--workload", "none", "--queries", "1"], "workload: 'none' is not valid"),
        (["--set", "width=0", "--queries", "1"], "width: 0 is not valid"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line_that_says_what_is_allowed(
    said: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(said)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_merging_is_measured_against_the_search_inside(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = ["--search", "rebase", "--set", "width=8", "--queries", "6", "--workload", "states", "--rule", "merge"]
    assert main([*said, "--speculation", "--out", str(tmp_path)]) == 0
    (merged,) = json.loads((tmp_path / "early-termination.json").read_text())["parts"][0]["effects"]
    assert merged["tokens_ratio"] > 1.0
    assert merged["same_speculative"] is True
    assert capsys.readouterr().out.strip() in (tmp_path / "early-termination.md").read_text()


def test_harder_problems_are_answered_wrongly_more_often() -> None:
    usual, harder = (Bench("rebase", {}, "reference", 12, 4, speculation=False, reward_max=it) for it in (None, 0.2))
    right = [sum(one.correct is True for one in bench.run("off", None).solutions) for bench in (usual, harder)]
    assert right[1] < right[0]


def test_a_table_that_was_stopped_goes_on_from_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = "--search self-consistency --set width=4 --rule exact --queries"
    monkeypatch.setattr(early_termination, "_ALL", (f"{small} 2",))
    assert main(["--all", "--out", str(tmp_path)]) == 0
    table = tmp_path / "early-termination.json"
    table.write_text(table.read_text().replace('"queries": 2', '"queries": 22'))  # so that one can tell
    monkeypatch.setattr(early_termination, "_ALL", (f"{small} 2", f"{small} 3"))
    assert main(["--all", "--out", str(tmp_path)]) == 0
    assert [part["queries"] for part in json.loads(table.read_text())["parts"]] == [22, 3]
    assert main(["--all", "--again", "--out", str(tmp_path)]) == 0
    assert [part["queries"] for part in json.loads(table.read_text())["parts"]] == [2, 3]
