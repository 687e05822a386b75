"""Where a query may end early: its results in one order, the same whenever and in whatever order they came.

A second strand follows each strand. It is shown a result only when its rule has asked for that result (with what
it is built on), in the order of asking, so that all that it knows is a function of the tree. Where there are
several strands, they take turns of one result each. After every turn the stopping rule is told how the vote
stands: a search is cut at the first turn where it stops, and what has come beyond that is not of the solution.
A failed call counts when its turn comes: what would have been cut off can have failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spex.answer import Ballot, score_of
from spex.control.setup import Setup
from spex.control.strand import RunningStrand, built_on, running_strands
from spex.errors import SearchError, SpexError
from spex.ids import Call, NodeId, Score
from spex.problem import Problem
from spex.search.base import Outlook
from spex.seeds import seed_of
from spex.speculate.standing import Candidate, Standing, ranked
from spex.speculate.stopping import StoppingRule
from spex.tree import Tree, Unknown


@dataclass(slots=True, eq=False)
class _Follower:
    """`ahead` is the strand that runs; `strand` follows it. `fresh`: terminals shown since `outlook` was given."""

    ahead: RunningStrand
    strand: RunningStrand
    terminals: dict[NodeId, None] = field(default_factory=dict)
    outlook: Outlook | None = None
    fresh: int = 0

    @property
    def next_call(self) -> Call:
        return next(iter(self.strand.waiting))

    def decide(self) -> None:
        """Go on until a result is missing; the outlook is of where that leads."""
        strand = self.strand
        strand.advance(_demand_nothing)
        self.fresh = 0
        try:
            self.outlook = None if strand.stop else strand.search.outlook(strand.state, strand.view)
        except Unknown:
            self.outlook = None
        except Exception as error:
            raise SearchError(
                f"{type(strand.search).__name__}: outlook raised {type(error).__name__}: {error}"
            ) from error

    @property
    def left(self) -> int:
        """Terminals that may still come of this strand."""
        if self.outlook is None:
            return 0
        fresh = self.fresh if self.outlook.keeps else 0
        return max(0, self.outlook.answers - fresh)

    @property
    def ends(self) -> tuple[NodeId, ...]:
        """The terminals that vote: at its end those of its stop, before it all that have been shown."""
        return tuple(self.terminals) if self.strand.stop is None else self.strand.stop.terminals


class Reading:
    """Follows the strands of one query and says where they stop; without a rule it does nothing.

    `known`: the calls read so far, of which the solution is made when `stopped`. `failures`: of demanded calls.
    """

    def __init__(self, rule: StoppingRule | None, setup: Setup, problem: Problem, tree: Tree) -> None:
        self.rule = rule
        self.stopped: bool = False
        self.known: dict[Call, None] = {}
        self.failures: dict[Call, SpexError] = {}
        self._setup = setup
        self._problem = problem
        self._tree = tree
        self._seen = Tree()
        self._followers: list[_Follower] = []
        self._closed: dict[NodeId, Ballot] = {}
        self._turns = 0
        self._place = 0
        self._bound = 0
        self._is_bounded = True
        self._has_news = False

    def follow(self, strands: Sequence[RunningStrand]) -> None:
        """Begin with the strands at their beginning. Raises `SearchError`."""
        if self.rule is None:
            return
        own = running_strands(self._setup.search, self._setup.seed, self._problem.id)
        self._followers = [_Follower(ahead, strand) for ahead, strand in zip(strands, own, strict=True)]
        for follower in self._followers:
            follower.decide()
        self._bound = self._left()

    @property
    def stopped_by(self) -> str | None:
        """The name of the rule that stopped the search, if it did."""
        return self.rule.name if self.rule and self.stopped else None

    def goes_on(self) -> bool:
        """Read on as far as results are there; false once the rule has stopped the search.

        Raises `SearchError`, and the failure of a call whose turn it is.
        """
        while self.rule and not self.stopped and (follower := self._next()):
            self._read(follower, follower.next_call)
            if not follower.strand.waiting:
                follower.decide()
                self._has_news = True
            self._turns += 1
            self.stopped = self._has_news and self._is_settled(self.rule)
            self._has_news = False
        return not self.stopped

    def fail(self, call: Call, error: SpexError) -> None:
        """A demanded call has failed. Raises its error, at once or when its turn comes: it may have none."""
        if self.rule is None:
            raise error
        self.failures[call] = error
        self.goes_on()

    def terminals(self) -> tuple[NodeId, ...]:
        """The terminal nodes that vote, strand by strand."""
        return of_all_strands(follower.ends for follower in self._followers)

    # Turns

    def _next(self) -> _Follower | None:
        """Who is to read now; None where all have stopped, or the result is still to come."""
        for _ in self._followers:
            follower = self._followers[self._place]
            if follower.strand.stop is None:
                return follower if self._has_come(follower) else None
            self._place = (self._place + 1) % len(self._followers)
        return None

    def _has_come(self, follower: _Follower) -> bool:
        call = follower.next_call
        if call in follower.ahead.view:
            return True
        for needed in (call, *built_on(call)):
            if needed in self.failures:
                raise self.failures[needed]
        return False

    def _read(self, follower: _Follower, call: Call) -> None:
        for shown in (*built_on(call), call):
            if shown not in follower.strand.view:
                follower.strand.finished(shown, self._tree)
                self._show(follower, shown)
        self._place = (self._place + 1) % len(self._followers)

    def _show(self, follower: _Follower, call: Call) -> None:
        self.known[call] = None
        if isinstance(call, Score):
            self._seen.scores[call] = self._tree.scores[call]
            self._has_news |= any(node in follower.terminals for node in call.nodes)
            return
        nodes = self._tree.expansions[call]
        self._is_bounded = self._is_bounded and len(nodes) <= 1
        self._seen.expand(call, (self._tree.steps[node] for node in nodes))
        for node in nodes:
            if self._tree.steps[node].terminal:
                follower.terminals[node] = None
                follower.fresh += 1
                self._has_news = True

    # The vote

    def _left(self) -> int:
        return sum(follower.left for follower in self._followers)

    def _is_settled(self, rule: StoppingRule) -> bool:
        outlooks = [follower.outlook for follower in self._followers if follower.strand.stop is None]
        known = [outlook for outlook in outlooks if outlook is not None]
        if not outlooks or len(known) < len(outlooks) or not self._is_bounded:
            return False
        left = self._left()
        try:
            standing = Standing(
                candidates=self._candidates(),
                left=left,
                best=max(outlook.best for outlook in known),
                used=max(0, self._bound - left),
                sure=all(outlook.keeps for outlook in known),
                rule=self._setup.answer_rule,
                seed=seed_of(self._setup.seed, self._problem.id, "stop", rule.name, "", index=self._turns),
            )
            return rule.stops(standing)
        except Exception as error:
            raise SearchError(f"stop {rule.name}: it raised {type(error).__name__}: {error}") from error

    def _candidates(self) -> tuple[Candidate, ...]:
        normalise = self._setup.policy.task.normalise
        groups: dict[str, list[NodeId]] = {}
        for node in self.terminals():
            answer = self._seen.steps[node].answer
            if answer is not None:
                groups.setdefault(normalise(answer), []).append(node)
        return ranked([self._candidate(answer, nodes) for answer, nodes in groups.items()], self._setup.answer_rule)

    def _candidate(self, answer: str, nodes: Sequence[NodeId]) -> Candidate:
        ballots = tuple(map(self._ballot, nodes))
        if all(node in self._closed for node in nodes):
            return Candidate(answer, ballots, ballots, ballots)
        least = tuple(self._closed.get(node) or Ballot(node, 0.0) for node in nodes)
        most = tuple(self._closed.get(node) or Ballot(node, self._most(node)) for node in nodes)
        return Candidate(answer, ballots, least, most)

    def _ballot(self, node: NodeId) -> Ballot:
        found = self._closed.get(node)
        if found is None:
            aggregate = self._setup.answer_rule.aggregate
            found = Ballot(node, score_of(self._seen, node, aggregate))
            depths = [len(node)] if aggregate == "last" else range(1, len(node) + 1)
            if all(Score((node[:depth],)) in self._seen.scores for depth in depths):
                self._closed[node] = found
        return found

    def _most(self, node: NodeId) -> float:
        own = self._seen.reward(node)
        return 1.0 if own is None else own


def of_all_strands(ends: Iterable[Sequence[NodeId]]) -> tuple[NodeId, ...]:
    """The terminals that vote, strand by strand: one that several strands have met votes for the first of them."""
    said: dict[NodeId, None] = {}
    voting: list[NodeId] = []
    for terminals in ends:
        voting += [node for node in terminals if node not in said]
        said |= dict.fromkeys(terminals)
    return tuple(voting)


def _demand_nothing(strand: RunningStrand, calls: tuple[Call, ...]) -> None:
    """A follower reads what has been demanded already, or will be by the strand that it follows."""
