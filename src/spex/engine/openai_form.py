"""The two ways in which a server of OpenAI's kind is asked for a text, completions and chats, and one text of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from spex.engine import text_tokens
from spex.engine.base import Generation, Message
from spex.engine.http import Http
from spex.engine.openai_stream import OpenAIAnswer, Piece
from spex.engine.streamed import read_rest, read_until
from spex.engine.told import folded
from spex.errors import InputError
from spex.usage import Tokens

SEED_BITS = 31

OPTIONS: frozenset[str] = frozenset({"logprobs", "seed", "usage", "sums", "temperature", "top_p"})
"""What not every server takes. `usage`: counts at a text's end; `sums`: also before it, as vLLM and SGLang tell them.

A `temperature` or `top_p` that a server does not take is 1 there.
"""


class Form(Protocol):
    """How prompts are made, asked for, and what is streamed is read."""

    @property
    def name(self) -> str:
        """The engine's."""
        ...

    @property
    def path(self) -> str: ...

    @property
    def limit(self) -> str:
        """What the server calls the most tokens of an answer."""
        ...

    @property
    def continues(self) -> bool:
        """Whether a text goes on in the very place where its prompt ends."""
        ...

    @property
    def logprobs(self) -> object:
        """How log-probabilities are asked for."""
        ...

    def encoded(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """A chat up to where the assistant speaks next. Raises `InputError` for lone surrogates."""
        ...

    def stream(
        self, http: Http, prompt: Sequence[int], written: str, more: Mapping[str, object], size: Callable[[], int]
    ) -> AsyncGenerator[Piece, None]:
        """What comes behind a prompt and what was `written` behind it; `more` of the body. Raises as `Http.events`."""
        ...


@dataclass(frozen=True, slots=True)
class Completions:
    """`/completions` of the engine `name`: a prompt is a text, a chat a transcript (`User: …`)."""

    name: str
    path: str = "/completions"
    limit: str = "max_tokens"
    continues: bool = True
    logprobs: object = 1

    def encoded(self, messages: Sequence[Message]) -> tuple[int, ...]:
        return text_tokens.encoded(text_tokens.transcript(messages))

    def stream(
        self, http: Http, prompt: Sequence[int], written: str, more: Mapping[str, object], size: Callable[[], int]
    ) -> AsyncGenerator[Piece, None]:
        body = {"prompt": text_tokens.decoded(prompt, self.name) + written, **more}
        return http.events(self.path, body, Piece, size)


@dataclass(frozen=True, slots=True)
class Asking:
    """Texts of one model of a server, in a form and with what it takes of the form's options."""

    http: Http
    model: str
    form: Form
    options: frozenset[str] = frozenset()

    async def read(self, request: Generation, answer: OpenAIAnswer, spend: Callable[[Tokens], None]) -> None:
        """Let `answer` take the request's text until it is over, and tell what each piece costs. Raises as `stream`."""

        def take(piece: Piece) -> None:
            spend(answer.take(piece))

        more = self._more(request, answer.written)
        events = self.form.stream(self.http, request.prompt.token_ids, answer.text, more, lambda: answer.size)
        async with aclosing(events):
            await read_until(events, take, lambda: answer.is_over)
            if not answer.is_cut:
                await read_rest(events, take)

    def _more(self, request: Generation, written: int) -> dict[str, object]:
        """All of the body but the prompt. written: tokens that are there already. Raises `InputError`."""
        body: dict[str, object] = {
            "model": self.model,
            self.form.limit: request.tokens_max - written,
            "stream": True,
        }
        for name, value in (("temperature", request.sampling.temperature), ("top_p", request.sampling.top_p)):
            if name in self.options:
                body[name] = value
            elif value != 1.0:
                raise InputError(name, value, f"{self.form.name} takes none for {self.model!r}: it must be 1")
        if "logprobs" in self.options:
            body["logprobs"] = self.form.logprobs
        if "seed" in self.options:
            body["seed"] = folded(request.seed, SEED_BITS)
        if self.options & {"usage", "sums"}:
            sums = {"continuous_usage_stats": True} if "sums" in self.options else {}
            body["stream_options"] = {"include_usage": True, **sums}
        return body
