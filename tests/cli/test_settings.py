"""Flags, variables and files: one name for all three, one order of precedence, one check."""

from __future__ import annotations

from pathlib import Path

import pytest

from spex.cli.choice import chosen
from spex.cli.settings import (
    SimulateSettings,
    SolveSettings,
    keys_of,
    load,
    told_as_typed,
    unknown_variables,
)
from spex.cli.values import assignments
from spex.errors import InputError

SPELLINGS = {
    "file": ("p.jsonl", '"p.jsonl"', Path("p.jsonl")),
    "answer": ("42", '"42"', "42"),
    "task": ("gsm8k", '"gsm8k"', "gsm8k"),
    "policy": ("llamacpp:m.gguf", '"llamacpp:m.gguf"', "llamacpp:m.gguf"),
    "model": ("m.gguf", '"m.gguf"', "m.gguf"),
    "draft": ("ngram:4", '"ngram:4"', "ngram:4"),
    "reward": ("judge", '"judge"', "judge"),
    "answer_rule": ("majority", '"majority"', "majority"),
    "aggregate": ("min", '"min"', "min"),
    "search": ("beam", '"beam"', "beam"),
    "set": ("width=8,balance=0.5", "{width = 8, balance = 0.5}", {"width": "8", "balance": "0.5"}),
    "seed": ("7", "7", 7),
    "concurrency": ("2", "2", 2),
    "temperature": ("0.5", "0.5", 0.5),
    "thinking": ("true", "true", True),
    "thinking_tokens": ("64", "64", 64),
    "thinking_spent": ("end", '"end"', "end"),
    "thinking_seen": ("answer", '"answer"', "answer"),
    "template": ("none", '"none"', "none"),
    "enable_thinking": ("false", "false", False),
    "step_tokens": ("64", "64", 64),
    "limit": ("3", "3", 3),
    "speculation": ("false", "false", False),
    "stop": ("confident:0.1", '"confident:0.1"', "confident:0.1"),
    "merge": ("true", "true", True),
    "deadline": ("1.5", "1.5", 1.5),
    "connect_seconds": ("2.5", "2.5", 2.5),
    "first_token_seconds": ("900", "900", 900.0),
    "token_gap_seconds": ("90", "90", 90.0),
    "patience_seconds": ("0", "0", 0.0),
    "trace": ("t.jsonl", '"t.jsonl"', Path("t.jsonl")),
    "log": ("l.jsonl", '"l.jsonl"', Path("l.jsonl")),
    "profile": ("e.json", '"e.json"', Path("e.json")),
    "json": ("true", "true", True),
    "quiet": ("true", "true", True),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def value_of(settings: SolveSettings, key: str) -> object:
    return settings.model_dump(by_alias=True)[key]


def test_every_key_is_walked_below() -> None:
    assert SPELLINGS.keys() == keys_of(SolveSettings).keys()


@pytest.mark.parametrize("key", SPELLINGS)
def test_flag_variable_and_file_say_the_same(key: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, toml, value = SPELLINGS[key]
    assert value_of(load(SolveSettings, {key: text}), key) == value
    (elsewhere / "spex.toml").write_text(f"{key} = {toml}\n")
    assert value_of(load(SolveSettings, {}), key) == value
    (elsewhere / "spex.toml").unlink()
    monkeypatch.setenv(f"SPEX_{key.upper()}", text)
    assert value_of(load(SolveSettings, {}), key) == value


def test_flag_goes_before_variable_before_config_before_spex_toml_before_default(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(SolveSettings, {}).seed == 0
    (elsewhere / "spex.toml").write_text("seed = 1\n")
    assert load(SolveSettings, {}).seed == 1
    other = elsewhere / "other.toml"
    other.write_text("seed = 2\n")
    assert load(SolveSettings, {}, other).seed == 2
    monkeypatch.setenv("SPEX_SEED", "3")
    assert load(SolveSettings, {}, other).seed == 3
    assert load(SolveSettings, {"seed": "4"}, other).seed == 4


def test_the_config_file_may_be_named_by_a_variable(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "other.toml").write_text("seed = 2\n")
    monkeypatch.setenv("SPEX_CONFIG", str(elsewhere / "other.toml"))
    assert load(SolveSettings, {}).seed == 2


@pytest.mark.parametrize(("text", "seed"), [("+7", 7), (" 7 ", 7), ("007", 7), ("-0", 0)])
def test_a_whole_number_is_a_sign_if_any_and_digits(text: str, seed: int) -> None:
    assert load(SolveSettings, {"seed": text}).seed == seed


@pytest.mark.parametrize("told", ["1.0", "1e3", "true", '"1.0"', "inf"])
def test_a_number_with_a_point_in_the_file_is_no_whole_one(told: str, elsewhere: Path) -> None:
    (elsewhere / "spex.toml").write_text(f"seed = {told}\n")
    with pytest.raises(InputError, match="a whole number from 0"):
        load(SolveSettings, {})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("seed", "abc"),
        ("seed", "-1"),
        ("seed", str(2**64)),
        ("seed", str(2**63)),
        ("seed", "1.5"),
        ("seed", "1.0"),
        ("seed", "1e3"),
        ("seed", "1_000"),
        ("seed", ""),
        ("concurrency", "0"),
        ("concurrency", "many"),
        ("temperature", "-1"),
        ("temperature", "nan"),
        ("temperature", "inf"),
        ("step_tokens", "0"),
        ("thinking_tokens", "0"),
        ("thinking_spent", "stop"),
        ("thinking_seen", "all"),
        ("template", "jinja"),
        ("enable_thinking", "perhaps"),
        ("limit", "0"),
        ("limit", "-3"),
        ("answer", ""),
        ("answer", " \n"),
        ("deadline", "0"),
        ("deadline", "nan"),
        ("deadline", "inf"),
        ("speculation", "maybe"),
        *((f"{key}_seconds", text) for key in ("connect", "first_token", "token_gap") for text in ("0", "-1", "nan")),
        *((f"{key}_seconds", text) for key in ("connect", "patience") for text in ("86401", "nan", "inf", "soon")),
        ("patience_seconds", "-0.1"),
    ],
)
def test_a_value_out_of_range_is_refused_by_flag_name_value_and_range(key: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(SolveSettings, {key: text})
    assert caught.value.field == "--" + key.replace("_", "-")
    assert caught.value.value == text
    assert caught.value.allowed == f"it must be {keys_of(SolveSettings)[key]}"


def test_the_largest_seed_is_accepted() -> None:
    assert load(SolveSettings, {"seed": str(2**63 - 1)}).seed == 2**63 - 1


def test_a_bad_variable_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_SEED", "abc")
    with pytest.raises(InputError) as caught:
        load(SolveSettings, {})
    assert caught.value.field == "SPEX_SEED"


def test_what_the_library_refuses_is_named_as_it_was_typed(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "spex.toml").write_text('task = "x"\n')
    monkeypatch.setenv("SPEX_REWARD", "y")
    settings = load(SolveSettings, {"step_tokens": "3"})
    named = {}
    for field in ("task", "reward", "step_tokens_max", "search", "problem"):
        with pytest.raises(InputError) as caught, told_as_typed(settings):
            raise InputError(field, "x", "it must be another")
        named[field] = caught.value.field
    assert named == {
        "task": "spex.toml: task",
        "reward": "SPEX_REWARD",
        "step_tokens_max": "--step-tokens",
        "search": "--search",
        "problem": "problem",
    }


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("search = 'rebse'", "spex.toml: search"),
        ("set = {wdth = 3}", "spex.toml: set"),
        ("set = {temperature = 'warm'}", "spex.toml: set temperature"),
    ],
)
def test_a_search_and_its_parameters_are_named_as_they_were_typed(elsewhere: Path, table: str, field: str) -> None:
    (elsewhere / "spex.toml").write_text(table + "\n")
    with pytest.raises(InputError) as caught:
        chosen(load(SolveSettings, {}))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "line", ["seed = true", 'seed = "abc"', "seed = [1]", "task = 3", "temperature = true", "set = 3", "json = 7"]
)
def test_a_wrong_type_in_a_file_is_refused_with_its_origin(elsewhere: Path, line: str) -> None:
    (elsewhere / "spex.toml").write_text(line + "\n")
    with pytest.raises(InputError) as caught:
        load(SolveSettings, {})
    assert caught.value.field == f"spex.toml: {line.split(maxsplit=1)[0]}"


def test_an_unknown_key_of_a_file_is_refused_with_the_nearest_name(elsewhere: Path) -> None:
    path = elsewhere / "my.toml"
    path.write_text("concurency = 3\n")
    with pytest.raises(InputError) as caught:
        load(SolveSettings, {}, path)
    assert caught.value.field == f"{path}: concurency"
    assert "did you mean concurrency?" in caught.value.allowed


def test_an_unknown_key_that_is_near_to_nothing_lists_the_keys(elsewhere: Path) -> None:
    (elsewhere / "spex.toml").write_text("zzz = 3\n")
    with pytest.raises(InputError, match=r"the keys are .*seed.*temperature"):
        load(SolveSettings, {})


def test_a_file_serves_both_commands(elsewhere: Path) -> None:
    (elsewhere / "spex.toml").write_text('seed = 3\nworkload = "served"\nreward = "judge"\n')
    assert load(SolveSettings, {}).reward == "judge"
    assert load(SimulateSettings, {}).workload == "served"


@pytest.mark.parametrize("content", [b"seed = ", b"seed = 1\nseed = 2\n", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused_by_name(elsewhere: Path, content: bytes) -> None:
    (elsewhere / "spex.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"^configuration: 'spex.toml'"):
        load(SolveSettings, {})


def test_a_config_file_that_is_not_there_is_refused(elsewhere: Path) -> None:
    with pytest.raises(InputError, match=r"^--config: .*none.toml"):
        load(SolveSettings, {}, elsewhere / "none.toml")


def test_a_config_file_that_a_variable_names_is_refused_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_CONFIG", "none.toml")
    with pytest.raises(InputError, match=r"^SPEX_CONFIG: 'none.toml'"):
        load(SolveSettings, {})


def test_an_empty_variable_is_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_SEED", "")
    assert load(SolveSettings, {}).seed == 0


def test_a_misspelt_variable_is_a_warning_with_the_nearest_name() -> None:
    environ = {"SPEX_CONCURENCY": "8", "SPEX_SEED": "1", "PATH": "", "SPEXY": ""}
    assert list(unknown_variables(environ)) == [
        "SPEX_CONCURENCY is no setting and is ignored; did you mean SPEX_CONCURRENCY?"
    ]


def test_what_kubernetes_sets_for_a_service_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    without = load(SolveSettings, {})
    monkeypatch.setenv("SPEX_PORT", "tcp://10.0.0.1:80")
    assert load(SolveSettings, {}) == without
    assert [line.split()[0] for line in unknown_variables({"SPEX_PORT": "tcp://10.0.0.1:80"})] == ["SPEX_PORT"]


def test_assignments_are_texts_however_they_are_written() -> None:
    texts = ["width=8", "exact=true", " spaced = 3 ", "equals=a=b", "none="]
    assert assignments(texts) == {"width": "8", "exact": "true", "spaced": "3", "equals": "a=b", "none": ""}
    assert assignments({"width": 8, "exact": True, "balance": 0.5}) == {
        "width": "8",
        "exact": "true",
        "balance": "0.5",
    }
    assert assignments("width=8, exact=true,") == {"width": "8", "exact": "true"}


@pytest.mark.parametrize("text", ["width", "=8", " =8"])
def test_an_assignment_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="key=value") as caught:
        load(SolveSettings, {"set": [text]})
    assert caught.value.field == "--set"
    assert caught.value.value == text
