"""What an unscored node will score, how a path will end: learned online from the run's own results, by action."""

from __future__ import annotations

from spex.speculate.habits import Habits, Surroundings
from spex.tree import Step


class Predictor:
    """Shared by all queries of a run; deterministic in the order of what it observes."""

    def __init__(self) -> None:
        self._habits: dict[str, Habits] = {}
        self.errors: Errors = Errors()

    def habits(self, action: str) -> Habits:
        """What has been learned of the texts of `action`: a whole solution is not as long and as good as a step."""
        found = self._habits.get(action)
        if found is None:
            found = self._habits[action] = Habits()
        return found

    def observe_step(self, action: str, step: Step, depth: int) -> None:
        """A text has come in."""
        self.habits(action).observe_step(step, depth)

    def observe_reward(self, action: str, step: Step, around: Surroundings, reward: float) -> None:
        """A text has been scored."""
        expected = self.habits(action).observe_reward(step, around, reward)
        self.errors.observe(expected, around.parent, reward)


class Errors:
    """Squared prediction errors, each made before the reward was known: ours and the trivial ones'."""

    def __init__(self) -> None:
        self.count: int = 0
        self.learned: float = 0.0
        self.parent: float = 0.0
        self.constant: float = 0.0
        self._sum = 0.0

    def observe(self, learned: float, parent: float, reward: float) -> None:
        constant = self._sum / self.count if self.count else 0.5
        self.learned += (learned - reward) ** 2
        self.parent += (parent - reward) ** 2
        self.constant += (constant - reward) ** 2
        self.count += 1
        self._sum += reward
