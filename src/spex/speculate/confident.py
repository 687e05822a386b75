"""Stopping when the answer would probably stay: `confident(ε)`.

The answers still expected are drawn from a Pólya urn, the predictive of a Dirichlet posterior: the next one is of
a class with n_i answers with probability n_i / (n + 1), of a class not seen yet with 1 / (n + 1), and so on with
it counted in. Its score falls into each of the n_i + 1 gaps between 0, the class's scores and the best possible
with equal probability, evenly within a gap (Hill 1968). It stops when in less than ε of 200 keyed draws another
answer reaches the leader's weight. Kin of Adaptive-Consistency (Aggarwal et al. 2023), for weighed votes.
How many answers are left is expected (`Standing.expected_left`), not bounded: ε is a model's, not a guarantee.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spex.answer import Ballot
from spex.errors import InputError
from spex.ids import ROOT
from spex.speculate.standing import Standing

Numbers = NDArray[np.float64]
Classes = NDArray[np.int64]

_BATCH = 50
_LEFT_MAX = 4096
"""Where more answers than this are expected, nobody can be sure of any."""


@dataclass(frozen=True, slots=True)
class Confident:
    """Stops when a change of the answer is less probable than `epsilon` (0 to 0.5, neither included).

    `draws` of what may come (50 to 100000, rounded up to whole fifties). Raises `InputError`.
    """

    epsilon: float = 0.05
    draws: int = 200

    def __post_init__(self) -> None:
        if type(self.epsilon) is not float or not 0.0 < self.epsilon < 0.5:
            raise InputError("stop_early", self.epsilon, "the epsilon of confident must be a number between 0 and 0.5")
        if type(self.draws) is not int or not _BATCH <= self.draws <= 100_000:
            raise InputError(
                "stop_early", self.draws, f"the draws of confident must be a whole number, {_BATCH} to 100000"
            )

    @property
    def name(self) -> str:
        return f"confident:{self.epsilon:g}"

    def stops(self, standing: Standing) -> bool:
        if not standing.candidates or standing.expected_left > _LEFT_MAX:
            return False
        batches = -(-self.draws // _BATCH)
        allowed = self.epsilon * batches * _BATCH
        changes = 0
        futures = _Futures(standing)
        for _ in range(batches):
            changes += sum(futures.changes())
            if changes >= allowed:
                return False
        return True


class _Futures:
    """Draws of how a search may end. Of a generator's stream only the plain doubles are used: they never change."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._left = standing.expected_left
        self._uniform = np.random.Generator(np.random.PCG64(standing.seed))
        scores = [[ballot.score for ballot in candidate.ballots] for candidate in standing.candidates]
        scores.append([score for group in scores for score in group])  # what is new may be like any
        self._gaps = [np.array([0.0, *sorted(group), max(standing.best, *group)]) for group in scores]
        self._counts = np.array([*(len(candidate.ballots) for candidate in standing.candidates), 1.0])
        self._weights = [standing.rule.weigh(candidate.ballots)[0] for candidate in standing.candidates]

    def changes(self) -> Iterator[bool]:
        """For each draw of one batch, whether another answer reaches the leader."""
        classes = self._classes()
        scores = self._scores(classes)
        return (self._is_changed(*future) for future in zip(classes.tolist(), scores.tolist(), strict=True))

    def _classes(self) -> Classes:
        """The class of each answer to come, by draw; the last class is the new one."""
        counts = np.repeat(self._counts[np.newaxis], _BATCH, axis=0)
        chances = self._uniform.random((_BATCH, self._left))
        chosen = np.empty((_BATCH, self._left), dtype=np.int64)
        rows = np.arange(_BATCH)
        for number in range(self._left):
            bounds = counts.cumsum(axis=1)
            places = (chances[:, number] * bounds[:, -1])[:, np.newaxis] >= bounds[:, :-1]
            chosen[:, number] = places.sum(axis=1)
            counts[rows, chosen[:, number]] += 1.0
        return chosen

    def _scores(self, classes: Classes) -> Numbers:
        chances = self._uniform.random(classes.shape)
        scores = np.empty(classes.shape)
        for number, gaps in enumerate(self._gaps):
            here = classes == number
            scores[here] = np.interp(chances[here] * (len(gaps) - 1), np.arange(len(gaps)), gaps)
        return scores

    def _is_changed(self, classes: Sequence[int], scores: Sequence[float]) -> bool:
        coming: dict[int, list[Ballot]] = {}
        for number, score in zip(classes, scores, strict=True):
            coming.setdefault(number, []).append(Ballot(ROOT, score))
        weights = dict(enumerate(self._weights))
        candidates = self._standing.candidates
        for number, ballots in coming.items():
            before = candidates[number].ballots if number < len(candidates) else ()
            weights[number] = self._standing.rule.weigh([*before, *ballots])[0]
        leader = weights.pop(0)
        return any(weight >= leader for weight in weights.values())
