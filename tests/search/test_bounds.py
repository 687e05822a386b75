"""The words of a refusal say what is allowed, and the same can be read from them as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.errors import InputError
from spex.search.bounds import Bounds, bounds_in
from spex.search.parameters import check_real, check_whole


def refusal_of_whole(lowest: int, highest: int) -> str:
    with pytest.raises(InputError) as caught:
        check_whole("field", "text", lowest, highest)
    return caught.value.allowed.removeprefix("it must be ")


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_a_range_of_whole_numbers_is_read_back(lowest: int, highest: int) -> None:
    assert bounds_in(refusal_of_whole(lowest, highest)) == Bounds(lowest, highest)


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 1.0), (0.002, 1000.0), (-2.5, 1e-07), (1e-12, 1e20)])
def test_a_range_of_numbers_is_read_back(lowest: float, highest: float) -> None:
    with pytest.raises(InputError) as caught:
        check_real("field", "text", lowest, highest)
    assert bounds_in(caught.value.allowed.removeprefix("it must be ")) == Bounds(lowest, highest)


@pytest.mark.parametrize(
    ("words", "bounds"),
    [
        ("a whole number from 1 to 9, or none", Bounds(1, 9)),
        ("true or false", Bounds(choices=(True, False))),
        ("one of slow, fast", Bounds(choices=("slow", "fast"))),
        ("a whole number", Bounds()),
        ("a number from here to eternity", Bounds()),
        ("whatever you like", Bounds()),
        ("", Bounds()),
    ],
)
def test_choices_are_read_and_where_nothing_is_told_there_are_no_bounds(words: str, bounds: Bounds) -> None:
    assert bounds_in(words) == bounds
