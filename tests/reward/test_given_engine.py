"""What a reward is made with is an engine, and no name of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import spex
from spex.reward.likelihood import Likelihood
from spex.reward.value import Value
from spex.reward.vote import Vote


@pytest.mark.parametrize("reward", [spex.Judge, spex.Rubric, spex.Prm, Likelihood, Value, Vote])
@pytest.mark.parametrize("given", ["llamacpp", 3, None])
def test_what_is_no_engine_is_refused_where_it_is_given(reward: Callable[..., Any], given: object) -> None:
    with pytest.raises(spex.InputError, match=r"engine: .*it must be an engine"):
        reward(given)
