"""A process reward model (PRM) with label tokens, on any engine that tells the probabilities of tokens.

The score of a path is that of its last step: what is asked is the label after it, one token, behind all that the engine
has seen of the path before and has in its prefix cache. What the policy wrote is encoded again, as text, by the PRM's
own engine, so that nothing in it becomes a control token; the label is read at our place alone, after the last step.
"""

from __future__ import annotations

from collections.abc import Sequence

from spex.engine.base import Engine, Labelling, Path, Progress, Scoring, Server
from spex.engine.told import checked_chances
from spex.errors import InputError, Misbehaving, Unreachable
from spex.prompt import Prompt
from spex.reward.chat_frames import ChatFrames, chat_frames, dialogue
from spex.reward.control_tokens import control_token, only_token
from spex.reward.encoder import Encoder
from spex.reward.given_engine import given_engine
from spex.reward.known_answer import check_known_answer
from spex.reward.memory import Memory
from spex.reward.one_by_one import one_by_one
from spex.reward.prm_catalog import find_form
from spex.reward.prm_form import PrmForm, pieces_of, steps_of
from spex.reward.remedy import SERVED

UNKNOWN = 0.5
"""The score of a path without a step, and of one where the model would say neither label."""


class Prm:
    """Score = P(good) / (P(good) + P(bad)) after the last step, as `form` lays the solution out.

    form: a `PrmForm`, or the name of one, or of a model (`spex prm`). Blank steps are not shown to the model; a path
    without any other scores 0.5, and so does one where it would say neither label. Scores are kept by a path's whole
    content, the last 65,536 of them. `open` makes two requests: each label must be one token (`InputError`), and a
    right and a wrong solution of a small problem, or of the form's `known`, must be told apart (`Misbehaving`). Raises
    `InputError`.
    """

    def __init__(self, engine: Engine, form: PrmForm | str = "math-shepherd") -> None:
        found = find_form(form) if isinstance(form, str) else form
        if not isinstance(found, PrmForm):
            raise InputError("form", found.name, "it is of a PRM with a score head: that is ScoreHead's")
        self._engine = given_engine(engine)
        self._form = found
        self._labels: tuple[int, int] | None = None
        self._begin: tuple[int, ...] = ()
        self._tag: tuple[int, ...] = ()
        self._frames: ChatFrames | None = None
        self._encoder = Encoder(engine.encode)
        self._known: Memory[str, float] = Memory()

    @property
    def name(self) -> str:
        return f"prm:{self._form.name}@{self._engine.name}"

    @property
    def server(self) -> Server:
        return self._engine

    async def open(self) -> None:
        """Raises `InputError` and `EngineError`; then the engine is closed again."""
        try:
            await self._engine.open()
        except InputError as error:  # an engine takes itself for a policy
            raise InputError(
                "reward" if error.field == "policy" else error.field, error.value, error.allowed
            ) from error
        try:
            await self._learn()
        except BaseException:
            await self._engine.close()
            raise

    async def close(self) -> None:
        await self._engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        async def score(path: Path, own: Progress) -> float:
            steps = steps_of(path)
            return await self._score(request.key, request.problem.text, steps, own) if steps else UNKNOWN

        return await one_by_one(request, progress, score, SERVED)

    async def _score(self, key: str, problem: str, steps: Sequence[str], progress: Progress) -> float:
        if self._labels is None:
            raise Unreachable(self.name, "it is not open")
        prompt = Prompt([await self._tokens(problem, steps)])
        asked = Labelling(key, prompt, self._labels)
        return await self._known.said(prompt.digest, lambda: self._probability(asked, progress))

    async def _probability(self, asked: Labelling, progress: Progress) -> float:
        told = await self._engine.label(asked, progress)
        if len(told) != 2:
            raise Misbehaving(self.name, "a probability for each label", told)
        good, bad = checked_chances(told, self.name)
        if not self._form.of_two:
            return good
        return good / (good + bad) if good + bad > 0.0 else UNKNOWN

    async def _tokens(self, problem: str, steps: Sequence[str]) -> tuple[int, ...]:
        form = self._form
        pieces = pieces_of(form, problem, steps)
        if form.chat:
            return await self._chat_tokens(pieces)
        if form.control:
            parts = [(*await self._encoder.tokens(piece), *self._tag) for piece in pieces]
            return (*self._begin, *(token for part in parts for token in part))
        # In one go, as the model was trained: a part of a text alone may be other tokens than within it.
        token_ids = await self._engine.encode("".join(piece + form.tag for piece in pieces))
        if token_ids[-1:] != self._tag[-1:]:
            raise Misbehaving(
                self._engine.name, f"a text that ends in the token of the tag {form.tag!r}", token_ids[-4:]
            )
        return (*self._begin, *token_ids)

    async def _chat_tokens(self, turns: Sequence[str]) -> tuple[int, ...]:
        good = self._form.good
        if self._frames is None:
            return await self._engine.encode_chat(dialogue(turns, good))
        encoded = [await self._encoder.tokens(turn) for turn in turns]
        return self._frames.tokens(encoded, await self._encoder.tokens(good))

    async def _learn(self) -> None:
        form, engine = self._form, self._engine
        self._encoder.forget()
        self._known.forget()
        if not engine.capabilities.label_scores:
            raise InputError("reward", self.name, f"{engine.name} tells no probabilities of single tokens")
        await self._learn_tokens()
        if form.chat:
            self._frames = await chat_frames(engine, form.good)

        async def score(problem: str, steps: tuple[str, ...]) -> float:
            return await self._score("known answer", problem, steps, Progress())

        await check_known_answer(score, self.name, SERVED, form.known)

    async def _learn_tokens(self) -> None:
        form, engine = self._form, self._engine
        self._labels = (await self._label("good", form.good), await self._label("bad", form.bad))
        if self._labels[0] == self._labels[1]:
            raise InputError("form.bad", form.bad, f"for the model of {engine.name} it is the same token as form.good")
        self._begin = (await control_token(engine, "begin", form.begin),) if form.begin else ()
        if form.control:
            self._tag = (await control_token(engine, "tag", form.tag),)
        elif form.tag:
            self._tag = await engine.encode(form.tag)

    async def _label(self, field: str, label: str) -> int:
        return only_token(await self._engine.encode(label), field, label, self._engine.name)
