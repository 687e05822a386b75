"""A server of score heads over HTTP, of whichever kind, as the scheduler and `ScoreHead` see it.

After a failure it is asked whether it still has the model that it had when it was opened. An answer to fewer tokens
than were sent is `Misbehaving`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import TypeVar

from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Counters, Progress
from spex.engine.doubted import Doubted
from spex.engine.http import Deadlines, Http
from spex.engine.keys import key_for
from spex.engine.other_kind import told_of_another_kind
from spex.engine.retrying import PATIENCE_SECONDS, full, repeated
from spex.engine.same_model import refuse_other_model
from spex.engine.told import rooted
from spex.errors import InputError, Misbehaving
from spex.profile import Affine
from spex.reward.head_tokens import text_tokens
from spex.reward.pooling import Pooling, Rows
from spex.reward.refused import of_a_reward
from spex.usage import Tokens

T = TypeVar("T")

_SLOTS = 64


class HeadServer:
    """A server of scores at `url`, with or without `/v1`; behind `#` the name of its model, where it serves several.

    As the scheduler and `ScoreHead` see it. What is asked of it is asked again where the failure may pass, for
    `patience_seconds` (`spex.engine.retrying`). `key`: what the server was started with, or its kind's variable
    (`spex.engine.keys`). Raises `InputError` for what is no address, and for a model's name where the kind of server
    takes none.
    """

    def __init__(
        self,
        name: str,
        url: str,
        pooling: Pooling,
        *,
        key: str | None = None,
        deadlines: Deadlines | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
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
        self._identity = Identity()
        self._doubted = Doubted(self)
        self._patience_seconds = patience_seconds
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

    @property
    def identity(self) -> Identity:
        return self._identity

    async def load(self) -> int | None:
        """The requests that the server has, by its own count; None where it does not tell. Raises `EngineError`."""
        return await self._pooling.load(self._http)

    async def learn(self) -> None:
        """Who the server is, as far as it says; one that is full is waited for.

        Raises `EngineError` where it cannot be asked.
        """
        self._identity = Identity()
        # Whoever would start it is still there.
        self._identity = await repeated(self._told, may_pass=full, patience_seconds=self._patience_seconds)
        self._doubted.believe()

    async def recheck(self) -> None:
        """Raises `InputError` where the server has another model by now, and `EngineError`."""
        with of_a_reward():
            refuse_other_model((await self._told()).model, self._identity.model, self._name)

    async def _told(self) -> Identity:
        with suppress(InputError, Misbehaving):
            return await self._pooling.identity(self._http, self._wanted)
        return Identity()

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
        return await self._repeated(lambda: self._tokenizer.tokens(text))

    async def text_tokens(self, text: str) -> tuple[int, ...]:
        """What people or models wrote, as token ids, no known control token among them. Raises `EngineError`."""
        return await self._repeated(lambda: text_tokens(self._tokenizer, text, self._name))

    async def rows(self, token_ids: Sequence[int], progress: Progress) -> Rows:
        """The numbers that the server gives for `token_ids`. Raises `EngineError`; `InputError` for another server."""
        return await self._repeated(lambda: self._rows(token_ids, progress), progress)

    async def _repeated(self, ask: Callable[[], Awaitable[T]], progress: Progress | None = None) -> T:
        with of_a_reward():
            return await repeated(lambda: self._doubted.asked(ask), progress, patience_seconds=self._patience_seconds)

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
