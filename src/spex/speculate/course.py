"""One particle's imagined future of one strand: decision after decision, kept until a result contradicts it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spex.ids import Call
from spex.search.base import Search, Stop
from spex.speculate.guesses import RIPE, UNRIPE
from spex.speculate.imagined import START, ImaginedTree

_BARREN_MAX = 16
_USUAL_CALLS = 8
"""Four samples and their scores: a search that asks for less at a time takes more decisions to come as far."""


class Strand(NamedTuple):
    """One strand of a query as it stands: its number, and how many decisions it has taken."""

    search: Search[object]
    state: object
    number: int = 0
    decisions: int = 0


class Course:
    """Decisions that a search would take from its real state on, in an imagined world.

    They are taken again from the first one that a new result could have changed.
    """

    __slots__ = ("_base", "_blocked", "_demands", "_marks", "_over", "_search", "_seen", "_states", "_view")

    def __init__(self, strand: Strand, view: ImaginedTree) -> None:
        self._search = strand.search
        self._view = view
        self._seen = 0
        self._begin(strand)

    def follow(self, strand: Strand, finished: Sequence[Call], depth: int) -> Iterable[Call]:
        """The calls that the strand asks for within `depth` decisions (small ones: more) and that could be made now.

        `finished` are all finished calls of the query, in their order.
        """
        news, self._seen = finished[self._seen :], len(finished)
        if news:
            self._take(news)
        if strand.decisions != self._base:
            self._catch_up(strand)
        while not self._over and self._is_near(depth) and not self._is_barren():
            self._decide()
        return self._view.ripe

    def _is_barren(self) -> bool:
        """Whether the last demands were of nothing that could be made now: further on there will be less."""
        barren = 0
        for calls in reversed(self._demands):
            for call in reversed(calls):
                stage = self._view.stage(call)
                if stage == RIPE:
                    return False
                barren += stage == UNRIPE
                if barren > _BARREN_MAX:
                    return True
        return False

    def _is_near(self, depth: int) -> bool:
        """Whether less has been imagined than `depth` decisions, or than as many of a usual size would demand.

        A decision that demands nothing counts as a call: a rule that never demands must not be followed for ever.
        """
        return len(self._states) <= depth or sum(max(1, len(calls)) for calls in self._demands) < depth * _USUAL_CALLS

    def _begin(self, strand: Strand) -> None:
        self._base = strand.decisions
        self._states = [strand.state]
        self._marks = [self._view.mark()]
        self._demands: list[Sequence[Call]] = []
        self._over = self._blocked = False

    def _take(self, news: Sequence[Call]) -> None:
        changed = self._view.put_back(news)
        if self._blocked:  # what was missing may be there now
            last = self._base + len(self._states) - 1
            changed = last if changed is None else min(changed, last)
        if changed is not None:
            self._go_back(max(0, changed - self._base))
        self._view.settle(news)

    def _go_back(self, position: int) -> None:
        del self._states[position + 1 :]
        del self._marks[position + 1 :], self._demands[position:]
        self._view.rewind(self._marks[position])
        self._over = self._blocked = False

    def _catch_up(self, strand: Strand) -> None:
        """The strand has really decided: what was imagined of that is past."""
        passed = strand.decisions - self._base
        if passed < len(self._states):
            del self._states[:passed], self._marks[:passed], self._demands[:passed]
            self._states[0] = strand.state
            self._base = strand.decisions
        else:
            self._view.rewind(START)
            self._begin(strand)

    def _decide(self) -> None:
        view = self._view
        view.attempt(self._base + len(self._states) - 1)
        try:
            state, outcome = self._search.advance(self._states[-1], view)
            if isinstance(outcome, Stop):
                self._over = True
                return
            view.need(outcome.calls)
        except Exception:  # noqa: BLE001  # Unknown, or what a rule never meets on real results: imagination ends here
            self._over = self._blocked = True
            return
        self._states.append(state)
        self._marks.append(view.mark())
        self._demands.append(outcome.calls)
