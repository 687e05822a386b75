"""When queries arrive in an open loop, drawn from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log1p
from typing import Protocol

from spex.errors import InputError
from spex.seeds import draw, seed_of


class Arrivals(Protocol):
    """A stream of queries."""

    def seconds(self, queries: int, seed: int) -> tuple[float, ...]:
        """When each arrives, since the run's start; never falling."""
        ...


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent queries, `rate` a second on average (> 0). Raises `InputError`."""

    rate: float

    def __post_init__(self) -> None:
        if not (isfinite(self.rate) and self.rate > 0.0):
            raise InputError("arrivals", self.rate, "the rate must be a number above 0")

    def seconds(self, queries: int, seed: int) -> tuple[float, ...]:
        """Gaps are exponential, by the inverse of their distribution."""
        stream = seed_of(seed, "", "arrivals", "poisson", "")
        at, times = 0.0, []
        for number in range(queries):
            at -= log1p(-draw(stream, 0, number)) / self.rate
            times.append(at)
        return tuple(times)


def find_arrivals(text: str) -> Arrivals:
    """The stream that `poisson:RATE` (queries a second) names. Raises `InputError`."""
    name, _, rate = text.partition(":")
    try:
        found = Poisson(float(rate))
    except (ValueError, InputError):
        found = None
    if name != "poisson" or found is None:
        raise InputError("arrivals", text, "it must read poisson:RATE, in queries a second, above 0")
    return found
