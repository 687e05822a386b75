"""The policy (or any engine) as judge: the probability of "Yes" when it is asked whether a solution is right so far."""

from __future__ import annotations

from spex.engine.base import Engine, Labelling, Message, Progress, Scoring, Server
from spex.prompt import Prompt

_QUESTION = (
    "Problem:\n{problem}\n\nSolution so far, between the lines of dashes:\n"
    "----------\n{solution}\n----------\n\n"
    "Is every step of the solution so far correct? Answer with one word, Yes or No."
)


class Judge:
    """Score = P("Yes") / (P("Yes") + P("No")) as the judge's first word; 0.5 where it would say neither.

    What it judges is encoded as text: nothing in it becomes a control token.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._labels: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return f"judge:{self._engine.name}"

    @property
    def server(self) -> Server:
        return self._engine

    async def open(self) -> None:
        await self._engine.open()

    async def close(self) -> None:
        await self._engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        scores = []
        for path in request.paths:
            text = _QUESTION.format(problem=request.problem.text, solution=path.text)
            prompt = Prompt([await self._engine.encode_chat([Message("user", text)])])
            yes, no = await self._engine.label(Labelling(request.key, prompt, await self._yes_no()), progress)
            scores.append(yes / (yes + no) if yes + no > 0.0 else 0.5)
        return tuple(scores)

    async def _yes_no(self) -> tuple[int, int]:
        if self._labels is None:
            self._labels = ((await self._engine.encode("Yes"))[0], (await self._engine.encode("No"))[0])
        return self._labels
