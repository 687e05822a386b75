"""A profile on disk, and an engine that starts from it: its own one, and no other's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from spex.api import setup_of
from spex.control.clock import run_virtual
from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Engine, innermost
from spex.engine.measured import (
    EngineProfile,
    Itl,
    MeasuredPoint,
    Seeds,
    Share,
)
from spex.engine.profile_file import check_new, keep_profile, kept_path, read_profile, write_profile
from spex.engine.profiled import Profiled, profiled
from spex.engine.retrying import Retrying
from spex.errors import InputError
from spex.profile import Affine, Points
from spex.reward.named import find_reward
from tests.engine.probed import Odd, probed, simulated

TOLD = Capabilities(seed="positional", slots=16, curve=Affine(0.01, 0.0001))
ITL = Itl([MeasuredPoint(1, 0.020), MeasuredPoint(2, 0.030), MeasuredPoint(4, 0.035)], None)
ALL = Share(4, 4)
PROFILE = EngineProfile(
    engine="simulated",
    version="Engine 1",
    model="a model",
    slots=16,
    context_tokens=None,
    log_probabilities=True,
    load_before=None,
    seconds=1.0,
    itl=ITL,
    prefill_seconds=0.003,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def engine_of(version: str = "Engine 1", model: str = "a model") -> Odd:
    return Odd(simulated(Affine(0.01, 0.0001), slots=16), who=Identity(version, model))


def opened(engine: Engine) -> Engine:
    run_virtual(engine.open())
    return engine


def test_an_engine_starts_from_what_was_measured() -> None:
    known = opened(Profiled(engine_of(), PROFILE)).capabilities
    assert known.curve == Points(((1.0, 0.020), (2.0, 0.030), (4.0, 0.035)))
    assert (known.prefill_seconds, known.slots, known.seed) == (0.003, 16, "positional")


def test_before_it_is_open_nobody_knows_whose_profile_it_is() -> None:
    engine = engine_of()
    assert Profiled(engine, PROFILE).capabilities == engine.capabilities


@pytest.mark.parametrize(
    ("version", "model", "told"),
    [
        ("Engine 2", "a model", "it is of Engine 1, and this is Engine 2"),
        ("", "a model", "it is of Engine 1, and this is one that does not say"),
        ("Engine 1", "another", "it is of the model a model, and this is another"),
        ("Engine 1", "an\nother\x1b", "it is of the model a model, and this is an other␛"),
        ("Engine 1", "x" * 9999, f"it is of the model a model, and this is {'x' * 199}…"),
    ],
)
def test_the_profile_of_another_version_or_model_is_not_used_and_one_line_says_so(
    version: str, model: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_of(version, model)
    around = Profiled(engine, PROFILE)
    with caplog.at_level(logging.WARNING, "spex"):
        assert opened(opened(around)).capabilities == engine.capabilities
    assert [record.getMessage() for record in caplog.records] == [
        f"simulated: its profile is not used, for {told}; `spex probe` makes a new one"
    ]


def test_the_profile_of_an_engine_without_drafts_is_none_of_one_that_drafts(caplog: pytest.LogCaptureFixture) -> None:
    engine = Odd(simulated(Affine(0.01, 0.0001), slots=16), who=Identity("Engine 1", "a model", "EAGLE"))
    with caplog.at_level(logging.WARNING, "spex"):
        assert opened(Profiled(engine, PROFILE)).capabilities == engine.capabilities
    assert "it is of one that drafts with nothing, and this one with EAGLE" in caplog.text
    own = msgspec.structs.replace(PROFILE, drafts="EAGLE")
    assert opened(Profiled(engine, own)).capabilities.prefill_seconds == 0.003


def test_who_says_nothing_of_itself_is_known_by_its_name() -> None:
    nobody = msgspec.structs.replace(PROFILE, version="", model="")
    assert opened(Profiled(engine_of("", ""), nobody)).capabilities.slots == 16
    other = msgspec.structs.replace(nobody, engine="another")
    engine = engine_of("", "")
    assert opened(Profiled(engine, other)).capabilities == engine.capabilities


def test_there_are_never_more_slots_than_the_engine_has_now() -> None:
    waits = msgspec.structs.replace(PROFILE, itl=msgspec.structs.replace(ITL, at_once=5))
    assert waits.applied(TOLD).slots == 5
    assert waits.applied(replace(TOLD, slots=2)).slots == 2


@pytest.mark.parametrize(
    ("resumed", "beside", "told", "found"),
    [
        (4, 4, "positional", "positional"),
        (4, 4, "whole", "whole"),
        (4, 4, "none", "none"),
        (0, 4, "positional", "whole"),
        (4, 3, "positional", "none"),
    ],
)
def test_a_seed_is_worth_what_it_says_and_what_was_seen(resumed: int, beside: int, told: str, found: str) -> None:
    seeds = Seeds("positional", ALL, ALL, Share(beside, 4), Share(resumed, 4), differing=True)
    told_of_itself = replace(TOLD, seed=told)  # type: ignore[arg-type]
    assert msgspec.structs.replace(PROFILE, seeds=seeds).applied(told_of_itself).seed == found


def test_a_profile_is_read_as_it_was_written(folder: Path) -> None:
    profile = probed(Odd(simulated(Affine(0.01, 0.0001)), label_error=0.0, counts=lambda running: running))
    write_profile(profile, folder / "own.json")
    assert read_profile(folder / "own.json") == profile


def test_a_kept_profile_takes_the_place_of_an_older_one_and_leaves_nothing_else(folder: Path) -> None:
    for seconds in (1.0, 2.0):
        path = keep_profile(msgspec.structs.replace(PROFILE, seconds=seconds))
    assert read_profile(path).seconds == 2.0
    assert list((folder / "cache").rglob("*.json")) == [path]


def test_an_engine_finds_the_profile_that_is_kept_under_its_name() -> None:
    engine = engine_of()
    assert profiled(engine) is engine
    keep_profile(PROFILE)
    found = profiled(engine)
    assert innermost(found) is innermost(engine)
    assert opened(found).capabilities.prefill_seconds == 0.003


def test_names_that_differ_in_signs_alone_have_different_files() -> None:
    paths = {
        kept_path(name) for name in ("sglang:http://a:1", "sglang:http://a/1", "sglang:http://a:1/", "../../x", "")
    }
    assert len(paths) == 5
    assert {path.parent for path in paths} == {kept_path("a").parent}


def test_a_kept_profile_that_is_damaged_is_told_of_and_not_used(caplog: pytest.LogCaptureFixture) -> None:
    keep_profile(PROFILE).write_text("{")
    engine = engine_of()
    with caplog.at_level(logging.WARNING, "spex"):
        assert profiled(engine) is engine
    assert "the kept profile is not used: profile:" in caplog.text


DAMAGE: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda data: b"", "no profile that `spex probe` wrote"),
    (lambda data: data[:-20], "no profile that `spex probe` wrote"),
    (lambda data: b"\xff\xfe", "no profile that `spex probe` wrote"),
    (lambda data: b"[" * 100_000, "no profile that `spex probe` wrote"),
    (lambda data: data.replace(b'"spex_profile": 1', b'"spex_profile": 2'), "of version 2"),
    (lambda data: data.replace(b"0.02,", b"-0.02,").replace(b"0.02\n", b"-0.02\n"), "no profile"),
    (lambda data: data.replace(b'"slots": 16', b'"slots": 0'), "no profile"),
    (lambda data: data + b" " * (1 << 20), "at most 1048576 bytes"),
]


@pytest.mark.parametrize(("damage", "told"), DAMAGE)
def test_what_is_no_profile_is_refused(folder: Path, damage: Callable[[bytes], bytes], told: str) -> None:
    path = folder / "own.json"
    write_profile(PROFILE, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=told) as refused:
        profiled(engine_of(), path)
    assert refused.value.field == "profile"


def test_a_missing_profile_and_a_folder_are_refused(folder: Path) -> None:
    for path in (folder / "none.json", folder):
        with pytest.raises(InputError, match="cannot be read"):
            read_profile(path)


def test_no_file_is_overwritten(folder: Path) -> None:
    there = folder / "there.json"
    there.symlink_to(folder / "nowhere")
    for refuse in (check_new, lambda path: write_profile(PROFILE, path)):
        with pytest.raises(InputError, match="a new file"):
            refuse(there)
    with pytest.raises(InputError, match="a new file"):
        check_new(folder / "no folder" / "own.json")


def test_the_library_takes_a_profile_for_an_engine_of_the_user_s(folder: Path) -> None:
    write_profile(PROFILE, folder / "own.json")
    engine = engine_of()
    for path in (folder / "own.json", str(folder / "own.json")):
        known = opened(setup_of({"policy": engine, "profile": path}).policy.engine).capabilities
        assert known.prefill_seconds == 0.003
    keep_profile(PROFILE)  # that is for engines by name
    assert opened(setup_of({"policy": engine}).policy.engine).capabilities == engine.capabilities
    with pytest.raises(InputError, match="profile: 3 is not valid"):
        setup_of({"policy": engine, "profile": 3})  # type: ignore[typeddict-item]


def test_engines_by_name_behind_policy_and_reward_have_the_profiles_that_are_kept() -> None:
    address = "http://127.0.0.1:9"
    keep_profile(msgspec.structs.replace(PROFILE, engine=f"vllm:{address}"))
    policy = setup_of({"policy": f"vllm:{address}"}).policy.engine
    reward = find_reward(f"judge@vllm:{address}", engine_of())
    for outer in (policy, reward.server):
        assert isinstance(outer, Retrying)
        assert isinstance(outer.inner, Profiled)
    other = setup_of({"policy": "vllm:http://127.0.0.1:8"}).policy.engine
    assert isinstance(other, Retrying)
    assert not isinstance(other.inner, Profiled)
