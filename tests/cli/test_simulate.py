"""`spex simulate`: plain, speculative and clairvoyant runs in virtual time."""

from __future__ import annotations

import json
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from spex.trace.write import TraceWriter
from tests.cli.terminal import Command

SMALL = ("--queries", "2", "--concurrency", "2", "--set", "width=3", "--set", "depth_max=4")


def without_cpu(record: dict[str, Any]) -> dict[str, Any]:
    """All but what depends on the machine."""
    return {
        key: without_cpu(value) if isinstance(value, dict) else value
        for key, value in record.items()
        if key != "controller_cpu_seconds"
    }


def test_simulate_compares_the_runs_and_asserts_equal_trees(spex: Command) -> None:
    ended = spex("simulate", *SMALL)
    assert ended.code == 0
    for word in ("clairvoyant", "floor", "speed-up", "share"):
        assert word in ended.out
    assert ended.out.splitlines()[-1] == "the trees are the same, node for node"
    assert ended.err == ""


def test_simulate_as_json_is_one_object(spex: Command) -> None:
    record = json.loads(spex("simulate", *SMALL, "--json").out)
    assert record["same_tree"] is True
    assert record["plain"]["tokens_useful"] == record["speculative"]["tokens_useful"]
    assert record["plain"]["tokens_wasted"] == record["clairvoyant"]["tokens_wasted"] == 0
    assert record["speedup_clairvoyant"] > record["speedup_low"] > 0.5
    assert record["floor"]["latency_seconds_mean"] < record["clairvoyant"]["latency_seconds_mean"]
    assert record["controller_cpu_seconds"] > 0.0
    assert record["points"] == []


def test_a_search_may_end_early_on_another_gpu_and_has_the_same_trees_all_the_same(spex: Command) -> None:
    many = ("simulate", "--search", "self-consistency", "--set", "width=24", "--queries", "4", "--json")
    whole = json.loads(spex(*many).out)
    early = json.loads(spex(*many, "--stop", "exact").out)
    elsewhere = json.loads(spex(*many, "--stop", "exact", "--curve", "8b-4090").out)
    assert early["run"]["stop"] == "exact"
    assert early["same_tree"] is elsewhere["same_tree"] is True
    assert early["plain"]["correct"] == whole["plain"]["correct"]
    assert early["plain"]["latency_seconds_mean"] < whole["plain"]["latency_seconds_mean"]
    assert elsewhere["plain"]["latency_seconds_mean"] > early["plain"]["latency_seconds_mean"]


def test_an_engine_that_drafts_is_quicker_for_all_runs_and_for_the_floor(spex: Command) -> None:
    usual, drafting = (json.loads(spex("simulate", *SMALL, "--json", *more).out) for more in ((), ("--draft", "0.8:4")))
    for run in ("plain", "speculative", "clairvoyant", "floor"):
        assert drafting[run]["latency_seconds_mean"] < usual[run]["latency_seconds_mean"]
    assert drafting["plain"]["tokens_useful"] == usual["plain"]["tokens_useful"]


def test_the_published_rules_can_be_run_beside_ours_on_the_same_trees(spex: Command) -> None:
    ours, paper = (
        json.loads(spex("simulate", *SMALL, "--json", *more).out)
        for more in ((), ("--rule", "paper", "--market", "paper"))
    )
    assert without_cpu(paper)["plain"] == without_cpu(ours)["plain"]
    assert paper["speculative"] != ours["speculative"]
    assert paper["same_tree"] is True


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        *(
            ("--draft", text)
            for text in ("0.8", "2:4", "0.8:x", "0.8:4:-1", "0.8:4:inf", "0.8:4:1e6", "0.8:4:", "nan:4", "0.8:65")
        ),
        ("--rule", "theirs"),
        ("--market", "stock"),
        ("--curve", "abacus"),
        ("--stop", "never"),
        ("--arrivals", "poisson:0"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_its_flag(spex: Command, flag: str, value: str) -> None:
    ended = spex("simulate", *SMALL, flag, value)
    assert ended.code == 2
    assert ended.line.startswith(f"spex: {flag}: {value!r} is not valid; it must ")


def test_a_setting_of_a_variable_is_refused_by_the_variable(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_DRAFT", "often")
    assert spex("simulate", *SMALL).line.startswith("spex: SPEX_DRAFT: 'often' is not valid; it must read ")


def test_the_configuration_has_the_types_of_json(spex: Command) -> None:
    run = json.loads(spex("simulate", *SMALL, "--json").out)["run"]
    assert run["set"] == {"width": 3, "temperature": 0.2, "tokens_max": 2048, "depth_max": 4}
    del run["set"]
    assert run == {
        "search": "rebase",
        "answer_rule": "weighted",
        "aggregate": "last",
        "stop": "off",
        "merge": False,
        "workload": "reference",
        "curve": None,
        "draft": None,
        "rule": "ours",
        "market": "ours",
        "queries": 2,
        "concurrency": 2,
        "arrivals": None,
        "seed": 0,
    }


def test_the_same_simulation_gives_the_same_figures(spex: Command) -> None:
    first, again, other = (
        without_cpu(json.loads(spex("simulate", *SMALL, "--json", *more).out)) for more in ((), (), ("--seed", "1"))
    )
    assert first == again
    assert first["plain"] != other["plain"]


def test_64_queries_run_or_8_for_each_place(spex: Command) -> None:
    quick = ("--set", "width=1", "--set", "depth_max=1", "--json")
    for concurrency, queries in ((1, 64), (10, 80)):
        record = json.loads(spex("simulate", *quick, "--concurrency", str(concurrency)).out)
        assert record["run"]["queries"] == record["plain"]["queries"] == queries


def test_a_simulation_writes_a_trace_of_each_run(spex: Command, folder: Path) -> None:
    spex("simulate", *SMALL, "--trace", "sim")
    for kind in ("plain", "speculative"):
        lines = (folder / f"sim.{kind}.jsonl").read_text().splitlines()
        first = json.loads(lines[0])
        assert first["spex_trace"] == 1
        assert first["run"]["queries"] == 2
        speculative = [json.loads(line).get("speculative", False) for line in lines[1:]]
        assert any(speculative) is (kind == "speculative")


def test_a_trace_is_never_written_over_another(spex: Command, folder: Path) -> None:
    (folder / "sim.speculative.jsonl").touch()
    ended = spex("simulate", *SMALL, "--trace", "sim")
    assert ended.code == 2
    assert ended.line.startswith("spex: --trace: 'sim.speculative.jsonl' is not valid; it must be a new file")
    assert not (folder / "sim.plain.jsonl").exists()  # it would stand in the way of the next try


@pytest.mark.parametrize("name", ["", ".", "..", "sub/.."])
def test_a_trace_needs_a_name(spex: Command, folder: Path, name: str) -> None:
    ended = spex("simulate", *SMALL, "--trace", name)
    assert ended.code == 2
    assert "it must be what the names of two new files begin with" in ended.line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kinds", [("plain", "speculative"), ("plain",), ("speculative",)])
def test_a_trace_that_cannot_be_written_is_told_and_by_the_exit_code_behind_the_figures(
    spex: Command, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    line = TraceWriter._line

    def full(writer: TraceWriter, record: object) -> bytes:
        if any(writer._path.name == f"sim.{kind}.jsonl" for kind in kinds):
            raise OSError(ENOSPC, "No space left on device")
        return line(writer, record)

    monkeypatch.setattr("spex.trace.write.TraceWriter._line", full)
    ended = spex("simulate", *SMALL, "--trace", "sim", "--json")
    assert ended.code == 3
    assert json.loads(ended.out)["same_tree"] is True
    assert ended.err.splitlines() == [f"spex: trace sim.{kind}.jsonl: No space left on device" for kind in kinds]


def test_different_trees_are_a_defect_that_is_told_with_the_seed(
    spex: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex.cli.comparing.same_trees", lambda _one, _other, differs: differs("q1"))
    ended = spex("simulate", *SMALL, "--seed", "3")
    assert ended.code == 4
    assert "seed 3: the trees of q1 differ" in ended.line


def test_in_an_open_loop_queries_come_at_their_own_rate(spex: Command) -> None:
    slow, fast = (
        json.loads(spex("simulate", *SMALL, "--json", "--arrivals", f"poisson:{rate}").out) for rate in ("0.01", "100")
    )
    assert slow["run"]["arrivals"] == "poisson:0.01"
    assert slow["run"]["concurrency"] is None
    assert slow["plain"]["makespan_seconds"] > 2 * fast["plain"]["makespan_seconds"]
    assert slow["floor"]["makespan_seconds"] > 0.5 * slow["plain"]["makespan_seconds"]


def test_arrivals_that_are_none_are_refused_as_they_were_typed(spex: Command) -> None:
    ended = spex("simulate", "--arrivals", "poisson:no")
    assert ended.code == 2
    assert ended.line == (
        "spex: --arrivals: 'poisson:no' is not valid; it must read poisson:RATE, in queries a second, above 0"
    )


@pytest.mark.parametrize("rate", ["1e-7", "1e-320"])
def test_queries_that_come_after_the_end_of_virtual_time_are_refused(spex: Command, rate: str) -> None:
    ended = spex("simulate", *SMALL, "--arrivals", f"poisson:{rate}")
    assert ended.code == 2
    assert ended.line.startswith(f"spex: --arrivals: 'poisson:{rate}' is not valid; the last query would come after ")


def test_a_plot_of_queries_that_come_at_their_own_rate_is_refused(spex: Command) -> None:
    ended = spex("simulate", *SMALL, "--arrivals", "poisson:1", "--plot", "p.svg")
    assert ended.code == 2
    assert "leave --arrivals out" in ended.line


def test_a_plot_shows_1_to_64_queries_at_once(spex: Command, folder: Path) -> None:
    quick = ("--queries", "2", "--set", "width=1", "--set", "depth_max=2")
    record = json.loads(spex("simulate", *quick, "--plot", "p.svg", "--json").out)
    assert [point["concurrency"] for point in record["points"]] == [1, 2, 4, 8, 16, 32, 64]
    assert {point["queries"] for point in record["points"]} == {2}
    assert "speculative" in (folder / "p.svg").read_text()
    assert "speculative, queries/s" in spex("simulate", *quick, "--plot", "p.png").out


def test_a_plot_that_cannot_be_is_refused_before_anything_runs(spex: Command) -> None:
    ended = spex("simulate", "--queries", "1000", "--plot", "p.pdf")
    assert ended.code == 2
    assert ended.line == "spex: --plot: 'p.pdf' is not valid; it must be a file that ends in .svg or .png"
