"""Requests for scores, written so that a test reads like the solution it is about."""

from __future__ import annotations

import asyncio

from spex.engine.base import Path, Progress, Scoring
from spex.problem import Problem
from spex.prompt import Prompt
from spex.reward.base import Reward
from spex.tree import Step

PROBLEM = Problem("Add 2 and 3.", id="sum-7", answer="5")


def path(*steps: str) -> Path:
    """A path of these texts, with token ids that tell it from others."""
    return Path(Prompt([tuple(step.encode()) for step in steps]), tuple(Step(step) for step in steps))


def request(*paths: Path, seed: int = 11, problem: Problem = PROBLEM) -> Scoring:
    return Scoring("sum-7|score", problem, paths, "reward", seed)


def scores(reward: Reward, asked: Scoring, progress: Progress | None = None) -> tuple[float, ...]:
    """What `reward` says, opened for it and closed again."""

    async def main() -> tuple[float, ...]:
        await reward.open()
        try:
            return await reward.score(asked, progress or Progress())
        finally:
            await reward.close()

    return asyncio.run(main())
