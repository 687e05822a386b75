"""The policy (or any engine) as judge: the probability of "Yes" when it is asked whether a solution is right so far."""

from __future__ import annotations

from spex.engine.base import Engine, Labelling, Message, Path, Progress, Scoring, Server
from spex.engine.told import checked_chances
from spex.errors import InputError, Misbehaving, Unreachable
from spex.prompt import Prompt
from spex.reward.given_engine import given_engine
from spex.reward.known_answer import check_known_answer
from spex.reward.memory import Memory
from spex.reward.one_by_one import one_by_one

_QUESTION = (
    "Problem:\n{problem}\n\nSolution so far, between the lines of dashes:\n"
    "----------\n{solution}\n----------\n\n"
    "Is every step of the solution so far correct? Answer with one word, Yes or No."
)
_ADVICE = "is it a model that answers at once, in a word? the reward rubric reads what others write"


class Judge:
    """Score = P("Yes") / (P("Yes") + P("No")) as the judge's first word; 0.5 where it would say neither.

    What it judges is encoded as text: nothing in it becomes a control token. `open` asks what tokens the two words are:
    each must be one, and they must differ (`InputError`). Where a token is a byte of the text, their first bytes are
    what is asked for. An engine that tells no probabilities of tokens is refused there, too (`InputError`), and one
    that finds a right solution of a small problem, a wrong one and what else it is asked all exactly as good
    (`Misbehaving`). Scores are kept by what is judged, the last 65,536 of them. Raises `InputError` for what is no
    engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = given_engine(engine)
        self._labels: tuple[int, int] | None = None
        self._known: Memory[str, float] = Memory()

    @property
    def name(self) -> str:
        return f"judge:{self._engine.name}"

    @property
    def server(self) -> Server:
        return self._engine

    async def open(self) -> None:
        """Raises `InputError` and `EngineError`; then the engine is closed again."""
        await self._engine.open()
        try:
            self._known.forget()  # another model may be served by now
            self._labels = await self._learnt()
            await check_known_answer(self._known_score, self.name, _ADVICE)
        except BaseException:
            await self._engine.close()
            raise

    async def close(self) -> None:
        await self._engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        async def score(path: Path, own: Progress) -> float:
            return await self._score(request.key, request.problem.text, path.text, own)

        return await one_by_one(request, progress, score, _ADVICE)

    async def _known_score(self, problem: str, steps: tuple[str, ...]) -> float:
        return await self._score("known answer", problem, "\n\n".join(steps), Progress())

    async def _score(self, key: str, problem: str, solution: str, progress: Progress) -> float:
        if self._labels is None:
            raise Unreachable(self.name, "it is not open")
        text = _QUESTION.format(problem=problem, solution=solution)
        prompt = Prompt([await self._engine.encode_chat([Message("user", text)])])
        asked = Labelling(key, prompt, self._labels)
        return await self._known.said(prompt.digest, lambda: self._probability(asked, progress))

    async def _probability(self, asked: Labelling, progress: Progress) -> float:
        told = await self._engine.label(asked, progress)
        if len(told) != 2:
            raise Misbehaving(self.name, "a probability for Yes and one for No", told)
        yes, no = checked_chances(told, self.name)
        return yes / (yes + no) if yes + no > 0.0 else 0.5

    async def _learnt(self) -> tuple[int, int]:
        if not self._engine.capabilities.label_scores:
            told = f"{self._engine.name} tells no probabilities of single tokens"
            advice = "take the reward rubric, which reads what a judge writes, or judge@ENGINE with another engine"
            raise InputError("reward", self.name, f"{told}: {advice}")
        yes, no = await self._token("Yes"), await self._token("No")
        if yes == no:
            raise InputError("reward", self.name, f"for the model of {self._engine.name} Yes and No are the same token")
        return yes, no

    async def _token(self, word: str) -> int:
        token_ids = await self._engine.encode(word)
        if len(token_ids) != 1 and token_ids != tuple(word.encode()):
            told = f"{word} must be one token of the model of {self._engine.name}, and it is {len(token_ids)}"
            raise InputError("reward", self.name, told)
        return token_ids[0]
