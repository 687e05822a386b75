"""llama.cpp in this process: `xllamacpp` runs it, and serves its HTTP interface on loopback.

Texts continue by token ids. Seeds are folded to 32 bits. llama.cpp is not batch-invariant: the same
seed may give other tokens beside other requests, so live runs are shown lossless by replay.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spex.engine.abilities import Identity
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.gguf import check_gguf
from spex.engine.http import Deadlines, Http
from spex.engine.llamacpp_drafts import drafted_by, find_local_draft
from spex.engine.llamacpp_embedded import ended, program, started
from spex.engine.llamacpp_requests import LlamaCppRequests
from spex.engine.local_model import find_model, first_pace
from spex.errors import InputError

# On a laptop's core a long prompt, and those before it, take their time.
_DEADLINES = Deadlines(connect=10.0, first_token=600.0, token_gap=600.0)
_CONFIRM_SECONDS = 600.0


class LlamaCpp:
    """An embedded engine for a GGUF file, or the name of a packaged one; SmolLM2-135M-Instruct where none is named.

    context_tokens: for each request (64 to 2^20). slots: requests at once (1 to 256).
    threads: of llama.cpp (default: all cores but one). draft: `ngram`, or the path of a smaller GGUF file, and behind
    `:` the tokens drafted at once (1 to 64); it may stand behind the model and `#`, too. `open` and `close` may nest:
    the last `close` ends the server. Raises `InputError` for a file that is no model, before anything is started.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        context_tokens: int = 2048,
        slots: int = 8,
        threads: int | None = None,
        draft: str | None = None,
    ) -> None:
        if not 64 <= context_tokens <= 1 << 20:
            raise InputError("context_tokens", context_tokens, "it must be a whole number from 64 to 1048576")
        if not 1 <= slots <= 256:
            raise InputError("slots", slots, "it must be a whole number from 1 to 256")
        path, named = drafted_by(model)
        self._model = find_model(path)
        check_gguf(self._model)
        drafted = named if draft is None else draft
        self._draft = None if drafted is None else find_local_draft(drafted)
        # llama.cpp's threads spin while they wait: without a core for the controller all of it crawls.
        self._threads = threads or max(1, (os.cpu_count() or 2) - 1)
        self._users = 0
        self._opening = asyncio.Lock()
        self._server: Any = None
        pace = first_pace(self._model)
        capabilities = Capabilities(
            seed="none",
            seed_bits=32,
            # Of tokens that were drafted llama.cpp tells no log-probabilities.
            log_probabilities=self._draft is None,
            drafts=None if self._draft is None else self._draft.told,
            label_scores=True,
            slots=slots,
            context_tokens=context_tokens,
            curve=pace.curve,
            prefill_seconds=pace.prefill_seconds,
        )
        self._requests = LlamaCppRequests(self.name, capabilities, confirm_seconds=_CONFIRM_SECONDS)

    @property
    def name(self) -> str:
        beside = "" if self._draft is None else f"#{Path(self._draft.source).name}:{self._draft.tokens}"
        return f"llamacpp:{self._model.name}{beside}"

    @property
    def capabilities(self) -> Capabilities:
        return self._requests.capabilities

    def counters(self) -> Counters:
        return self._requests.counters()

    @property
    def identity(self) -> Identity:
        drafts = str(self.capabilities.drafts or "")
        return Identity(program(), f"{self._model.name} ({self._model.stat().st_size} bytes)", drafts)

    async def load(self) -> int | None:
        return await self._requests.load()

    async def open(self) -> None:
        async with self._opening:  # who comes while the model is loading waits for it
            if self._requests.http is None:
                await self._load()
            self._users += 1

    async def _load(self) -> None:
        key = secrets.token_hex(16)
        self._server = await asyncio.to_thread(started, self._model, key, self.capabilities, self._threads, self._draft)
        self._requests.http = Http(
            self.name, self._server.listening_address, key, _DEADLINES, keeps_connections=False, paces=False
        )
        self._requests.http.open()
        try:
            # A model that was trained on shorter texts has as much as that.
            context_tokens = min([slot.n_ctx for slot in await self._requests.slots()], default=0)
        except BaseException:
            await self.close()
            raise
        self._requests.learn(replace(self.capabilities, context_tokens=context_tokens or None))

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if self._users or self._requests.http is None:
            return
        http, self._requests.http = self._requests.http, None
        server, self._server = self._server, None
        await http.close()
        await asyncio.to_thread(ended, [server])

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._requests.tokens(text, control=False)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """A template's text as token ids: the names of control tokens become those."""
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
        """A label that is not among the 4,096 likeliest tokens counts as impossible."""
        return await self._requests.label(request, progress)
