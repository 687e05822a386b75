"""Problems from a file, from standard input or from the command line, all checked before anything starts."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from spex.errors import InputError
from spex.problem import Problem

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class _Record(msgspec.Struct):
    """One line of a problems file; keys beyond these are the user's own."""

    id: str | int | None = None
    question: str | None = None
    problem: str | None = None
    text: str | None = None
    answer: str | int | float | None = None


def problems_of_file(path: Path, limit: int | None = None) -> tuple[Problem, ...]:
    """The first `limit` problems of a JSON Lines file: `question`, `problem` or `text`; `id` and `answer` if any.

    Blank lines, a byte order mark and CRLF are accepted. Everything else that is not right
    raises `InputError` with the number of its line, in the part beyond `limit` too.
    """
    text = _decoded(_bytes_of(path), "file", str(path))
    problems: list[Problem] = []
    lines_of_ids: dict[str, int] = {}
    for number, line in _lines(text):
        try:
            problem = _problem_of_line(line)
        except (InputError, msgspec.MsgspecError, RecursionError) as error:
            raise InputError("file", str(path), f"line {number}: {error}") from None
        first = lines_of_ids.setdefault(problem.id, number)
        if first != number:
            raise InputError("file", str(path), f"line {number}: id {problem.id!r} repeats that of line {first}")
        problems.append(problem)
    if not problems:
        raise InputError("file", str(path), "it must hold at least one problem")
    return tuple(problems[:limit])


def problem_of_stream(stream: BinaryIO, answer: str | None = None) -> Problem:
    """All of `stream` as one problem, in UTF-8. Raises `InputError`."""
    return Problem(_decoded(stream.read(), "stdin", "-").strip(), answer=answer)


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


def _decoded(data: bytes, field: str, name: str) -> str:
    if data.startswith(_UTF16):
        raise InputError(field, name, "line 1: it must be UTF-8, and this is UTF-16")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(field, name, f"line {line}: it must be UTF-8 text, and this has NUL bytes (UTF-16 has them)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(field, name, f"line {line}: it must be UTF-8, and this is not") from None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _problem_of_line(line: str) -> Problem:
    record = msgspec.json.decode(line.encode(), type=_Record)
    texts = [text for text in (record.question, record.problem, record.text) if text is not None]
    if len(texts) != 1:
        raise msgspec.ValidationError("it must have exactly one of the keys question, problem, text")
    return Problem(texts[0], id=_spelled(record.id) or "", answer=_spelled(record.answer))


def _spelled(value: str | float | None) -> str | None:
    return None if value is None else str(value)
