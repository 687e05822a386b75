"""What is believed of a mean reward, and a number drawn from that belief: for Thompson sampling.

`Gaussian`: rewards are normal, mean and variance unknown; the belief is normal-inverse-gamma (Murphy 2023,
"Probabilistic Machine Learning: Advanced Topics", 3.4.3.3). With s = ν·τ², a reward x makes of (m, κ, ν, s)
((κ·m + x)/(κ + 1), κ + 1, ν + 1, s + κ·(x − m)²/(κ + 1)). A draw: σ² = (s/2)/Gamma(ν/2), mean = m + z·√(σ²/κ).
`Beta`: a reward x in [0, 1] makes of (a, b) (a + x, b + 1 − x). Gamma numbers: Marsaglia and Tsang 2000, "A simple
method for generating gamma variables". Beliefs before any reward: m = 0, κ = ν = 1, τ² = 0.1; and a = b = 1/2.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from statistics import NormalDist
from typing import NamedTuple, Protocol, TypeAlias

Chance: TypeAlias = Callable[[int], float]
"""The k-th uniform number in [0, 1) of one draw; k from 0 to `NUMBERS_MAX` − 1."""

_REJECTIONS_MAX = 64
_OF_GAMMA = 1 + 2 * _REJECTIONS_MAX
NUMBERS_MAX = 2 * _OF_GAMMA
"""A draw uses fewer uniform numbers than this, or as many."""

_LEAST = 2.0**-53
_NORMAL = NormalDist()


class Posterior(Protocol):
    """A belief about a mean reward. Immutable."""

    def told(self, reward: float) -> Posterior:
        """The belief after one more reward, in [0, 1]."""
        ...

    def drawn(self, chance: Chance) -> float:
        """A mean reward, as likely as it is believed."""
        ...


class Gaussian(NamedTuple):
    """Normal-inverse-gamma: `mean` m, `kappa` κ, `nu` ν (both > 0), and `scatter` ν·τ² (> 0)."""

    mean: float = 0.0
    kappa: float = 1.0
    nu: float = 1.0
    scatter: float = 0.1

    def told(self, reward: float) -> Gaussian:
        mean, kappa, nu, scatter = self
        off = reward - mean
        return Gaussian(mean + off / (kappa + 1.0), kappa + 1.0, nu + 1.0, scatter + kappa * off * off / (kappa + 1.0))

    def drawn(self, chance: Chance) -> float:
        mean, kappa, nu, scatter = self
        variance = scatter / (2.0 * gamma(0.5 * nu, chance, 1))
        return mean + normal(chance(0)) * sqrt(variance / kappa)


class Beta(NamedTuple):
    """Beta: `a` and `b`, both > 0."""

    a: float = 0.5
    b: float = 0.5

    def told(self, reward: float) -> Beta:
        return Beta(self.a + reward, self.b + (1.0 - reward))

    def drawn(self, chance: Chance) -> float:
        for_it = gamma(self.a, chance, 0)
        return for_it / (for_it + gamma(self.b, chance, _OF_GAMMA))


def normal(uniform: float) -> float:
    """A standard normal number of a uniform one in [0, 1]."""
    return _NORMAL.inv_cdf(_inside(uniform))


def gamma(shape: float, chance: Chance, first: int) -> float:
    """A number (> 0) of the gamma distribution of that shape (≥ 1/4) and of scale 1; `chance` is used from `first` on.

    After 64 rejections in a row, which real chance brings about once in 10⁸⁰ draws, it is the mode of what is proposed.
    """
    boost = 1.0
    if shape < 1.0:
        boost = _inside(chance(first)) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    for place in range(first + 1, first + 1 + 2 * _REJECTIONS_MAX, 2):
        z = normal(chance(place))
        v = (1.0 + c * z) ** 3
        if v > 0.0 and log(_inside(chance(place + 1))) < 0.5 * z * z + d - d * v + d * log(v):
            return boost * d * v
    return boost * d


def _inside(uniform: float) -> float:
    """The number kept away from 0 and 1, where logarithms and quantiles end."""
    return min(max(uniform, _LEAST), 1.0 - _LEAST)
