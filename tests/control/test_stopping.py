"""A query that a stopping rule ends: where it is cut, what becomes of the rest, and what can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from spex.answer import AnswerRule, Majority, Weighted
from spex.control.clock import run_virtual
from spex.control.run import Conduct, run
from spex.control.setup import Setup, Speculation, recorded, replayed
from spex.engine.base import Completion, Generation
from spex.engine.simulated import SimulatedPolicy
from spex.errors import SearchError, Unreachable
from spex.events import Event
from spex.ids import ROOT, Expand, NodeId, child
from spex.problem import Problem
from spex.record import MemoryLog
from spex.search.base import AnySearch, Demand, Outlook, Stop
from spex.search.best_of_n import BestOfN
from spex.search.self_consistency import SelfConsistency
from spex.solution import Solution
from spex.speculate.early_alternatives import Paper
from spex.speculate.standing import Standing
from spex.speculate.stopping import Exact, StoppingRule
from spex.tree import Step, TreeView, Unknown
from tests.builders import FLAT, PlainTask, Words, policy, problems, setup

AGREEING = Words(answers={(place,): "x" for place in range(5)})
EVER = Words(answers={(place,): "x" for place in range(16)})


@dataclass
class AfterAnswers:
    """Stops a search at its `count`-th answer, and remembers what it was told."""

    count: int
    told: list[Standing] = field(default_factory=list)
    name: str = "after-answers"

    def stops(self, standing: Standing) -> bool:
        self.told.append(standing)
        return standing.answers >= self.count


def whole(width: int, index: int) -> NodeId:
    assert index < width
    return child(Expand(ROOT, "solution", index))


def stopped(
    search: AnySearch,
    stopping: StoppingRule | None,
    words: Words = AGREEING,
    rule: AnswerRule | None = None,
    speculation: Speculation | None = None,
) -> Setup:
    made = setup(search, policy(words), speculation=speculation)
    return replace(made, stopping=stopping, answer_rule=rule or Majority())


def solved(made: Setup, events: list[Event] | None = None) -> Solution:
    conduct = Conduct(on_event=events.append if events is not None else None)
    (solution,) = run_virtual(run(problems(1), made, conduct)).solutions
    return solution


# Where it is cut


def test_a_majority_that_cannot_be_lost_ends_the_query_and_its_other_calls() -> None:
    events: list[Event] = []
    words = replace(AGREEING, tokens={(0,): 10, (1,): 20, (2,): 30, (3,): 500, (4,): 500})
    engine = policy(words)
    made = replace(setup(SelfConsistency(5), engine), stopping=Exact(), answer_rule=Majority())
    solution = solved(made, events)
    assert solution.answer == "x"
    assert (solution.stopped_early, solution.partial, solution.error) == ("exact", None, None)
    assert solution.timings.latency_seconds == pytest.approx(0.3)
    assert solution.terminals == tuple(whole(5, index) for index in range(3))
    assert set(solution.tree.steps) == set(solution.terminals)
    assert [event.call for event in events if event.event == "cancelled"] == [
        "expand:root>solution.3",
        "expand:root>solution.4",
    ]
    assert engine.counters().running == 0


def test_a_search_that_ends_by_itself_was_stopped_by_nobody() -> None:
    differing = Words(answers={(place,): str(place) for place in range(5)})
    solution = solved(stopped(SelfConsistency(5), Exact(), differing))
    assert solution.stopped_early is None
    assert len(solution.terminals) == 5


def test_results_are_read_in_the_order_of_their_calls_whatever_their_time() -> None:
    """The last three come first; what counts is when the first three are there."""
    words = replace(AGREEING, tokens={(0,): 40, (1,): 10, (2,): 10, (3,): 10, (4,): 10})
    late = solved(stopped(SelfConsistency(5), Exact(), words))
    assert late.timings.latency_seconds == pytest.approx(0.4)
    assert late.terminals == tuple(whole(5, index) for index in range(3))


def test_a_rule_is_told_of_each_answer_once_with_its_reward_and_what_is_left() -> None:
    rule = AfterAnswers(9)
    solved(stopped(BestOfN(3), rule, rule=Weighted()))
    assert [(told.answers, told.left, told.used) for told in rule.told] == [(1, 2, 1), (2, 1, 2)]
    assert all(told.candidates[0].least == told.candidates[0].ballots for told in rule.told)
    assert len({told.seed for told in rule.told}) == 2


def test_a_reward_that_nobody_has_asked_for_yet_may_be_anything() -> None:
    rule = AfterAnswers(9)
    solved(stopped(SelfConsistency(2), rule, rule=Weighted("min")))
    (candidate,) = rule.told[0].candidates
    assert [ballot.score for ballot in (*candidate.least, *candidate.ballots, *candidate.most)] == [0.0, 0.0, 1.0]


def test_strands_take_turns_of_one_result_each() -> None:
    words = Words(answers={(place,): "x" for place in range(4)}, tokens={(0,): 90, (1,): 10, (2,): 10, (3,): 10})
    solution = solved(stopped(Halves(), AfterAnswers(3), words))
    assert solution.terminals == (whole(4, 0), whole(4, 1), whole(4, 2))
    assert solution.timings.latency_seconds == pytest.approx(0.9 + 0.1)


@dataclass(frozen=True)
class Half:
    """Two whole solutions, 0 and 1 or 2 and 3, each read by itself."""

    first: int

    def start(self, seed: int) -> tuple[NodeId, ...]:
        return ()

    def advance(self, state: tuple[NodeId, ...], tree: TreeView) -> tuple[tuple[NodeId, ...], Demand | Stop]:
        expands = [Expand(ROOT, "solution", self.first + place) for place in range(2)]
        if len(state) == 2:
            return state, Stop(state)
        found = tree.children(expands[len(state)])
        return (*state, *found), Demand(tuple(expands))

    def outlook(self, state: tuple[NodeId, ...], tree: TreeView) -> Outlook:
        return Outlook(2 - len(state), keeps=True)


class Halves:
    def strands(self) -> tuple[Half, ...]:
        return (Half(0), Half(2))


# Plain, speculative, replayed


def test_a_stopped_run_is_replayed_from_its_log_though_what_was_cut_off_is_not_there() -> None:
    words = replace(AGREEING, tokens={(0,): 10, (1,): 20, (2,): 30, (3,): 500, (4,): 5})
    made = stopped(SelfConsistency(5), Exact(), words)
    log = MemoryLog()
    first = solved(recorded(made, log))
    second = solved(replayed(made, log))
    assert (second.tree, second.terminals, second.answer) == (first.tree, first.terminals, first.answer)
    assert (second.stopped_early, second.partial) == ("exact", None)


# What fails


@dataclass(frozen=True)
class Broken:
    """An engine's script in which one whole solution fails, at a time of its own."""

    words: Words
    index: int

    def __call__(self, request: Generation) -> Completion:
        if f"solution.{self.index}" in request.key:
            raise Unreachable("simulated", "gone")
        return self.words(request)


def broken(index: int) -> Setup:
    engine = SimulatedPolicy(Broken(AGREEING, index), FLAT)
    return replace(setup(SelfConsistency(5), engine), stopping=Exact(), answer_rule=Majority())


def test_what_would_have_been_cut_off_may_fail() -> None:
    solution = solved(broken(4))
    assert (solution.answer, solution.stopped_early, solution.error) == ("x", "exact", None)


def test_what_counts_may_not_fail() -> None:
    solution = solved(broken(1))
    assert isinstance(solution.error, Unreachable)
    assert solution.stopped_early is None


@dataclass
class Angry:
    name: str = "angry"

    def stops(self, standing: Standing) -> bool:
        raise ValueError("no")


def test_a_rule_that_raises_costs_its_own_query() -> None:
    solution = solved(stopped(SelfConsistency(5), Angry()))
    assert isinstance(solution.error, SearchError)
    assert str(solution.error) == "stop angry: it raised ValueError: no"


@dataclass(frozen=True)
class Foretelling:
    """Self-consistency with another outlook."""

    error: BaseException
    search: SelfConsistency = field(default_factory=SelfConsistency)

    def start(self, seed: int) -> object:
        return self.search.start(seed)

    def advance(self, state: object, tree: TreeView) -> tuple[object, Demand | Stop]:
        return self.search.advance(state, tree)  # type: ignore[arg-type]

    def outlook(self, state: object, tree: TreeView) -> Outlook:
        raise self.error


def test_an_outlook_that_raises_costs_its_own_query() -> None:
    solution = solved(stopped(Foretelling(ValueError("no")), Exact(), EVER))
    assert str(solution.error) == "Foretelling: outlook raised ValueError: no"


def test_a_search_that_cannot_tell_what_may_come_is_never_stopped() -> None:
    solution = solved(stopped(Foretelling(Unknown()), Paper(0.0, 1), EVER))
    assert (solution.stopped_early, solution.answer) == (None, "x")


@dataclass(frozen=True)
class Doubling:
    """A task that reads two answers from every text."""

    task: PlainTask = field(default_factory=PlainTask)

    def __getattr__(self, name: str) -> object:
        return getattr(self.task, name)

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        return self.task.read(problem, path, action, completion) * 2


def test_where_calls_have_several_children_no_bound_holds_and_nothing_is_stopped() -> None:
    made = stopped(SelfConsistency(3), AfterAnswers(2))
    doubled = replace(made, policy=replace(made.policy, task=Doubling()))  # type: ignore[arg-type]
    solution = solved(doubled)
    assert solution.stopped_early is None
    assert len(solution.terminals) == 6


def test_without_a_rule_nothing_is_followed() -> None:
    answers: Mapping[str | None, int] = {solved(stopped(SelfConsistency(5), None)).stopped_early: 1}
    assert answers == {None: 1}
