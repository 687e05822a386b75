"""Servers that speak OpenAI's protocol, completions (`/v1/completions`) or chats alone, whoever made them.

They take texts and give texts. So a token id is a byte of the text, as with `FunctionPolicy`; by completions a chat is
a plain transcript, and what looks like a control token in a text is read as the server reads it. Limits are in the
server's tokens; costs are as it tells them, or else a token a piece of its stream, and one for four bytes of the
prompt. They do not tell which stop string they matched, so that none is sent: the stream is read until one is written,
and let go of. A log-probability, where the server tells them, is the mean of those of the text's tokens.

For vLLM and SGLang there are engines of their own (`vllm:`, `sglang:`), which lack none of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import msgspec

from spex.engine import text_tokens
from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.http import Deadlines, Http, checked_url
from spex.engine.keys import key_for
from spex.engine.openai_chat import Chats
from spex.engine.openai_context import Room
from spex.engine.openai_form import SEED_BITS, Asking, Completions
from spex.engine.openai_learning import learned
from spex.engine.openai_stream import OpenAIAnswer
from spex.engine.same_model import refuse_other_model
from spex.engine.told import listed
from spex.errors import EngineError, InputError, Misbehaving
from spex.profile import Affine
from spex.usage import Tokens

_SLOTS = 32


class _Model(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


class OpenAI:
    """An engine for the server at `url`: the base of its paths, as `https://host/v1`; of a host alone that is `/v1`.

    model: its name, where the server serves several; or behind `#` in `url`. key: `OPENAI_API_KEY` if not given. None
    is sent in the clear to another machine (`spex.engine.keys`). chats: by those even where it has completions, so that
    its model's chat template is used.
    slots: requests at once (1 to 4096). Seeds are sent where the server takes them, and promise nothing; where it takes
    none, a text that was stopped goes on behind what it had. There are no probabilities of labels, so that no judge can
    be asked. Raises `InputError`.
    """

    def __init__(
        self,
        url: str = "https://api.openai.com/v1",
        *,
        model: str | None = None,
        key: str | None = None,
        chats: bool = False,
        slots: int = _SLOTS,
        deadlines: Deadlines | None = None,
    ) -> None:
        if not 1 <= slots <= 1 << 12:
            raise InputError("slots", slots, "it must be a whole number from 1 to 4096")
        self._name = f"{'openai-chat' if chats else 'openai'}:{url}"
        address, named = based(url)
        self._wanted = model or named
        known = key_for("openai", address, key)
        self._http = Http(self._name, address, known.value, deadlines, advice=known.advice)
        self._chats = chats
        self._model = ""
        self._asking = Asking(self._http, "", Chats(self._name) if chats else Completions(self._name))
        self._room = Room(self._name)
        self._users = 0
        self._opening = asyncio.Lock()
        self._running = 0
        self._cost = Tokens()
        self._capabilities = Capabilities(
            seed="none",
            seed_bits=SEED_BITS,
            abort_confirmed=False,
            log_probabilities=False,
            label_scores=False,
            slots=slots,
            curve=Affine(0.010, 0.0001),
            prefill_seconds=0.0001,
            cancel_delay_seconds=0.1,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    @property
    def identity(self) -> Identity:
        return Identity("", self._model)

    @property
    def has_chats_alone(self) -> bool:
        """Whether it is asked by chats."""
        return isinstance(self._asking.form, Chats)

    async def load(self) -> int | None:
        """None: the protocol has no word for it."""
        return None

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for a server that has neither form of texts, or several models."""
        if not self._users:  # a lock belongs to one event loop
            self._opening = asyncio.Lock()
        async with self._opening:
            self._http.open()
            self._users += 1
            try:
                if not self._model:
                    await self._learn()
            except BaseException:
                await self.close()
                raise

    async def recheck(self) -> None:
        """Raises `InputError` where the server has another model than the one that it had, and `EngineError`.

        A model that was named is one in every request: the server itself refuses it where it has it no more.
        """
        found = self._model
        with suppress(InputError, Misbehaving):
            if self._wanted is None:
                found = await self._chosen()
        refuse_other_model(found, self._model, self._name)

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if not self._users:
            self._model = ""
        await self._http.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        """The bytes of `text`. Raises `InputError` for lone surrogates, which have none."""
        return text_tokens.encoded(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """By completions a transcript of turns (`User: …`), for no chat template of the server's is known."""
        return self._asking.form.encoded(messages)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if request.sampling.top_k:
            raise InputError("top_k", request.sampling.top_k, f"{self._name} knows none: it must be 0")
        if not self._capabilities.resumes:
            progress.text = ""
        begun = self._answer(request, progress, request.tokens_max)
        write = partial(self._written, request, progress)
        self._running += 1
        try:
            return await self._room.filled(write, request.tokens_max, begun.written, begun.filling_the_context)
        finally:
            self._running -= 1

    async def _written(self, request: Generation, progress: Progress, tokens_max: int) -> Completion:
        answer = self._answer(request, progress, tokens_max)
        try:
            await self._asking.read(replace(request, tokens_max=tokens_max), answer, self._spend)
            return answer.completion()
        except BaseException:
            answer.reopen()
            raise

    def _answer(self, request: Generation, progress: Progress, tokens_max: int) -> OpenAIAnswer:
        return OpenAIAnswer(self._name, progress, request.prompt.token_count, request.stop, tokens_max)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:  # noqa: ARG002
        told = "it tells no probabilities of labels: use the reward rubric, or a judge such as vllm: or sglang:"
        raise InputError("reward", self._name, told)

    def _spend(self, cost: Tokens) -> None:
        self._cost = self._cost.plus(cost)

    async def _learn(self) -> None:
        """Which model it has, how it is asked, and which of the options it takes."""
        model = await self._chosen()
        try:
            found = await learned(self._http, self._name, model, chats=self._chats)
        except (InputError, Misbehaving) as error:
            await self._refuse_unknown(model, error)
            raise
        self._model, self._asking = model, found.asking
        # With its seed a stopped text is written again; without, it goes on behind what it had (G1), where that can be.
        self._capabilities = replace(
            self._capabilities,
            log_probabilities=found.tells_logprobs,
            resumes=found.continues and "seed" not in found.asking.options,
            continues=found.continues,
            counts=found.counts,
        )

    async def _chosen(self) -> str:
        """The name of the model that is wanted, or of the only one."""
        if self._wanted is not None:
            return self._wanted
        found = await self._names()
        if len(found) != 1:
            names = listed(found) or "it tells none"
            raise InputError("policy", self._name, f"name its model behind its address and # ({names})")
        return found[0]

    async def _names(self) -> list[str]:
        """What the server calls its models, sorted."""
        return sorted(model.id for model in (await self._http.get("/models", _Models)).data)

    async def _refuse_unknown(self, model: str, error: Exception) -> None:
        """Raise `InputError` where `model` is none of those that the server tells: some serve more than they tell."""
        names: list[str] = []
        with suppress(EngineError, InputError):
            names = await self._names()
        if names and model not in names:
            told = f"it does not serve {model!r}; its models: {listed(names)}"
            raise InputError("policy", self._name, told) from error


def based(url: str) -> tuple[str, str | None]:
    """The base of a server's paths, and the model that is named behind `#`. Raises `InputError` for no address."""
    address, _, model = url.partition("#")
    address = checked_url(address)
    of_a_host = urlsplit(address).path in ("", "/")
    return f"{address}/v1" if of_a_host else address, model or None


OPENAI_CHAT: partial[OpenAI] = partial(OpenAI, chats=True)
"""The engine `openai-chat`."""
