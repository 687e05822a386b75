"""The noise of a seed: MurmurHash3 (32 bits) of seed, position and token, as SGLang's kernels for GPUs compute it.

Its own for CPUs is in a package that the index does not have.
"""

from __future__ import annotations

import torch

_LOW = (1 << 32) - 1


def hashed(seed: torch.Tensor, positions: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """[rows], [rows], [columns] -> [rows, columns], 0 to 2^32 - 1 in int64, whose low half an overflow leaves right."""
    seed, positions, columns = (given.to(torch.int64) for given in (seed, positions, columns))
    state = torch.zeros_like(seed)
    for block in (seed, seed >> 32, positions):
        state = _mixed(state, block & _LOW)
    state = _mixed(state[:, None], columns[None] & _LOW)
    state ^= 16  # bytes that went in
    state = (state ^ state >> 16) * 0x85EBCA6B & _LOW
    state = (state ^ state >> 13) * 0xC2B2AE35 & _LOW
    return state ^ state >> 16


def _mixed(state: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
    block = _turned(block * 0xCC9E2D51 & _LOW, 15) * 0x1B873593 & _LOW
    return _turned(state ^ block, 13) * 5 + 0xE6546B64 & _LOW


def _turned(value: torch.Tensor, bits: int) -> torch.Tensor:
    return (value << bits | value >> 32 - bits) & _LOW
