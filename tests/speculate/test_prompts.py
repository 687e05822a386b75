"""What a prompt costs: those of problems and those behind a step are told apart."""

from __future__ import annotations

import pytest

from spex.speculate.prompts import Prompts


def test_what_nobody_has_seen_costs_nothing_and_is_not_known() -> None:
    prompts = Prompts()
    assert not prompts.knows(0)
    assert prompts.seconds(0, 1.0, 1.0) == 0.0


@pytest.mark.parametrize("depth", [1, 2, 9])
def test_a_problems_prompt_says_nothing_of_one_behind_a_step(depth: int) -> None:
    prompts = Prompts()
    prompts.observe(0, 400.0, 0.0)
    assert prompts.knows(0)
    assert not prompts.knows(depth)
    prompts.observe(depth, 10.0, 0.0)
    prompts.observe(depth, 20.0, 0.0)
    assert prompts.seconds(depth, 0.001, 0.0) == pytest.approx(0.015)
    assert prompts.seconds(0, 0.001, 0.0) == pytest.approx(0.4)
    assert all(map(prompts.knows, range(1, 10)))


def test_what_is_cached_costs_its_own_price() -> None:
    prompts = Prompts()
    prompts.observe(1, 10.0, 500.0)
    assert prompts.seconds(1, 0.001, 0.0006) == pytest.approx(0.01 + 0.3)
