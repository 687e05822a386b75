"""Bad input: one line that names field and value, exit code 2, and nothing has started."""

from __future__ import annotations

import os
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from tests.cli.terminal import Command

TOY = ("--policy", "toy", "--reward", "arithmetic")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["solve", "q", "--sed", "3"], ["--sed", "--seed"]),
        (["solve", "q", "--concurency", "3"], ["--concurency", "--concurrency"]),
        (["solve", "q", "--seed"], ["--seed", "argument"]),
        (["solve", "q", "two"], ["two"]),
        (["slove", "q"], ["slove", "solve"]),
        (["solve", "q", *TOY, "--search", "rebse"], ["--search:", "rebse", "rebase", "mcts"]),
        (["solve", "q", *TOY, "--set", "width=0"], ["--set width:", "0", "65536"]),
        (["solve", "q", *TOY, "--set", "width=-1"], ["--set width:", "-1", "65536"]),
        (["solve", "q", *TOY, "--set", "width=1000000000"], ["--set width:", "1000000000", "65536"]),
        (["solve", "q", *TOY, "--set", "width=nan"], ["--set width:", "nan"]),
        (["solve", "q", *TOY, "--set", "temperature=nan"], ["--set temperature:", "nan"]),
        (["solve", "q", *TOY, "--set", "width=8x"], ["--set width:", "8x"]),
        (["solve", "q", *TOY, "--set", "wdth=8"], ["--set:", "wdth", "width", "tokens_max"]),
        (["solve", "q", *TOY, "--set", "width"], ["--set", "width", "key=value"]),
        (["searches", "rebse"], ["--search", "rebse", "rebase"]),
        (["solve", "q", *TOY, "--seed", "abc"], ["--seed", "abc", "2^63"]),
        (["solve", "q", *TOY, "--seed", str(2**64)], ["--seed", str(2**64), "2^63"]),
        (["solve", "q", *TOY, "--seed", "-1"], ["--seed", "-1", "2^63"]),
        (["solve", "q", *TOY, "--concurrency", "0"], ["--concurrency", "0", "4096"]),
        (["solve", "q", *TOY, "--temperature", "-1"], ["--temperature", "-1", "100"]),
        (["solve", "q", *TOY, "--step-tokens", "0"], ["--step-tokens", "0"]),
        (["solve", "q", *TOY, "--deadline", "0"], ["--deadline", "0"]),
        (["solve", "q", *TOY, "--answer-rule", "loudest"], ["--answer-rule", "loudest", "majority"]),
        (["solve", "q", *TOY, "--aggregate", "max"], ["--aggregate", "max", "prod"]),
        (["solve", "q", *TOY, "--task", "gsm9k"], ["--task:", "gsm9k", "gsm8k"]),
        (["solve", "q", "--policy", "toy", "--reward", "judje"], ["--reward:", "judje", "judge"]),
        (["solve", "q", "--policy", "tooy"], ["--policy:", "tooy", "toy"]),
        (["solve", "q", "--policy", "openai", "--model", "gpt"], ["--model: 'gpt'", "openai:https://", "#NAME"]),
        (["solve", "q", "--policy", "vllm", "--model", "m"], ["--model: 'm'", "vllm:http://127.0.0.1:8000#NAME"]),
        (["solve", "q", "--policy", "sglang", "--model", "m"], ["--model: 'm'", "started with"]),
        (["solve", "q", "--policy", "openai:gpt"], ["--policy: 'openai:gpt'", "an address such as http"]),
        (["solve", "q", *TOY, "--merge"], ["--merge: the task text tells no states"]),
        (["solve", "q", "--policy", "http://h:1"], ["--policy: 'http://h:1'", "put the kind before", "sglang:http"]),
        (["solve", "q", "--policy", "https://me:word@h"], ["--policy: put the kind before the address"]),
        (
            ["solve", "q", "--policy", "toy", "--reward", "judge@http://h:1"],
            ["--reward: 'http://h:1'", "spex probe URL"],
        ),
        (["solve", "q", "--policy", "vllm:me:word@host"], ["--policy: it must be an address"]),
        (["solve", "q", "--policy", "toy", "--reward", "prm"], ["--reward: 'prm'", "prm:NAME@ENGINE"]),
        (["solve", "", *TOY], ["problem", "blank"]),
        (["solve", " \n", *TOY], ["problem", "blank"]),
        (["solve", "lone \ud800", *TOY], ["problem", "surrogates"]),
        (["solve", *TOY], ["problem: give a question", "--file FILE"]),
        (["solve", "q", "--answer", "", *TOY], ["--answer: ''", "blank"]),
        (["solve", "q", "--model", "no.gguf", "--policy", "llamacpp"], ["--model: 'no.gguf'", "no such file"]),
        (["solve", "q", "--file", "p.jsonl", *TOY], ["--file", "p.jsonl", "PROBLEM"]),
        (["solve", "--file", "missing.jsonl", *TOY], ["--file:", "missing.jsonl", "No such file"]),
        (["solve", "--file", ".", *TOY], ["--file:", ".", "directory"]),
        (["solve", "--file", "pipe", *TOY], ["--file:", "pipe"]),
        (["solve", "--file", "broken.jsonl", *TOY], ["--file:", "broken.jsonl", "line 2"]),
        (["solve", "--file", "utf16.jsonl", *TOY], ["--file:", "utf16.jsonl", "UTF-16"]),
        (["solve", "--file", "good.jsonl", "--answer", "4", *TOY], ["--answer", "4"]),
        (["solve", "q", "--config", "missing.toml", *TOY], ["--config:", "missing.toml"]),
        (["solve", "q", "--config", "unknown.toml", *TOY], ["unknown.toml: sed", "seed"]),
        (["solve", "q", "--config", "type.toml", *TOY], ["type.toml: seed", "abc"]),
        (["solve", "q", "--trace", "good.jsonl", *TOY], ["--trace:", "good.jsonl", "exists"]),
        (["solve", "q", "--trace", "link.jsonl", *TOY], ["--trace:", "link.jsonl", "exists"]),
        (["solve", "q", "--trace", "none/t.jsonl", *TOY], ["--trace:", "none/t.jsonl", "No such file"]),
        (["solve", "q", "--log", ".", *TOY], ["--log:", "."]),
        (["solve", "q", "--log", "none/l.jsonl", *TOY], ["--log:", "none/l.jsonl", "No such file"]),
        (["simulate", "--workload", "refrence"], ["--workload:", "refrence", "did you mean reference?"]),
        (["simulate", "--curve", "8b-a10"], ["--curve:", "8b-a10", "did you mean 8b-a100?"]),
        (["simulate", "--stop", "exactly"], ["--stop:", "exactly", "adaptive-consistency"]),
        (["simulate", "--stop", "confident:2"], ["--stop", "2"]),
        (["simulate", "--queries", "0"], ["--queries", "0"]),
        (["simulate", "--queries", "many"], ["--queries", "many"]),
        (["demo", "--limit", "0"], ["--limit:", "0"]),
    ],
)
def test_one_line_names_field_and_value_and_nothing_starts(
    spex: Command, folder: Path, mark: Path, arguments: list[str], words: list[str]
) -> None:
    (folder / "good.jsonl").write_text('{"question": "1 + 1?"}\n')
    (folder / "broken.jsonl").write_text('{"question": "1 + 1?"}\n{"question": \n')
    (folder / "utf16.jsonl").write_bytes('{"question": "1 + 1?"}\n'.encode("utf-16"))
    (folder / "unknown.toml").write_text("sed = 3\n")
    (folder / "type.toml").write_text('seed = "abc"\n')
    (folder / "link.jsonl").symlink_to(folder / "elsewhere.jsonl")
    os.mkfifo(folder / "pipe")
    ended = spex(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.line.startswith("spex: ")
    assert "None" not in ended.line
    for word in words:
        assert word in ended.line
    assert not mark.exists()
    assert not (folder / "elsewhere.jsonl").exists()
    assert not list(folder.glob("*l.jsonl.*"))


@pytest.mark.parametrize("data", [b"", b" \n", b"caf\xe9", "text".encode("utf-16"), b"nul\x00"])
def test_standard_input_that_is_no_text_is_refused(
    spex: Command, mark: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(data)))
    ended = spex("solve", "-", *TOY)
    assert ended.code == 2
    assert "stdin" in ended.line or "problem" in ended.line
    assert not mark.exists()


def test_a_bad_variable_is_refused_by_its_name(spex: Command, mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_SEED", "abc")
    ended = spex("solve", "q", *TOY)
    assert ended.code == 2
    assert "SPEX_SEED: 'abc'" in ended.line
    assert not mark.exists()


def test_an_output_that_exists_is_never_overwritten(spex: Command, folder: Path) -> None:
    kept = folder / "kept.jsonl"
    kept.write_text("mine\n")
    assert spex("solve", "q", *TOY, "--trace", "kept.jsonl").code == 2
    assert spex("solve", "q", *TOY, "--log", "kept.jsonl").code == 2
    assert kept.read_text() == "mine\n"


def test_a_traceback_is_shown_only_when_it_is_asked_for(spex: Command) -> None:
    assert "Traceback" not in spex("solve", "").err
    assert "Traceback" in spex("solve", "", "--traceback").err
    assert "Traceback" in spex("--traceback", "solve", "").err
