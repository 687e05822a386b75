"""The body of the request for a text that a vLLM server is sent."""

from __future__ import annotations

from spex.engine.base import Generation
from spex.engine.told import folded

SEED_BITS = 63


def text_body(model: str, request: Generation, tokens_max: int) -> dict[str, object]:
    """What a model's `generation_config.json` might say is said here too: it must not count."""
    return {
        "model": model,
        "prompt": list(request.prompt.token_ids),
        "max_tokens": tokens_max,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "top_k": request.sampling.top_k,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": folded(request.seed, SEED_BITS),
        "stop": list(request.stop),
        "include_stop_str_in_output": True,
        "logprobs": 0,
        "return_token_ids": True,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }
