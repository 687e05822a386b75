"""What imagined ends answer: what most of the query's real ends have said, as often as these agree.

Of n real ends n₁ have the commonest answer. An imagined one has it with the probability (n₁ + 1) / (n + 2), another
that was given by m of them (or none, which m of them have) with m / (n + 2), and otherwise one that nobody else gives.
"""

from __future__ import annotations

from spex.tree import Step

_NOT_KNOWN_YET = "imagined"


class Answers:
    """Those of one query, learned from one real step at a time."""

    __slots__ = ("_agreed", "_counts", "_ends", "_leader")

    def __init__(self) -> None:
        self._counts: dict[str | None, int] = {}
        self._ends = 0
        self._leader = _NOT_KNOWN_YET
        self._agreed = 0

    def observe(self, step: Step) -> None:
        """A text has come in."""
        if not step.terminal:
            return
        self._ends += 1
        count = self._counts[step.answer] = self._counts.get(step.answer, 0) + 1
        if step.answer is not None and count > self._agreed:
            self._leader, self._agreed = step.answer, count

    def at(self, chance: float) -> str | None:
        """The answer of an imagined end, of whose own `chance` is in [0, 1)."""
        place = chance * (self._ends + 2) - (self._agreed + 1)
        if place < 0.0:
            return self._leader
        for answer, count in self._counts.items():
            if answer != self._leader:
                place -= count
                if place < 0.0:
                    return answer
        return f"{_NOT_KNOWN_YET} {chance!r}"
