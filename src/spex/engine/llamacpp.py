"""llama.cpp in this process: `xllamacpp` runs it, and serves its HTTP interface on loopback.

Texts continue by token ids. Seeds are folded to 32 bits. llama.cpp is not batch-invariant: the same
seed may give other tokens beside other requests, so live runs are shown lossless by replay.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import httpx2

from spex.engine.base import Capabilities, Completion, Counters, Generation, Identity, Labelling, Message, Progress
from spex.engine.gguf import check_gguf
from spex.engine.llamacpp_drafts import drafted_by, find_local_draft
from spex.engine.llamacpp_server import ended, folded, program, started
from spex.engine.llamacpp_stream import StreamedAnswer
from spex.engine.local_model import find_model, first_pace
from spex.errors import InputError, Misbehaving, Overloaded, Unreachable
from spex.usage import Tokens

# Thousands make an answer of half a megabyte, and are seldom needed.
_LABEL_CANDIDATES = (64, 4096)
_SURE = 1000.0
_PART = "\ue000spex-content-{}\ue000"


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
        self._client: httpx2.AsyncClient | None = None
        self._running = 0
        self._cost = Tokens()
        pace = first_pace(self._model)
        self._capabilities = Capabilities(
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

    @property
    def name(self) -> str:
        beside = "" if self._draft is None else f"#{Path(self._draft.source).name}:{self._draft.tokens}"
        return f"llamacpp:{self._model.name}{beside}"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    @property
    def identity(self) -> Identity:
        drafts = str(self._capabilities.drafts or "")
        return Identity(program(), f"{self._model.name} ({self._model.stat().st_size} bytes)", drafts)

    async def load(self) -> int | None:
        return sum(bool(slot["is_processing"]) for slot in await self._slots())

    async def open(self) -> None:
        async with self._opening:  # who comes while the model is loading waits for it
            if self._client is None:
                await self._load()
            self._users += 1

    async def _load(self) -> None:
        key = secrets.token_hex(16)
        self._server = await asyncio.to_thread(
            started, self._model, key, self._capabilities, self._threads, self._draft
        )
        self._client = httpx2.AsyncClient(
            base_url=self._server.listening_address,
            # The server closes idle connections without a word: a new one for each request.
            headers={"Authorization": f"Bearer {key}", "Connection": "close"},
            trust_env=False,
            timeout=httpx2.Timeout(600.0, connect=10.0),
            limits=httpx2.Limits(max_connections=None),
        )
        # A model that was trained on shorter texts has as much as that.
        context_tokens = min([slot["n_ctx"] for slot in await self._slots()], default=0)
        self._capabilities = replace(self._capabilities, context_tokens=context_tokens or None)

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if self._users or self._client is None:
            return
        client, self._client = self._client, None
        server, self._server = self._server, None
        await client.aclose()
        await asyncio.to_thread(ended, [server])

    async def encode(self, text: str) -> tuple[int, ...]:
        return await self._tokens(text, special=False)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """A template's text as token ids: the names of control tokens become those."""
        return await self._tokens(text, special=True)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await self._chat(messages, {})

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        return await self._chat(messages, {"chat_template_kwargs": {"enable_thinking": enable_thinking}})

    async def _chat(self, messages: Sequence[Message], options: Mapping[str, object]) -> tuple[int, ...]:
        marks = [_PART.format(number) for number in range(len(messages))]
        turns = [{"role": message.role, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        rendered = str((await self._post("/apply-template", {"messages": turns, **options}))["prompt"])
        token_ids: list[int] = []
        for message, mark in zip(messages, marks, strict=True):
            frame, _, rendered = rendered.partition(mark)
            token_ids += await self._tokens(frame, special=True)
            token_ids += await self._tokens(message.content, special=False)
        return (*token_ids, *await self._tokens(rendered, special=True))

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        room = self._room(request)
        body = {
            "prompt": list(request.prompt.token_ids),
            "n_predict": min(room, request.tokens_max),
            "seed": folded(request.seed),
            "stop": list(request.stop),
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "top_k": request.sampling.top_k,
            "min_p": 0.0,
            "n_probs": 1,
        }
        answer = StreamedAnswer(self.name, progress, tells_logprobs=self._draft is None)
        async with self._occupying(), aclosing(self._events(body)) as events:
            async for event in events:
                self._cost = self._cost.plus(answer.take(event))
        completion = answer.completion()
        if completion.end == "length" and room < request.tokens_max:
            completion = completion._replace(end="context")
        return completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        """A label that is not among the 4,096 likeliest tokens counts as impossible."""
        found: Mapping[int, float] = {}
        async with self._occupying():
            for candidates in _LABEL_CANDIDATES:
                found = await self._likeliest(request, candidates, progress)
                if all(label in found for label in request.labels):
                    break
        return tuple(found.get(label, 0.0) for label in request.labels)

    async def _likeliest(self, request: Labelling, candidates: int, progress: Progress) -> Mapping[int, float]:
        """The probabilities of so many tokens behind the prompt."""
        body = {
            "prompt": list(request.prompt.token_ids),
            "n_predict": 1,
            "temperature": 0.0,
            "n_probs": candidates,
            "cache_prompt": True,
            # What is drawn is one of the labels: of a token that ends the text, or is a part of a character, nothing is
            # told. The probabilities are those from before the bias.
            "logit_bias": [[label, _SURE] for label in request.labels],
        }
        answer = await self._post("/completion", body)
        try:
            timings = answer["timings"]
            cost = Tokens(0, timings["cache_n"], 0, timings["prompt_n"])
            progress.spend(prompt_cached=cost.prompt_cached, reward=cost.reward)
            self._cost = self._cost.plus(cost)
            likeliest = answer["completion_probabilities"][0]["top_logprobs"]
            return {candidate["id"]: exp(candidate["logprob"]) for candidate in likeliest}
        except (KeyError, IndexError, TypeError) as error:
            raise Misbehaving(self.name, "token probabilities", f"an answer without {error}") from error

    def _room(self, request: Generation) -> int:
        """Tokens that fit behind the prompt. Raises `Misbehaving` when there are none."""
        context = self._capabilities.context_tokens or 0
        room = context - request.prompt.token_count - 1
        if room < 1:
            raise Misbehaving(
                self.name,
                f"a prompt shorter than the context of {context} tokens",
                f"{request.prompt.token_count} tokens",
            )
        return room

    async def _tokens(self, text: str, *, special: bool) -> tuple[int, ...]:
        if not text:
            return ()
        body = {"content": text, "add_special": False, "parse_special": special}
        return tuple((await self._post("/tokenize", body))["tokens"])

    async def _post(self, path: str, body: Mapping[str, object]) -> Any:
        try:
            response = await self._open_client().post(path, json=body)
        except httpx2.HTTPError as error:
            raise Unreachable(self.name, f"the embedded server does not answer: {error!r}") from error
        self._refuse(response.status_code, response.text)
        return response.json()

    async def _events(self, body: Mapping[str, object]) -> AsyncGenerator[Any, None]:
        """The stream of one completion, a JSON object for each piece."""
        asked = {**body, "stream": True, "return_tokens": True, "cache_prompt": True, "timings_per_token": True}
        try:
            async with self._open_client().stream("POST", "/completion", json=asked) as response:
                if response.status_code != httpx2.codes.OK:
                    self._refuse(response.status_code, (await response.aread()).decode(errors="replace"))
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
        except httpx2.HTTPError as error:
            raise Unreachable(self.name, f"the embedded server broke off: {error!r}") from error
        except json.JSONDecodeError as error:
            raise Misbehaving(self.name, "JSON", error.doc) from error

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            raise Unreachable(self.name, "it is not open")
        return self._client

    def _refuse(self, status: int, text: str) -> None:
        if status == httpx2.codes.SERVICE_UNAVAILABLE:
            raise Overloaded(self.name, "the embedded server has no room")
        if status != httpx2.codes.OK:
            raise Misbehaving(self.name, "status 200", f"{status}: {text}")

    @asynccontextmanager
    async def _occupying(self) -> AsyncIterator[None]:
        """A request of ours runs; one that is cancelled has left its slot before the cancellation goes on."""
        self._running += 1
        try:
            yield
        except asyncio.CancelledError:
            await self._until_free()
            raise
        finally:
            self._running -= 1

    async def _until_free(self) -> None:
        """Wait until no more slots are busy than we have requests: the aborted one has left."""
        cancelled = False
        while self._client is not None:
            try:
                if (await self.load() or 0) < self._running:
                    break
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                cancelled = True
            except Unreachable:
                break
        if cancelled:
            raise asyncio.CancelledError

    async def _slots(self) -> Any:
        try:
            return (await self._open_client().get("/slots")).json()
        except httpx2.HTTPError as error:
            raise Unreachable(self.name, f"the embedded server does not answer: {error!r}") from error
