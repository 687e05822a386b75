"""Problems from a file, from standard input or from the command line, each checked before anything starts."""

from __future__ import annotations

import ast
import stat
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from spex.errors import InputError
from spex.problem import CodeTest, Problem

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class _Record(msgspec.Struct):
    """One line of a problems file; keys beyond these are the user's own."""

    id: str | int | None = None
    question: str | None = None
    problem: str | None = None
    text: str | None = None
    answer: str | int | float | None = None
    tests: list[str | dict[str, object]] = []


class _Found(NamedTuple):
    """A problem, the number of its line, and whether its id was given there; else it comes from the question."""

    line: int
    problem: Problem
    names_itself: bool


def problems_of_file(path: Path, limit: int | None = None) -> tuple[Problem, ...]:
    """The first `limit` problems of a JSON Lines file: `question`, `problem` or `text`; `id`, `answer`, `tests` if any.

    A test is an assertion, or an object with the keys `call` (one expression) and `expected`, or `input` and `output`.

    Blank lines, a byte order mark and CRLF are accepted. Everything else that is not right raises
    `InputError` with the number of its line; lines after the last problem that is taken are not looked at.
    """
    found: dict[str, _Found] = {}
    for number, line in _lines(_bytes_of(path), "file", str(path)):
        if line.strip():
            one = _found(number, line, path)
            first = found.setdefault(one.problem.id, one)
            if first is not one:
                raise InputError("file", str(path), f"line {number}: {_repetition(one, first)}")
        if len(found) == limit:
            break
    if not found:
        raise InputError("file", str(path), "it must hold at least one problem")
    return tuple(one.problem for one in found.values())


def problem_of_stream(stream: BinaryIO, answer: str | None = None) -> Problem:
    """All of `stream` as one problem, in UTF-8. Raises `InputError`."""
    text = "\n".join(line for _, line in _lines(stream.read(), "stdin", "-"))
    return Problem(text.strip(), answer=answer)


def _bytes_of(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "directory" if stat.S_ISDIR(mode) else "pipe or device"
            raise InputError("file", str(path), f"it must be a regular file, not a {kind}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError("file", str(path), f"it cannot be read: {reason}") from None


def _lines(data: bytes, field: str, name: str) -> Iterator[tuple[int, str]]:
    """Each line with its number, decoded when its turn comes. Raises `InputError`."""
    if data.startswith(_UTF16):
        raise InputError(field, name, "line 1: it must be UTF-8, and this is UTF-16")
    for number, line in enumerate(data.removeprefix(BOM_UTF8).split(b"\n"), start=1):
        if b"\0" in line:
            complaint = f"line {number}: it must be UTF-8 text, and this has NUL bytes (UTF-16 has them)"
            raise InputError(field, name, complaint)
        try:
            yield number, line.decode()
        except UnicodeDecodeError:
            raise InputError(field, name, f"line {number}: it must be UTF-8, and this is not") from None


def _found(number: int, line: str, path: Path) -> _Found:
    try:
        record = msgspec.json.decode(line.encode(), type=_Record)
        return _Found(number, _problem_of(record), names_itself=_spelled(record.id) not in {None, ""})
    except (InputError, msgspec.ValidationError) as error:
        complaint = f"{error}"
    except msgspec.MsgspecError as error:
        complaint = f"it is not JSON: {str(error).removeprefix('JSON is malformed: ')}"
    except RecursionError:
        complaint = "it is nested too deeply"
    raise InputError("file", str(path), f"line {number}: {complaint}")


def _problem_of(record: _Record) -> Problem:
    texts = [text for text in (record.question, record.problem, record.text) if text is not None]
    if len(texts) != 1:
        raise msgspec.ValidationError("it must have exactly one of the keys question, problem, text")
    tests = tuple(map(_test, record.tests))
    return Problem(texts[0], id=_spelled(record.id) or "", answer=_spelled(record.answer), tests=tests)


def _test(given: str | dict[str, object]) -> CodeTest:
    match given:
        case str():
            return given
        case {"call": str(call), "expected": expected} if len(given) == 2:
            _refuse_other_than_expression(call)
            return f"assert ({call}) == {expected!r}"  # what JSON has is written alike in Python
        case {"input": str(read), "output": str(printed)} if len(given) == 2:
            return (read, printed)
    allowed = 'an assertion, {"call": …, "expected": …} or {"input": …, "output": …}'
    raise msgspec.ValidationError(f"each of its tests must be {allowed}")


def _refuse_other_than_expression(call: str) -> None:
    """Alone and in parentheses it must be one: what closes them or comments them out is none in one of the two."""
    try:
        for text in (call.strip(), f"({call})"):
            ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise msgspec.ValidationError(f"tests: the call {call[:80]!r} must be one expression of Python") from None


def _repetition(one: _Found, first: _Found) -> str:
    if one.names_itself or first.names_itself:
        return f"id {one.problem.id!r} repeats that of line {first.line}"
    return f'the question repeats that of line {first.line}; give each of them an "id" of its own'


def _spelled(value: str | float | None) -> str | None:
    return None if value is None else str(value)
