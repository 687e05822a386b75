"""A judge that writes a verdict against a rubric, and ends it with a number from 0 to 10.

What a model writes is never trusted: a verdict without a line of its own for the number scores 0.5, and is counted.
"""

from __future__ import annotations

import re

from spex.engine.base import Engine, Path, Progress, Scoring, Server
from spex.errors import InputError
from spex.reward.asked import Asked, last_line
from spex.seeds import seed_of

RUBRIC = (
    "9 to 10: every step is right, and brings the solution on.\n"
    "6 to 8: no error that matters so far, but detours or gaps.\n"
    "3 to 5: it is doubtful whether this leads to the right answer.\n"
    "0 to 2: a step is wrong, or the text has nothing to do with the problem."
)
UNREAD = 0.5
"""The score of a verdict that cannot be read."""

_QUESTION = (
    "Judge a partial solution of a problem. It may be unfinished: judge what is there.\n\n"
    "Problem:\n{problem}\n\nSolution so far, between the lines of dashes:\n"
    "----------\n{solution}\n----------\n\nRubric:\n{rubric}\n\n"
    "First say in a few sentences what is right and what is wrong. Then end with a last line of its own that "
    "says nothing but this, in digits:\nScore: <a number from 0 to 10>"
)
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_SCORE = re.compile(
    rf"score ?(?:\(0 ?- ?10\) ?)?: ?(?:{_NUMBER}(?: ?/ ?10)?|\\boxed ?\{{ ?{_NUMBER} ?\}})", re.IGNORECASE | re.ASCII
)
_PLACES = re.compile(r"\{(problem|solution|rubric)\}")
_HIGHEST = 10.0


class Rubric:
    r"""Score = the number in the judge's last line of the form `Score: 8`, divided by 10.

    `Score: 8/10`, `Score: \boxed{8}` and `Score (0-10): 8` are of that form too, with a point where the number has
    decimals; markup (`*`, `_`, `#`, backticks) makes no difference. A line that says anything else as well is not read.

    rubric: what the numbers mean, at most 16,384 characters. `unread` counts the verdicts that could not be read.
    temperature (0 to 100): where the judge is a deterministic SGLang server that also serves the policy, keep it above
    0. tokens_max: of a verdict, 1 to 65536. Raises `InputError`.
    """

    def __init__(
        self, engine: Engine, rubric: str = RUBRIC, *, temperature: float = 0.7, tokens_max: int = 512
    ) -> None:
        if not isinstance(rubric, str) or not rubric.strip() or len(rubric) > 1 << 14:
            raise InputError("rubric", rubric, "it must be a text of 1 to 16384 characters")
        self._asked = Asked(engine, temperature, tokens_max)
        self._rubric = rubric
        self.unread: int = 0

    @property
    def name(self) -> str:
        return f"rubric@{self._asked.engine.name}"

    @property
    def server(self) -> Server:
        return self._asked.engine

    async def open(self) -> None:
        await self._asked.engine.open()

    async def close(self) -> None:
        await self._asked.engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        found = [await self._judged(request, number, path, progress) for number, path in enumerate(request.paths)]
        self.unread += found.count(None)
        return tuple(UNREAD if score is None else score for score in found)

    async def _judged(self, request: Scoring, number: int, path: Path, progress: Progress) -> float | None:
        question = filled(_QUESTION, {"problem": request.problem.text, "solution": path.text, "rubric": self._rubric})
        seed = seed_of(request.seed, request.problem.id, "judge", request.model, path.prompt.digest, index=number)
        return score_in(await self._asked.text(question, request.key, seed, progress))


def score_in(text: str) -> float | None:
    """The score in the last line of `text` that gives one, in [0, 1]; None where none does, or it is above 10."""
    found = last_line(text, _SCORE)
    if found is None:
        return None
    number = float(found[1] or found[2])
    return number / _HIGHEST if number <= _HIGHEST else None


def filled(template: str, values: dict[str, str]) -> str:
    """`template` with its places filled; what a value looks like makes no difference."""
    return _PLACES.sub(lambda place: values[place[1]], template)
