"""Code in a model's text: what stands between lines of three backquotes."""

from __future__ import annotations

from typing import NamedTuple

_FENCE = "```"


class Block(NamedTuple):
    """The code of a fenced block; `closed`: its last line of backquotes is there."""

    code: str
    closed: bool


def last_block(text: str) -> Block | None:
    """The last fenced block of `text`, None where there is none; one that is still open goes on to the text's end.

    A fence is a line that begins with three backquotes, after white space at most. Linear in the text.
    """
    found: Block | None = None
    inside: list[str] | None = None
    for line in text.splitlines(keepends=True):
        if not line.lstrip().startswith(_FENCE):
            if inside is not None:
                inside.append(line)
        elif inside is None:
            inside = []
        else:
            found, inside = Block("".join(inside), closed=True), None
    return found if inside is None else Block("".join(inside), closed=False)
