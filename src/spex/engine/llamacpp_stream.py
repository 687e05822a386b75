"""One completion as llama.cpp streams it, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from spex.engine.base import Completion, Progress
from spex.engine.told import ABORTED, CUT
from spex.errors import Misbehaving, Unreachable
from spex.tree import End
from spex.usage import Tokens

_ENDS: Mapping[str, End] = {"word": "delimiter", "eos": "eos", "limit": "length"}


class StreamedAnswer:
    """One completion as it streams in; its log-probabilities are used where all tokens have one (`tells_logprobs`)."""

    def __init__(self, engine: str, progress: Progress, *, tells_logprobs: bool = True) -> None:
        self._engine = engine
        self._progress = progress
        self._tells_logprobs = tells_logprobs
        self._counted = Tokens()
        self._gap = False
        self._last: Any = None
        progress.token_ids.clear()  # the server goes on from none
        progress.logprobs.clear()
        progress.text = ""

    @property
    def size(self) -> int:
        """Tokens that there are."""
        return self._counted.generated

    def take(self, event: Any) -> Tokens:
        """Take a piece; what it adds to the cost. Raises `Misbehaving`, and `Unreachable` where the server fails."""
        if "error" in event:
            raise Unreachable(self._engine, f"it failed in the middle of a text: {ascii(event['error'])[:200]}")
        try:
            return self._take(event)
        except (KeyError, IndexError, TypeError) as error:
            raise Misbehaving(self._engine, "a piece of a completion", event) from error

    def _take(self, event: Any) -> Tokens:
        timings = event["timings"]
        counted = Tokens(event["tokens_predicted"], timings["cache_n"], timings["prompt_n"])
        new = Tokens(*(now - before for now, before in zip(counted, self._counted, strict=True)))
        self._counted = counted
        self._progress.cost = self._progress.cost.plus(new)
        if event["stop"]:
            self._last = event
            return new
        # Tokens that are parts of one character are held back, and never told: the text is cut before them.
        self._gap = self._gap or counted.generated != len(self._progress.token_ids) + 1
        if not self._gap:
            if self._tells_logprobs and not event.get("completion_probabilities"):
                self._tells_logprobs = False  # of a token that was drafted none is told
                self._progress.logprobs.clear()
            if self._tells_logprobs:
                probability = event["completion_probabilities"][0]["logprob"]
                if not isfinite(probability) or probability > 1e-3:
                    raise Misbehaving(self._engine, "a log-probability", probability)
                self._progress.logprobs.append(min(0.0, probability))
            self._progress.token_ids += event["tokens"]
            self._progress.text += event["content"]
        return new

    def completion(self) -> Completion:
        """The whole answer. Raises `Unreachable` when it was cut off."""
        if self._last is None:
            raise Unreachable(self._engine, CUT)
        progress, last = self._progress, self._last
        whole = len(progress.token_ids) == last["tokens_predicted"]
        if last["stop_type"] == "none":
            raise Unreachable(self._engine, ABORTED)
        end = _ENDS.get(last["stop_type"])
        if end is None:
            raise Misbehaving(self._engine, f"one of {', '.join(_ENDS)} as stop_type", last["stop_type"])
        if not whole:
            end = "length"
        text = progress.text + (last["content"] + last["stopping_word"] if whole else "")
        logprobs = tuple(progress.logprobs) if self._tells_logprobs else None
        return Completion(text, tuple(progress.token_ids), logprobs, end)
