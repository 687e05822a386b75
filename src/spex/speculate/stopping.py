"""When a search may stop: technique 3, early termination, exchangeable.

`Exact` stops once nothing that may still come can change the answer: for the leader, every other answer and an
answer not seen yet, the leader's weight must be above what the other weighs with all `left` answers of the best
score possible (or equal, where the tie is the leader's for good). It loses nothing, as long as an outlook is a
bound. `spex.speculate.confident` and `spex.speculate.early_alternatives` have the rules that may be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from spex.answer import Ballot
from spex.errors import InputError
from spex.ids import ROOT, NodeId
from spex.speculate.confident import Confident
from spex.speculate.early_alternatives import AdaptiveConsistency, Paper
from spex.speculate.standing import Standing


@runtime_checkable
class StoppingRule(Protocol):
    """Pure: the same standing gets the same decision, in plain, speculative and replayed runs."""

    @property
    def name(self) -> str:
        """What the option calls it, its parameter included: `confident:0.05`."""
        ...

    def stops(self, standing: Standing) -> bool:
        """Whether the search is to end here, with the answer that leads."""
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """Stops when no outlook can change the answer.

    It needs an answer rule that is `monotone` and outlooks that keep what was read; without them it stops nothing.
    """

    @property
    def name(self) -> str:
        return "exact"

    def stops(self, standing: Standing) -> bool:
        candidates = standing.candidates
        if not standing.sure:
            return False
        if not standing.left and all(candidate.least == candidate.most for candidate in candidates):
            return True
        if not candidates or not getattr(standing.rule, "monotone", False):
            return False
        weight, node = standing.rule.weigh(candidates[0].least)
        others = [candidate.most for candidate in candidates[1:]]
        return not any(_overtakes((-weight, node), ballots, standing) for ballots in [*others, ()])


def _overtakes(leader: tuple[float, NodeId], ballots: tuple[Ballot, ...], standing: Standing) -> bool:
    """Whether these ballots, with all that may come, can stand before the leader, who gets nothing more."""
    more = 0
    while True:
        # What comes may be anywhere in the tree: no node stands before the root in a tie.
        together = [*ballots, *[Ballot(ROOT, standing.best)] * more]
        if together:
            weight, node = standing.rule.weigh(together)
            if (-weight, node) < leader:
                return True
        if more == standing.left:
            return False
        # Few suffice in most cases, and a bound may be of millions.
        more = min(standing.left, 2 * more + 1)


def _exact(value: str | None) -> StoppingRule:
    if value is not None:
        raise InputError("stop_early", f"exact:{value}", "exact has no parameter")
    return Exact()


def _with_number(make: Callable[..., StoppingRule]) -> Callable[[str | None], StoppingRule]:
    def build(value: str | None) -> StoppingRule:
        if value is None:
            return make()
        try:
            number = float(value)
        except ValueError:
            raise InputError("stop_early", value, "what follows its colon must be a number") from None
        return make(number)

    return build


STOPPING_RULES: Mapping[str, Callable[[str | None], StoppingRule]] = {
    "exact": _exact,
    "confident": _with_number(Confident),
    "paper": _with_number(Paper),
    "adaptive-consistency": _with_number(AdaptiveConsistency),
}


def stopping_rule(spelled: str) -> StoppingRule | None:
    """The rule that `NAME` or `NAME:NUMBER` stands for; None for `off`. Raises `InputError`."""
    name, colon, value = spelled.partition(":")
    if spelled == "off":
        return None
    if name not in STOPPING_RULES:
        known = ", ".join(STOPPING_RULES)
        raise InputError("stop_early", spelled, f"it must be one of off, {known}; a number may follow: confident:0.05")
    try:
        return STOPPING_RULES[name](value if colon else None)
    except InputError as error:
        raise InputError("stop_early", spelled, error.allowed) from None
