"""Votes of Tree of Thoughts (Yao et al. 2023, arXiv 2305.10601): which of these is the most promising?

The model sees all paths of a request side by side, reasons, and names one by its number. Several votes are several
calls of a search, each with a seed of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from spex.engine.base import Engine, Path, Progress, Scoring, Server
from spex.reward.asked import Asked, last_line
from spex.reward.rubric import filled
from spex.seeds import seed_of

_QUESTION = (
    "Problem:\n{problem}\n\nBelow are partial solutions of it. Which one is the most promising?\n\n{solution}\n\n"
    "Compare them briefly. Then end with a last line of its own that says nothing but this, in digits:\n"
    "The best choice is <its number>"
)
_CHOICE = re.compile(r"(?:the )?best choice is:? ?([0-9]+) ?\.?", re.IGNORECASE | re.ASCII)
_DIGITS_MAX = 6


class Vote:
    """1 for the path that the model names, 0 for the others of the request; a vote that cannot be read is shared.

    A single path wins without a vote. `unread` counts the votes that named none of the paths. temperature: 0 to 100.
    tokens_max: of one text, 1 to 65536. Raises `InputError`.
    """

    def __init__(self, engine: Engine, *, temperature: float = 0.7, tokens_max: int = 512) -> None:
        self._asked = Asked(engine, temperature, tokens_max)
        self.unread: int = 0

    @property
    def name(self) -> str:
        return f"vote@{self._asked.engine.name}"

    @property
    def server(self) -> Server:
        return self._asked.engine

    async def open(self) -> None:
        await self._asked.engine.open()

    async def close(self) -> None:
        await self._asked.engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        count = len(request.paths)
        if count < 2:
            return (1.0,) * count
        question = filled(_QUESTION, {"problem": request.problem.text, "solution": _side_by_side(request.paths)})
        seed = seed_of(request.seed, request.problem.id, "vote", request.model, "")
        chosen = choice_in(await self._asked.text(question, request.key, seed, progress), count)
        if chosen is None:
            self.unread += 1
            return (1.0 / count,) * count
        return tuple(float(number == chosen) for number in range(1, count + 1))


def choice_in(text: str, count: int) -> int | None:
    """The number, from 1 to `count`, in the last line of `text` that is a vote; None where none is, or for no path."""
    found = last_line(text, _CHOICE)
    number = int(found[1]) if found is not None and len(found[1]) <= _DIGITS_MAX else 0
    return number if 1 <= number <= count else None


def _side_by_side(paths: Sequence[Path]) -> str:
    return "\n\n".join(f"Choice {number}:\n{path.text.strip()}" for number, path in enumerate(paths, start=1))
