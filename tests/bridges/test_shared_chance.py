"""Within `keyed`, the shared generators follow from a seed; after it they go on as if nothing had been."""

from __future__ import annotations

import random

import numpy as np
import pytest

from spex.bridges.shared_chance import keyed


def numbers() -> tuple[float, float, float]:
    return random.random(), random.gauss(0.0, 1.0), float(np.random.standard_normal())  # noqa: NPY002  # what others use


def test_numbers_within_follow_from_the_seed() -> None:
    found = []
    for seed in (3, 3, 4):
        with keyed(seed):
            found.append(numbers())
        numbers()
    assert found[0] == found[1] != found[2]


def test_numbers_after_it_are_those_that_would_have_come() -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = [numbers(), numbers()]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    found = [numbers()]
    with keyed(5):
        numbers()
    found.append(numbers())
    assert found == expected


def test_an_error_within_changes_nothing_either() -> None:
    before = random.getstate()
    with pytest.raises(ZeroDivisionError), keyed(5):
        random.randrange(10 // int(random.random()))
    assert random.getstate() == before
