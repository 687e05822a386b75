"""The published SPEX's selection of paths (arXiv 2605.10195), for any search. Technique 1, as an alternative.

Depth, its rule for MCTS: UCB runs ahead on a copy of the statistics, counts a visit for every simulated pick,
passes over nodes that are being speculated, takes in the rewards of finished speculations; the next k picks start.
Ours: the search's own `advance` runs ahead on one supposed world in which what is unscored is as its parent; a pick
is a decision that asks for something that could be made now. k is `picks`, or whatever the market grants.

Breadth, its rule for searches by level: while stragglers of a level run, the search's own allocation expands the
nodes that have finished, as many children as have finished. Ours: one decision ahead, on a supposed world in which
what is unfinished is worth 0 and ends there; the children of higher rewards first.

Which of them: breadth, once a decision that is waited for reads, or would ask for, children of several nodes.

Liberties. The paper copies two searches' statistics; a general `advance` also grows supposed children, of which
nothing can be made: such picks are passed over. Probabilities: it has none; the n-th pick gets 1/(n + 1), n from 0,
which only says the order. What is running keeps its rank and is not started again. Scores of speculated texts are
speculated with the pick that they belong to. Speculations that the search does not take stay results of the query
and never vote: the paper's rules are lossless here because the controller is, not because they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spex.errors import InputError
from spex.ids import Call, Expand, NodeId
from spex.search.base import Demand, Search
from spex.speculate.course import Strand
from spex.speculate.imagined import makeable
from spex.speculate.predictor import Predictor
from spex.speculate.rule import Foresight
from spex.speculate.runahead import Effort
from spex.speculate.supposed import AsParent, SupposedTree, Worthless
from spex.tree import Tree


@dataclass(frozen=True, slots=True)
class PaperSelection:
    """The paper's rule. `picks` (≥ 1): its k, at most the decisions of an `Effort`; None: all of these.

    Raises `InputError`.
    """

    picks: int | None = None

    def __post_init__(self) -> None:
        if self.picks is not None and (type(self.picks) is not int or self.picks < 1):
            raise InputError("picks", self.picks, "it must be a whole number from 1, or None")

    def begin(self, problem_id: str, tree: Tree, predictor: Predictor, seed: int) -> Foresight:  # noqa: ARG002
        return PaperForesight(tree, self.picks)


class PaperForesight:
    """One query's picks, made anew each time: nothing is learned but the results in the tree."""

    def __init__(self, tree: Tree, picks: int | None = None) -> None:
        self._tree = tree
        self._picks = picks
        self._broad_strands: set[int] = set()

    def foresee(self, strands: Sequence[Strand], effort: Effort) -> dict[Call, float]:
        """What each strand would pick, the next pick with 1, those after it with ½, ⅓ and so on."""
        foreseen: dict[Call, float] = {}
        for strand in strands:
            for number, pick in enumerate(self._picks_of(strand, effort.depth)):
                for call in pick:
                    foreseen[call] = max(foreseen.get(call, 0.0), 1.0 / (number + 1))
        return foreseen

    def learn(self, call: Call) -> None:
        """Nothing: the result stands in the tree."""

    def _picks_of(self, strand: Strand, depth: int) -> list[list[Call]]:
        # Kept: a search by level is one even where a single node gets all of the next.
        if strand.number not in self._broad_strands and is_broad(strand, self._tree):
            self._broad_strands.add(strand.number)
        return self._broad(strand) if strand.number in self._broad_strands else self._deep(strand, depth)

    def _deep(self, strand: Strand, depth: int) -> list[list[Call]]:
        view = SupposedTree(self._tree, AsParent())
        state, picks, seen = strand.state, list[list[Call]](), 0
        for _ in range(depth):
            if self._picks is not None and len(picks) == self._picks:
                break
            decided = _decided(strand.search, state, view)
            asked = list(view.missing)
            pick = [call for call in asked[seen:] if makeable(call, self._tree)]
            seen = len(asked)
            if pick:
                picks.append(pick)
            if decided is None:
                break
            state, _ = decided
        return picks

    def _broad(self, strand: Strand) -> list[list[Call]]:
        view = SupposedTree(self._tree, Worthless())
        decided = _decided(strand.search, strand.state, view)
        if decided is None:
            return []
        wanted = [call for call in decided[1].calls if call in view.missing and makeable(call, self._tree)]
        texts = sorted((call for call in wanted if isinstance(call, Expand)), key=self._by_reward)
        first: list[Call] = [call for call in wanted if not isinstance(call, Expand)]
        picks: list[list[Call]] = [[call] for call in texts[: self._room(view.finished, decided[1].calls)]]
        return [first, *picks] if first else picks

    def _room(self, finished: set[NodeId], calls: Iterable[Call]) -> int:
        """As many children as have finished, less those that there are already; `picks` at most."""
        made = sum(isinstance(call, Expand) and call in self._tree for call in calls)
        room = max(0, len(finished) - made)
        return room if self._picks is None else min(room, self._picks)

    def _by_reward(self, call: Expand) -> float:
        return -(self._tree.reward(call.parent) or 0.0)


def is_broad(strand: Strand, tree: Tree) -> bool:
    """Whether the search's next decision reads, or asks for, children of several nodes."""
    view = SupposedTree(tree, AsParent())
    decided = _decided(strand.search, strand.state, view, note=False)
    asked = {call.parent for call in decided[1].calls if isinstance(call, Expand)} if decided else set[NodeId]()
    return len(view.parents) > 1 or len(asked) > 1


def _decided(
    search: Search[object], state: object, view: SupposedTree, *, note: bool = True
) -> tuple[object, Demand] | None:
    """The next state and what it asks for, which the view is told of; None where the search or our knowledge ends."""
    try:
        after, outcome = search.advance(state, view)
        if not isinstance(outcome, Demand):
            return None
        if note:
            view.need(outcome.calls)
    except Exception:  # noqa: BLE001  # Unknown, or what a rule never meets on real results: supposing ends here
        return None
    return after, outcome
