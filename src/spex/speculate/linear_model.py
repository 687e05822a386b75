"""Recursive Bayesian linear regression (conjugate normal prior), with a running spread of what it missed by."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

_PRIOR_PRECISION = 4.0
_SPREAD_PRIOR = 0.2
_SPREAD_WEIGHT = 16.0


class LinearModel:
    """Learns from one observation at a time. `prior`: the weights before any."""

    def __init__(self, prior: Sequence[float]) -> None:
        self._covariance = np.eye(len(prior)) / _PRIOR_PRECISION
        self._weights = np.array(prior, dtype=float)
        self._squares = _SPREAD_PRIOR**2 * _SPREAD_WEIGHT
        self._count = _SPREAD_WEIGHT
        self.weights: list[float] = list(prior)
        self.spread: float = _SPREAD_PRIOR

    def mean(self, features: Sequence[float]) -> float:
        return sum(weight * feature for weight, feature in zip(self.weights, features, strict=True))

    def observe(self, features: Sequence[float], value: float) -> None:
        x = np.array(features)
        error = value - float(self._weights @ x)
        direction = self._covariance @ x
        noise = self._squares / self._count / _SPREAD_PRIOR**2
        gain = direction / (noise + float(x @ direction))
        self._weights = self._weights + gain * error
        self._covariance = self._covariance - np.outer(gain, direction)
        self._squares += error * error
        self._count += 1.0
        self.spread = sqrt(self._squares / self._count)
        self.weights = [float(weight) for weight in self._weights]
