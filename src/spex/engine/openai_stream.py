"""One text as servers of OpenAI's kind stream it, and where it ends: they tell of no stop string that they matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import msgspec

from spex.engine.base import Completion, Progress
from spex.engine.http import Count
from spex.engine.openai_faults import told_fault
from spex.engine.told import ABORTED, CUT, HALF, checked_logprob
from spex.errors import Misbehaving, Unreachable
from spex.tree import End
from spex.usage import Tokens

_ENDS: Mapping[str, End] = MappingProxyType(
    {
        "stop": "eos",
        "eos": "eos",
        "eos_token": "eos",
        "end_turn": "eos",
        "stop_sequence": "eos",
        "length": "length",
        "max_tokens": "length",
        "model_length": "context",
    }
)
_FAILED = frozenset({"error", "insufficient_system_resource"})
_BYTES_A_TOKEN = 4
_BYTES_A_TOKEN_MAX = 128


class Token(msgspec.Struct, frozen=True):
    """One that was drawn, in the newer form."""

    logprob: float


class Logprobs(msgspec.Struct, frozen=True):
    """Log-probabilities of the tokens that were drawn, in the older form or the newer one."""

    token_logprobs: list[float | None] | None = None
    content: list[Token] | None = None

    @property
    def values(self) -> list[float]:
        if self.content is not None:
            return [token.logprob for token in self.content]
        return [value for value in self.token_logprobs or () if value is not None]


class Choice(msgspec.Struct, frozen=True):
    """What is new of a text, and at its end why it ended; `thinks`: it is of a thought, which is no part of a text.

    delta: what a chat has in its place.
    """

    text: str | None = ""
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    thinks: bool = False
    delta: object = None


class Details(msgspec.Struct, frozen=True):
    """What of a prompt was in the server's cache, where it says so."""

    cached_tokens: Count | None = None


class Told(msgspec.Struct, frozen=True):
    """Counts, in the server's tokens; of some servers there is one without the other, or an object with none."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: Details | None = None

    @property
    def cached_tokens(self) -> int:
        """0 where it does not say."""
        return (self.prompt_tokens_details.cached_tokens or 0) if self.prompt_tokens_details else 0


class Piece(msgspec.Struct, frozen=True):
    """One event of a stream."""

    choices: Annotated[list[Choice], msgspec.Meta(max_length=1)] | None = None
    usage: Told | None = None
    error: object = None


class OpenAIAnswer:
    """What has come of one request, which goes on from its progress' text. prompt_bytes: of all that stood before it.

    It is over where the first stop string is written, or the server ends it. tokens_max: of the whole text, of which
    `written` were there already.
    """

    def __init__(
        self, engine: str, progress: Progress, prompt_bytes: int, stop: Sequence[str], tokens_max: int
    ) -> None:
        self._engine = engine
        self._tokens_max = tokens_max
        self._progress = progress
        self._stop = tuple(stop)
        progress.text = _whole(progress.text)
        progress.token_ids.clear()
        if not progress.text:
            progress.logprobs.clear()
        # What it has cost is what was drawn; one token at least is left to be asked for.
        self.written: int = min(progress.cost.generated, tokens_max - 1) if progress.text else 0
        self._prompt_tokens = -(-(prompt_bytes + len(progress.text.encode())) // _BYTES_A_TOKEN)
        self._end: End | None = None
        self._open = progress.text, len(progress.logprobs)
        self._cost = Tokens()
        self.counts_as_it_goes: bool = False
        self.prompt_tokens: int | None = None
        """As the server counts them, where it has."""

    @property
    def is_over(self) -> bool:
        return self._end is not None

    @property
    def text(self) -> str:
        """What there is of it."""
        return self._progress.text

    @property
    def size(self) -> int:
        """How much there is: it grows with every piece that says something."""
        return len(self._progress.text)

    @property
    def is_cut(self) -> bool:
        """Whether it is over though the server may write on."""
        return self._end == "delimiter"

    @property
    def tells_logprobs(self) -> bool:
        return bool(self._progress.logprobs)

    def take(self, piece: Piece) -> Tokens:
        """Take a piece; what it adds to the cost. Raises `Misbehaving`, and `Unreachable` where the server fails."""
        if piece.error is not None:
            raise told_fault(self._engine, piece.error)
        new = Tokens()
        for choice in piece.choices or ():
            new = new.plus(self._add(choice))
        self._spend(new)
        # Before the end these may be zeros in their place, or the sums so far: of a text that is cut off the only ones.
        if piece.usage is not None and (self.is_over or piece.usage.completion_tokens):
            self.counts_as_it_goes = self.counts_as_it_goes or not self.is_over
            counted = self._counted(piece.usage)
            self._spend(counted)
            new = new.plus(counted)
        return new

    def _spend(self, cost: Tokens) -> None:
        self._progress.cost, self._cost = self._progress.cost.plus(cost), self._cost.plus(cost)

    def reopen(self) -> None:
        """Take back what came with the end, so that the text can go on behind what came before."""
        if self.is_over:
            self._progress.text, told = self._open
            del self._progress.logprobs[told:]

    def completion(self) -> Completion:
        """The whole answer. Raises `Unreachable` when it was cut off."""
        if self._end is None:
            raise Unreachable(self._engine, CUT)
        progress = self._progress
        text = _whole(progress.text) if self._end in ("length", "context") else progress.text
        token_ids = tuple(text.encode())
        mean = sum(progress.logprobs) / len(progress.logprobs) if progress.logprobs else None
        logprobs = None if mean is None and token_ids else (mean or 0.0,) * len(token_ids)
        progress.text = text
        progress.token_ids[:] = token_ids
        progress.logprobs[:] = logprobs or ()
        return Completion(text, token_ids, logprobs, self._end)

    def filling_the_context(self) -> Completion:
        """What there is, as the end of the context: there is no room for more."""
        self._end = "context"
        return self.completion()

    def _add(self, choice: Choice) -> Tokens:
        if self.is_over:
            if choice.text:
                raise Misbehaving(self._engine, "nothing after the end of a text", choice)
            return Tokens()
        if choice.delta is not None or (choice.text is None and not choice.finish_reason):
            raise Misbehaving(self._engine, "a piece of a text", choice)
        values = choice.logprobs.values if choice.logprobs and not choice.thinks else []
        progress = self._progress
        self._open = progress.text, len(progress.logprobs)
        progress.logprobs += [checked_logprob(value, self._engine) for value in values]
        first = self._cost.prompt_uncached == 0
        before = len(progress.text)
        progress.text += choice.text or ""
        if len(progress.text) > self._tokens_max * _BYTES_A_TOKEN_MAX:
            raise Misbehaving(self._engine, f"a text of at most {self._tokens_max} tokens", choice)
        if not self._stops(before) and choice.finish_reason:
            self._end = self._ended(choice)
        generated = len(values) or int(bool(choice.text) or choice.thinks)
        return Tokens(generated, 0, self._prompt_tokens if first else 0)

    def _stops(self, before: int) -> bool:
        """Cut the text behind the first stop string that is in it; the first `before` characters have none."""
        text = self._progress.text
        starts = {stop: text.find(stop, max(0, before - len(stop) + 1)) for stop in self._stop if stop}
        ends = [start + len(stop) for stop, start in starts.items() if start >= 0]
        if ends:
            self._progress.text = text[: min(ends)]
            self._end = "delimiter"
        return bool(ends)

    def _ended(self, choice: Choice) -> End:
        end = _ENDS.get(choice.finish_reason or "")
        if end is not None:
            return end
        if choice.finish_reason == "abort":  # not by us: who aborts waits for no answer
            raise Unreachable(self._engine, ABORTED)
        if choice.finish_reason in _FAILED:
            raise Unreachable(self._engine, f"it gave the text up ({choice.finish_reason}): look in the server's log")
        if choice.finish_reason == "content_filter":
            raise Misbehaving(self._engine, "a text that the server's own filter of contents lets through", choice)
        raise Misbehaving(self._engine, f"one of {', '.join(_ENDS)} as finish_reason", choice)

    def _counted(self, told: Told) -> Tokens:
        """What the server's counts change of those that were made from its pieces."""
        cost = self._cost
        if (told.completion_tokens or 0) > self._tokens_max - self.written:
            raise Misbehaving(self._engine, f"a text of at most {self._tokens_max} tokens", told)
        written = cost.generated if told.completion_tokens is None else told.completion_tokens
        if told.prompt_tokens is None:
            return Tokens(written - cost.generated)
        if told.cached_tokens > told.prompt_tokens:
            raise Misbehaving(self._engine, "no more tokens from its cache than the prompt has", told)
        self.prompt_tokens = told.prompt_tokens
        uncached = told.prompt_tokens - told.cached_tokens
        return Tokens(
            written - cost.generated, told.cached_tokens - cost.prompt_cached, uncached - cost.prompt_uncached
        )


def _whole(text: str) -> str:
    """The text without half a character at its end: a limit or a cancellation may have cut one in two."""
    return text.rstrip(HALF)
