"""The game in exact arithmetic: what can be done with some numbers, how it is written, whether 24 is still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from itertools import permutations
from typing import NamedTuple, TypeAlias

from spex.tasks.game24_puzzles import reachable

State: TypeAlias = tuple[Fraction, ...]
"""What is left, ascending."""


class Move(NamedTuple):
    """A line of play, and what is left after it."""

    text: str
    result: Fraction
    after: State


def state_of(numbers: Iterable[int | Fraction]) -> State:
    return tuple(sorted(Fraction(number) for number in numbers))


@cache
def moves(state: State) -> tuple[Move, ...]:
    """All moves, each once; sums and products with the smaller number first."""
    return tuple(dict.fromkeys(_moves(state)))


@cache
def winning(state: State) -> tuple[Move, ...]:
    """Those after which 24 can be made, and which make nothing negative: 24 never needs that."""
    return tuple(move for move in moves(state) if move.result >= 0 and alive(move.after))


@cache
def alive(state: State) -> bool:
    """Whether 24 can be made."""
    return reachable(state)


def written(sign: str, left: Fraction, right: Fraction, result: Fraction, after: State) -> str:
    return f"{left} {sign} {right} = {result} (left: {' '.join(map(str, after))})"


def _moves(state: State) -> Iterator[Move]:
    for one, other in permutations(range(len(state)), 2):
        left, right = state[one], state[other]
        rest = [number for place, number in enumerate(state) if place not in (one, other)]
        for sign, result in _results(left, right):
            after = state_of([*rest, result])
            yield Move(written(sign, left, right, result, after), result, after)


def _results(left: Fraction, right: Fraction) -> Iterator[tuple[str, Fraction]]:
    if left <= right:
        yield "+", left + right
        yield "*", left * right
    yield "-", left - right
    if right:
        yield "/", left / right
