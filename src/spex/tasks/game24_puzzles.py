"""Which puzzles of the Game of 24 can be solved, by exact search.

The values that a set of numbers can make are those of its parts joined: V(S) is the union over
the splits S = A + B of V(A) ∘ V(B). Parts are shared by many puzzles, so they are remembered;
at the top it is enough to ask for each value of one part whether the value that would complete
24 is among the other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, combinations_with_replacement

from spex.errors import InputError
from spex.problem import Problem
from spex.tasks.infix import calculated

_TARGET = Fraction(24)
_NUMBERS_MAX = 4
_HIGHEST = 25

Numbers = tuple[Fraction, ...]


def game24_puzzles(low: int = 1, high: int = 13) -> tuple[Problem, ...]:
    """All puzzles of four numbers from `low` to `high` (0 ≤ low ≤ high ≤ 25) that can make 24.

    There are 1,362 of 1 to 13. Raises `InputError`.
    """
    if not 0 <= low <= high:
        raise InputError("low", low, f"it must be from 0 to {high}")
    if high > _HIGHEST:
        raise InputError("high", high, f"it must be at most {_HIGHEST}")
    puzzles = combinations_with_replacement(range(low, high + 1), _NUMBERS_MAX)
    return tuple(_problem(puzzle) for puzzle in puzzles if reachable(puzzle))


def reachable(state: Iterable[Fraction | int]) -> bool:
    """Whether the numbers of a state (at most four) can make 24. Raises `InputError` for more."""
    numbers = tuple(sorted(Fraction(value) for value in state))
    if len(numbers) > _NUMBERS_MAX:
        raise InputError("state", numbers, f"it must have at most {_NUMBERS_MAX} numbers")
    if len(numbers) <= 1:
        return numbers == (_TARGET,)
    return any(
        not _values(right).isdisjoint(_partners(value)) for left, right in _splits(numbers) for value in _values(left)
    )


def _problem(puzzle: tuple[int, ...]) -> Problem:
    return Problem(" ".join(map(str, puzzle)), id="-".join(["game24", *map(str, puzzle)]))


@lru_cache(maxsize=16_384)
def _values(numbers: Numbers) -> frozenset[Fraction]:
    """All values that use each of `numbers` once."""
    if len(numbers) == 1:
        return frozenset(numbers)
    return frozenset(
        value
        for left, right in _splits(numbers)
        for one in _values(left)
        for other in _values(right)
        for value in _joined(one, other)
    )


def _splits(numbers: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """The ways to part `numbers` in two, the smaller part first."""
    places = range(len(numbers))
    for size in range(1, len(numbers) // 2 + 1):
        for chosen in combinations(places, size):
            yield tuple(numbers[place] for place in chosen), tuple(numbers[p] for p in places if p not in chosen)


def _joined(one: Fraction, other: Fraction) -> Iterator[Fraction]:
    """What two numbers make, in either order."""
    for sign in "+-*/":
        for left, right in ((one, other), (other, one)):
            value = calculated(sign, left, right)
            if value is not None:
                yield value


def _partners(value: Fraction) -> set[Fraction]:
    """The numbers that make 24 with `value`."""
    partners = {_TARGET - value, _TARGET + value, value - _TARGET}
    if value:
        partners |= {_TARGET / value, _TARGET * value, value / _TARGET}
    return partners
