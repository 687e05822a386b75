r"""Where a text states its final answer.

Two patterns count, whichever is complete first:

- a line that begins with `Answer: X`, `Final answer: X` or `The answer is X` in any case, perhaps
  after `So`, `Thus`, `Hence` or `Therefore`; marks of Markdown before the label and around X are
  ignored; where nothing follows the label on its line, the next line that is not blank is X;
- `\boxed{X}` anywhere, with balanced braces.

A text that was cut (by a token limit or the context) may go on, so an answer that its end touches
is none yet. Everything here is linear in the text, which is a model's and may be anything.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LENGTH_MAX = 1_000
_MARKS = " \t\r*_`"
_LABEL = re.compile(
    r"^[ \t>#*_-]{0,12}(?:(?:so|thus|hence|therefore),? )?(?:the )?(?:final )?"
    r"answer[*_]{0,3}(?: is\b|[ \t]{0,3}:)[ \t:=*_]{0,8}",
    re.IGNORECASE | re.ASCII | re.MULTILINE,
)
_HASHES = re.compile(r"^####[ \t]", re.MULTILINE)
_BRACE = re.compile(r"\\boxed[ ]?\{|[{}]")
_BLANK = re.compile(r"\s*")


class Stated(NamedTuple):
    """An answer as it was written, without the marks around it, and where in the text it is complete."""

    answer: str
    end: int


def stated_answer(text: str, *, cut: bool, hashes: bool = False) -> Stated | None:
    """The first final answer of `text`, of at most 1,000 characters.

    cut: the text may go on in the middle of a line. hashes: `#### X` is a label too.
    """
    # The box comes first: where a label's line ends with one, both are complete at the same place.
    found = [_boxed(text), _labelled(text, _LABEL, cut=cut)]
    if hashes:
        found.append(_labelled(text, _HASHES, cut=cut))
    return min((stated for stated in found if stated is not None), key=lambda stated: stated.end, default=None)


def _labelled(text: str, label: re.Pattern[str], *, cut: bool) -> Stated | None:
    """What the first label with an answer is followed by."""
    for match in label.finditer(text):
        start = _after_blank(text, match.end())
        if label.match(text, start):
            continue
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        answer = _bare(text[start:end]) if end - start <= _LENGTH_MAX else ""
        if answer and not (cut and newline < 0):
            return Stated(answer, end)
    return None


def _after_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return position if match is None else match.end()


def _bare(answer: str) -> str:
    r"""The answer without Markdown and without `$…$` or `\(…\)` around it."""
    answer = answer.strip(_MARKS)
    for opening, closing in (("$", "$"), ("\\(", "\\)")):
        if len(answer) > len(opening + closing) and answer.startswith(opening) and answer.endswith(closing):
            answer = answer[len(opening) : -len(closing)].strip(_MARKS)
    return answer


def _boxed(text: str) -> Stated | None:
    r"""The content of the first `\boxed{…}` that closes."""
    opened: list[int | None] = []
    for match in _BRACE.finditer(text):
        if match[0] != "}":
            opened.append(None if match[0] == "{" else match.end())
            continue
        start = opened.pop() if opened else None
        answer = "" if start is None or match.start() - start > _LENGTH_MAX else text[start : match.start()]
        if answer.strip(_MARKS):
            return Stated(_bare(answer), match.end())
    return None
