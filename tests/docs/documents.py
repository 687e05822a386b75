"""The documents of the project, taken apart: blocks of code, commands, and places that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = tuple(sorted(ROOT.glob("*.md")))

_BLOCK = re.compile(r"^ *```(?P<language>\w*)(?P<marks>[^\n]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"`((?:src|tests|scripts|benchmarks|examples|engines|\.ci)/[\w./-]*)`")
_LINK = re.compile(r"\]\(([^)#\s]+)\)")


class Block(NamedTuple):
    """A fenced block; `line` is that of its first line of text, `output` the text block right after it."""

    document: Path
    line: int
    language: str
    marks: frozenset[str]
    text: str
    output: str | None

    @property
    def place(self) -> str:
        return f"{self.document.name}:{self.line}"


def blocks_of(document: Path) -> Iterator[Block]:
    """The fenced blocks of `document`, in order."""
    source = document.read_text()
    found = list(_BLOCK.finditer(source))
    for number, match in enumerate(found, 1):
        following = found[number] if number < len(found) else None
        line = source.count("\n", 0, match.start()) + 2
        adjoins = following is not None and not source[match.end() : following.start()].strip()
        output = following["text"] if following is not None and adjoins and following["language"] == "text" else None
        marks = frozenset(match["marks"].split())
        yield Block(document, line, match["language"], marks, dedent(match["text"]), output)


def all_blocks(language: str) -> list[Block]:
    """The blocks in `language` of all documents."""
    return [block for document in DOCUMENTS for block in blocks_of(document) if block.language == language]


def commands_of(block: Block) -> list[str]:
    """The lines of a console block that are typed, without prompt and comment."""
    typed = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
    return [line.partition("  #")[0].strip() for line in typed]


def places_in(document: Path) -> set[str]:
    """The files and folders that `document` names or links to."""
    source = document.read_text()
    links = {link for link in _LINK.findall(source) if "://" not in link}
    return {*_PLACE.findall(source), *links}
