"""Attention in float64, rounded once: a token gets the same bits prefilled or decoded, alone or beside others.

A prefill and a decoding step sum the same numbers in different orders. In float64 the sums differ by far less than
rounding to bfloat16 keeps, so that whatever is in the cache, however it got there, is the same. `query` and `output`
are [tokens, heads, size], the caches [slots, key heads, size]; `slots_of` is [requests, positions].
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def prefill(
    _backend: object, query: Tensor, output: Tensor, keys: Tensor, values: Tensor, slots_of: Tensor, requests: Tensor,
    lengths: Tensor, _prefix_lengths: Tensor, new_lengths: Tensor, encoder_lengths: Tensor | None = None, *,
    scaling: float | None = None, enable_gqa: bool = False, causal: bool = False, is_cross_attn: bool = False,
    sliding_window_size: int | None = None,
) -> Tensor:  # fmt: skip
    """Attention of the new tokens of each request over all its tokens."""
    del enable_gqa  # the shapes tell
    _refuse_encoders(encoder_lengths, is_cross_attn)
    first = 0
    for request, length, new in zip(requests.tolist(), lengths.tolist(), new_lengths.tolist(), strict=True):
        slots, rows = slots_of[request, :length], slice(first, first + new)
        positions = torch.arange(length - new, length)
        seen = _seen(positions, length, sliding_window_size) if causal else None
        output[rows] = _attended(query[rows][None], keys[slots][None], values[slots][None], seen, scaling)[0]
        first += new
    return output


def decode(
    _backend: object, query: Tensor, output: Tensor, keys: Tensor, values: Tensor, slots_of: Tensor, requests: Tensor,
    lengths: Tensor, encoder_lengths: Tensor | None = None, *, scaling: float | None = None, enable_gqa: bool = False,
    causal: bool = False, is_cross_attn: bool = False, sliding_window_size: int | None = None,
) -> Tensor:  # fmt: skip
    """Attention of the newest token of each request, of all of them at once: shorter ones see nothing of their rest."""
    del enable_gqa, causal  # there is nothing behind the newest token
    _refuse_encoders(encoder_lengths, is_cross_attn)
    longest = int(lengths.max())
    seen = _seen(lengths - 1, longest, sliding_window_size)[:, None]
    slots = slots_of[requests, :longest].masked_fill(torch.arange(longest) >= lengths[:, None], 0)
    output[:] = _attended(query[:, None], keys[slots], values[slots], seen, scaling)[:, 0]
    return output


def _attended(query: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None, scale: float | None) -> Tensor:
    """[b, new, heads, size] over [b, all, key heads, size]; `seen` is [(b,) new, all]. Heads share keys in groups."""
    grouped = query.double().unflatten(2, (keys.shape[2], -1))
    weights = torch.einsum("bnkgd,btkd->bkgnt", grouped, keys.double())
    weights *= query.shape[3] ** -0.5 if scale is None else scale
    if seen is not None:
        unseen = ~(seen if seen.dim() == 2 else seen[:, None, None])
        weights = weights.masked_fill(unseen, float("-inf"))
    return torch.einsum("bkgnt,btkd->bnkgd", weights.softmax(-1), values.double()).flatten(2, 3)


def _seen(positions: Tensor, length: int, window: int | None) -> Tensor:
    """[positions, length]: which tokens each position sees, itself included."""
    back = positions[:, None] - torch.arange(length)
    return (back >= 0) & (back <= (length if window is None or window < 0 else window))


def _refuse_encoders(encoder_lengths: Tensor | None, is_cross_attn: bool) -> None:
    if encoder_lengths is not None or is_cross_attn:
        raise NotImplementedError("deterministic texts on a CPU: models with an encoder are not supported")
