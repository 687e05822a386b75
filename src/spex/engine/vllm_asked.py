"""The bodies of the requests that a vLLM server is sent."""

from __future__ import annotations

from spex.engine.base import Generation, Labelling
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


def labels_body(model: str, request: Labelling) -> dict[str, object]:
    """The probabilities of the labels, beside one token that is drawn and of no use."""
    return {
        "model": model,
        "prompt": list(request.prompt.token_ids),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": 1,
        "logprob_token_ids": list(request.labels),
        "return_tokens_as_token_ids": True,
    }
