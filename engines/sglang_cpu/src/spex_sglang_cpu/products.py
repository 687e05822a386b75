"""Matrix products in which a row's bits do not depend on the other rows.

For few rows the CPU's libraries choose other kernels, which sum in other orders: the same token would get other bits
alone than beside others. Measured with one thread, on AVX2 and AVX-512: for every multiple of eight rows a row's bits
are the same. So rows of zeros fill the last eight.

CPUs that have no instructions for bfloat16 take four to nine times as long for it as for float32: the model's weights
are multiplied as float32, of which they are a part, and the products rounded.
"""

from __future__ import annotations

import torch

_ROWS = 8
_WIDE_MAX = 1 << 29  # weights: 2 GB of them in float32
_overrides: list[torch.library.Library] = []  # overrides last as long as their library
_wide: dict[tuple[int, torch.Size], torch.Tensor] = {}


def override() -> None:
    """Put both products in the place of torch's own, in this process, for CPU tensors."""
    library = torch.library.Library("aten", "IMPL")
    library.impl("mm", product, "CPU")
    library.impl("addmm", sum_and_product, "CPU")
    _overrides.append(library)


def widen(model: torch.nn.Module) -> None:
    """Keep `model`'s weights in float32 too, where they are bfloat16 and not too many. They must not change later."""
    weights = [weight.detach() for weight in model.parameters() if weight.dtype == torch.bfloat16 and weight.dim() == 2]
    if _overrides and sum(weight.numel() for weight in weights) <= _WIDE_MAX:
        for weight in weights:
            # A layer multiplies by its weight transposed. The model keeps it: no other tensor will be at its place.
            _wide[weight.data_ptr(), weight.t().shape] = weight.float().t()


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """`left @ right`."""
    filled, factor = _filled(left), _widest(right)
    # With `out` torch takes another entry, which is not overridden.
    out = torch.mm(filled.to(factor.dtype), factor, out=_empty(filled, factor))
    return out[: left.shape[0]].to(left.dtype)


def sum_and_product(
    bias: torch.Tensor, left: torch.Tensor, right: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    """`beta * bias + alpha * left @ right`, with one bias for all rows or one for each."""
    filled, factor = _filled(left), _widest(right)
    if bias.dim() == 2 and bias.shape[0] == left.shape[0] > 1:
        bias = _filled(bias)
    wide = (given.to(factor.dtype) for given in (bias, filled))
    out = torch.addmm(*wide, factor, beta=beta, alpha=alpha, out=_empty(filled, factor))
    return out[: left.shape[0]].to(left.dtype)


def _widest(right: torch.Tensor) -> torch.Tensor:
    return _wide.get((right.data_ptr(), right.shape), right)


def _filled(rows: torch.Tensor) -> torch.Tensor:
    missing = -rows.shape[0] % _ROWS
    return torch.cat((rows, rows.new_zeros(missing, rows.shape[1]))) if missing else rows


def _empty(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return right.new_empty(left.shape[0], right.shape[1])
