"""What a prompt costs: those of problems, those behind a step and those of scores are told apart."""

from __future__ import annotations

from itertools import permutations
from typing import get_args

import pytest

from spex.speculate.prompts import Kind, Prompts


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_nobody_has_seen_costs_nothing_and_is_not_known(kind: Kind) -> None:
    prompts = Prompts()
    assert not prompts.knows(kind)
    assert prompts.seconds(kind, 1.0, 1.0) == 0.0


@pytest.mark.parametrize(("one", "other"), list(permutations(get_args(Kind), 2)))
def test_what_one_kind_costs_says_nothing_of_another(one: Kind, other: Kind) -> None:
    prompts = Prompts()
    prompts.observe(one, 400.0, 100.0)
    assert prompts.knows(one)
    assert not prompts.knows(other)
    prompts.observe(other, 10.0, 0.0)
    prompts.observe(other, 20.0, 0.0)
    assert prompts.seconds(other, 0.001, 0.01) == pytest.approx(0.015)
    assert prompts.seconds(one, 0.001, 0.01) == pytest.approx(1.4)
    assert prompts.uncached(one) == 400.0
