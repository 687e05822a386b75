"""How likely SGLang's model finds the tokens of a prompt: the request, and what of its answer must be so."""

from __future__ import annotations

from math import inf
from typing import Annotated

import msgspec

from spex.engine.abilities import Reading
from spex.engine.http import Count
from spex.engine.sglang_stream import Chance
from spex.engine.told import checked_logprob
from spex.errors import Misbehaving
from spex.usage import Tokens


class _Meta(msgspec.Struct, frozen=True):
    prompt_tokens: Count
    cached_tokens: Count
    input_token_logprobs: Annotated[list[Chance], msgspec.Meta(min_length=1)]


class ReadPrompt(msgspec.Struct, frozen=True):
    """What answers `read_request`."""

    meta_info: _Meta

    @property
    def cost(self) -> Tokens:
        """What the server did for it."""
        meta = self.meta_info
        return Tokens(0, meta.cached_tokens, 0, meta.prompt_tokens - meta.cached_tokens)

    def logprobs(self, request: Reading, engine: str) -> tuple[float, ...]:
        """One for each token that was asked for. Raises `Misbehaving`."""
        meta, read = self.meta_info, request.read
        if meta.prompt_tokens != request.prompt.token_count or meta.cached_tokens > meta.prompt_tokens:
            raise Misbehaving(engine, f"an answer to a prompt of {request.prompt.token_count} tokens", meta)
        told = meta.input_token_logprobs[1:]  # the first one stands before what was asked for, and has none
        # The server says 0 in the place of the last id of its vocabulary.
        if len(told) != len(read) or any(entry[1] not in (token, 0) for entry, token in zip(told, read, strict=True)):
            raise Misbehaving(engine, f"a log-probability for each of {len(read)} tokens", told)
        return tuple(-inf if value is None else checked_logprob(value, engine) for value, *_ in told)


def read_request(request: Reading, rid: str) -> dict[str, object]:
    """What is sent: no token is drawn."""
    return {
        "rid": rid,
        "input_ids": list(request.prompt.token_ids),
        "sampling_params": {"max_new_tokens": 0, "temperature": 0.0},
        "return_logprob": True,
        # The tokens from here on are read anew, those before are taken from the cache.
        "logprob_start_len": request.start - 1,
    }
