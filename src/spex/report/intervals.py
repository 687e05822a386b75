"""How far a ratio of two runs of the same problems can be trusted: a paired bootstrap over queries.

The percentile bootstrap (Efron 1979): draw n of the n queries with replacement, 2,000 times, take the same
ones of every run, and compute the ratio of each draw; the interval is from its 2.5 % to its 97.5 % quantile.
A makespan is not a mean: that of a draw is what `concurrency` workers need who take its queries in order,
each with the latency that it had. Draws depend on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2_000
LEVEL = 0.95
_CELLS_MAX = 4_000_000
_NOTHING_TO_GAIN = 1e-9

Values: TypeAlias = NDArray[np.float64]
Draws: TypeAlias = NDArray[np.intp]
Statistic: TypeAlias = Callable[[Draws], Values]
"""A figure of each draw; a draw is a row of the numbers of its queries, in rising order."""


class Interval(NamedTuple):
    """A figure and its 95 % interval; None where it has no meaning."""

    value: float | None
    low: float | None
    high: float | None


def interval(value: float | None, statistic: Statistic, queries: int, seed: int) -> Interval:
    """The interval of a figure that `statistic` computes of every draw from `queries` (≥ 1) queries."""
    if value is None:
        return Interval(None, None, None)
    random = np.random.default_rng(seed)
    rows = max(1, _CELLS_MAX // queries)
    parts = []
    for first in range(0, RESAMPLES, rows):
        draws = random.integers(0, queries, (min(rows, RESAMPLES - first), queries))
        parts.append(statistic(np.sort(draws, axis=1)))
    figures = np.concatenate(parts)
    known = figures[np.isfinite(figures)]
    if not known.size:
        return Interval(value, None, None)
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Interval(value, float(low), float(high))


def mean_ratio(upper: Sequence[float], lower: Sequence[float]) -> Statistic:
    """The ratio of two means."""
    above, below = np.asarray(upper), np.asarray(lower)
    return lambda draws: _ratio(above[draws].mean(axis=1), below[draws].mean(axis=1))


def makespan_ratio(
    upper: Sequence[float], lower: Sequence[float], concurrency: int, arrivals_seconds: Sequence[float] | None
) -> Statistic:
    """The ratio of two makespans, from the latencies."""
    above, below = np.asarray(upper), np.asarray(lower)
    arrivals = np.zeros(len(upper)) if arrivals_seconds is None else np.asarray(arrivals_seconds)
    return lambda draws: _ratio(
        makespans(above[draws], arrivals[draws], concurrency), makespans(below[draws], arrivals[draws], concurrency)
    )


def share(speedup: Statistic, best: Statistic) -> Statistic:
    """(speed-up − 1)/(best speed-up − 1), where there is something to gain."""

    def shares(draws: Draws) -> Values:
        gains, most = speedup(draws) - 1.0, best(draws) - 1.0
        return np.divide(gains, most, out=np.full_like(gains, np.nan), where=most > _NOTHING_TO_GAIN)

    return shares


def share_of(speedup: float, best: float) -> float | None:
    """The same of two numbers; None where there is nothing to gain."""
    return (speedup - 1.0) / (best - 1.0) if best - 1.0 > _NOTHING_TO_GAIN else None


def makespans(latencies: Values, arrivals_seconds: Values, concurrency: int) -> Values:
    """For each row: when the last query ends, if `concurrency` workers take them in order as they arrive."""
    rows, queries = latencies.shape
    if concurrency >= queries:
        return np.asarray((arrivals_seconds + latencies).max(axis=1))
    free = np.zeros((rows, concurrency))
    every = np.arange(rows)
    for query in range(queries):
        first = free.argmin(axis=1)
        free[every, first] = np.maximum(free[every, first], arrivals_seconds[:, query]) + latencies[:, query]
    return np.asarray(free.max(axis=1))


def _ratio(upper: Values, lower: Values) -> Values:
    return np.divide(upper, lower, out=np.ones_like(upper), where=lower > 0.0)
