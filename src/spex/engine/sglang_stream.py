"""One text as SGLang streams it: each piece says all that there is so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from spex.engine.base import Completion, Progress
from spex.engine.faults import BUSY, OWN_FAULT, Fault
from spex.engine.http import Count, TokenId
from spex.engine.told import ABORTED, CUT, checked_logprob
from spex.errors import EngineError, Misbehaving, Overloaded, Unreachable
from spex.tree import End
from spex.usage import Tokens

_SHOWN = 200

Chance: TypeAlias = tuple[float | None, TokenId, object]
"""A log-probability (None: that of 0), its token, and the token's text where it was asked for."""


class Finish(msgspec.Struct, frozen=True):
    """Why a text ended: `matched` is the stop string, or the token that ends a text; `status_code` is of a refusal."""

    type: str
    matched: str | int | list[int] | None = None
    message: str | None = None
    status_code: int | None = None

    @property
    def is_abort(self) -> bool:
        return self.type == "abort"


class Meta(msgspec.Struct, frozen=True):
    """What is told beside a text. Counts are of all that there is so far.

    Of a request that was aborted while it waited, those of the prompt are left out.
    """

    finish_reason: Finish | None
    completion_tokens: Count
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    output_token_logprobs: list[Chance] = []


class Piece(msgspec.Struct, frozen=True):
    """One event of a stream."""

    text: str = ""
    output_ids: list[TokenId] = []
    meta_info: Meta | None = None
    error: Fault | None = None


def refusal(engine: str, told: str, status: int | None) -> EngineError:
    """What it means that the server has ended a request: refused with a status, or aborted on somebody's word."""
    shown = ascii(told)[:_SHOWN]
    if status is None:
        return Unreachable(engine, f"{ABORTED}: {shown}")
    if status in BUSY:
        return Overloaded(
            engine, f"it takes no more requests now (status {status}): wait, or ask for less at once ({shown})"
        )
    if status >= OWN_FAULT:
        return Unreachable(engine, f"it failed with status {status}, see the server's log: {shown}")
    return Misbehaving(engine, "status 200", f"{status}: {told}")


def check_came(finish: Finish | None, engine: str) -> None:
    """Raises `EngineError` where what was asked for in one answer was refused, or aborted by somebody else."""
    if finish is not None and finish.is_abort:
        raise refusal(engine, finish.message or "", finish.status_code)


class SglangAnswer:
    """What has come of one request, which went on from the tokens that its progress had: `kept` of them."""

    def __init__(self, engine: str, progress: Progress, prompt_tokens: int, tokens_max: int) -> None:
        self._engine = engine
        self._progress = progress
        self._prompt_tokens = prompt_tokens
        self._tokens_max = tokens_max
        self._kept = len(progress.token_ids)
        self._kept_text = progress.text
        self._counted = Tokens()
        self._finish: Finish | None = None
        self._open_tokens = self._kept
        self._open_text = progress.text

    @property
    def is_over(self) -> bool:
        return self._finish is not None

    @property
    def size(self) -> int:
        """How much there is: it grows with every piece that says something."""
        return len(self._progress.token_ids)

    def without_rest(self, text: str) -> str:
        """`text`, of all its tokens, up to the stop string that ended it: the last token may say more than that."""
        matched = self._finish.matched if self._finish is not None else None
        if not isinstance(matched, str) or matched not in text:
            return text
        return text[: text.index(matched) + len(matched)]

    def take(self, piece: Piece) -> Tokens:
        """Take a piece; what it adds to the cost. Raises `EngineError` of what is no piece of a text."""
        meta, progress = piece.meta_info, self._progress
        if piece.error is not None:
            raise refusal(self._engine, piece.error.message, piece.error.code or OWN_FAULT)
        if meta is None:
            raise Misbehaving(self._engine, "a piece of a text", piece)
        if meta.prompt_tokens is None or meta.cached_tokens is None:
            return self._take_left(piece, meta)
        counted = Tokens(meta.completion_tokens, meta.cached_tokens, meta.prompt_tokens - meta.cached_tokens)
        new = Tokens(*(now - before for now, before in zip(counted, self._counted, strict=True)))
        self._check(piece, meta, new)
        logprobs = [checked_logprob(entry[0], self._engine) for entry in meta.output_token_logprobs]
        self._counted = counted
        if meta.finish_reason is not None:
            self._open_tokens, self._open_text = len(progress.token_ids), progress.text
        progress.cost = progress.cost.plus(new)
        progress.token_ids[self._kept :] = piece.output_ids
        progress.logprobs[self._kept :] = logprobs
        progress.text = self._kept_text + piece.text
        self._finish = meta.finish_reason
        return new

    def reopen(self) -> None:
        """Take back what came with the end, so that the text can go on behind what came before.

        There may be a stop string in it, or a token that ends a text: the server looks for them in what it adds alone,
        and in the last token of an aborted text not even there.
        """
        if self._finish is not None:
            del self._progress.token_ids[self._open_tokens :], self._progress.logprobs[self._open_tokens :]
            self._progress.text = self._open_text

    def _take_left(self, piece: Piece, meta: Meta) -> Tokens:
        """It was aborted while it waited: there is nothing new."""
        if meta.finish_reason is None or not meta.finish_reason.is_abort:
            raise Misbehaving(self._engine, "the count of the prompt's tokens", piece)
        self._open_tokens, self._open_text = len(self._progress.token_ids), self._progress.text
        self._finish = meta.finish_reason
        return Tokens()

    def _check(self, piece: Piece, meta: Meta, new: Tokens) -> None:
        before = self._progress.token_ids[self._kept :]
        if min(new) < 0 or piece.output_ids[: len(before)] != before:
            raise Misbehaving(self._engine, "a text that goes on from what it was", piece)
        if [entry[1] for entry in meta.output_token_logprobs] != piece.output_ids:
            raise Misbehaving(self._engine, "a log-probability for each token", piece)
        if meta.prompt_tokens != self._prompt_tokens:
            raise Misbehaving(self._engine, f"an answer to a prompt of {self._prompt_tokens} tokens", piece)
        if len(piece.output_ids) > self._tokens_max:
            raise Misbehaving(self._engine, f"at most {self._tokens_max} tokens", piece)

    def completion(self, stop: Sequence[str]) -> Completion:
        """The whole answer. Raises `EngineError` when it was cut off, refused, or aborted by somebody else."""
        if self._finish is None:
            raise Unreachable(self._engine, CUT)
        progress = self._progress
        return Completion(
            progress.text, tuple(progress.token_ids), tuple(progress.logprobs), self._end(self._finish, stop)
        )

    def _end(self, finish: Finish, stop: Sequence[str]) -> End:
        if finish.type == "length":
            return "length"
        if finish.type == "stop":
            return "delimiter" if isinstance(finish.matched, str) and finish.matched in stop else "eos"
        if finish.is_abort:  # not by us: who aborts waits for no answer
            raise refusal(self._engine, finish.message or "", finish.status_code)
        raise Misbehaving(self._engine, "length, stop or abort as finish_reason", finish)
