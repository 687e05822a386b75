"""How likely SGLang's model finds the tokens of a prompt: the request, and what of its answer must be so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import msgspec

from spex.engine.abilities import Reading
from spex.engine.http import Count
from spex.engine.sglang_stream import Chance, Finish, check_came
from spex.engine.told import checked_logprob
from spex.errors import Misbehaving
from spex.usage import Tokens

# One request that cuts tokens off (temperature 0 is top-k 1) would have the server draw in another way for all that are
# read with it, and give other texts for the same seeds.
NOTHING_DRAWN: Mapping[str, float] = {"max_new_tokens": 0, "temperature": 1.0, "top_p": 1.0, "top_k": -1}
"""The sampling of a request for numbers alone."""


class _Meta(msgspec.Struct, frozen=True):
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    input_token_logprobs: list[Chance] = []
    finish_reason: Finish | None = None


class ReadPrompt(msgspec.Struct, frozen=True):
    """What answers `read_request`."""

    meta_info: _Meta

    @property
    def cost(self) -> Tokens:
        """What the server did for it, once `logprobs` has found it whole."""
        cached, prompt = self.meta_info.cached_tokens or 0, self.meta_info.prompt_tokens or 0
        return Tokens(0, cached, 0, prompt - cached)

    def logprobs(self, request: Reading, engine: str) -> tuple[float, ...]:
        """One for each token that was asked for. Raises `EngineError`."""
        meta, read, sent = self.meta_info, request.read, request.prompt.token_count
        check_came(meta.finish_reason, engine)
        if meta.prompt_tokens != sent or meta.cached_tokens is None or meta.cached_tokens > sent:
            raise Misbehaving(engine, f"an answer to a prompt of {sent} tokens", meta)
        told = meta.input_token_logprobs[1:]  # the first one stands before what was asked for, and has none
        # The server says 0 in the place of the last id of its vocabulary.
        if len(told) != len(read) or any(entry[1] not in (token, 0) for entry, token in zip(told, read, strict=True)):
            raise Misbehaving(engine, f"a log-probability for each of {len(read)} tokens", told)
        check_told([value for value, *_ in told], engine)
        return tuple(-inf if value is None else checked_logprob(value, engine) for value, *_ in told)


def check_told(logprobs: Sequence[float | None], engine: str) -> None:
    """Raises `Misbehaving` where none is told: the server says null for minus infinity, and for what is no number."""
    if logprobs and all(value is None for value in logprobs):
        told = "a log-probability (null in the place of each: its model may give NaN in this dtype, see --dtype)"
        raise Misbehaving(engine, told, None)


def read_request(request: Reading, rid: str) -> dict[str, object]:
    """What is sent: no token is drawn."""
    return {
        "rid": rid,
        "input_ids": list(request.prompt.token_ids),
        "sampling_params": NOTHING_DRAWN,
        "return_logprob": True,
        # The tokens from here on are read anew, those before are taken from the cache.
        "logprob_start_len": request.start - 1,
    }
