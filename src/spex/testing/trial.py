"""A search run alone, without a controller, tasks or time: calls finish one by one in a given order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, TypeAlias

from spex.errors import SearchError
from spex.ids import ROOT, Call, Expand, NodeId, call_key, maker
from spex.search.base import AnySearch, Demand, Search, Stop, strands_of
from spex.seeds import strand_seed
from spex.testing.world import World
from spex.tree import Tree, Unknown, Visible

DECISIONS_MAX = 10_000


class Blocked(NamedTuple):
    """The rule waits for `calls`."""

    calls: tuple[Call, ...]


class Decided(NamedTuple):
    """The rule has decided."""

    state: object
    outcome: Demand | Stop


Advance: TypeAlias = Callable[[Search[Any], object, Visible], Blocked | Decided]


class Order(NamedTuple):
    """An order of arrival. `pick` says which of n finishes next, `at_once` whether a result is there when asked for.

    `early` says whether `advance` is called again although not all that it waits for is there.
    """

    name: str
    pick: Callable[[int], int]
    at_once: Callable[[], bool] = lambda: False
    early: Callable[[], bool] = lambda: False


FIRST_COME = Order("first come", lambda _: 0)
LAST_COME = Order("last come", lambda count: count - 1)


def shuffled(seed: int) -> Order:
    """An order drawn from `seed`: a third of the results are there at once, and the rule is called early at times."""
    random = Random(seed)  # noqa: S311  # an order, not a secret
    return Order(
        f"shuffled {seed}", random.randrange, lambda: random.random() < 1 / 3, lambda: random.random() < 1 / 16
    )


@dataclass(slots=True, eq=False)
class Course:
    """What one strand did. `arrived` numbers its finished calls, `arrived_before` counts them at each decision."""

    search: Search[Any]
    state: object
    view: Visible = field(default_factory=Visible)
    demanded: dict[Call, None] = field(default_factory=dict)
    waiting: set[Call] = field(default_factory=set)
    decisions: list[Decided] = field(default_factory=list)
    arrived: dict[Call, int] = field(default_factory=dict)
    arrived_before: list[int] = field(default_factory=list)

    @property
    def stop(self) -> Stop | None:
        """How it ended, if it did."""
        last = self.decisions[-1].outcome if self.decisions else None
        return last if isinstance(last, Stop) else None

    @property
    def name(self) -> str:
        return type(self.search).__name__


class Run(NamedTuple):
    """A finished run: the course of every strand, and the demanded tree."""

    courses: tuple[Course, ...]
    tree: Tree

    @property
    def terminals(self) -> tuple[NodeId, ...]:
        """The terminals of all strands' `Stop`, strand by strand."""
        return tuple(node for course in self.courses if course.stop for node in course.stop.terminals)


def advance_once(search: Search[Any], state: object, view: Visible) -> Blocked | Decided:
    """Call the rule as a controller does."""
    try:
        return Decided(*search.advance(state, view))
    except Unknown as unknown:
        return Blocked(unknown.calls)


def run_alone(
    search: AnySearch,
    world: World,
    *,
    seed: int = 0,
    order: Order = FIRST_COME,
    decisions_max: int = DECISIONS_MAX,
    advance: Advance = advance_once,
) -> Run:
    """Run `search` to its end on `world`.

    Raises `SearchError` when a strand does not end within `decisions_max` decisions, or demands what cannot be.
    """
    courses = tuple(
        Course(strand, strand.start(strand_seed(seed, "alone", number)))
        for number, strand in enumerate(strands_of(search))
    )
    trial = _Trial(courses, world, order, decisions_max, advance)
    while not trial.over:
        trial.proceed()
    return Run(courses, trial.tree)


@dataclass(slots=True, eq=False)
class _Trial:
    courses: tuple[Course, ...]
    world: World
    order: Order
    decisions_max: int
    advance: Advance
    tree: Tree = field(default_factory=Tree)
    unfinished: dict[Call, None] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return all(course.stop for course in self.courses)

    def proceed(self) -> None:
        """Let one strand go on, or, where all wait, one call finish."""
        able = [course for course in self.courses if not course.stop and not course.waiting]
        if able:
            self._go_on(able[self.order.pick(len(able))])
            return
        ready = [call for call in self.unfinished if self._makeable(call)]
        self._finish(ready[self.order.pick(len(ready))])

    def _go_on(self, course: Course) -> None:
        match self.advance(course.search, course.state, course.view):
            case Blocked(calls):
                if all(call in course.view for call in calls):
                    raise SearchError(f"{course.name}: raised Unknown, and nothing that it names is missing")
                self._demand(course, calls)
                course.waiting = {call for call in calls if call not in course.view}
            case Decided(state, outcome) as decided:
                course.state = state
                course.decisions.append(decided)
                course.arrived_before.append(len(course.arrived))
                if len(course.decisions) > self.decisions_max:
                    raise SearchError(f"{course.name}: no end after {self.decisions_max} decisions")
                if isinstance(outcome, Demand):
                    self._demand(course, outcome.calls)

    def _demand(self, course: Course, calls: Iterable[Call]) -> None:
        new = [call for call in dict.fromkeys(calls) if call not in course.demanded]
        course.demanded.update(dict.fromkeys(new))
        for call in new:
            _refuse_impossible(course, call)
            if call in self.tree:
                self._reveal(course, call)
            elif self._makeable(call) and self.order.at_once():
                self._finish(call)
            else:
                self.unfinished[call] = None

    def _makeable(self, call: Call) -> bool:
        """Whether everything that `call` builds on has finished."""
        return all(node == ROOT or maker(node) in self.tree for node in _needed(call))

    def _finish(self, call: Call) -> None:
        self.unfinished.pop(call, None)
        exist = all(self.tree.exists(node) for node in _needed(call))
        if isinstance(call, Expand):
            ended = call.parent != ROOT and exist and self.tree.steps[call.parent].terminal
            self.tree.expand(call, self.world.steps(call) if exist and not ended else ())
        else:
            self.tree.scores[call] = self.world.scores(call) if exist else ()
        for course in self.courses:
            if call in course.demanded:
                self._reveal(course, call)

    def _reveal(self, course: Course, call: Call) -> None:
        course.view.reveal(call, self.tree)
        course.arrived[call] = len(course.arrived)
        course.waiting.discard(call)
        if self.order.early():
            course.waiting.clear()


def _refuse_impossible(course: Course, call: Call) -> None:
    for node in _needed(call):
        if node != ROOT and maker(node) not in course.demanded:
            raise SearchError(f"{course.name}: demands {call_key(call)}, but never demanded {call_key(maker(node))}")


def _needed(call: Call) -> tuple[NodeId, ...]:
    return (call.parent,) if isinstance(call, Expand) else call.nodes
