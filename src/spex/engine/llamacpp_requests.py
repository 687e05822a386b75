"""What a llama.cpp server is asked for, by its native interface, in this process or elsewhere.

Texts continue by token ids, seeds are folded to 32 bits. Each request has a connection of its own: a kept one would
hold one of the server's few threads, and is closed by it without a word.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from math import exp
from typing import Any

import msgspec

from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.first_tokens import found_first_tokens
from spex.engine.http import Count, Http, TokenId
from spex.engine.interruption import uninterrupted
from spex.engine.llamacpp_stream import Character, StreamedAnswer
from spex.engine.told import HALF, begun
from spex.errors import EngineError, InputError, Misbehaving, Unreachable
from spex.usage import Tokens

_LOG = logging.getLogger("spex")
_RANDOM_SEED = 0xFFFFFFFF
# Thousands make an answer of half a megabyte, and are seldom needed.
_LABEL_CANDIDATES = (64, 4096)
_SURE = 1000.0
_LAST = (8, 4, 2)
"""Tokens at a text's end that are looked at for what is held back for a stop string."""
_PART = "\ue000spex-content-{}\ue000"

# A server may have been started with others of its own.
_SAMPLING: Mapping[str, object] = {
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "xtc_probability": 0.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "dynatemp_range": 0.0,
    "mirostat": 0,
}


class Slot(msgspec.Struct, frozen=True):
    """A place for a request."""

    n_ctx: Count
    is_processing: bool
    speculative: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    tokens: list[TokenId]


class _Content(msgspec.Struct, frozen=True):
    content: str


class _Rendered(msgspec.Struct, frozen=True):
    prompt: str


class LlamaCppRequests:
    """The requests of the engine `name` to the server at `http`, while there is one.

    confirm_seconds: how long an aborted request's slot is waited for at most: others on the server may have it by then.
    """

    def __init__(
        self, name: str, capabilities: Capabilities, http: Http | None = None, *, confirm_seconds: float
    ) -> None:
        self.name = name
        self.capabilities: Capabilities = capabilities
        self.http = http
        self._confirm_seconds = confirm_seconds
        self._running = 0
        self._cost = Tokens()
        self._first: tuple[int, ...] | None = None
        self._told_of_a_cut = False
        self._characters: dict[Character, tuple[int, ...] | None] = {}

    def learn(self, capabilities: Capabilities) -> None:
        """What the server that has just been opened can; nothing stays of one before it."""
        self.capabilities = capabilities
        self._first = None
        self._characters.clear()

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    async def slots(self) -> list[Slot]:
        """Raises `EngineError`, and `InputError` where the server does not tell them."""
        return await self._server().get("/slots", list[Slot])

    async def load(self) -> int:
        """How many slots are busy; raises as `slots` does."""
        return sum(slot.is_processing for slot in await self.slots())

    async def tokens(self, text: str, *, control: bool, special: bool = False) -> tuple[int, ...]:
        """`text` as token ids, the names of control tokens as those or not. Raises `EngineError`.

        special: with the tokens that the model has before and behind every text.
        """
        if not text:
            return ()
        body = {"content": text, "add_special": special, "parse_special": control}
        return tuple((await self._server().post("/tokenize", body, _Tokens)).tokens)

    async def chat(self, messages: Sequence[Message], enable_thinking: bool | None = None) -> tuple[int, ...]:
        """A chat up to where the assistant speaks next; None tells the template nothing. Raises `EngineError`."""
        options = {} if enable_thinking is None else {"chat_template_kwargs": {"enable_thinking": enable_thinking}}
        marks = [_PART.format(number) for number in range(len(messages))]
        turns = [{"role": message.role, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        rendered = (await self._server().post("/apply-template", {"messages": turns, **options}, _Rendered)).prompt
        token_ids: list[int] = []
        for message, mark in zip(messages, marks, strict=True):
            frame, found, rest = rendered.partition(mark)
            if not found:
                raise Misbehaving(self.name, "a chat template that keeps every message", rendered)
            rendered = rest
            token_ids += await self.tokens(frame, control=True)
            token_ids += await self.tokens(message.content, control=False)
        token_ids += await self.tokens(rendered, control=True)
        first = await self.first_tokens()
        return tuple(token_ids) if tuple(token_ids[: len(first)]) == first else (*first, *token_ids)

    async def first_tokens(self) -> tuple[int, ...]:
        """What the model has before every text (BOS): the server takes it off its templates, to add it to texts."""
        if self._first is None:
            self._first = await found_first_tokens(partial(self.tokens, control=False))
        return self._first

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        """The request's text. Raises `EngineError`; a cancelled one has left its slot, as far as that can be seen."""
        room = self._room(request)
        body = {
            **_SAMPLING,
            "prompt": list(request.prompt.token_ids),
            "n_predict": min(room, request.tokens_max),
            "seed": folded(request.seed),
            "stop": list(request.stop),
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "top_k": request.sampling.top_k,
            "n_probs": 1,
            "stream": True,
            "return_tokens": True,
            "cache_prompt": True,
            "timings_per_token": True,
        }
        answer = StreamedAnswer(self.name, progress, tells_logprobs=self.capabilities.log_probabilities)
        events = self._server().events("/completion", body, dict[str, Any], lambda: answer.size)
        async with self._occupying(), aclosing(events):
            async for event in events:
                self._cost = self._cost.plus(answer.take(event))
                if answer.character is not None:
                    answer.spell(await self._spelled(answer.character, request.stop))
        completion = answer.completion()
        if completion.logprobs is None and self.capabilities.log_probabilities:
            self.capabilities = replace(self.capabilities, log_probabilities=False)  # it drafts, and did not say so
        if completion.end == "length":
            completion = completion._replace(
                text=await self._with_what_was_held(completion, request.stop),
                end="context" if room < request.tokens_max else "length",
            )
        return completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        """A label that is not among the 4,096 likeliest tokens counts as impossible. Raises as `generate` does."""
        found: Mapping[int, float] = {}
        async with self._occupying():
            for candidates in _LABEL_CANDIDATES:
                found = await self._likeliest(request, candidates, progress)
                if all(label in found for label in request.labels):
                    break
        return tuple(found.get(label, 0.0) for label in request.labels)

    async def _spelled(self, character: Character, stop: Sequence[str]) -> tuple[int, ...] | None:
        """The tokens that a character came in; None where they cannot be told. Raises `EngineError`.

        What was held back for a stop string that it might have begun comes with it: its tokens have been told.
        """
        for held in ("", *begun(stop)):
            if character.text.startswith(held):
                found = await self._tokens_of(character._replace(text=character.text.removeprefix(held)))
                if found is not None:
                    return found
        if not self._told_of_a_cut:
            self._told_of_a_cut = True
            _LOG.warning("%s: texts end before a character whose tokens it does not tell: %a", self.name, character)
        return None

    async def _tokens_of(self, character: Character) -> tuple[int, ...] | None:
        """As many tokens as say its text, and end with the last one. What is once known is not asked again."""
        if character not in self._characters:
            found = (await self.tokens(character.text, control=False))[-character.tokens :]
            fits = len(found) == character.tokens and found[-1] == character.last
            self._characters[character] = found if fits and await self._text(found) == character.text else None
        return self._characters[character]

    async def _with_what_was_held(self, completion: Completion, stop: Sequence[str]) -> str:
        """The text with the beginning of a stop string that its last tokens are: a limit leaves it untold.

        Fewer tokens are looked at where more do not fit: the server tells control tokens here, and not in texts.
        """
        text, halves = completion.text, ("", *begun(stop))
        for count in _LAST:
            last = completion.token_ids[-count:]
            spelled = (await self._text(last)).lstrip(f"{HALF} ") if last and len(halves) > 1 else ""
            fitting = [text + held for held in halves if (text + held).endswith(spelled)]
            if fitting:
                return fitting[0]
        return text

    async def _text(self, token_ids: Sequence[int]) -> str:
        body = {"tokens": list(token_ids)}
        return (await self._server().post("/detokenize", body, _Content)).content

    async def _likeliest(self, request: Labelling, candidates: int, progress: Progress) -> Mapping[int, float]:
        """The probabilities of so many tokens behind the prompt."""
        body = {
            **_SAMPLING,
            "prompt": list(request.prompt.token_ids),
            "n_predict": 1,
            "temperature": 0.0,
            "n_probs": candidates,
            "cache_prompt": True,
            # What is drawn is one of the labels: of a token that ends the text, or is a part of a character, nothing is
            # told. The probabilities are those from before the bias.
            "logit_bias": [[label, _SURE] for label in request.labels],
        }
        answer = await self._server().post("/completion", body, dict[str, Any])
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
        context = self.capabilities.context_tokens or 0
        room = context - request.prompt.token_count - 1
        if room < 1:
            told = f"{request.prompt.token_count} tokens"
            raise Misbehaving(self.name, f"a prompt shorter than the context of {context} tokens", told)
        return room

    def _server(self) -> Http:
        if self.http is None:
            raise Unreachable(self.name, "it is not open")
        return self.http

    @asynccontextmanager
    async def _occupying(self) -> AsyncIterator[None]:
        """A request of ours runs; one that is cancelled has left its slot before the cancellation goes on."""
        self._running += 1
        try:
            yield
        except asyncio.CancelledError:
            if self.capabilities.abort_confirmed:
                await uninterrupted(self._until_free())
            raise
        finally:
            self._running -= 1

    async def _until_free(self) -> None:
        """Wait until no more slots are busy than we have requests: the aborted one has left."""
        with suppress(TimeoutError, EngineError, InputError):
            async with asyncio.timeout(self._confirm_seconds):
                while self.http is not None and await self.load() >= self._running:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)


def folded(seed: int) -> int:
    """64 bits to 32, never the value that means "any"."""
    folded = (seed ^ seed >> 32) & 0xFFFFFFFF
    return folded if folded != _RANDOM_SEED else folded - 1
