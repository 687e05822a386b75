"""The probabilities of single next tokens on vLLM: the request, and what of its answer must be so."""

from __future__ import annotations

from math import exp
from typing import Annotated

import msgspec

from spex.engine.base import Labelling
from spex.engine.told import checked_chances, checked_logprob
from spex.engine.vllm_stream import Told
from spex.errors import InputError, Misbehaving
from spex.usage import Tokens

_LABELS_MAX = 128


class _Chances(msgspec.Struct, frozen=True):
    top_logprobs: Annotated[list[dict[str, float]], msgspec.Meta(min_length=1)]


class _Drawn(msgspec.Struct, frozen=True):
    logprobs: _Chances


class Labels(msgspec.Struct, frozen=True):
    """What answers `labels_request`."""

    choices: Annotated[list[_Drawn], msgspec.Meta(min_length=1)]
    usage: Told

    @property
    def cost(self) -> Tokens:
        """What the server did for it; the token that is drawn beside them is of no other use."""
        cached = self.usage.cached_tokens
        return Tokens(0, cached, 0, self.usage.prompt_tokens - cached + self.usage.completion_tokens)

    def probabilities(self, request: Labelling, engine: str) -> tuple[float, ...]:
        """One for each label. Raises `Misbehaving`."""
        usage = self.usage
        if usage.prompt_tokens != request.prompt.token_count or usage.cached_tokens > usage.prompt_tokens:
            raise Misbehaving(engine, f"a prompt of {request.prompt.token_count} tokens", usage)
        told = self.choices[0].logprobs.top_logprobs[0]
        chances = {label: exp(checked_logprob(told.get(f"token_id:{label}"), engine)) for label in request.labels}
        checked_chances(list(chances.values()), engine)
        return tuple(chances[label] for label in request.labels)


def labels_request(request: Labelling, model: str) -> dict[str, object]:
    """What is sent. Raises `InputError` for more labels than a server tells of."""
    if not 1 <= len(request.labels) <= _LABELS_MAX:
        raise InputError("labels", len(request.labels), f"a request is for 1 to {_LABELS_MAX} of them")
    return {
        "model": model,
        "prompt": list(request.prompt.token_ids),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
        "logprob_token_ids": list(request.labels),
        "return_tokens_as_token_ids": True,
    }
