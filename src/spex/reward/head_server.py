"""Servers of score heads over HTTP: vLLM's `/pooling` and SGLang's `/classify`.

Token ids go in; numbers come out, at tokens that the server chooses: all of them, those of a step's tag, or the last
one. Which of these it was is seen by their count, and judged by who asked. An answer to fewer tokens than were sent is
`Misbehaving`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Annotated, NamedTuple, Protocol, TypeAlias

import msgspec

from spex.engine.base import Capabilities, Counters, Progress
from spex.engine.http import Count, Deadlines, Http
from spex.engine.keys import key_for
from spex.engine.other_kind import told_of_another_kind
from spex.engine.retrying import repeated
from spex.engine.sglang_tokens import SglangTokenizer
from spex.engine.told import rooted
from spex.engine.vllm_tokens import VllmTokenizer
from spex.errors import InputError, Misbehaving
from spex.profile import Affine
from spex.reward.head_tokens import HeadTokenizer, text_tokens
from spex.usage import Tokens

_SLOTS = 64

Rows: TypeAlias = list[list[float]]
"""The numbers of one token after another."""


class Answer(NamedTuple):
    """`prompt_tokens`: how many the server has read, as it says itself."""

    rows: Rows
    prompt_tokens: int


class Pooling(Protocol):
    """How one kind of server is asked."""

    @property
    def kind(self) -> str:
        """What engines of this kind are called."""
        ...

    def tokenizer(self, http: Http, model: str | None) -> HeadTokenizer: ...

    @property
    def last_only(self) -> bool:
        """Whether there are numbers at the last token alone."""
        ...

    @property
    def takes_model(self) -> bool:
        """Whether a request may say which of the server's models it is for."""
        ...

    async def ask(self, http: Http, token_ids: Sequence[int], model: Mapping[str, str]) -> Answer:
        """The numbers at `token_ids`. `model`: its name as a part of the request, or nothing where none is wanted.

        Raises `EngineError` and `InputError`.
        """
        ...


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: Count


class _Pooled(msgspec.Struct, frozen=True):
    data: list[list[float] | float]


class _VllmAnswer(msgspec.Struct, frozen=True):
    data: Annotated[list[_Pooled], msgspec.Meta(min_length=1, max_length=1)]
    usage: _Usage


class VllmPooling:
    """vLLM's `/pooling` for the task `token_classify`: at each step's tag (STEP), or at all tokens (ALL)."""

    kind: str = "vllm"
    last_only: bool = False
    takes_model: bool = True

    def tokenizer(self, http: Http, model: str | None) -> HeadTokenizer:
        return VllmTokenizer(http, model, writes=False)

    async def ask(self, http: Http, token_ids: Sequence[int], model: Mapping[str, str]) -> Answer:
        body = {**model, "input": list(token_ids), "task": "token_classify", "encoding_format": "float"}
        answer = await http.post("/pooling", body, _VllmAnswer)
        rows = [row if isinstance(row, list) else [row] for row in answer.data[0].data]
        return Answer(rows, answer.usage.prompt_tokens)


class _SglangAnswer(msgspec.Struct, frozen=True):
    embedding: Annotated[list[float], msgspec.Meta(min_length=1)]
    meta_info: _Usage


class SglangClassify:
    """SGLang's `/classify`, of a server that runs with `--is-embedding`: at the last token alone."""

    kind: str = "sglang"
    last_only: bool = True
    takes_model: bool = False

    def tokenizer(self, http: Http, model: str | None) -> HeadTokenizer:  # noqa: ARG002
        return SglangTokenizer(http)

    async def ask(self, http: Http, token_ids: Sequence[int], model: Mapping[str, str]) -> Answer:  # noqa: ARG002
        answer = await http.post("/classify", {"input_ids": list(token_ids)}, _SglangAnswer)
        return Answer([answer.embedding], answer.meta_info.prompt_tokens)


POOLINGS: Mapping[str, type[VllmPooling | SglangClassify]] = {"vllm": VllmPooling, "sglang": SglangClassify}
"""The kinds of servers by the names that engines have."""


class HeadServer:
    """A server of scores at `url`, with or without `/v1`; behind `#` the name of its model, where it serves several.

    As the scheduler and `ScoreHead` see it. What is asked of it is asked again where the failure may pass. `key`: what
    the server was started with, or its kind's variable (`spex.engine.keys`). Raises `InputError` for what is no
    address, and for a model's name where the kind of server takes none.
    """

    def __init__(
        self, name: str, url: str, pooling: Pooling, *, key: str | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._name = name
        self._pooling = pooling
        address, model = rooted(url)
        if model is not None and not pooling.takes_model:
            raise InputError("reward", name, "a server of this kind has one model: leave out what follows #")
        self._model: Mapping[str, str] = {} if model is None else {"model": model}
        self._wanted = model
        known = key_for(pooling.kind, address, key)
        self._http = Http(name, address, known.value, deadlines, advice=known.advice)
        self._tokenizer = pooling.tokenizer(self._http, model)
        self._capabilities = Capabilities(
            seed="whole", log_probabilities=False, slots=_SLOTS, curve=Affine(0.020, 0.0005), prefill_seconds=0.0001
        )
        self._running = 0
        self._cost = Tokens()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def last_only(self) -> bool:
        """Whether it gives numbers at the last token alone."""
        return self._pooling.last_only

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    def told_of_another_kind(self) -> AbstractAsyncContextManager[None]:
        """What fails inside with a server of another kind is told as that."""
        return told_of_another_kind(self._http, self._pooling.kind, self._name, "reward")

    def open(self) -> None:
        self._http.open()
        self._tokenizer = self._pooling.tokenizer(self._http, self._wanted)  # another model may be served

    async def close(self) -> None:
        await self._http.close()

    async def tokens(self, text: str) -> tuple[int, ...]:
        """A template's text as token ids: the names of control tokens become those. Raises `EngineError`."""
        with _of_a_reward():
            return await repeated(lambda: self._tokenizer.tokens(text))

    async def text_tokens(self, text: str) -> tuple[int, ...]:
        """What people or models wrote, as token ids, no known control token among them. Raises `EngineError`."""
        with _of_a_reward():
            return await repeated(lambda: text_tokens(self._tokenizer, text, self._name))

    async def rows(self, token_ids: Sequence[int], progress: Progress) -> Rows:
        """The numbers that the server gives for `token_ids`. Raises `EngineError`; `InputError` for another server."""
        with _of_a_reward():
            return await repeated(lambda: self._rows(token_ids, progress), progress)

    async def _rows(self, token_ids: Sequence[int], progress: Progress) -> Rows:
        self._running += 1
        try:
            answer = await self._pooling.ask(self._http, token_ids, self._model)
        finally:
            self._running -= 1
        if answer.prompt_tokens != len(token_ids):
            told = f"an answer to the {len(token_ids)} tokens that were sent"
            raise Misbehaving(self._name, told, f"one to {answer.prompt_tokens}")
        progress.spend(reward=len(token_ids))
        self._cost = self._cost.plus(Tokens(reward=len(token_ids)))
        return answer.rows


@contextmanager
def _of_a_reward() -> Iterator[None]:
    """What a server refuses as a policy's, it refuses as a reward's."""
    try:
        yield
    except InputError as error:
        raise InputError("reward" if error.field == "policy" else error.field, error.value, error.allowed) from error
