"""Five hundred situations, faults included; `make swarm SEEDS=…` tries as many as there is time for."""

from __future__ import annotations

import pytest

from tests.swarm.__main__ import repeat_line
from tests.swarm.judge import judge
from tests.swarm.scenario import draw

pytestmark = pytest.mark.swarm


@pytest.mark.parametrize("first", range(0, 500, 10))
def test_whatever_happens_the_tree_is_the_plain_one_and_nothing_is_lost_or_left(first: int) -> None:
    failures = [repeat_line(seed, wrong) for seed in range(first, first + 10) if (wrong := judge(draw(seed)))]
    assert not failures, "\n".join(failures)
