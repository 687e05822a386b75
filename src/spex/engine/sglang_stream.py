"""One text as SGLang streams it: each piece says all that there is so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from spex.engine.base import Completion, Progress
from spex.errors import Misbehaving, Unreachable
from spex.tree import End
from spex.usage import Tokens

_LOGPROB_MAX = 1e-3


class SglangAnswer:
    """What has come of one request, which went on from the tokens that its progress had: `kept` of them."""

    def __init__(self, engine: str, progress: Progress) -> None:
        self._engine = engine
        self._progress = progress
        self._kept = len(progress.token_ids)
        self._kept_text = progress.text
        self._counted = Tokens()
        self._finish: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        return self._finish is not None

    def take(self, event: Any) -> Tokens:
        """Take a piece; what it adds to the cost. Raises `Misbehaving`."""
        try:
            return self._take(event)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Misbehaving(self._engine, "a piece of a text", event) from error

    def completion(self, stop: Sequence[str]) -> Completion:
        """The whole answer. Raises `Misbehaving` when it was cut off, `Unreachable` when somebody else aborted it."""
        if self._finish is None:
            raise Misbehaving(self._engine, "the end of a text", "a stream that broke off")
        progress = self._progress
        return Completion(progress.text, tuple(progress.token_ids), tuple(progress.logprobs), self._end(stop))

    def _end(self, stop: Sequence[str]) -> End:
        finish = self._finish or {}
        kind, matched = finish.get("type"), finish.get("matched")
        if kind == "length":
            return "length"
        if kind == "stop":
            return "delimiter" if isinstance(matched, str) and matched in stop else "eos"
        if kind == "abort":  # not by us: who aborts waits for no answer
            raise Unreachable(self._engine, f"the text was aborted, and not by us: {finish.get('message')}")
        raise Misbehaving(self._engine, "length, stop or abort as finish_reason", finish)

    def _take(self, event: Any) -> Tokens:
        if "error" in event:
            raise Misbehaving(self._engine, "a piece of a text", event["error"])
        meta = event["meta_info"]
        counted = Tokens(
            int(meta["completion_tokens"]),
            int(meta["cached_tokens"]),
            int(meta["prompt_tokens"]) - int(meta["cached_tokens"]),
        )
        new = Tokens(*(now - before for now, before in zip(counted, self._counted, strict=True)))
        self._counted = counted
        progress = self._progress
        progress.cost = progress.cost.plus(new)
        progress.token_ids[self._kept :] = [int(token) for token in event["output_ids"]]
        progress.logprobs[self._kept :] = [self._logprob(entry) for entry in meta["output_token_logprobs"]]
        progress.text = self._kept_text + str(event["text"])
        if len(progress.token_ids) != len(progress.logprobs):
            raise Misbehaving(self._engine, "a log-probability for each token", event)
        self._finish = meta["finish_reason"]
        return new

    def _logprob(self, entry: Sequence[Any]) -> float:
        value = float(entry[0])
        if not isfinite(value) or value > _LOGPROB_MAX:
            raise Misbehaving(self._engine, "a log-probability", value)
        return min(0.0, value)
