"""A Llama in numpy, from the safetensors file alone: what any engine should say of the packaged models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

_KINDS = {"F16": "<f2", "F32": "<f4"}


def weights_of(file: Path) -> dict[str, Array]:
    """The tensors by name: a length, a JSON header of that length, and the numbers."""
    data = file.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    found = {}
    for name, told in header.items():
        first, last = told["data_offsets"]
        numbers = np.frombuffer(data[begin + first : begin + last], _KINDS[told["dtype"]])
        found[name] = numbers.reshape(told["shape"]).astype(np.float64)
    return found


def next_chances(folder: Path, token_ids: Sequence[int]) -> Array:
    """The probability of each token as the next one."""
    config = json.loads((folder / "config.json").read_text())
    weights = weights_of(folder / "model.safetensors")
    heads, epsilon = config["num_attention_heads"], config["rms_norm_eps"]
    embedding = weights["model.embed_tokens.weight"]
    x = embedding[list(token_ids)]
    for layer in range(config["num_hidden_layers"]):
        own = _of_layer(weights, layer)
        x = x + _attention(_norm(x, own["input_layernorm"], epsilon), own, heads, _base(config))
        x = x + _feed_forward(_norm(x, own["post_attention_layernorm"], epsilon), own)
    return _softmax(_norm(x, weights["model.norm.weight"], epsilon)[-1] @ embedding.T)


def _of_layer(weights: Mapping[str, Array], layer: int) -> dict[str, Array]:
    prefix = f"model.layers.{layer}."
    return {
        name.removeprefix(prefix).removesuffix(".weight"): v for name, v in weights.items() if name.startswith(prefix)
    }


def _base(config: Mapping[str, Any]) -> float:
    """Of the rotary positions; older files have it at the top."""
    return float(config["rope_theta"] if "rope_theta" in config else config["rope_parameters"]["rope_theta"])


def _attention(x: Array, own: Mapping[str, Array], heads: int, base: float) -> Array:
    length, width = x.shape
    size = width // heads
    query, key, value = (
        (x @ own[f"self_attn.{name}_proj"].T).reshape(length, heads, size).swapaxes(0, 1) for name in "qkv"
    )
    scores = _turned(query, base) @ _turned(key, base).swapaxes(1, 2) / size**0.5
    scores[:, np.triu(np.ones((length, length), dtype=bool), 1)] = -np.inf
    mixed = (_softmax(scores) @ value).swapaxes(0, 1).reshape(length, width)
    return mixed @ own["self_attn.o_proj"].T


def _turned(x: Array, base: float) -> Array:
    """Rotary positions, by halves; of (heads, length, size)."""
    _, length, size = x.shape
    angles = np.outer(np.arange(length), base ** (-np.arange(0, size, 2) / size))
    cosine, sine = np.cos(angles), np.sin(angles)
    one, other = x[..., : size // 2], x[..., size // 2 :]
    return np.concatenate([one * cosine - other * sine, other * cosine + one * sine], axis=-1)


def _feed_forward(x: Array, own: Mapping[str, Array]) -> Array:
    gate = x @ own["mlp.gate_proj"].T
    return (gate / (1.0 + np.exp(-gate)) * (x @ own["mlp.up_proj"].T)) @ own["mlp.down_proj"].T


def _norm(x: Array, scale: Array, epsilon: float) -> Array:
    return np.asarray(x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon) * scale)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
