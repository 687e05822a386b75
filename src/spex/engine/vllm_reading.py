"""How likely vLLM's model finds the tokens of a prompt: the request, and what of its answer must be so.

The server reads the whole prompt for it, whatever of it is in its cache.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from spex.engine.abilities import Reading
from spex.engine.told import checked_logprob
from spex.engine.vllm_stream import Told
from spex.errors import Misbehaving
from spex.usage import Tokens


class _Chance(msgspec.Struct, frozen=True):
    logprob: float


class _Choice(msgspec.Struct, frozen=True):
    prompt_logprobs: list[dict[str, _Chance] | None]


class ReadPrompt(msgspec.Struct, frozen=True):
    """What answers `read_request`."""

    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: Told

    @property
    def cost(self) -> Tokens:
        """What the server did for it; the token that is drawn beside it is of no other use."""
        return Tokens(0, 0, 0, self.usage.prompt_tokens + self.usage.completion_tokens)

    def logprobs(self, request: Reading, engine: str) -> tuple[float, ...]:
        """One for each token that was asked for. Raises `Misbehaving`."""
        told, count = self.choices[0].prompt_logprobs, request.prompt.token_count
        if self.usage.prompt_tokens != count or len(told) != count:
            raise Misbehaving(engine, f"a log-probability for each token of a prompt of {count}", self.usage)
        found = [
            (chances or {}).get(str(token)) for chances, token in zip(told[request.start :], request.read, strict=True)
        ]
        return tuple(checked_logprob(None if chance is None else chance.logprob, engine) for chance in found)


def read_request(request: Reading, model: str) -> dict[str, object]:
    """What is sent: of each token of the prompt its own log-probability alone."""
    return {
        "model": model,
        "prompt": list(request.prompt.token_ids),
        "max_tokens": 1,
        "temperature": 0.0,
        "prompt_logprobs": 0,
    }
