"""Hostile text made safe to look at: nothing invisible, nothing that moves a cursor or turns the text around."""

from __future__ import annotations

import re
from unicodedata import category, east_asian_width

_BLANKS = re.compile(r"[ \t\r\n]+")


def visible(text: str, keep: str = "") -> str:
    r"""`text` with every control and format character shown as a symbol (␛) or an escape (`\u202e`).

    Spaces of any kind stay, and so do the characters of `keep` (a newline, say).
    """
    if text.isprintable():
        return text
    return "".join(character if _is_plain(character, keep) else _symbol(character) for character in text)


def one_line(text: str, cells: int) -> str:
    """`text` made visible on one line of at most `cells` terminal cells (≥ 1), with an ellipsis where it was cut."""
    # Work stays in proportion to what is shown: a step may be a megabyte long.
    line = visible(_BLANKS.sub(" ", text[: 16 * cells]).strip())
    cut = _fitting(line, cells)
    if cut == len(line) and len(text) <= 16 * cells:
        return line
    return line[: _fitting(line, cells - 1)] + "…"


def cells_of(line: str) -> int:
    """Terminal cells of `line`, at most; a combining mark counts as one, so that a pile of them ends too."""
    return sum(map(_cells, line))


def _fitting(line: str, cells: int) -> int:
    """How many characters of `line` fit into `cells`."""
    for position, character in enumerate(line):
        cells -= _cells(character)
        if cells < 0:
            return position
    return len(line)


def _cells(character: str) -> int:
    return 2 if east_asian_width(character) in "WF" else 1


def _is_plain(character: str, keep: str) -> bool:
    return character in keep or character.isprintable() or category(character) == "Zs"


def _symbol(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else ascii(character)[1:-1]
