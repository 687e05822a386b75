"""One completion as llama.cpp streams it, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum, isfinite
from typing import Any, NamedTuple

from spex.engine.base import Completion, Progress
from spex.engine.told import ABORTED, CUT
from spex.errors import Misbehaving, Unreachable
from spex.tree import End
from spex.usage import Tokens

_ENDS: Mapping[str, End] = {"word": "delimiter", "eos": "eos", "limit": "length"}


class Character(NamedTuple):
    """A piece of several tokens, parts of one character, of which the `last` one alone is told; `tokens`: of all."""

    text: str
    tokens: int
    last: int


class StreamedAnswer:
    """One completion as it streams in; its log-probabilities are used where all tokens have one (`tells_logprobs`).

    Tokens that are parts of a character are held back until it is whole, and all but the last are never told: who
    reads has to find them out (`character`, `spell`), or the text is cut there. For their log-probabilities the mean of
    the others stands.
    """

    def __init__(self, engine: str, progress: Progress, *, tells_logprobs: bool = True) -> None:
        self._engine = engine
        self._progress = progress
        self._tells_logprobs = tells_logprobs
        self._counted = Tokens()
        self._is_cut = False
        self._untold: list[int] = []
        self.character: Character | None = None
        """What is to be spelled before the next piece is taken."""
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
        if self._is_cut:
            return new
        if self._tells_logprobs:
            self._add_logprob(event.get("completion_probabilities"))
        count = counted.generated - len(self._progress.token_ids)
        if count > 1:
            self.character = Character(event["content"], count, event["tokens"][-1])
        elif count < 1:
            raise Unreachable(self._engine, f"it counts {counted.generated} tokens again: a piece came twice")
        else:
            self._progress.token_ids += event["tokens"]
            self._progress.text += event["content"]
        return new

    def _add_logprob(self, told: Any) -> None:
        if not told:  # of a token that was drafted none is
            self._tells_logprobs = False
            self._progress.logprobs.clear()
            return
        probability = told[0]["logprob"]
        if not isfinite(probability) or probability > 1e-3:
            raise Misbehaving(self._engine, "a log-probability", probability)
        self._progress.logprobs.append(min(0.0, probability))

    def spell(self, token_ids: Sequence[int] | None) -> None:
        """Take the ids of `character`, as many as it has; None: nobody knows them, the text is cut before it."""
        character, self.character = self.character, None
        progress = self._progress
        if character is None:
            return
        if token_ids is None:
            self._is_cut = True
            del progress.logprobs[len(progress.token_ids) :]
            return
        if self._tells_logprobs:
            told = progress.logprobs.pop()
            self._untold += range(len(progress.token_ids), len(progress.token_ids) + character.tokens - 1)
            progress.logprobs += [0.0] * (character.tokens - 1) + [told]
        progress.token_ids += token_ids
        progress.text += character.text

    def _fill_in(self) -> None:
        """Put the mean of what is told in the place of what is not."""
        logprobs, untold = self._progress.logprobs, set(self._untold)
        told = [value for place, value in enumerate(logprobs) if place not in untold]
        for place in untold:
            logprobs[place] = fsum(told) / len(told)

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
        if self._untold and self._tells_logprobs:
            self._fill_in()
        text = progress.text + (last["content"] + last["stopping_word"] if whole else "")
        logprobs = tuple(progress.logprobs) if self._tells_logprobs else None
        return Completion(text, tuple(progress.token_ids), logprobs, end)
