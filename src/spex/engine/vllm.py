"""vLLM over HTTP: a stock server of 0.32 or newer.

Texts are asked for at `/v1/completions`, which takes token ids and gives them back beside the text, with its stop
string and log-probabilities. `/inference/v1/generate` says no more, and most servers lack it (`--enable-scale-out`).

Seeds are `whole`: the server draws each text from a generator of its own, which starts with the seed and cannot be set
forward, so that an aborted text is written again from its start. Equal requests give equal texts, alone and beside
others, where the server runs with `--dtype float32` or `VLLM_BATCH_INVARIANT=1`; elsewhere nearly always. On a CPU
their log-probabilities may differ in the sixth place with what runs beside them, in float32 too: by AVX-512 oneDNN has
another kernel for a text that is alone, with `ONEDNN_MAX_CPU_ISA=AVX2` in the server's environment it has not. They
may differ in the fifth place with what of the prompt is in the cache, unless it has `--no-enable-prefix-caching`.
Then, and not before, a speculated run's scores are those of the plain one for certain.

An abort is a closed connection. It has come through when the server counts no more requests (`/metrics`) than we have
left there, or after half a second: others may use it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from spex.engine.abilities import Identity, Reading
from spex.engine.base import (
    Capabilities,
    Completion,
    Counters,
    Generation,
    Labelling,
    Message,
    Progress,
    Sampling,
    SeedKind,
)
from spex.engine.first_tokens import found_first_tokens
from spex.engine.http import Deadlines, Http
from spex.engine.interruption import uninterrupted
from spex.engine.keys import key_for
from spex.engine.other_kind import told_of_another_kind
from spex.engine.same_model import refuse_other_model
from spex.engine.server_tokens import encoded, encoded_chat
from spex.engine.streamed import read_rest, read_until
from spex.engine.told import room_of, rooted
from spex.engine.vllm_asked import SEED_BITS, text_body
from spex.engine.vllm_labels import Labels, labels_request
from spex.engine.vllm_reading import ReadPrompt, read_request
from spex.engine.vllm_stream import Piece, VllmAnswer
from spex.engine.vllm_tokens import VllmTokenizer
from spex.engine.vllm_told import (
    CHUNKED,
    Models,
    Settings,
    chosen,
    context_of,
    loaded_as,
    told_drafts,
    told_load,
    told_queue,
    told_settings,
    told_version,
)
from spex.engine.whole_characters import without_half_character
from spex.errors import EngineError, InputError, Unreachable
from spex.profile import Affine
from spex.prompt import Prompt
from spex.usage import Tokens

T = TypeVar("T")
_SLOTS = 128
_GONE_SECONDS = 0.5
_GONE_AGAIN_SECONDS = 0.02


class Vllm:
    """An engine for the vLLM server at `url`; behind `#` the name of its model, where it serves several.

    key: what the server was started with, where it was; `VLLM_API_KEY` if not given. slots: requests at once
    (1 to 4096), where the server does not tell its `--max-num-seqs`; 128 if not given. Raises `InputError`.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        slots: int | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        if slots is not None and not 1 <= slots <= 1 << 12:
            raise InputError("slots", slots, "it must be a whole number from 1 to 4096")
        self._name = f"vllm:{url}"
        address, self._wanted = rooted(url)
        known = key_for("vllm", address, key)
        self._http = Http(self._name, address, known.value, deadlines, advice=known.advice)
        self._tokenizer = VllmTokenizer(self._http, "")
        self._model = ""
        self._identity = Identity()
        self._settings = Settings()
        self._slots = slots
        self._capabilities = Capabilities(
            seed="whole",
            seed_bits=SEED_BITS,
            label_scores=True,
            slots=slots or _SLOTS,
            curve=Affine(0.010, 0.0001),
            prefill_seconds=0.0001,
            cancel_delay_seconds=0.1,
        )
        self._users = 0
        self._opening = asyncio.Lock()
        self._asking = asyncio.Lock()
        self._running = 0
        self._leaving = 0
        self._gone_at_seconds = 0.0
        self._cost = Tokens()

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
        return self._identity

    async def load(self) -> int | None:
        return await told_load(self._http)

    async def queue(self) -> tuple[int, int] | None:
        return await told_queue(self._http)

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for another kind of server or model, or known wrong settings."""
        if not self._users:  # locks belong to one event loop
            self._opening, self._asking = asyncio.Lock(), asyncio.Lock()
        async with self._opening:
            self._http.open()
            self._users += 1
            try:
                if not self._model:
                    async with told_of_another_kind(self._http, "vllm", self._name):
                        await self._learn()
            except BaseException:
                await self.close()
                raise

    async def recheck(self) -> None:
        """Raises `InputError` where the server has another model by now, and `EngineError`."""
        models = (await self._http.get("/v1/models", Models)).data
        refuse_other_model(loaded_as(self._model, models), self._identity.model, self._name)

    async def close(self) -> None:
        self._users = max(0, self._users - 1)
        if not self._users:
            self._model = ""
        await self._http.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await encoded(self._tokenizer, text)

    async def first_tokens(self) -> tuple[int, ...]:
        """What the model has before every text. Raises `EngineError`."""
        return await found_first_tokens(self._tokenizer.tokens)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await encoded_chat(self._tokenizer, messages, self._name)

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        render = partial(self._tokenizer.chat_tokens, enable_thinking=enable_thinking)
        return await encoded_chat(self._tokenizer, messages, self._name, render)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those. Raises `EngineError`."""
        return await self._tokenizer.tokens(text)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if self._capabilities.drafts is not None:
            self._capabilities.drafts.check(request.sampling.temperature)
        room = room_of(request, self._capabilities, self._name)
        tokens_max = min(room, request.tokens_max)
        answer = VllmAnswer(self._name, progress, request.prompt.token_ids, tokens_max)
        body = text_body(self._model, request, tokens_max) | self._settings.hints.of(progress)
        try:
            await self._stoppable(self._read(body, answer))
            completion = answer.completion(request.stop)
            if answer.may_end_in_half:
                completion = await without_half_character(completion, self._tokenizer)
        except Unreachable as error:
            if not self._settings.may_be_on_cpu:
                raise
            message = str(error).removeprefix(f"{self._name}: ")
            raise Unreachable(self._name, f"{message} (if it died: {CHUNKED})") from error
        cut = completion.end == "length" and room < request.tokens_max
        return completion._replace(end="context") if cut else completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        body = labels_request(request, self._model) | self._settings.hints.of(progress)
        answer = await self._stoppable(self._http.post("/v1/completions", body, Labels))
        probabilities = answer.probabilities(request, self._name)
        progress.cost, self._cost = progress.cost.plus(answer.cost), self._cost.plus(answer.cost)
        return probabilities

    @property
    def reads(self) -> bool:
        return True

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for. Raises `EngineError`."""
        body = read_request(request, self._model)
        answer = await self._stoppable(self._http.post("/v1/completions", body, ReadPrompt))
        logprobs = answer.logprobs(request, self._name)
        progress.cost, self._cost = progress.cost.plus(answer.cost), self._cost.plus(answer.cost)
        return logprobs

    async def _learn(self) -> None:
        """Who the server is; a text of one token shows that it answers as it should."""
        models = (await self._http.get("/v1/models", Models)).data
        model = chosen(models, self._wanted, self._name)
        settings = await told_settings(self._http)
        settings.check(self._name)
        drafts = settings.drafts or await told_drafts(self._http, self._name)
        self._identity = Identity(await told_version(self._http), model.root or model.id, str(drafts or ""))
        self._tokenizer = VllmTokenizer(self._http, model.id)
        prompt = Prompt([await self._tokenizer.tokens("1")])
        await self._tokenizer.text(prompt.token_ids, control=True)  # SGLang's way back to texts is another one
        self._model, self._settings = model.id, settings
        try:
            answer = VllmAnswer(self._name, Progress(), prompt.token_ids, 1)
            await self._read(text_body(model.id, Generation("open", prompt, 0, (), 1, Sampling(0.0)), 1), answer)
            answer.completion(())
            load = await told_load(self._http)
        except BaseException:
            self._model = ""
            raise
        finally:
            self._cost = Tokens()
        seed: SeedKind = "none" if settings.varies else "whole"
        self._capabilities = replace(
            self._capabilities,
            seed=seed if drafts is None else drafts.seed(seed),
            abort_confirmed=load is not None,
            slots=self._slots or settings.slots or _SLOTS,
            context_tokens=context_of(model, models),
            priority=settings.hints.orders,
            drafts=drafts,
        )

    async def _stoppable(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work`; when a cancellation comes through, the server has let go of the request."""
        task = asyncio.ensure_future(work)
        self._running += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._leaving += 1
            try:
                await uninterrupted(self._stopped(task))
            finally:
                self._leaving -= 1
            raise
        finally:
            self._running -= 1

    async def _stopped(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._capabilities.abort_confirmed:
            with suppress(TimeoutError, EngineError):
                async with asyncio.timeout(_GONE_SECONDS):
                    await self._gone(asyncio.get_running_loop().time())

    async def _gone(self, closed_at_seconds: float) -> None:
        """What was asked after the connection was closed says that the server has no more than what is not leaving."""
        async with self._asking:  # one answer tells of all that were closed before it was asked for
            while self._gone_at_seconds <= closed_at_seconds:
                await asyncio.sleep(_GONE_AGAIN_SECONDS)
                asked_at_seconds = asyncio.get_running_loop().time()
                load = await told_load(self._http)
                if load is None or load <= self._running - self._leaving:
                    self._gone_at_seconds = asked_at_seconds

    async def _read(self, body: Mapping[str, object], answer: VllmAnswer) -> None:
        def take(piece: Piece) -> None:
            self._cost = self._cost.plus(answer.take(piece))

        async with aclosing(self._http.events("/v1/completions", body, Piece, lambda: answer.size)) as events:
            await read_until(events, take, lambda: answer.is_over)
            await read_rest(events, take)
