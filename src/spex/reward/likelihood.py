"""Likelihood under a larger model: how probable it finds what the policy has written. It writes nothing itself.

Chunk-level guided generation (Chegini and Feizi 2026, arXiv 2606.01682). Its two rules, for a text of n tokens that the
larger model L gives the log-probability log p_L, and the policy S that wrote it log p_S:

    step, path   (1/n) log p_L, here as exp of it, in [0, 1]                 (LGS there)
    contrast     (1/n) (log p_L - log p_S), here by 1 / (1 + exp(-x))        (CGS there; 1/2 where both agree)

The rules there only rank; both maps keep the order. Its chunks have one length, since means over steps of several
lengths favour some lengths: `Thinking(..., delimiter="", step_tokens_max=32)` makes such steps.

The larger model reads text: what the policy wrote is encoded anew by its own tokenizer, step by step, behind the
problem's chat in its own template, so that the two models need not have tokens in common, and nothing becomes a control
token. n is then the count of its own tokens; in `contrast`, where two likelihoods of one text are compared, that of the
policy's. An engine whose temperature is not 1 may tell the policy's log-probabilities of that temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, fsum
from typing import NamedTuple

from spex.engine.abilities import Reading, Reads, reader_of
from spex.engine.base import Engine, Message, Path, Progress, Scoring, Server
from spex.engine.doubted import Doubted
from spex.engine.retrying import PATIENCE_SECONDS, repeated
from spex.errors import InputError, Misbehaving, Unreachable
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.encoder import Encoder
from spex.reward.given_engine import given_engine
from spex.reward.known_answer import check_known_answer
from spex.reward.memory import Memory
from spex.reward.one_by_one import one_by_one

FORMS = ("step", "path", "contrast")

_CHATS_KEPT = 256
_ADVICE = "is it the model that is meant, and does its server tell log-probabilities of what it reads?"
_NONE_OWN = "log-probabilities from the policy's engine (does it tell any? likelihood:step reads none of them)"

Messages = Callable[[Problem], Sequence[Message]]
"""A problem as the larger model is asked about it: a task's `messages`, best."""


class Read(NamedTuple):
    """What the larger model finds of a text: the sum of its tokens' log-probabilities, and how many they are."""

    logprob: float
    token_count: int


def _question(problem: Problem) -> tuple[Message, ...]:
    return (Message("user", problem.text),)


class Likelihood:
    """The likelihood of a path's last `step`, or of the whole `path`, under the model of `engine`; or the `contrast`.

    engine: one that tells log-probabilities of a text that it has not written (`sglang:`, `vllm:`); `open` refuses
    another one, and one whose model finds the last steps of a right solution of a small problem, of a wrong one and of
    others all exactly as likely (`Misbehaving`). messages: how the problem is asked (default: its text alone); the
    task's own make the larger model read what the policy was told. A step without tokens scores 0. What was read is
    kept by its content, the last 65,536 of them. `contrast` needs the policy's log-probabilities, and a step without
    them is `Misbehaving`. Raises `InputError`.
    """

    def __init__(
        self,
        engine: Engine,
        form: str = "step",
        messages: Messages = _question,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        if form not in FORMS:
            raise InputError("form", form, f"it must be one of {', '.join(FORMS)}")
        self._engine = given_engine(engine)
        self._doubted = Doubted(engine)
        self._patience_seconds = patience_seconds
        self._form = form
        self._messages = messages
        self._reader: Reads | None = None
        self._encoder = Encoder(engine.encode)
        self._chats: Memory[tuple[Message, ...], tuple[int, ...]] = Memory(_CHATS_KEPT)
        self._known: Memory[tuple[str, int], Read] = Memory()

    @property
    def name(self) -> str:
        return f"likelihood:{self._form}@{self._engine.name}"

    @property
    def server(self) -> Server:
        return self._engine

    @property
    def reads_logprobs(self) -> bool:
        """Whether it needs the policy's own log-probabilities: a policy without them is refused at the start."""
        return self._form == "contrast"

    async def open(self) -> None:
        """Raises `InputError` and `EngineError`; then the engine is closed again."""
        await self._engine.open()
        try:
            await self._learn()
        except BaseException:
            await self._engine.close()
            raise

    async def close(self) -> None:
        await self._engine.close()

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        async def score(path: Path, own: Progress) -> float:
            return await self._score(request, path, own)

        return await one_by_one(request, progress, score, _ADVICE)

    async def _learn(self) -> None:
        self._doubted.believe()
        self._reader = reader_of(self._engine)
        if self._reader is None:
            told = "it tells no log-probabilities of a text that it has not written: sglang: and vllm: do"
            raise InputError("reward", self.name, told)
        self._encoder.forget()  # another model may be served by now
        self._chats.forget()
        self._known.forget()
        await check_known_answer(self._known_score, self.name, _ADVICE)

    async def _known_score(self, problem: str, steps: tuple[str, ...]) -> float:
        # A task's own messages may be of problems of another kind.
        chat = await self._chat(_question(Problem(problem)))
        read = await self._found("known answer", chat, [f"{step}\n\n" for step in steps], len(steps) - 1, Progress())
        return _mean(read)

    async def _score(self, request: Scoring, path: Path, progress: Progress) -> float:
        first = 0 if self._form == "path" else max(0, len(path.steps) - 1)
        own = self._own(path) if self._form == "contrast" else Read(0.0, 0)
        chat = await self._chat(tuple(self._messages(request.problem)))
        read = await self._found(request.key, chat, [step.text for step in path.steps], first, progress)
        if self._form == "contrast" and read.token_count:
            return _sigmoid((read.logprob - own.logprob) / own.token_count) if own.token_count else 0.0
        return _mean(read)

    async def _found(
        self, key: str, chat: tuple[int, ...], steps: Sequence[str], first: int, progress: Progress
    ) -> Read:
        """What the larger model finds of the steps from number `first` (from 0) on, given all before them."""
        texts = [await self._encoder.tokens(step) if step else () for step in steps]
        prompt = Prompt([chat, *texts])
        start = prompt.token_count - sum(map(len, texts[first:]))
        if start == prompt.token_count:
            return Read(0.0, 0)
        if start < 1:
            raise Misbehaving(self.name, "a chat of one token at least", chat)
        asked = Reading(key, prompt, start)
        return await self._known.said((prompt.digest, start), lambda: self._read(asked, progress))

    async def _read(self, request: Reading, progress: Progress) -> Read:
        reader = self._reader
        if reader is None:
            raise Unreachable(self.name, "it is not open")
        again, patience_seconds = lambda: reader.read(request, progress), self._patience_seconds
        logprobs = await repeated(lambda: self._doubted.asked(again), progress, patience_seconds=patience_seconds)
        expected = request.prompt.token_count - request.start
        if len(logprobs) != expected or not all(value <= 0.0 for value in logprobs):
            raise Misbehaving(self.name, f"{expected} log-probabilities", logprobs)
        return Read(fsum(logprobs), expected)

    async def _chat(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        return await self._chats.said(messages, lambda: self._engine.encode_chat(messages))

    def _own(self, path: Path) -> Read:
        """What the policy itself finds of the last step."""
        logprobs = path.steps[-1].logprobs if path.steps and path.steps[-1].token_ids else ()
        if logprobs is None or not all(value <= 1e-3 for value in logprobs):
            raise Misbehaving(self.name, _NONE_OWN, "none" if logprobs is None else logprobs)
        return Read(fsum(min(0.0, value) for value in logprobs), len(logprobs))


def _mean(read: Read) -> float:
    """The likelihood of a token, as a geometric mean; 0 of none."""
    return exp(read.logprob / read.token_count) if read.token_count else 0.0


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + exp(-value)) if value >= 0.0 else exp(value) / (1.0 + exp(value))
