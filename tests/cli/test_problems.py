"""Problem files and standard input: what is taken, and what is refused with the number of its line."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from spex.cli.problems import problem_of_stream, problems_of_file
from spex.errors import InputError
from spex.reward.code_tests import CallTest, parsed

GOOD = '{"id": "a", "question": "1 + 1?", "answer": 2}\n{"problem": "2 + 2?"}\n{"text": "3 + 3?", "level": 5}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "problems.jsonl"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        problems_of_file(path)
    assert caught.value.field == "file"
    assert caught.value.value == str(path)
    assert "\n" not in str(caught.value)
    return caught.value.allowed


def test_question_problem_and_text_are_three_names_of_the_same_key(file: Path) -> None:
    file.write_text(GOOD)
    problems = problems_of_file(file)
    assert [problem.text for problem in problems] == ["1 + 1?", "2 + 2?", "3 + 3?"]
    assert [problem.answer for problem in problems] == ["2", None, None]
    assert problems[0].id == "a"
    assert len({problem.id for problem in problems}) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        ("\n" + GOOD.replace("\n", "\n \t\n")).encode(),
        GOOD.strip().encode(),
    ],
    ids=["byte order mark", "CRLF", "blank lines", "no last newline"],
)
def test_harmless_spellings_of_a_file_are_accepted(file: Path, data: bytes) -> None:
    file.write_text(GOOD)
    plain = problems_of_file(file)
    file.write_bytes(data)
    assert problems_of_file(file) == plain


def test_a_limit_takes_the_first_problems_and_looks_at_nothing_after_them(file: Path) -> None:
    for rest in (b"broken\n", b"caf\xe9\n", b"nul\0\n", b'{"id": "a", "text": "the id of line 1"}\n'):
        file.write_bytes(GOOD.encode() + rest)
        assert [problem.text for problem in problems_of_file(file, limit=3)] == ["1 + 1?", "2 + 2?", "3 + 3?"]
        with pytest.raises(InputError, match="line 4"):
            problems_of_file(file, limit=4)


def test_a_broken_line_is_named_by_its_number(file: Path) -> None:
    lines = [f'{{"id": "{number}", "question": "{number}?"}}' for number in range(1000)]
    file.write_text("\n".join([*lines, '{"question": "cut', *lines]))
    assert refusal(file).startswith("line 1001: ")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("[]", "object"),
        ("NaN", "it is not JSON: "),
        ("What is 1 + 1?", "it is not JSON: "),
        ('{"question": "a"', "it is not JSON: "),
        ('{"question": 3}', "question"),
        ('{"question": "a", "text": "b"}', "exactly one of the keys question, problem, text"),
        ('{"answer": "42"}', "exactly one of the keys question, problem, text"),
        ('{"question": " "}', "blank"),
        ('{"question": ""}', "blank"),
        ('{"question": "a", "id": "x\\u0000y"}', "printable"),
        ('{"question": "a", "id": "' + "x" * 300 + '"}', "200"),
        ('{"question": "a", "answer": ["b"]}', "answer"),
        ('{"question": "a", "answer": " "}', "answer: ' ' is not valid; it must be a text that is not blank"),
        ('{"question": "\\ud800"}', ""),
        ("[" * 100_000, "object"),
        ('{"mine": ' + "[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_line_that_is_no_problem_is_refused(file: Path, line: str, complaint: str) -> None:
    file.write_text('{"question": "fine"}\n\n' + line)
    allowed = refusal(file)
    assert allowed.startswith("line 3: ")
    assert complaint in allowed


def test_a_repeated_id_is_refused_with_both_lines(file: Path) -> None:
    file.write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}\n{"id": "a", "text": "z"}\n')
    assert refusal(file) == "line 3: id 'a' repeats that of line 1"


def test_a_question_that_repeats_without_ids_is_refused_with_both_lines_and_what_helps(file: Path) -> None:
    file.write_text('{"text": "x"}\n{"text": "y"}\n{"question": "x", "answer": 3}\n')
    assert refusal(file) == 'line 3: the question repeats that of line 1; give each of them an "id" of its own'
    file.write_text('{"id": 1, "text": "x"}\n{"text": "x"}\n{"id": 2, "text": "x"}\n')
    assert len(problems_of_file(file)) == 3


def test_a_number_and_its_spelling_are_the_same_id(file: Path) -> None:
    file.write_text('{"id": 7, "text": "x"}\n{"id": "7", "text": "y"}\n')
    assert "repeats" in refusal(file)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_refused_by_name(file: Path, encoding: str) -> None:
    file.write_bytes(GOOD.encode(encoding))
    assert "UTF-16" in refusal(file)


def test_bytes_that_are_no_utf8_are_refused_with_their_line(file: Path) -> None:
    file.write_bytes(GOOD.encode() + b'{"text": "caf\xe9"}\n')
    assert refusal(file) == "line 4: it must be UTF-8, and this is not"


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_problems_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    assert "at least one problem" in refusal(file)


def test_a_missing_file_a_directory_and_a_pipe_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in refusal(tmp_path / "missing.jsonl")
    assert "directory" in refusal(tmp_path)
    assert "pipe" in refusal(tmp_path / "pipe")
    assert refusal(tmp_path / ("x" * 5000))
    assert refusal(Path("nul\0byte"))


def test_an_unreadable_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(GOOD)

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert "Permission denied" in refusal(file)


def test_standard_input_is_one_problem() -> None:
    problem = problem_of_stream(BytesIO("What is 宽?\nTell me.\n".encode()), answer="wide")
    assert problem.text == "What is 宽?\nTell me."
    assert problem.answer == "wide"


@pytest.mark.parametrize("data", [b"", b" \n", b"caf\xe9", "text".encode("utf-16"), b"nul\x00"])
def test_standard_input_that_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"stdin|problem"):
        problem_of_stream(BytesIO(data))


def test_tests_are_assertions_or_what_goes_in_and_comes_out(file: Path) -> None:
    file.write_text(
        '{"text": "Add.", "tests": ["assert add(1, 2) == 3", {"call": "add(1, 1)", "expected": {"a": [null, true]}},'
        ' {"input": "1 2", "output": "3"}]}'
    )
    (problem,) = problems_of_file(file)
    assert problem.tests == ("assert add(1, 2) == 3", "assert (add(1, 1)) == {'a': [None, True]}", ("1 2", "3"))


@pytest.mark.parametrize(
    "tests",
    ['"assert f() == 1"', "[1]", '[{"call": "f()"}]', '[{"input": "a", "output": 1}]', '[{"call": 1, "expected": 1}]'],
)
def test_tests_of_another_form_are_refused(file: Path, tests: str) -> None:
    file.write_text(f'{{"text": "Add.", "tests": {tests}}}')
    assert "line 1" in refusal(file)
    assert "tests" in refusal(file)


def test_a_call_that_is_a_tuple_is_compared_whole(file: Path) -> None:
    file.write_text('{"text": "Add.", "tests": [{"call": "f(1), f(2)", "expected": [2, 3]}]}')
    (problem,) = problems_of_file(file)
    assert [parsed(test) for test in problem.tests] == [CallTest("(f(1), f(2))", [2, 3])]


@pytest.mark.parametrize(
    "call",
    [
        "f(1)  # two",
        "# f(1)",
        "",
        "f(1",
        "f(1)) == 2 or (True",
        "f(1)) # (",
        "f(1); g(1)",
        "x = f(1)",
        "x := 1",
        "(" * 999,
    ],
)
def test_a_call_that_is_not_one_expression_is_refused_with_its_line(file: Path, call: str) -> None:
    file.write_text(f'{{"text": "Add."}}\n{{"text": "Add more.", "tests": [{{"call": "{call}", "expected": 2}}]}}')
    told = refusal(file)
    assert "line 2" in told
    assert "call" in told
    assert "one expression" in told
