"""`spex probe`: an engine by name or by address, measured, kept, and used by `spex solve`."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli.terminal import Command


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where profiles are kept."""
    return tmp_path / "cache"


def test_it_prints_a_line_for_each_thing_and_keeps_the_profile(spex: Command, cache: Path) -> None:
    ended = spex("probe", "toy")
    assert ended.code == 0
    assert [line[:19].strip() for line in ended.out.splitlines()] == [
        *("engine", "ℓ(b)", "slots", "prefill", "seed", "prefix cache", "labels", "log-probabilities", "abort"),
        "priority",
    ]
    (kept,) = cache.rglob("*.json")
    assert f"spex: kept in {kept}; " in ended.err


def test_a_profile_that_has_less_than_the_kept_one_does_not_take_its_place(spex: Command, cache: Path) -> None:
    assert spex("probe", "toy").code == 0
    (kept,) = cache.rglob("*.json")
    less = json.loads(kept.read_text())
    less["unmeasured"] = {**less["unmeasured"], "itl": "time ran out"}
    whole = kept.read_text()
    kept.write_text(json.dumps(less))
    assert f"kept in {kept}" in spex("probe", "toy").err  # one that has more does
    more = json.loads(kept.read_text())
    more["unmeasured"] = {}
    kept.write_text(json.dumps(more))
    ended = spex("probe", "toy")
    assert json.loads(whole)["unmeasured"] != {}
    assert (ended.code, "a kept profile has more than this one, and stays" in ended.err) == (0, True)
    assert json.loads(kept.read_text()) == more


def test_json_is_one_object_of_what_is_kept(spex: Command, cache: Path) -> None:
    record = json.loads(spex("probe", "toy", "--json").out)
    (kept,) = cache.rglob("*.json")
    assert (record.pop("spex"), record.pop("profile")) == (1, str(kept))
    assert record == json.loads(kept.read_text())
    assert (record["spex_profile"], record["engine"]) == (1, "toy")


def test_a_profile_goes_where_it_is_wanted_and_nothing_is_overwritten(
    spex: Command, cache: Path, mark: Path, folder: Path
) -> None:
    assert spex("probe", "toy", "--out", "toy.json").code == 0
    assert not cache.exists()
    mark.unlink()
    again = spex("probe", "toy", "--out", "toy.json")
    assert (again.code, again.line) == (2, "spex: --out: 'toy.json' is not valid; it must be a new file: File exists")
    assert not mark.exists()
    assert spex("solve", "first?", "--policy", "toy", "--reward", "arithmetic", "--profile", "toy.json").code == 0


def test_solve_says_when_a_profile_is_not_the_engine_s(spex: Command, folder: Path) -> None:
    assert spex("probe", "toy", "--out", "toy.json").code == 0
    text = (folder / "toy.json").read_text()
    (folder / "toy.json").write_text(text.replace('"model": ""', '"model": "another"'))
    ended = spex("solve", "first?", "--policy", "toy", "--reward", "arithmetic", "--profile", "toy.json")
    assert ended.code == 0
    told = "spex: toy: its profile is not used, for it is of the model another, and this is (unknown)"
    assert len([line for line in ended.err.splitlines() if line.startswith(told)]) == 1


def test_a_profile_that_is_none_is_bad_input(spex: Command, folder: Path, mark: Path) -> None:
    (folder / "toy.json").write_text("{}")
    ended = spex("solve", "first?", "--policy", "toy", "--reward", "arithmetic", "--profile", "toy.json")
    assert ended.code == 2
    assert ended.line.startswith("spex: --profile: 'toy.json' is not valid; it is no profile")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "missing argument"),
        (("nothing",), "engine: 'nothing' is not valid; "),
        (("toy", "--seconds", "1"), "--seconds: '1' is not valid; it must be a number from 5 to 3600"),
        (("toy", "--seconds", "nan"), "--seconds: 'nan' is not valid"),
        (("toy", "--out", "no/where.json"), "--out: 'no/where.json' is not valid; it must be a new file"),
        (("http://",), "engine: "),
    ],
)
def test_bad_input_is_refused_before_anything_starts(
    spex: Command, mark: Path, arguments: tuple[str, ...], told: str
) -> None:
    ended = spex("probe", *arguments)
    assert ended.code == 2
    assert ended.line.startswith(f"spex: {told}")
    assert not mark.exists()


def test_where_nothing_answers_the_engine_is_missing(spex: Command) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        ended = spex("probe", f"http://127.0.0.1:{unheard.getsockname()[1]}")
    assert ended.code == 3
    assert "nothing answers at" in ended.line


def test_where_profiles_cannot_be_kept_what_was_found_is_printed_all_the_same(spex: Command, cache: Path) -> None:
    cache.write_text("no folder")
    ended = spex("probe", "toy")
    assert ended.code == 0
    assert "engine" in ended.out
    assert "the profile cannot be kept" in ended.err
