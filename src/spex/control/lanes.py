"""Which lane serves which of a query's calls."""

from __future__ import annotations

from spex.control.lane import Lane
from spex.control.scheduler import Scheduler
from spex.control.setup import Setup
from spex.ids import Call, Score


class Lanes:
    """Which lane serves which of a query's calls."""

    def __init__(self, setup: Setup, scheduler: Scheduler) -> None:
        self._policy = scheduler.lane(setup.policy.engine, serves_text=True)
        self._rewards = {
            model: scheduler.lane(reward.server, serves_text=False) for model, reward in setup.rewards.items()
        }

    def of(self, call: Call) -> Lane:
        return self._rewards[call.model] if isinstance(call, Score) else self._policy
