"""Samples of a batch in which some request cuts off improbable tokens (top-k, top-p, min-p; temperature 0 is top-k 1).

Upstream then sorts the whole batch and gives noise to ranks, where it gives it to tokens otherwise: requests that cut
off nothing would get other tokens than alone. It also fails on min-p. Here, noise always belongs to tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def sampled(
    original: Callable[..., Any], probs: torch.Tensor, top_ks: torch.Tensor, top_ps: torch.Tensor,
    min_ps: torch.Tensor, need_min_p_sampling: bool, sampling_seed: torch.Tensor | None, positions: torch.Tensor,
    **options: Any,
) -> Any:  # fmt: skip
    """A token for each row of `probs` [rows, tokens]; without seeds, what upstream does."""
    from sglang.srt.layers.sampler import sampling_from_probs_torch

    if sampling_seed is None or options.get("return_filtered_probs"):
        return original(probs, top_ks, top_ps, min_ps, need_min_p_sampling, sampling_seed, positions, **options)
    probs = probs.clone()
    cutting = (top_ks < probs.shape[1]) | (top_ps < 1) | (min_ps > 0)
    for row in cutting.nonzero().flatten().tolist():
        probs[row] = _cut(probs[row], int(top_ks[row]), float(top_ps[row]), float(min_ps[row]))
    return sampling_from_probs_torch(probs, sampling_seed=sampling_seed, positions=positions)


def _cut(row: torch.Tensor, top_k: int, top_p: float, min_p: float) -> torch.Tensor:
    """`row` with 0 for what is cut off. Of equal probabilities the lower tokens come first."""
    falling, tokens = row.sort(descending=True, stable=True)
    before = falling.cumsum(0) - falling
    kept = (before <= top_p) & (falling >= falling[0] * min_p)
    kept[top_k:] = False
    return torch.zeros_like(row).index_copy(0, tokens[kept], falling[kept])
