"""SGLang over HTTP, by its native interface: a stock server of 0.5.23 or newer.

Texts continue by token ids. Seeds are positional where the server runs with `--enable-deterministic-inference` (an
aborted text then goes on bit for bit from its tokens), whole at most where it drafts too, and without effect elsewhere.
An abort is asked for by the request's own id, and has come through when the server says that the request is over.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from math import exp
from typing import Annotated

import msgspec

from spex.engine.abilities import Reading
from spex.engine.base import Capabilities, Completion, Counters, Generation, Identity, Labelling, Message, Progress
from spex.engine.hints import Hints
from spex.engine.http import Count, Deadlines, Http
from spex.engine.interruption import uninterrupted
from spex.engine.keys import key_for
from spex.engine.other_kind import told_of_another_kind
from spex.engine.same_model import refuse_other_model
from spex.engine.server_tokens import encoded, encoded_chat
from spex.engine.sglang_reading import ReadPrompt, read_request
from spex.engine.sglang_stream import Chance, Piece, SglangAnswer
from spex.engine.sglang_tokens import SglangTokenizer
from spex.engine.sglang_told import SEED_BITS, Info, Loads
from spex.engine.streamed import read_rest, read_until
from spex.engine.told import checked_chances, checked_logprob, folded, room_of, rooted
from spex.errors import EngineError, InputError, Misbehaving
from spex.profile import Affine
from spex.usage import Tokens

_ABORT_SECONDS = 10.0
_ABORT_AGAIN_SECONDS = 0.5


class _Loaded(msgspec.Struct, frozen=True):
    model_path: str


class _LabelMeta(msgspec.Struct, frozen=True):
    prompt_tokens: Count
    cached_tokens: Count
    output_token_ids_logprobs: Annotated[list[list[Chance]], msgspec.Meta(min_length=1)]


class _Labels(msgspec.Struct, frozen=True):
    meta_info: _LabelMeta


class Sglang:
    """An engine for the SGLang server at `url`.

    key: what the server was started with, where it was; `SGLANG_API_KEY` if not given. Raises `InputError` for what
    is no address.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:30000", *, key: str | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._name = f"sglang:{url}"
        address, model = rooted(url)
        if model is not None:
            raise InputError("url", url, "an SGLang server has one model: leave out what follows #")
        known = key_for("sglang", address, key)
        self._http = Http(self._name, address, known.value, deadlines, advice=known.advice)
        self._tokenizer = SglangTokenizer(self._http)
        self._capabilities = Capabilities(label_scores=True, curve=Affine(0.010, 0.0001), prefill_seconds=0.0001)
        # The server aborts by prefix: all ids are of one length, so that none is the beginning of another.
        self._run = secrets.token_hex(12)
        self._identity = Identity()
        self._hints = Hints()
        self._requests = 0
        self._running = 0
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
        """As of the last time that the server took note of it: when it ran out of work, or 15 tokens ago."""
        with suppress(InputError):
            return (await self._http.get("/v1/loads?include=core", Loads)).requests
        return None

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for another kind of server or model."""
        self._http.open()
        try:
            async with told_of_another_kind(self._http, "sglang", self._name):
                info = await self._http.get("/server_info", Info)
            self._capabilities = info.applied(self._capabilities, self._name)
            self._hints = info.hints
            self._identity = Identity(f"SGLang {info.version}", info.model_path, str(info.drafts or ""))
        except BaseException:
            await self._http.close()
            raise

    async def recheck(self) -> None:
        """Raises `InputError` where the server has another model by now, and `EngineError`."""
        found = ""
        with suppress(InputError, Misbehaving):  # what stands before a server may not pass it on
            found = (await self._http.get("/model_info", _Loaded)).model_path
        refuse_other_model(found, self._identity.model, self._name)

    async def close(self) -> None:
        await self._http.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await encoded(self._tokenizer, text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await encoded_chat(self._tokenizer, messages, self._name)

    async def encode_thinking_chat(self, messages: Sequence[Message], *, enable_thinking: bool) -> tuple[int, ...]:
        render = partial(self._tokenizer.chat_tokens, enable_thinking=enable_thinking)
        return await encoded_chat(self._tokenizer, messages, self._name, render)

    async def tokens(self, text: str) -> tuple[int, ...]:
        """`text` as token ids, names of control tokens as those. Raises `EngineError`."""
        return await self._tokenizer.tokens(text)

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        """What the ids say, with the names of control tokens or without. Raises `EngineError`."""
        return await self._tokenizer.text(token_ids, control=control)

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if self._capabilities.drafts is not None:
            self._capabilities.drafts.check(request.sampling.temperature)
        _drop_half_stops(progress, request.stop)
        kept = len(progress.token_ids)
        room = room_of(request, self._capabilities, self._name)
        tokens_max = min(room, request.tokens_max) - kept
        answer = SglangAnswer(self._name, progress, request.prompt.token_count + kept, tokens_max)
        body = self._asked(request, progress, tokens_max)
        reading = asyncio.ensure_future(self._read(body, answer))
        try:
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            await uninterrupted(self._ended(str(body["rid"]), reading))
            answer.reopen()
            raise
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        completion = answer.completion(request.stop)
        if kept:  # a character may have been cut in two where the text was taken up again
            completion = completion._replace(text=await self._tokenizer.text(completion.token_ids, control=False))
        cut = completion.end == "length" and room < request.tokens_max
        return completion._replace(end="context") if cut else completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        body = {
            "rid": self._new_id(),
            "input_ids": list(request.prompt.token_ids),
            "sampling_params": {"max_new_tokens": 0, "temperature": 0.0},
            "return_logprob": True,
            # From the last token on: from the first one, nothing would be read from the cache.
            "logprob_start_len": -1,
            "token_ids_logprob": list(request.labels),
            **self._hints.of(progress),
        }
        self._running += 1
        try:
            meta = (await self._http.post("/generate", body, _Labels)).meta_info
        finally:
            self._running -= 1
        cost = Tokens(0, meta.cached_tokens, 0, meta.prompt_tokens - meta.cached_tokens)
        found = {
            token: 0.0 if value is None else exp(checked_logprob(value, self._name))
            for value, token, _ in meta.output_token_ids_logprobs[0]
        }
        if meta.prompt_tokens != request.prompt.token_count or cost.reward < 0:
            raise Misbehaving(self._name, f"an answer to a prompt of {request.prompt.token_count} tokens", meta)
        if not found.keys() >= set(request.labels):
            raise Misbehaving(self._name, "a probability for each label", meta)
        checked_chances([found[label] for label in set(request.labels)], self._name)
        progress.spend(prompt_cached=cost.prompt_cached, reward=cost.reward)
        self._cost = self._cost.plus(cost)
        return tuple(found[label] for label in request.labels)

    @property
    def reads(self) -> bool:
        return True

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for. Raises `EngineError`."""
        self._running += 1
        try:
            answer = await self._http.post("/generate", read_request(request, self._new_id()), ReadPrompt)
        finally:
            self._running -= 1
        logprobs = answer.logprobs(request, self._name)
        progress.cost, self._cost = progress.cost.plus(answer.cost), self._cost.plus(answer.cost)
        return logprobs

    async def _read(self, body: Mapping[str, object], answer: SglangAnswer) -> None:
        def take(piece: Piece) -> None:
            self._cost = self._cost.plus(answer.take(piece))

        self._running += 1
        try:
            async with aclosing(self._http.events("/generate", body, Piece, lambda: answer.size)) as events:
                await read_until(events, take, lambda: answer.is_over)
                await read_rest(events, lambda _piece: None)
        finally:
            self._running -= 1

    async def _ended(self, rid: str, reading: asyncio.Future[None]) -> None:
        """The server has said that the request is over, or the connection is let go of after ten seconds."""
        asking = asyncio.ensure_future(self._ask_to_abort(rid))
        await asyncio.wait({reading}, timeout=_ABORT_SECONDS)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    async def _ask_to_abort(self, rid: str) -> None:
        while True:  # an abort that overtakes its request is without effect: it is asked for again
            with suppress(EngineError, InputError):
                await self._http.send("/abort_request", {"rid": rid})
            await asyncio.sleep(_ABORT_AGAIN_SECONDS)

    def _asked(self, request: Generation, progress: Progress, tokens_max: int) -> dict[str, object]:
        sampling: dict[str, object] = {
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "top_k": request.sampling.top_k or -1,
            "max_new_tokens": tokens_max,
            "stop": list(request.stop),
            "no_stop_trim": True,
        }
        if self._capabilities.seed != "none":
            sampling["sampling_seed"] = folded(request.seed, SEED_BITS)
        return {
            "rid": self._new_id(),
            "input_ids": [*request.prompt.token_ids, *progress.token_ids],
            "sampling_params": sampling,
            "return_logprob": True,
            "stream": True,
            **self._hints.of(progress),
        }

    def _new_id(self) -> str:
        self._requests += 1
        return f"{self._run}{self._requests:08x}"


def _drop_half_stops(progress: Progress, stop: Sequence[str]) -> None:
    """Take back what may be the beginning of a stop string: the server looks for those in what it adds alone."""
    halves = {text[:length] for text in stop for length in range(1, len(text))}
    if any(map(progress.text.endswith, halves)):
        # Which characters are the last token's is not known: all of it is written again.
        progress.token_ids.clear()
        progress.logprobs.clear()
        progress.text = ""
