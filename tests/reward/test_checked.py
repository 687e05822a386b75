"""What is let through as a reward's answer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spex.engine.base import Path, Scoring
from spex.errors import Misbehaving
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.checked import validated
from spex.tree import Step


def request(*depths: int) -> Scoring:
    paths = tuple(Path(Prompt(), (Step("x"),) * depth) for depth in depths)
    return Scoring("p|score", Problem("2 + 2", id="sum-7"), paths, "reward", 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_numbers_in_the_unit_interval_pass_as_they_are(values: list[float]) -> None:
    assert validated(values, request(*[1] * len(values)), "prm") == tuple(values)


def test_other_kinds_of_real_numbers_become_floats() -> None:
    got = validated([True, 0, Fraction(1, 4), np.float32(0.5)], request(1, 1, 1, 1), "prm")
    assert got == (1.0, 0.0, 0.25, 0.5)
    assert all(type(value) is float for value in got)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01, "0.5", None, [0.5], 0.5 + 0j])
def test_anything_else_is_named_with_reward_problem_and_step(value: object) -> None:
    with pytest.raises(Misbehaving) as caught:
        validated([0.5, value], request(2, 3), "prm")
    assert str(caught.value).startswith("prm: expected a number from 0 to 1 for problem 'sum-7', step 3 (")
    assert caught.value.got is value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), r"\(does it divide by 0, or overflow\? let it say what such a path is worth\), got nan"),
        (-3.0, r"\(is it a logit or a percentage\? let the reward map it to that range\), got -3\.0"),
        (float("inf"), r"\(is it a logit or a percentage\? "),
        ("0.5", r"\(does it return its score\? that is one number for each path\), got '0\.5'"),
    ],
)
def test_what_may_be_wrong_with_a_reward_is_told_by_what_it_gave(value: object, told: str) -> None:
    with pytest.raises(Misbehaving, match=told):
        validated([value], request(1), "prm")


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [], None, 0.5, "ab", b"ab"])
def test_another_number_of_scores_than_paths_is_refused(values: object) -> None:
    told = r"prm: expected 2 scores for problem 'sum-7', the root and step 3 \(a reward gives one for each path"
    with pytest.raises(Misbehaving, match=told):
        validated(values, request(0, 3), "prm")
