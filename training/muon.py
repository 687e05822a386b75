"""Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks") in float32.

torch has one, which works in bfloat16: a CPU without it takes five times as long for a step as for the gradient. It
learned these models in a fraction of the steps that AdamW took.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_ROUNDS = 5
_FACTORS = (3.4445, -4.7750, 2.0315)  # of the quintic that is iterated: the authors'
_LIKE_ADAM = 0.2  # a step's root mean square, so that learning rates are AdamW's (Liu et al. 2025, arXiv 2502.16982)


class Muon(torch.optim.Optimizer):  # type: ignore[misc]
    """For matrices alone: momentum, made orthogonal. learning_rate and weight_decay as AdamW's."""

    def __init__(
        self, matrices: Iterable[Tensor], learning_rate: float, *, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self) -> None:
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                shapes.setdefault(matrix.shape, []).append(matrix)
            for matrices in shapes.values():
                self._step_all(matrices, group)

    def _step_all(self, matrices: list[Tensor], group: dict[str, float]) -> None:
        """Matrices of one shape, together."""
        moved = []
        for matrix in matrices:
            state = self.state[matrix]
            momentum = state.setdefault("momentum", torch.zeros_like(matrix))
            momentum.lerp_(matrix.grad, 1 - group["momentum"])
            moved.append(matrix.grad.lerp(momentum, group["momentum"]))
        rows, columns = matrices[0].shape
        size = group["lr"] * _LIKE_ADAM * max(rows, columns) ** 0.5
        for matrix, direction in zip(matrices, orthogonal(torch.stack(moved)), strict=True):
            matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=size)


def orthogonal(stack: Tensor) -> Tensor:
    """Each matrix of (number, rows, columns) with singular values near 1, by a Newton-Schulz iteration."""
    wide = stack if stack.shape[1] <= stack.shape[2] else stack.mT
    wide = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    one, two, three = _FACTORS
    for _ in range(_ROUNDS):
        square = wide @ wide.mT
        wide = one * wide + (two * square + three * square @ square) @ wide
    return wide if stack.shape[1] <= stack.shape[2] else wide.mT
