"""A process reward model (PRM) with a score head, behind vLLM's `/pooling` or SGLang's `/classify`.

Such a model reads a path anew each time, and one request is made for a path. What it says there of the earlier steps
is not theirs: numbers of one place differ in their last digits with what else is in a request, and a path's score must
not depend on which paths were asked for before it. The form's own frames and tags may name control tokens; what of
their names is cut in the text of others, `HeadForm` says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import exp, fsum, isfinite
from typing import NamedTuple

from spex.engine.base import Path, Progress, Scoring, Server
from spex.engine.http import Deadlines
from spex.engine.retrying import PATIENCE_SECONDS
from spex.engine.server_tokens import cut_within
from spex.errors import InputError, Misbehaving
from spex.prompt import Prompt
from spex.reward.encoder import Encoder
from spex.reward.head_server import HeadServer
from spex.reward.known_answer import check_known_answer
from spex.reward.memory import Memory
from spex.reward.one_by_one import one_by_one
from spex.reward.pooling import POOLINGS, Rows
from spex.reward.prm import UNKNOWN
from spex.reward.prm_catalog import find_form
from spex.reward.prm_form import HeadForm, numbered, steps_of
from spex.reward.remedy import SERVED

_SUM_ROUNDING = 0.02
_CONTROL_LOOK = re.compile(r"<\|[^<>|\s]{1,64}\|>")


class Laid(NamedTuple):
    """A path as token ids. `ends`: where each step's score is read; `tag`: the last token of a tag."""

    token_ids: tuple[int, ...]
    ends: tuple[int, ...]
    tag: int | None


class ScoreHead:
    """The score of a path is the one that the server gives for its last step, as `form` lays the solution out.

    form: a `HeadForm`, or the name of one, or of a model (`spex prm`). server: NAME:URL, such as
    `vllm:http://127.0.0.1:8001` or `sglang:http://127.0.0.1:30001`, behind `#` the model where a vLLM server has
    several. patience_seconds: how long one that is away is asked again (`spex.engine.retrying`). Blank steps are not
    shown to the model; a path without any other scores 0.5. Scores are kept by a path's whole content, the last 65,536
    of them. A count of numbers that is neither that of the steps nor that of the tokens, and a number out of range, are
    `Misbehaving`. `open` scores a right and a wrong solution of a small problem, or of the form's `known`: it must tell
    them apart. Raises `InputError`.
    """

    def __init__(
        self,
        server: str,
        form: HeadForm | str,
        *,
        key: str | None = None,
        deadlines: Deadlines | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        found = find_form(form) if isinstance(form, str) else form
        if not isinstance(found, HeadForm):
            raise InputError("form", found.name, "it is of a PRM with label tokens: that is Prm's")
        kind, _, url = server.partition(":")
        if kind not in POOLINGS:
            told = f"a score head is served by {' or '.join(POOLINGS)}, as {next(iter(POOLINGS))}:http://127.0.0.1:8001"
            raise InputError("reward", server, told)
        self._form = found
        self._name = f"prm:{found.name}@{server}"
        self._server = HeadServer(
            self._name, url, POOLINGS[kind](), key=key, deadlines=deadlines, patience_seconds=patience_seconds
        )
        self._frames = Encoder(self._server.tokens)
        self._texts = Encoder(self._text_tokens)
        self._known: Memory[str, float] = Memory()

    @property
    def name(self) -> str:
        return self._name

    @property
    def server(self) -> Server:
        return self._server

    async def open(self) -> None:
        """Raises `InputError` and `EngineError`; then nothing is left open."""
        self._server.open()
        try:
            for memory in (self._frames, self._texts, self._known):
                memory.forget()
            await self._server.learn()
            async with self._server.told_of_another_kind():
                await check_known_answer(self._known_score, self._name, SERVED, self._form.known)
        except BaseException:
            await self._server.close()
            raise

    async def close(self) -> None:
        await self._server.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        async def score(path: Path, own: Progress) -> float:
            steps = steps_of(path)
            return await self._last_score(request.problem.text, steps, own) if steps else UNKNOWN

        return await one_by_one(request, progress, score, SERVED)

    async def _known_score(self, problem: str, steps: tuple[str, ...]) -> float:
        return await self._last_score(problem, steps, Progress())

    async def _last_score(self, problem: str, steps: Sequence[str], progress: Progress) -> float:
        laid = await self._laid(problem, steps)
        return await self._known.said(Prompt([laid.token_ids]).digest, lambda: self._asked(laid, progress))

    async def _asked(self, laid: Laid, progress: Progress) -> float:
        rows = await self._server.rows(laid.token_ids, progress)
        return [self._read(row) for row in self._chosen(rows, laid)][-1]

    async def _laid(self, problem: str, steps: Sequence[str]) -> Laid:
        form = self._form
        before, after = form.frames
        tag = await self._frames.tokens(form.tag) if form.tag else ()
        between = await self._frames.tokens(form.between) if form.between else ()
        token_ids = [*(await self._frames.tokens(before) if before else ()), *await self._texts.tokens(problem.strip())]
        token_ids += await self._frames.tokens(after) if after else ()
        ends: list[int] = []
        for number, step in enumerate(numbered(form, steps)):
            token_ids += (*(between if number else ()), *await self._texts.tokens(step), *tag)
            ends.append(len(token_ids) - 1)
        token_ids += await self._frames.tokens(form.closing) if form.closing else ()
        whole = tuple(ends) if form.every else (len(token_ids) - 1,)
        return Laid(tuple(token_ids), whole, tag[-1] if tag else None)

    async def _text_tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, where `HeadForm` says which names of control tokens are cut."""
        names = sorted(_control_names(self._form).union(_CONTROL_LOOK.findall(text)))
        parts = cut_within(text, names)
        known = {part: await self._server.text_tokens(part) for part in dict.fromkeys(parts)}
        return tuple(token for part in parts for token in known[part])

    def _chosen(self, rows: Rows, laid: Laid) -> Rows:
        """The rows of the steps' ends. Raises `Misbehaving` where their count is of neither steps nor tokens."""
        ends, token_ids = laid.ends, laid.token_ids
        if len(rows) == len(token_ids):
            return [rows[end] for end in ends]
        tagged = [place for place, token in enumerate(token_ids) if token == laid.tag]
        if len(rows) == len(tagged) and set(ends) <= set(tagged):
            return [rows[tagged.index(end)] for end in ends]
        if self._server.last_only and len(rows) == 1 and ends[-1] == len(token_ids) - 1:
            return rows
        # None at all: it looks for another tag than the form's.
        elsewhere = not rows and self._form.every and not self._server.last_only
        how = f" (does it look for another tag? vLLM: --pooler-config.step_tag_id {laid.tag})" if elsewhere else ""
        wanted = f"{len(ends)} scores, one for each step" if self._form.every else "a score at the last token"
        raise Misbehaving(self._name, wanted + how, f"{len(rows)} of them")

    def _read(self, row: Sequence[float]) -> float:
        form = self._form
        if len(row) != form.outputs or not all(map(isfinite, row)):
            raise Misbehaving(self._name, f"finite numbers, {form.outputs} for each score", list(row[:8]))
        if form.logits:
            return _sigmoid(row[0]) if form.outputs == 1 else _softmax(row)[form.good]
        if not all(0.0 <= value <= 1.0 for value in row):
            raise Misbehaving(self._name, "probabilities", list(row))
        if form.outputs > 1 and abs(fsum(row) - 1.0) > _SUM_ROUNDING:
            raise Misbehaving(self._name, "probabilities that sum to 1", list(row))
        return row[form.good]


def _control_names(form: HeadForm) -> set[str]:
    frames = (form.opening, form.between, form.tag, form.closing)
    looking = {name for frame in frames for name in _CONTROL_LOOK.findall(frame)}
    return looking | ({form.tag} if len(form.tag) > 1 and form.tag.strip() else set())


def _sigmoid(logit: float) -> float:
    return 1.0 / (1.0 + exp(-logit)) if logit >= 0.0 else exp(logit) / (1.0 + exp(logit))


def _softmax(logits: Sequence[float]) -> list[float]:
    highest = max(logits)
    weights = [exp(logit - highest) for logit in logits]
    return [weight / fsum(weights) for weight in weights]
