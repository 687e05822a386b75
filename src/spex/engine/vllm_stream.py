"""One text as vLLM streams it: each piece says what is new, and counts all that there is so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from spex.engine.base import Completion, Progress
from spex.engine.faults import OWN_FAULT, Fault
from spex.engine.http import Count, TokenId
from spex.engine.told import ABORTED, CUT, checked_logprob
from spex.errors import Misbehaving, Unreachable
from spex.tree import End
from spex.usage import Tokens


class Logprobs(msgspec.Struct, frozen=True):
    """Log-probabilities of the tokens that were drawn."""

    token_logprobs: list[float]


class Choice(msgspec.Struct, frozen=True):
    """What is new of a text; at its end, why it ended: `stop_reason` is the stop string, or a token that ends texts."""

    text: str
    token_ids: list[TokenId] | None = None
    logprobs: Logprobs | None = None
    prompt_token_ids: list[TokenId] | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class Details(msgspec.Struct, frozen=True):
    """What of a prompt was there already; told by servers with `--enable-prompt-tokens-details`."""

    cached_tokens: Count | None = None


class Told(msgspec.Struct, frozen=True):
    """Counts of all that there is so far."""

    prompt_tokens: Count
    completion_tokens: Count
    prompt_tokens_details: Details | None = None

    @property
    def cached_tokens(self) -> int:
        details = self.prompt_tokens_details
        return (details.cached_tokens or 0) if details else 0


class Piece(msgspec.Struct, frozen=True):
    """One event of a stream. The last one has counts alone."""

    choices: Annotated[list[Choice], msgspec.Meta(max_length=1)] = []
    usage: Told | None = None
    error: Fault | None = None


class VllmAnswer:
    """What has come of one request for at most `tokens_max` tokens behind the prompt of `prompt_ids`."""

    def __init__(self, engine: str, progress: Progress, prompt_ids: Sequence[int], tokens_max: int) -> None:
        self._engine = engine
        self._progress = progress
        self._prompt_ids = list(prompt_ids)
        self._tokens_max = tokens_max
        self._cached = 0
        self._last: Choice | None = None
        self._before_last = 0
        progress.token_ids.clear()
        progress.logprobs.clear()
        progress.text = ""

    @property
    def is_over(self) -> bool:
        return self._last is not None

    @property
    def size(self) -> int:
        """How much there is: it grows with every piece that says something."""
        return len(self._progress.token_ids)

    @property
    def may_end_in_half(self) -> bool:
        """Whether its last token may be a part of a character, of which the server tells no text."""
        last = self._last
        return last is not None and (len(last.token_ids or ()) != 1 or not last.text)

    def take(self, piece: Piece) -> Tokens:
        """Take a piece; what it adds to the cost. Raises `Misbehaving`, and `Unreachable` where the server fails."""
        if piece.error is not None:
            self._fail(piece.error)
        new = Tokens()
        for choice in piece.choices:
            new = new.plus(self._add(choice))
        if piece.usage is not None:
            new = new.plus(self._counted(piece.usage))
        self._progress.cost = self._progress.cost.plus(new)
        return new

    def completion(self, stop: Sequence[str]) -> Completion:
        """The whole answer. Raises `Unreachable` when it was cut off, or aborted by somebody else."""
        last, progress = self._last, self._progress
        if last is None:
            raise Unreachable(self._engine, CUT)
        end = self._end(last, stop)
        self._check_goes_through(stop, end)
        return Completion(progress.text, tuple(progress.token_ids), tuple(progress.logprobs), end)

    def _add(self, choice: Choice) -> Tokens:
        progress = self._progress
        if choice.token_ids is None or self.is_over:
            raise Misbehaving(self._engine, "a text that goes on in token ids (vLLM 0.32 or newer)", choice)
        if choice.prompt_token_ids is not None and choice.prompt_token_ids != self._prompt_ids:
            raise Misbehaving(self._engine, "an answer to the prompt that was sent", choice)
        found = choice.logprobs.token_logprobs if choice.logprobs else []
        if len(found) != len(choice.token_ids):
            raise Misbehaving(self._engine, "a log-probability for each token", choice)
        # What of the prompt was cached is told at the end: until then it counts as if nothing had been.
        uncached = 0 if progress.token_ids else len(self._prompt_ids)
        logprobs = [checked_logprob(value, self._engine) for value in found]
        progress.token_ids += choice.token_ids
        progress.logprobs += logprobs
        self._before_last = len(progress.text)
        progress.text += choice.text
        if len(progress.token_ids) > self._tokens_max:
            raise Misbehaving(self._engine, f"at most {self._tokens_max} tokens", choice)
        if choice.finish_reason is not None:
            self._last = choice
        return Tokens(len(choice.token_ids), 0, uncached if choice.token_ids else 0)

    def _counted(self, told: Told) -> Tokens:
        here, prompt = len(self._progress.token_ids), len(self._prompt_ids)
        if told.prompt_tokens != prompt or told.cached_tokens > prompt:
            raise Misbehaving(self._engine, f"counts of {prompt} prompt tokens", told)
        if told.completion_tokens != here:
            lost = f"it counts {told.completion_tokens} tokens, and {here} came: a piece was lost, or came twice"
            raise Unreachable(self._engine, lost)
        cached = told.cached_tokens - self._cached if here else 0
        self._cached += cached
        return Tokens(0, cached, -cached)

    def _fail(self, fault: Fault) -> None:
        if fault.code is None or fault.code >= OWN_FAULT:
            raise Unreachable(self._engine, f"it failed in the middle of a text: {fault.message[:200]!a}")
        raise Misbehaving(self._engine, "a piece of a text", fault)

    def _check_goes_through(self, stop: Sequence[str], end: End) -> None:
        """A text ends at the first stop string that is whole in it: raises `Misbehaving` where it goes on behind one.

        In one token there may be two of them, and the server ends the text at that which stands first in its list.
        """
        text = self._progress.text
        within = min(self._before_last if end == "delimiter" else len(text), len(text) - 1)
        for one in filter(None, stop):
            place = text.find(one, 0, max(0, within))
            if place >= 0:
                raise Misbehaving(self._engine, f"a text that ends at {one!r}", text[place:])

    def _end(self, last: Choice, stop: Sequence[str]) -> End:
        if last.finish_reason == "length":
            return "length"
        if last.finish_reason == "stop":
            if not isinstance(last.stop_reason, str):
                return "eos"
            if last.stop_reason in stop and self._progress.text.endswith(last.stop_reason):
                return "delimiter"
            raise Misbehaving(self._engine, "a text that ends with one of its stop strings", last)
        if last.finish_reason == "abort":  # not by us: who aborts waits for no answer
            raise Unreachable(self._engine, ABORTED)
        raise Misbehaving(self._engine, "length, stop or abort as finish_reason", last)
