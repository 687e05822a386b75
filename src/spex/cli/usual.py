"""What a command runs on where the user has not said it."""

from __future__ import annotations

from spex.cli.settings import SolveSettings
from spex.tasks.usual import ANY_POLICY, ANY_REWARD, asked_of, usual


def with_usual(settings: SolveSettings) -> SolveSettings:
    """The settings with a policy and a reward. Who names a model, or wants thinking, has another policy."""
    theirs = settings.policy or settings.model or settings.draft or settings.thinking
    if theirs:
        policy = settings.policy or ANY_POLICY
        named = f"{policy}:{settings.model}" if settings.model and ":" not in policy else policy
        task = asked_of(named, settings.task)
        found = {"task": task, "policy": policy, "reward": settings.reward or ANY_REWARD}
    else:
        own = usual(settings.task)
        found = {"task": own.task, "policy": own.policy, "reward": settings.reward or own.reward}
    return settings.model_copy(update=found)
