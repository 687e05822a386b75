"""SGLang over HTTP, by its native interface: a stock server of 0.5.23 or newer.

Texts continue by token ids. Seeds are positional where the server runs with `--enable-deterministic-inference` (an
aborted text then goes on bit for bit from its tokens), and without effect elsewhere. An abort is asked for by the
request's own id, and has come through when the server says that the request is over.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from math import exp
from typing import Any

from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.http import Deadlines, Http
from spex.engine.interruption import uninterrupted
from spex.engine.server_tokens import encoded, encoded_chat
from spex.engine.sglang_stream import SglangAnswer
from spex.errors import EngineError, InputError, Misbehaving
from spex.profile import Affine
from spex.usage import Tokens

_ABORT_SECONDS = 10.0
_ABORT_AGAIN_SECONDS = 0.5
_SEED_BITS = 63


class Sglang:
    """An engine for the SGLang server at `url`. `key`: what the server was started with, where it was.

    Raises `InputError` for what is no address.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:30000", *, key: str | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._name = f"sglang:{url}"
        self._http = Http(self._name, url, key, deadlines)
        self._capabilities = Capabilities(label_scores=True, curve=Affine(0.010, 0.0001), prefill_seconds=0.0001)
        # The server aborts by prefix: all ids are of one length, so that none is the beginning of another.
        self._run = secrets.token_hex(12)
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

    async def open(self) -> None:
        """Raises `EngineError`, and `InputError` for another kind of server or model."""
        self._http.open()
        try:
            self._capabilities = _told(self._capabilities, await self._http.get("/server_info"), self._name)
        except BaseException:
            await self._http.close()
            raise

    async def close(self) -> None:
        await self._http.close()

    async def encode(self, text: str) -> tuple[int, ...]:
        return await encoded(self, text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return await encoded_chat(self, messages, self._name)

    async def tokens(self, text: str) -> tuple[int, ...]:
        answer = await self._http.post("/v1/tokenize", {"prompt": text, "add_special_tokens": False})
        return self._ids(answer)

    async def chat_tokens(self, messages: Sequence[Message]) -> tuple[int, ...]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        return self._ids(await self._http.post("/v1/tokenize", {"messages": turns, "add_generation_prompt": True}))

    async def text(self, token_ids: Sequence[int], *, control: bool) -> str:
        asked = {"tokens": list(token_ids), "skip_special_tokens": not control}
        answer = await self._http.post("/v1/detokenize", asked)
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise Misbehaving(self._name, "a text of tokens", answer)
        return str(answer["text"])

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        _drop_half_stops(progress, request.stop)
        kept = len(progress.token_ids)
        room = self._room(request)
        answer = SglangAnswer(self._name, progress)
        body = self._asked(request, progress, min(room, request.tokens_max) - kept)
        reading = asyncio.ensure_future(self._read(body, answer))
        try:
            await asyncio.shield(reading)
        except asyncio.CancelledError:
            await uninterrupted(self._ended(str(body["rid"]), reading))
            raise
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        completion = answer.completion(request.stop)
        if kept:  # a character may have been cut in two where the text was taken up again
            completion = completion._replace(text=await self.text(completion.token_ids, control=False))
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
        }
        self._running += 1
        try:
            answer = await self._http.post("/generate", body)
        finally:
            self._running -= 1
        try:
            meta = answer["meta_info"]
            cost = Tokens(0, int(meta["cached_tokens"]), 0, int(meta["prompt_tokens"]) - int(meta["cached_tokens"]))
            found = {int(entry[1]): exp(float(entry[0])) for entry in meta["output_token_ids_logprobs"][0]}
            told = tuple(found[label] for label in request.labels)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Misbehaving(self._name, "token probabilities", answer) from error
        progress.spend(prompt_cached=cost.prompt_cached, reward=cost.reward)
        self._cost = self._cost.plus(cost)
        return told

    async def _read(self, body: Mapping[str, object], answer: SglangAnswer) -> None:
        self._running += 1
        try:
            async with aclosing(self._http.events("/generate", body)) as events:
                async for event in events:
                    self._cost = self._cost.plus(answer.take(event))
        finally:
            self._running -= 1

    async def _ended(self, rid: str, reading: asyncio.Future[None]) -> None:
        """The server has said that the request is over, or the connection is let go of after ten seconds."""
        for _ in range(round(_ABORT_SECONDS / _ABORT_AGAIN_SECONDS)):
            # An abort that overtakes its request is without effect: it is asked for again.
            with suppress(EngineError, InputError):
                await self._http.send("/abort_request", {"rid": rid})
            done, _ = await asyncio.wait({reading}, timeout=_ABORT_AGAIN_SECONDS)
            if done:
                return

    def _asked(self, request: Generation, progress: Progress, tokens_max: int) -> dict[str, object]:
        sampling: dict[str, object] = {
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "top_k": request.sampling.top_k or -1,
            "max_new_tokens": tokens_max,
            "stop": list(request.stop),
            "no_stop_trim": True,
        }
        if self._capabilities.seed == "positional":
            sampling["sampling_seed"] = _folded(request.seed)
        return {
            "rid": self._new_id(),
            "input_ids": [*request.prompt.token_ids, *progress.token_ids],
            "sampling_params": sampling,
            "return_logprob": True,
            "stream": True,
        }

    def _new_id(self) -> str:
        self._requests += 1
        return f"{self._run}{self._requests:08x}"

    def _room(self, request: Generation) -> int:
        """Tokens that fit behind the prompt. Raises `Misbehaving` when there are none."""
        context = self._capabilities.context_tokens
        room = request.tokens_max if context is None else context - request.prompt.token_count
        if room < 1:
            expected = f"a prompt shorter than the context of {context} tokens"
            raise Misbehaving(self._name, expected, f"{request.prompt.token_count} tokens")
        return room

    def _ids(self, answer: Any) -> tuple[int, ...]:
        found = answer.get("tokens") if isinstance(answer, dict) else None
        if not isinstance(found, list) or not all(isinstance(token, int) for token in found):
            raise Misbehaving(self._name, "token ids", answer)
        return tuple(found)


def _told(before: Capabilities, info: Any, name: str) -> Capabilities:
    """What the server says of itself."""
    try:
        if info["is_embedding"]:
            raise InputError("policy", name, "it serves rewards or embeddings, and writes no text")
        state = info["internal_states"][0]
        return replace(
            before,
            seed="positional" if info["enable_deterministic_inference"] else "none",
            seed_bits=_SEED_BITS,
            slots=int(state["effective_max_running_requests_per_dp"]) * int(info["dp_size"]),
            context_tokens=int(info["max_req_input_len"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Misbehaving(name, "what an SGLang server says of itself (0.5.23 or newer)", info) from error


def _folded(seed: int) -> int:
    """64 bits to 63: the server keeps seeds in signed numbers."""
    return (seed ^ seed >> _SEED_BITS) & ((1 << _SEED_BITS) - 1)


def _drop_half_stops(progress: Progress, stop: Sequence[str]) -> None:
    """Take back what may be the beginning of a stop string: the server looks for those in what it adds alone."""
    halves = {text[:length] for text in stop for length in range(1, len(text))}
    if any(map(progress.text.endswith, halves)):
        # Which characters are the last token's is not known: all of it is written again.
        progress.token_ids.clear()
        progress.logprobs.clear()
        progress.text = ""
