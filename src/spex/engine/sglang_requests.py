"""What an SGLang engine is asked and what comes of it, however it is reached: over HTTP or in this process.

Texts continue by token ids, and go on from those that an attempt before has written. An abort is asked for by the
request's own id, again and again until the engine says that the request is over.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from math import exp
from typing import Protocol, TypeVar

import msgspec

from spex.engine.abilities import Reading
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Progress
from spex.engine.hints import Hints
from spex.engine.http import Count
from spex.engine.interruption import uninterrupted
from spex.engine.server_tokens import Speller
from spex.engine.sglang_abort import ended
from spex.engine.sglang_reading import NOTHING_DRAWN, ReadPrompt, check_told, read_request
from spex.engine.sglang_stream import Chance, Finish, Piece, SglangAnswer, check_came
from spex.engine.sglang_told import SEED_BITS, Info
from spex.engine.streamed import read_rest, read_until
from spex.engine.told import HALF, begun, checked_chances, checked_logprob, folded, room_of
from spex.engine.whole_characters import without_half_character
from spex.errors import EngineError, InputError, Misbehaving
from spex.profile import Affine
from spex.usage import Tokens

_LOG = logging.getLogger("spex")
T = TypeVar("T")
_BEFORE = 5
"""Tokens of the prompt with which a server reads those behind it (a first blank, half a character)."""


class Line(Protocol):
    """The way to an engine. All of it raises `EngineError`, and `InputError` where the engine wants other settings."""

    def pieces(self, body: Mapping[str, object], size: Callable[[], int]) -> AsyncGenerator[Piece, None]:
        """The text that `body` asks for, as it grows; `size` tells how much of it has been taken.

        Closing it lets go of the request.
        """
        ...

    async def answer(self, body: Mapping[str, object], kind: type[T]) -> T:
        """What answers `body`, which asks for no text. When a cancellation comes through, it is over."""
        ...

    async def abort(self, rid: str) -> None:
        """Ask once that the request of this id ends early."""
        ...


class _LabelMeta(msgspec.Struct, frozen=True):
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    output_token_ids_logprobs: list[list[Chance]] = []
    finish_reason: Finish | None = None


class _Labels(msgspec.Struct, frozen=True):
    meta_info: _LabelMeta


class SglangRequests:
    """All requests to one engine, and the count of what they have cost. `capabilities` is what is known of it."""

    def __init__(self, name: str, line: Line, speller: Speller) -> None:
        self.capabilities: Capabilities = Capabilities(
            label_scores=True, resumes=True, curve=Affine(0.010, 0.0001), prefill_seconds=0.0001
        )
        self._name = name
        self._line = line
        self._speller = speller
        # The engine aborts by prefix: all ids are of one length, so that none is the beginning of another.
        self._run = secrets.token_hex(12)
        self._hints = Hints()
        self._requests = 0
        self._running = 0
        self._cost = Tokens()

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    def learn(self, info: Info) -> None:
        """Take what the engine says of itself in the place of beliefs. Raises `InputError` of one for no texts."""
        self.capabilities = info.applied(self.capabilities, self._name)
        self._hints = info.hints

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        if self.capabilities.drafts is not None:
            self.capabilities.drafts.check(request.sampling.temperature)
        await self._without_half_stop(progress, request)
        kept = len(progress.token_ids)
        room = room_of(request, self.capabilities, self._name)
        tokens_max = min(room, request.tokens_max) - kept
        answer = SglangAnswer(self._name, progress, request.prompt.token_count + kept, tokens_max)
        body = self._asked(request, progress, tokens_max)
        reading = asyncio.ensure_future(self._read(body, answer))
        try:
            await asyncio.shield(reading)
            completion = await self._whole(request, answer, kept)
        except asyncio.CancelledError:
            await uninterrupted(ended(reading, str(body["rid"]), self._abort))
            answer.reopen()
            raise
        except EngineError:
            answer.reopen()
            raise
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        cut = completion.end == "length" and room < request.tokens_max
        return completion._replace(end="context") if cut else completion

    async def _whole(self, request: Generation, answer: SglangAnswer, kept: int) -> Completion:
        """The text as it is in one go, of which `kept` tokens were there, without half a character at its end."""
        completion = answer.completion(request.stop)
        if kept:
            text = await self._spelled(request.prompt.token_ids, completion.token_ids)
            completion = completion._replace(text=answer.without_rest(text))
        if completion.text.endswith(HALF):
            completion = await without_half_character(completion, self._speller)
        return completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        body = {
            "rid": self._new_id(),
            "input_ids": list(request.prompt.token_ids),
            "sampling_params": NOTHING_DRAWN,
            "return_logprob": True,
            # From the last token on: from the first one, nothing would be read from the cache.
            "logprob_start_len": -1,
            "token_ids_logprob": list(request.labels),
            **self._hints.of(progress),
        }
        meta = (await self._answered(body, _Labels)).meta_info
        check_came(meta.finish_reason, self._name)
        sent, cached = request.prompt.token_count, meta.cached_tokens
        if meta.prompt_tokens != sent or cached is None or cached > sent:
            raise Misbehaving(self._name, f"an answer to a prompt of {sent} tokens", meta)
        told = meta.output_token_ids_logprobs[0] if meta.output_token_ids_logprobs else []
        found = {token: 0.0 if value is None else exp(checked_logprob(value, self._name)) for value, token, _ in told}
        if not found.keys() >= set(request.labels):
            raise Misbehaving(self._name, "a probability for each label", meta)
        check_told([value for value, token, _ in told if token in request.labels], self._name)
        checked_chances([found[label] for label in set(request.labels)], self._name)
        cost = Tokens(0, cached, 0, sent - cached)
        progress.spend(prompt_cached=cost.prompt_cached, reward=cost.reward)
        self._cost = self._cost.plus(cost)
        return tuple(found[label] for label in request.labels)

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each token that is asked for. Raises `EngineError`."""
        answer = await self._answered(read_request(request, self._new_id()), ReadPrompt)
        logprobs = answer.logprobs(request, self._name)
        progress.cost, self._cost = progress.cost.plus(answer.cost), self._cost.plus(answer.cost)
        return logprobs

    async def _abort(self, rid: str) -> None:
        try:
            await self._line.abort(rid)
        except (InputError, Misbehaving) as error:
            if self.capabilities.abort_confirmed:
                self.capabilities = replace(self.capabilities, abort_confirmed=False)
                _LOG.warning("%s: it refuses aborts, so that connections are closed instead: %s", self._name, error)
            raise

    async def _answered(self, body: Mapping[str, object], kind: type[T]) -> T:
        self._running += 1
        try:
            return await self._line.answer(body, kind)
        finally:
            self._running -= 1

    async def _read(self, body: Mapping[str, object], answer: SglangAnswer) -> None:
        def take(piece: Piece) -> None:
            self._cost = self._cost.plus(answer.take(piece))

        self._running += 1
        try:
            async with aclosing(self._line.pieces(body, lambda: answer.size)) as pieces:
                await read_until(pieces, take, lambda: answer.is_over)
                await read_rest(pieces, lambda _piece: None)
        finally:
            self._running -= 1

    async def _without_half_stop(self, progress: Progress, request: Generation) -> None:
        """Take back what may be the beginning of a stop string: the server looks for those in what it adds alone."""
        halves = tuple(begun(request.stop))
        back = 1
        while progress.text.endswith(halves):
            del progress.token_ids[-back:], progress.logprobs[-back:]
            progress.text = await self._spelled(request.prompt.token_ids, progress.token_ids)
            back *= 2  # which characters are a token's is not known

    async def _spelled(self, prompt: Sequence[int], token_ids: Sequence[int]) -> str:
        """The text of `token_ids` behind `prompt`, as the server tells it in one go: what begins a text is other."""
        before = prompt[-_BEFORE:]
        known = await self._speller.text(before, control=False) if before and token_ids else ""
        return (await self._speller.text([*before, *token_ids], control=False))[len(known) :] if token_ids else ""

    def _asked(self, request: Generation, progress: Progress, tokens_max: int) -> dict[str, object]:
        sampling: dict[str, object] = {
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "top_k": request.sampling.top_k or -1,
            "max_new_tokens": tokens_max,
            "stop": list(request.stop),
            "no_stop_trim": True,
        }
        if self.capabilities.seed != "none":
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
