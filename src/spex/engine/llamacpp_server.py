"""A running server of llama.cpp (`llama-server`), by its native interface, with its builds of 2026.

Texts continue by token ids, and an abort is confirmed by the server's slots, where it tells them (`--slots`, which it
does by itself). llama.cpp is not batch-invariant: the same seed may give other tokens beside other requests. What it
has of each branch is in the slot that wrote it: with `--kv-unified`, and slots enough, branches share their prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec

from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.drafts import Drafts
from spex.engine.http import Count, Deadlines, Http, Positive, checked_url
from spex.engine.keys import key_for
from spex.engine.llamacpp_requests import LlamaCppRequests
from spex.engine.other_kind import told_of_another_kind
from spex.engine.same_model import refuse_other_model
from spex.engine.told import rooted
from spex.errors import InputError, Misbehaving
from spex.profile import Affine

_CONFIRM_SECONDS = 1.0


class _Settings(msgspec.Struct, frozen=True):
    n_ctx: Count


class _Role(msgspec.Struct, frozen=True):
    """Of several models one server is the router, which has none of the rest."""

    role: str = ""


class Props(msgspec.Struct, frozen=True):
    """What a server says of itself."""

    total_slots: Positive
    default_generation_settings: _Settings
    model_path: str
    build_info: str = ""


class LlamaCppServer:
    """An engine for the llama.cpp server at `url`.

    key: what the server was started with, where it was; `LLAMA_API_KEY` if not given. Raises `InputError` for what is
    no address.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8080", *, key: str | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._name = f"llamacpp-server:{url}"
        address, model = rooted(url)
        checked_url(address)  # what may be a password is not repeated
        if model is not None:
            raise InputError("url", url, "a server of llama.cpp has one model: leave out what follows #")
        known = key_for("llama", address, key)
        self._http = Http(self._name, address, known.value, deadlines, advice=known.advice, keeps_connections=False)
        capabilities = Capabilities(
            seed="none",
            seed_bits=32,
            label_scores=True,
            curve=Affine(0.010, 0.0001),
            prefill_seconds=0.0001,
            cancel_delay_seconds=0.1,
        )
        self._requests = LlamaCppRequests(self._name, capabilities, self._http, confirm_seconds=_CONFIRM_SECONDS)
        self._identity = Identity()

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._requests.capabilities

    def counters(self) -> Counters:
        return self._requests.counters()

    @property
    def identity(self) -> Identity:
        return self._identity

    async def load(self) -> int | None:
        """Slots that are busy, whose ever their requests are; None where the server does not tell them."""
        with suppress(InputError, Misbehaving):
            return await self._requests.load()
        return None

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for another kind of server."""
        self._http.open()
        try:
            async with told_of_another_kind(self._http, "llamacpp-server", self._name):
                await self._refuse_router()
                props = await self._http.get("/props", Props)
            await self._learn(props)
        except BaseException:
            await self._http.close()
            raise

    async def _refuse_router(self) -> None:
        if (await self._http.get("/props", _Role)).role == "router":
            told = "it is a router of several models: name one of them, as openai:URL#NAME"
            raise InputError("policy", self._name, told)

    async def _learn(self, props: Props) -> None:
        slots = None
        with suppress(InputError, Misbehaving):
            slots = await self._requests.slots()
        drafts = Drafts("its own", alone=True) if any(slot.speculative for slot in slots or ()) else None
        found = replace(
            self.capabilities,
            slots=props.total_slots,
            context_tokens=props.default_generation_settings.n_ctx,
            abort_confirmed=slots is not None,
            # Of tokens that were drafted llama.cpp tells no log-probabilities.
            log_probabilities=drafts is None,
            drafts=drafts,
        )
        self._requests.learn(found)
        name = Path(props.model_path).name
        self._identity = Identity(f"llama.cpp {props.build_info}".rstrip(), name, str(drafts or ""))

    async def recheck(self) -> None:
        """Raises `InputError` where the server has another model by now, and `EngineError`."""
        found: Props | None = None
        with suppress(InputError, Misbehaving):  # what stands before a server may not pass it on
            found = await self._http.get("/props", Props)
        if found is not None:
            refuse_other_model(Path(found.model_path).name, self._identity.model, self._name)

    async def close(self) -> None:
        await self._http.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._requests.tokens(text, control=False)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """A template's text as token ids: the names of control tokens become those. Raises `EngineError`."""
        return await self._requests.tokens(text, control=True)

    async def first_tokens(self) -> tuple[int, ...]:
        """What the model has before every text. Raises `EngineError`."""
        return await self._requests.first_tokens()

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self._requests.chat(messages)

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        return await self._requests.chat(messages, enable_thinking)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        return await self._requests.generate(request, progress)

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        return await self._requests.label(request, progress)
