"""An engine made of any function: for tests, for examples, and for models that live in this process.

    FunctionPolicy(lambda prompt, seed: "Answer: 24")

Tokens are the UTF-8 bytes of the text, so a token id is a byte and every text round-trips. A
chat reads as `System: …`, `User: …`, `Assistant: …` turns with a blank line between them; what
follows the last `Assistant: ` are the steps so far.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import TypeAlias

from spex.engine.abilities import Reading
from spex.engine.base import Capabilities, Completion, Counters, Generation, Labelling, Message, Progress
from spex.engine.said import Logprobs, Said, completed, said
from spex.engine.text_tokens import decoded, encoded, transcript
from spex.engine.told import checked_logprob
from spex.errors import EngineError, InputError, Misbehaving
from spex.profile import Affine
from spex.usage import Tokens

Speak: TypeAlias = Callable[[str, int], Said] | Callable[[str, int], Awaitable[Said]]
"""From the prompt's text and the seed to what the model says, at once or to be awaited."""

Choose: TypeAlias = Callable[[str, tuple[str, ...]], Sequence[float]]
"""From the prompt's text and the labels (one character each) to their probabilities as the next token."""

Likely: TypeAlias = Callable[[str, str], Logprobs]
"""From a text and one that follows it to the log-probabilities of the latter: one for each byte, or one for all."""

_TOKENS_EXPECTED = 64
_ITL_SECONDS_MIN = 1e-4


class FunctionPolicy:
    """Asks `function(prompt, seed)` for the text that follows the prompt.

    The function returns a text; or a pair of the text and its log-probabilities (one number for
    all tokens, or one for each byte); or a `Step` or `Completion`, of which text, log-probabilities
    and end count: an end of `delimiter` adds the first stop string where the text has none, and
    `length` and `context` are kept. Stop strings and the token limit are applied to it: the text
    ends with the first stop string in it, or at the last whole character within the limit, or
    else as `eos`.

    The function should be pure: equal arguments, equal text (then the seed is `whole`). A plain
    one runs on the event loop's thread, so a slow one should be async. An exception of it, and
    whatever is no text, is `Misbehaving`; an `EngineError` passes as it is, to play an engine
    that fails.

    latency_seconds (≥ 0): how long a request takes, on the event loop's clock, so that a virtual
    one may be used. slots (≥ 1): most requests at once; one more is `Misbehaving`. labels: answers
    requests for label probabilities, which are refused without it. likely: how likely the model
    finds a text that it has not written, for the reward `Likelihood`. Counters are exact: all prompt
    tokens are uncached, generated tokens are those of finished requests.
    """

    def __init__(
        self,
        function: Speak,
        *,
        latency_seconds: float = 0.0,
        slots: int = 256,
        labels: Choose | None = None,
        likely: Likely | None = None,
        name: str = "function",
    ) -> None:
        if not latency_seconds >= 0.0:
            raise InputError("latency_seconds", latency_seconds, "it must be 0 or more")
        if slots < 1:
            raise InputError("slots", slots, "it must be 1 or more")
        self._function = function
        self._labels = labels
        self._likely = likely
        self._latency_seconds = latency_seconds
        self._name = name
        self._free = asyncio.Semaphore(slots)
        self._running = 0
        self._cost = Tokens()
        self._capabilities = Capabilities(
            seed="whole",
            label_scores=labels is not None,
            slots=slots,
            # A request's time does not depend on what runs beside it: a flat curve.
            curve=Affine(max(latency_seconds / _TOKENS_EXPECTED, _ITL_SECONDS_MIN), 0.0),
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def counters(self) -> Counters:
        return Counters(self._running, self._cost)

    async def open(self) -> None:
        if not self._running:  # what waits for a slot belongs to one event loop
            self._free = asyncio.Semaphore(self._capabilities.slots)

    async def close(self) -> None: ...

    async def encode(self, text: str) -> tuple[int, ...]:
        """The bytes of `text`. Raises `InputError` for lone surrogates, which have none."""
        return encoded(text)

    async def encode_chat(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return encoded(transcript(messages))

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        prompt = decoded(request.prompt.token_ids, self._name)
        async with self._slot():
            self._spend(progress, prompt_uncached=request.prompt.token_count)
            await asyncio.sleep(self._latency_seconds)
            answer = await self._asked(lambda: self._function(prompt, request.seed))
            completion = completed(said(answer, self._name), request, self._name)
        self._spend(progress, generated=len(completion.token_ids))
        progress.token_ids[:] = completion.token_ids
        progress.logprobs[:] = completion.logprobs or ()
        progress.text = completion.text
        return completion

    async def label(self, request: Labelling, progress: Progress) -> tuple[float, ...]:
        choose = self._labels
        if choose is None:
            raise Misbehaving(self._name, "a request for text (no function for labels was given)", request.key)
        prompt = decoded(request.prompt.token_ids, self._name)
        labels = tuple(decoded((label,), self._name) for label in request.labels)
        async with self._slot():
            self._spend(progress, prompt_uncached=request.prompt.token_count)
            await asyncio.sleep(self._latency_seconds)
            answer = await self._asked(lambda: choose(prompt, labels))
        return self._probabilities(answer, len(labels))

    @property
    def reads(self) -> bool:
        return self._likely is not None

    async def read(self, request: Reading, progress: Progress) -> tuple[float, ...]:
        """The log-probability of each byte that is asked for. Raises `EngineError`."""
        likely = self._likely
        if likely is None:
            raise Misbehaving(self._name, "a request for text (no function for likelihoods was given)", request.key)
        before = decoded(request.prompt.token_ids[: request.start], self._name)
        text = decoded(request.read, self._name)
        async with self._slot():
            self._spend(progress, reward=request.prompt.token_count)
            await asyncio.sleep(self._latency_seconds)
            answer = await self._asked(lambda: likely(before, text))
        logprobs = said((text, answer), self._name).logprobs
        if logprobs is None:
            raise Misbehaving(self._name, "log-probabilities", answer)
        return tuple(checked_logprob(value, self._name) for value in logprobs)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """A place among the requests that run; several runs may share the function, and wait for one another."""
        async with self._free:
            self._running += 1
            try:
                yield
            finally:
                self._running -= 1

    def _spend(self, progress: Progress, **counts: int) -> None:
        progress.spend(**counts)
        self._cost = self._cost.plus(Tokens(**counts))

    async def _asked(self, question: Callable[[], object]) -> object:
        """What the user's function answers, or its exception told as the engine's failure."""
        try:
            answer = question()
            return await answer if isawaitable(answer) else answer
        except EngineError:
            raise
        except Exception as error:
            raise Misbehaving(self._name, "an answer of the function", f"{type(error).__name__}: {error}") from error

    def _probabilities(self, answer: object, count: int) -> tuple[float, ...]:
        values = tuple(answer) if isinstance(answer, Sequence) and not isinstance(answer, str) else ()
        if len(values) != count or not all(isinstance(value, float | int) and 0 <= value <= 1 for value in values):
            raise Misbehaving(self._name, f"{count} probabilities in [0, 1]", answer)
        return tuple(float(value) for value in values)
