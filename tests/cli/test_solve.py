"""`spex solve`: what it prints where, how it ends, and that it goes on from its call log."""

from __future__ import annotations

import json
import re
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from spex.cli.running import options_of
from spex.cli.settings import SolveSettings, load
from tests.cli.terminal import Command

TOY = ("--policy", "toy", "--reward", "arithmetic", "--set", "width=4")
FILE = "".join(f'{{"id": "p{number}", "question": "{number} + 40?", "answer": "42"}}\n' for number in range(3))


@pytest.fixture
def problems(folder: Path) -> Path:
    path = folder / "problems.jsonl"
    path.write_text(FILE)
    return path


def test_one_problem_prints_its_tree_and_its_answer(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY)
    assert ended.code == 0
    *tree, answer = ended.out.splitlines()
    assert tree[0].startswith("problem-")
    assert tree[1].startswith("├─ 0.50 first ")
    assert answer in {"answer: 40", "answer: 41", "answer: 42"}


def test_an_answer_in_the_tree_is_marked_by_the_reference_where_there_is_one(spex: Command) -> None:
    arguments = ("solve", "2 + 40?", *TOY, "--set", "width=16")
    assert set("✓✗■") & set(spex(*arguments).out) == {"■"}
    ends = [line for line in spex(*arguments, "--answer", "42").out.splitlines() if "Answer: " in line]
    assert {line[-4:] for line in ends} == {"✗ 40", "✗ 41", "✓ 42"}


def test_a_check_that_raises_leaves_the_tree_to_be_drawn(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise LookupError("no such table")

    monkeypatch.setattr("spex.tasks.text.Text.check", broken)
    assert "■ 4" in spex("solve", "2 + 40?", *TOY, "--answer", "42").out


def test_talk_goes_to_standard_error(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY)
    assert all(line.startswith("spex: ") for line in ended.err.splitlines())
    assert "1 problem in" in ended.err
    assert "useful" in ended.err
    assert "spex:" not in ended.out


def test_what_the_engine_has_not_got_is_told_once_on_standard_error_and_in_the_record(
    spex: Command, folder: Path
) -> None:
    (folder / "three.jsonl").write_text('{"question": "a?"}\n{"question": "b?"}\n{"question": "c?"}\n')
    poor = ("solve", "--file", "three.jsonl", "--policy", "toy-poor", "--reward", "arithmetic", "--json")
    ended = spex(*poor)
    (line,) = [line for line in ended.err.splitlines() if "no seeds that can be relied on" in line]
    assert line.startswith("spex: toy: no seeds")
    lacks = json.loads(ended.out)["lacks"]
    assert [lack.partition(" — ")[0] for lack in lacks] == [
        "no seeds that can be relied on",
        "no log-probabilities",
        "aborts are not confirmed",
    ]
    assert "no seeds" not in spex(*poor, "--quiet").err


def test_of_an_engine_that_has_all_nothing_of_the_kind_is_told(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY, "--json")
    assert json.loads(ended.out)["lacks"] == []
    assert "no seeds" not in ended.err


def test_quiet_prints_the_answer_alone(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY, "--quiet")
    assert ended.out in {"40\n", "41\n", "42\n"}
    assert ended.err == ""


def test_json_is_one_object_with_a_version_and_the_configuration(spex: Command) -> None:
    record = json.loads(spex("solve", "2 + 40?", "--answer", "42", *TOY, "--seed", "7", "--json").out)
    assert record["spex"] == 1
    assert record["run"] == {
        "policy": "toy",
        "reward": "arithmetic",
        "task": "text",
        "thinking": None,
        "template": None,
        "enable_thinking": None,
        "search": "rebase",
        "set": {"width": 4, "temperature": 0.2, "tokens_max": 2048, "depth_max": 25},
        "answer_rule": "weighted",
        "aggregate": "last",
        "seed": 7,
        "temperature": 1.0,
        "step_tokens": None,
        "concurrency": 4,
        "deadline": None,
        "speculation": True,
        "stop": "off",
        "merge": False,
    }
    assert record["interrupted"] is False
    [solution] = record["solutions"]
    assert solution["correct"] is (solution["answer"] == "42")
    assert record["summary"]["tokens_useful"] == solution["tokens_useful"] > 0


def test_the_same_command_gives_the_same_answer_and_tree(spex: Command) -> None:
    assert spex("solve", "2 + 40?", *TOY).out == spex("solve", "2 + 40?", *TOY).out


def test_a_search_that_is_stopped_early_says_so_and_is_not_partial(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY, "--stop", "paper:0", "--json")
    [solution] = json.loads(ended.out)["solutions"]
    assert (solution["stopped_early"], solution["partial"]) == ("paper:0", None)
    assert ended.code == 0
    assert "1 stopped early" in spex("solve", "2 + 40?", *TOY, "--stop", "paper:0").err


def test_a_stopping_rule_that_does_not_exist_is_refused(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY, "--stop", "soon")
    assert ended.code == 2
    assert ended.err.startswith("spex: --stop: 'soon'")


def test_speculation_changes_nothing_on_standard_output(spex: Command) -> None:
    with_it, without = spex("solve", "2 + 40?", *TOY), spex("solve", "2 + 40?", *TOY, "--no-speculation")
    assert with_it.out == without.out


def test_a_file_prints_a_row_a_problem(spex: Command, problems: Path) -> None:
    ended = spex("solve", "--file", str(problems), *TOY)
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["p0", "p1", "p2"]
    assert {row[2] for row in rows} <= {"yes", "no"}


def test_without_a_reference_the_results_have_the_answers_best_score(spex: Command, folder: Path) -> None:
    (folder / "open.jsonl").write_text('{"id": "p0", "question": "2 + 40?"}\n')
    [solution] = json.loads(spex("solve", "--file", "open.jsonl", *TOY, "--json").out)["solutions"]
    assert solution["correct"] is None
    assert 0.0 <= solution["score"] <= 1.0
    shown = spex("solve", "--file", "open.jsonl", *TOY).out
    assert "score" in shown
    assert f"{solution['score']:.2f}" in shown


def test_states_are_merged_where_the_task_tells_them(spex: Command) -> None:
    assert spex("solve", "4 6 1 1", "--task", "game24", "--merge", *TOY, "--json").code == 0


def test_a_quiet_file_prints_identifier_and_answer(spex: Command, problems: Path) -> None:
    ended = spex("solve", "--file", str(problems), *TOY, "--quiet", "--limit", "2")
    assert [line.split("\t")[0] for line in ended.out.splitlines()] == ["p0", "p1"]


def test_a_dash_reads_the_problem_from_standard_input(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    as_argument = spex("solve", "2 + 40?", *TOY)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\xef\xbb\xbf2 + 40?\r\n")))
    assert spex("solve", "-", *TOY).out == as_argument.out


def test_a_failed_problem_among_others_is_exit_code_1(spex: Command, folder: Path) -> None:
    (folder / "some.jsonl").write_text(FILE + '{"id": "bad\\u0020one", "question": "fail"}\n')
    ended = spex("solve", "--file", "some.jsonl", *TOY)
    assert ended.code == 1
    assert ended.err.startswith("spex: bad one: toy: expected")
    assert "1 failed" in ended.err
    assert ended.out.count("yes") + ended.out.count("no") >= 3


def test_failures_beyond_the_first_five_are_counted(spex: Command, folder: Path) -> None:
    (folder / "all.jsonl").write_text("".join(f'{{"id": "p{number}", "text": "fail"}}\n' for number in range(7)))
    ended = spex("solve", "--file", "all.jsonl", *TOY, "--quiet")
    assert ended.code == 3
    assert ended.err.count("asked to fail") == 5
    assert ended.err.splitlines()[-1] == "spex: … and 2 more problems failed"


def test_a_broken_log_in_the_middle_is_exit_code_3(
    spex: Command, problems: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    spex("solve", "--file", str(problems), *TOY, "--log", "run.log", "--limit", "1")
    monkeypatch.setattr("os.pwrite", full)
    ended = spex("solve", "--file", str(problems), *TOY, "--log", "run.log", "--quiet")
    assert ended.code == 3
    assert "No space left on device" in ended.err


def test_a_trace_that_could_not_be_written_is_told_after_the_results(
    spex: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spex.trace.write.TraceWriter.error", "trace t.jsonl: full", raising=False)
    monkeypatch.setattr("spex.trace.write.TraceWriter.__init__", lambda *_: None)
    monkeypatch.setattr("spex.trace.write.TraceWriter.__exit__", lambda *_: None)
    ended = spex("solve", "2 + 40?", *TOY, "--quiet", "--trace", "t.jsonl")
    assert ended.code == 3
    assert ended.out.strip()
    assert ended.line == "spex: trace t.jsonl: full"


def test_step_tokens_bound_a_step(spex: Command) -> None:
    short = spex("solve", "2 + 40?", *TOY, "--step-tokens", "3", "--set", "depth_max=2")
    assert "first" not in short.out
    assert "0.50 fir" in short.out


def test_a_model_may_be_named_apart_from_the_engine_but_not_twice(spex: Command, mark: Path) -> None:
    assert spex("solve", "2 + 40?", *TOY, "--model", "some.gguf").code == 0
    mark.unlink()
    ended = spex("solve", "q", "--policy", "toy:a.gguf", "--model", "b.gguf")
    assert ended.code == 2
    assert "--model: 'b.gguf'" in ended.line
    assert not mark.exists()


def test_a_problem_that_fails_alone_is_exit_code_3_with_one_line_of_reason(spex: Command) -> None:
    ended = spex("solve", "fail", *TOY, "--quiet")
    assert ended.code == 3
    assert ended.line.startswith("spex: toy: expected")
    assert "asked to fail" in ended.line


def test_a_problem_longer_than_the_context_is_bad_input_with_both_lengths(
    spex: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = spex("solve", "long " * 1000, *TOY, "--policy", "toy-short")
    assert ended.code == 2
    assert ended.out == ""
    assert re.search(r"problem: .* its prompt is \d{4} tokens long and toy has a context of 1000$", ended.line)


def test_an_unexpected_exception_is_exit_code_4_with_the_seed(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no\nway")

    monkeypatch.setattr("spex.cli.searching.carry_out", broken)
    ended = spex("solve", "q", *TOY, "--seed", "11")
    assert ended.code == 4
    assert ended.line.startswith("spex: internal error (seed 11): ZeroDivisionError: no␊way; --traceback")


def test_a_misspelt_variable_is_a_warning_and_the_run_goes_on(spex: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEX_CONCURENCY", "8")
    monkeypatch.setenv("SPEX_PORT", "tcp://10.0.0.1:80")
    ended = spex("solve", "2 + 40?", *TOY, "--quiet")
    assert ended.code == 0
    assert ended.err.splitlines() == [
        "spex: SPEX_CONCURENCY is no setting and is ignored; did you mean SPEX_CONCURRENCY?",
        "spex: SPEX_PORT is no setting and is ignored",
    ]


def test_settings_of_spex_toml_count_as_flags_do(spex: Command, folder: Path) -> None:
    by_flags = spex("solve", "2 + 40?", *TOY, "--quiet").out
    (folder / "spex.toml").write_text('policy = "toy"\nreward = "arithmetic"\nquiet = true\n[set]\nwidth = 4\n')
    assert spex("solve", "2 + 40?").out == by_flags


def test_a_trace_has_the_configuration_first_and_then_events(spex: Command, folder: Path) -> None:
    spex("solve", "2 + 40?", *TOY, "--trace", "t.jsonl")
    head, *events = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()]
    assert head["spex_trace"] == 1
    assert head["run"]["policy"] == "toy"
    assert events[0]["event"] == "query_started"
    assert events[-1]["event"] == "query_finished"
    assert {"t", "query", "event"} <= events[0].keys()


def test_a_call_log_spares_the_engine_the_second_time(spex: Command, problems: Path) -> None:
    arguments = ("solve", "--file", str(problems), *TOY, "--json", "--log", "run.log")
    first, second = (json.loads(spex(*arguments).out) for _ in range(2))
    assert [solution["answer"] for solution in first["solutions"]] == [
        solution["answer"] for solution in second["solutions"]
    ]
    assert first["summary"]["tokens_replayed"] == 0
    assert second["summary"]["tokens_replayed"] == second["summary"]["tokens_useful"] > 0


def test_a_call_log_of_another_configuration_is_refused_with_the_difference(spex: Command, mark: Path) -> None:
    spex("solve", "2 + 40?", *TOY, "--log", "run.log")
    mark.unlink()
    ended = spex("solve", "2 + 40?", *TOY, "--log", "run.log", "--seed", "5")
    assert ended.code == 2
    assert "seed was '0' and is now '5'" in ended.line
    assert not mark.exists()


def test_a_deadline_gives_a_partial_result(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY, "--policy", "toy-slow", "--deadline", "0.1", "--json")
    assert ended.code == 0
    assert "deadline" in json.loads(ended.out)["solutions"][0]["partial"]


def test_a_draft_is_for_the_embedded_engine_and_refused_elsewhere(spex: Command) -> None:
    ended = spex("solve", "2 + 40?", *TOY, "--draft", "ngram")
    assert ended.code == 2
    assert ended.line.startswith("spex: --draft: 'ngram' is not valid; it is for llamacpp, in this process")


@pytest.mark.parametrize(
    ("policy", "model", "spec"),
    [
        ("llamacpp", None, "llamacpp:#ngram:4"),
        ("llamacpp", "m.gguf", "llamacpp:m.gguf#ngram:4"),
        ("llamacpp:m.gguf", None, "llamacpp:m.gguf#ngram:4"),
    ],
)
def test_a_draft_stands_behind_the_model(policy: str, model: str | None, spec: str) -> None:
    flags = {"policy": policy, "draft": "ngram:4"} | ({} if model is None else {"model": model})
    settings = load(SolveSettings, flags)
    assert options_of(settings)["policy"] == spec
