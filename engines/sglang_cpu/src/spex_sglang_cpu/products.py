"""Matrix products in which a row's bits do not depend on the other rows.

For few rows the CPU's libraries choose other kernels, which sum in other orders: the same token would get other bits
alone than beside others. Measured on AVX-512, with one thread: for every multiple of eight rows a row's bits are the
same, in bfloat16 and in float32. So rows of zeros fill the last eight.
"""

from __future__ import annotations

import torch

_ROWS = 8
_overrides: list[torch.library.Library] = []  # overrides last as long as their library


def override() -> None:
    """Put both products in the place of torch's own, in this process, for CPU tensors."""
    library = torch.library.Library("aten", "IMPL")
    library.impl("mm", product, "CPU")
    library.impl("addmm", sum_and_product, "CPU")
    _overrides.append(library)


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`left @ right`."""
    filled = _filled(left)
    # With `out` torch takes another entry, which is not overridden.
    return torch.mm(filled, right, out=_empty(filled, right))[: left.shape[0]]


def sum_and_product(
    bias: torch.Tensor, left: torch.Tensor, right: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    """`beta * bias + alpha * left @ right`, where each row gets the same bias."""
    filled = _filled(left)
    if bias.dim() > 1 and bias.shape[0] == left.shape[0] > 1:
        bias = _filled(bias)
    out = torch.addmm(bias, filled, right, beta=beta, alpha=alpha, out=_empty(filled, right))
    return out[: left.shape[0]]


def _filled(rows: torch.Tensor) -> torch.Tensor:
    missing = -rows.shape[0] % _ROWS
    return torch.cat((rows, rows.new_zeros(missing, rows.shape[1]))) if missing else rows


def _empty(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return left.new_empty(left.shape[0], right.shape[1])
