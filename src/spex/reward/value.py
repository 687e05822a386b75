"""Values of Tree of Thoughts (Yao et al. 2023, arXiv 2305.10601): can the answer be reached from here?

The model reasons and ends with a line of one word: `sure`, `likely` or `impossible`, which count 20, 1 and 0.001 as in
the paper's own program, here divided by 20. Several samples of a value are several calls of a search, each with a seed
of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from spex.engine.base import Engine, Path, Progress, Scoring, Server
from spex.reward.asked import Asked, last_line
from spex.reward.rubric import filled
from spex.seeds import seed_of

VALUES: Mapping[str, float] = MappingProxyType({"sure": 1.0, "likely": 1 / 20, "impossible": 0.001 / 20})
"""What each word counts."""

UNREAD = VALUES["likely"]
"""What a text without a line of one of them counts."""

_QUESTION = (
    "Problem:\n{problem}\n\nSolution so far, between the lines of dashes:\n"
    "----------\n{solution}\n----------\n\n"
    "Can the right answer be reached from here? If an answer is given already, is it right? Check the steps briefly. "
    "Then end with a last line of its own that says nothing but one word: sure, likely or impossible."
)
_WORD = re.compile(rf"({'|'.join(VALUES)}) ?\.?", re.IGNORECASE | re.ASCII)


class Value:
    """The value of each path by itself, in (0, 1]. `unread` counts the texts without a line of one of the words.

    temperature: 0 to 100. tokens_max: of one text, 1 to 65536. Raises `InputError`.
    """

    def __init__(self, engine: Engine, *, temperature: float = 0.7, tokens_max: int = 256) -> None:
        self._asked = Asked(engine, temperature, tokens_max)
        self.unread: int = 0

    @property
    def name(self) -> str:
        return f"value@{self._asked.engine.name}"

    @property
    def server(self) -> Server:
        return self._asked.engine

    async def open(self) -> None:
        await self._asked.engine.open()

    async def close(self) -> None:
        await self._asked.engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        found = [await self._valued(request, number, path, progress) for number, path in enumerate(request.paths)]
        self.unread += found.count(None)
        return tuple(UNREAD if value is None else value for value in found)

    async def _valued(self, request: Scoring, number: int, path: Path, progress: Progress) -> float | None:
        question = filled(_QUESTION, {"problem": request.problem.text, "solution": path.text})
        seed = seed_of(request.seed, request.problem.id, "value", request.model, path.prompt.digest, index=number)
        found = last_line(await self._asked.text(question, request.key, seed, progress), _WORD)
        return VALUES[found[1].lower()] if found is not None else None
