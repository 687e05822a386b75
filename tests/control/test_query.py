"""One problem being searched: chained demands, void calls, what goes wrong, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import pytest

from spex.control.clock import run_virtual
from spex.control.job import Job
from spex.control.query import Query
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation, recorded, replayed
from spex.engine.base import Completion, Counters, Generation, Progress
from spex.engine.recorded import Recorded
from spex.engine.simulated import SimulatedPolicy, SimulatedReward
from spex.errors import EngineError, InvariantError, Misbehaving, NotLossless, SearchError, Unreachable
from spex.events import Event
from spex.ids import ROOT, Call, Score, call_key
from spex.problem import Problem
from spex.profile import Affine
from spex.record import MemoryLog
from spex.reward.recorded import RecordedReward
from spex.search.base import Demand, Outlook, Stop
from spex.search.rebase import Rebase
from spex.solution import Solution
from spex.speculate.market import C, Load
from spex.speculate.predictor import Predictor
from spex.speculate.runahead import Effort
from spex.tree import Step, TreeView
from spex.usage import Tokens
from tests.builders import (
    FLAT,
    PlainTask,
    Rule,
    Words,
    breadth,
    demand,
    grow,
    node,
    path_of,
    policy,
    problems,
    rate,
    read,
    reward,
    rule,
    setup,
    stop,
)
from tests.control.bench import Eager

EAGER = Speculation(market=Eager())
BOTH = pytest.mark.parametrize("speculation", [None, Speculation()], ids=["plain", "speculative"])


class Told(list[Event]):
    """A sink that keeps events."""

    def times(self, kind: str) -> dict[str, float]:
        """When it happened first, by call."""
        found: dict[str, float] = {}
        for event in self:
            if event.event == kind and event.call is not None:
                found.setdefault(event.call, round(event.t, 6))
        return found


def solved(made: Setup, deadline_seconds: float | None = None, told: Told | None = None) -> Solution:
    """The solution of one problem, in virtual time."""
    conduct = Conduct(deadline_seconds=deadline_seconds, on_event=told.append if told is not None else None)
    (solution,) = run_virtual(run(problems(1), made, conduct)).solutions
    return solution


def both(broken: Rule, healthy: Rule | None = None, speculation: Speculation | None = None) -> Run:
    """A run of three problems of which the second meets the broken rule."""
    other = healthy or breadth(2)

    def choose(state: tuple[int, int], tree: TreeView) -> tuple[tuple[int, int], Demand | Stop]:
        which, inner = state
        after, outcome = (broken if which else other).advance(inner, tree)
        return (which, after), outcome

    return run_virtual(run(problems(3), setup(Chosen(choose), speculation=speculation)))


class Chosen:
    """A search that tells its problems apart by the order of their start."""

    def __init__(
        self, choose: Callable[[tuple[int, int], TreeView], tuple[tuple[int, int], Demand | Stop]], bad: int = 1
    ) -> None:
        self._choose = choose
        self._bad = bad
        self._begun = 0

    def start(self, seed: int) -> tuple[int, int]:
        self._begun += 1
        return (int(self._begun - 1 == self._bad), 0)

    def advance(self, state: tuple[int, int], tree: TreeView) -> tuple[tuple[int, int], Demand | Stop]:
        return self._choose(state, tree)

    def outlook(self, state: tuple[int, int], tree: TreeView) -> Outlook:
        return Outlook(1)


# Chains


def test_a_score_starts_the_moment_its_text_exists_and_not_when_all_texts_do() -> None:
    told = Told()
    words = Words(tokens={(0,): 10, (1,): 50})
    calls = (grow(0), rate(0), grow(1), rate(1))
    solved(setup(rule(demand(*calls), read(*calls), stop()), policy(words)), told=told)
    assert told.times("started")[call_key(rate(0))] == 0.1
    assert told.times("started")[call_key(rate(1))] == 0.5


def test_an_expansion_under_an_unfinished_one_starts_when_that_has_finished() -> None:
    told = Told()
    calls = (grow(0), grow(0, 0), grow(0, 0, 0), rate(0, 0, 0))
    solution = solved(setup(rule(demand(*calls), read(*calls), stop())), told=told)
    started = told.times("started")
    assert [started[call_key(call)] for call in calls] == [0.0, 0.1, 0.2, 0.3]
    assert all(call in solution.tree for call in calls)


def test_a_score_of_several_nodes_waits_for_all_of_them() -> None:
    told = Told()
    together = Score((node(0), node(1)))
    words = Words(tokens={(0,): 10, (1,): 50})
    calls = (grow(0), grow(1), together)
    solution = solved(setup(rule(demand(*calls), read(*calls), stop()), policy(words)), told=told)
    assert told.times("started")[call_key(together)] == 0.5
    assert len(solution.tree.scores[together]) == 2


def test_the_root_can_be_scored() -> None:
    solution = solved(setup(rule(demand(Score((ROOT,))), read(Score((ROOT,))), stop())))
    assert len(solution.tree.scores[Score((ROOT,))]) == 1


@BOTH
def test_what_builds_on_a_child_that_was_never_made_is_void(speculation: Speculation | None) -> None:
    calls = (grow(0), rate(0), grow(0, 0), rate(0, 0), grow(0, 0, 0), Score((node(1), node(0))), grow(1))
    words = Words(silent=frozenset({(0,)}))
    solution = solved(setup(rule(demand(*calls), read(*calls), stop()), policy(words), speculation=speculation))
    assert solution.partial is None
    assert solution.tree.expansions == {grow(0): (), grow(0, 0): (), grow(0, 0, 0): (), grow(1): (node(1),)}
    assert solution.tree.scores == {rate(0): (), rate(0, 0): (), Score((node(1), node(0))): ()}


@BOTH
def test_an_expansion_under_a_terminal_node_is_void(speculation: Speculation | None) -> None:
    calls = (grow(0), rate(0), grow(0, 0), rate(0, 0))
    words = Words(answers={(0,): "42"})
    search = rule(demand(*calls), read(*calls), stop(node(0)))
    engine = policy(words)
    solution = solved(setup(search, engine, speculation=speculation))
    assert solution.answer == "42"
    assert (solution.tree.expansions[grow(0, 0)], solution.tree.scores[rate(0, 0)]) == ((), ())
    assert len(solution.tree.scores[rate(0)]) == 1
    assert engine.counters().cost.generated == 10


def test_what_is_void_is_void_when_it_is_demanded_late_too() -> None:
    words = Words(silent=frozenset({(0,)}), answers={(1,): "42"})
    late = (rate(0), grow(0, 0), grow(1, 0))
    search = rule(demand(grow(0), grow(1)), read(grow(0), grow(1)), demand(*late), read(*late), stop())
    solution = solved(setup(search, policy(words)))
    assert (solution.tree.scores[rate(0)], solution.tree.expansions[grow(0, 0)]) == ((), ())
    assert solution.tree.expansions[grow(1, 0)] == ()


def test_two_strands_that_demand_the_same_call_share_it() -> None:
    class Twins:
        def strands(self) -> tuple[Rule, ...]:
            return (breadth(2), breadth(2, 1))

    engine = policy()
    solution = solved(setup(Twins(), engine))
    assert solution.partial is None
    assert engine.counters().cost.generated == 40
    assert len(solution.tree.expansions) == 4


@BOTH
@pytest.mark.parametrize("index", [0, 1])
def test_what_was_demanded_and_never_read_is_in_no_tree_whether_it_has_come_or_not(
    index: int, speculation: Speculation | None
) -> None:
    impatient = rule(demand(grow(0), grow(1)), read(grow(index)), stop(node(index)))
    solution = solved(setup(impatient, speculation=speculation))
    assert solution.partial is None
    assert set(solution.tree.expansions) == {grow(index)}


# A search that breaks its contract


def raises(tree: TreeView) -> Demand:
    raise ZeroDivisionError("a bug")


def nothing_at_all(tree: TreeView) -> Demand:
    return None  # type: ignore[return-value]  # that it is wrong is the point


def no_calls(tree: TreeView) -> Demand:
    return Demand(("a", 3))  # type: ignore[arg-type]  # that it is wrong is the point


def one_call(tree: TreeView) -> Demand:
    return Demand(grow(0))  # type: ignore[arg-type]  # that it is wrong is the point


def an_odd_stop(tree: TreeView) -> Stop:
    return Stop((node(7),))


def a_stop_that_is_no_end(tree: TreeView) -> Stop:
    return Stop(None)  # type: ignore[arg-type]  # that it is wrong is the point


def something_new_for_ever() -> Callable[[TreeView], Demand]:
    numbers = count()
    return lambda tree: Demand((grow(next(numbers)),))


BROKEN: dict[str, tuple[Callable[[TreeView], Demand | Stop], str]] = {
    "raises": (raises, "ZeroDivisionError: a bug"),
    "demands nothing for ever": (demand(), "waited for no result"),
    "demands the same for ever": (demand(grow(0)), "waited for no result"),
    "demands something new for ever": (something_new_for_ever(), "waited for no result"),
    "demands a child of what it never demanded": (demand(grow(3, 0)), "expand:step.3>step.0"),
    "scores what it never demanded": (demand(rate(5)), "score:reward.0:step.5"),
    "reads a child of what it never demanded": (read(rate(5)), "score:reward.0:step.5"),
    "asks for a reward that is not given": (demand(grow(0), rate(0, model="judge")), "'judge'"),
    "returns nothing": (nothing_at_all, "Rule|Chosen"),
    "demands what is no call": (no_calls, "Rule|Chosen"),
    "demands a call, not calls": (one_call, "Rule|Chosen"),
    "stops at a node that it never demanded": (an_odd_stop, "step.7"),
    "stops at what are no nodes": (a_stop_that_is_no_end, "Rule|Chosen"),
}


@BOTH
@pytest.mark.parametrize("name", BROKEN)
def test_a_search_that_breaks_its_contract_ends_its_query_and_no_other(
    name: str, speculation: Speculation | None
) -> None:
    decision, complaint = BROKEN[name]
    broken = rule(demand(grow(0)), read(grow(0)), decision)
    first, second, third = both(broken, speculation=speculation).solutions
    assert isinstance(second.error, SearchError)
    assert second.partial == str(second.error)
    with pytest.raises(SearchError, match=complaint):
        raise second.error
    assert second.tree.steps.keys() >= {node(0)}
    assert (first.partial, third.partial) == (None, None)
    assert first.tree == third.tree or len(first.tree.steps) == len(third.tree.steps) == 2


def test_a_search_that_cannot_even_start_ends_its_query_and_no_other() -> None:
    class Unstartable(Chosen):
        def start(self, seed: int) -> tuple[int, int]:
            state = super().start(seed)
            if state[0]:
                raise ZeroDivisionError("a bug")
            return state

    def choose(state: tuple[int, int], tree: TreeView) -> tuple[tuple[int, int], Demand | Stop]:
        after, outcome = breadth(2).advance(state[1], tree)
        return (0, after), outcome

    first, second, third = run_virtual(run(problems(3), setup(Unstartable(choose)))).solutions
    assert isinstance(second.error, SearchError)
    assert "ZeroDivisionError: a bug" in str(second.error)
    assert (first.partial, third.partial) == (None, None)


def test_a_search_that_breaks_on_imagined_results_alone_is_not_broken() -> None:
    def picky(tree: TreeView) -> Demand:
        text = [tree.step(kid).token_count for kid in tree.children(grow(0))]
        assert text == [10], "imagined lengths differ"
        return Demand((grow(1), rate(0, model="judge") if text != [10] else rate(0)))

    search = rule(demand(grow(0), rate(0)), picky, read(grow(1), rate(0)), stop())
    assert solved(setup(search, speculation=Speculation())).partial is None


# Calls that fail


class Refuses:
    """A script that raises for some paths, each as often as it is told to."""

    def __init__(self, times: dict[tuple[int, ...], int], error: Exception, words: Words | None = None) -> None:
        self._left = dict(times)
        self._error = error
        self._words = words or Words()
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, request: Generation) -> Completion:
        path = path_of(request.key)
        self.asked.append(path)
        if self._left.get(path, 0):
            self._left[path] -= 1
            raise self._error
        return self._words(request)


AWAY = Unreachable("engine", "connection refused")


@BOTH
def test_a_demanded_call_that_fails_ends_its_query_with_that_error_and_what_there_is(
    speculation: Speculation | None,
) -> None:
    script = Refuses({(1, 0): 9}, AWAY, Words(answers={(0, 0): "42"}))
    engine = SimulatedPolicy(script, FLAT)
    solution = solved(setup(breadth(2, 1), engine, speculation=speculation))
    assert solution.error is AWAY
    assert solution.partial == str(AWAY)
    assert {node(0), node(1)} <= solution.tree.steps.keys()
    assert engine.counters().running == 0
    assert engine.counters().cost == solution.usage.paid._replace(reward=0)


def test_a_defect_of_an_engine_ends_the_queries_that_meet_it_and_no_other() -> None:
    script = Refuses({(0,): 1}, ZeroDivisionError("a bug"))
    solutions = run_virtual(run(problems(3), setup(breadth(1), SimulatedPolicy(script, FLAT)))).solutions
    errors = [solution.error for solution in solutions]
    assert isinstance(errors[0], Misbehaving)
    assert errors[1:] == [None, None]


def certain(tree: TreeView) -> Demand:
    tree.need((grow(0), rate(0)))
    return Demand((grow(0, 0),))


def test_a_speculative_call_that_fails_is_forgotten_and_done_again_once_it_is_demanded() -> None:
    # The reward takes 1 s, so that the grandchild is started, and fails, long before it is demanded.
    script = Refuses({(0, 0): 1}, AWAY)
    told = Told()
    search = rule(demand(grow(0), rate(0)), certain, read(grow(0, 0)), stop())
    made = setup(search, SimulatedPolicy(script, FLAT), reward(1.0), EAGER)
    solution = solved(made, told=told)
    assert solution.partial is None
    assert script.asked == [(0,), (0, 0), (0, 0)]
    assert told.times("failed").keys() == {call_key(grow(0, 0))}
    assert told.times("failed")[call_key(grow(0, 0))] < told.times("demanded")[call_key(grow(0, 0))]
    assert solution.tree == solved(setup(search, scorer=reward(1.0))).tree


REAL = 0.125


def real_reward(seconds: float = 1.0) -> SimulatedReward:
    return SimulatedReward(lambda asked: (REAL,) * len(asked.paths), Affine(seconds, 0.0))


def dreaming(*calls: Call) -> Rule:
    """Demands `calls` after any reward of the first node but the one that it really has."""

    def dream(tree: TreeView) -> Demand | Stop:
        return Stop(()) if tree.score(rate(0)) == (REAL,) else Demand(calls)

    return rule(demand(grow(0), rate(0)), dream)


def test_a_speculative_call_that_fails_and_is_never_demanded_is_no_error() -> None:
    script = Refuses({(0, 0): 9, (1,): 9}, AWAY)
    search = dreaming(grow(0, 0), grow(1))
    solution = solved(setup(search, SimulatedPolicy(script, FLAT), real_reward(), EAGER))
    assert sorted(script.asked) == [(0,), (0, 0), (1,)]
    assert (solution.partial, solution.error) == (None, None)


def test_a_reward_that_is_not_given_is_an_error_when_it_is_asked_for_and_not_when_it_might_be() -> None:
    solution = solved(setup(dreaming(rate(0, model="judge")), scorer=real_reward(), speculation=EAGER))
    assert (solution.partial, solution.error) == (None, None)


def test_a_prompt_that_cannot_be_made_ends_its_query_and_no_other() -> None:
    class Encoder(SimulatedPolicy):
        async def encode(self, text: str) -> tuple[int, ...]:
            if text == "problem 1":
                raise self.error
            return await super().encode(text)

        error: Exception = AWAY

    for error, told in ((AWAY, "connection refused"), (TimeoutError("late"), "late"), (KeyError("x"), "x")):
        engine = Encoder(Words(), FLAT)
        engine.error = error
        first, second, third = run_virtual(run(problems(3), setup(breadth(1), engine))).solutions
        assert isinstance(second.error, EngineError)
        assert told in str(second.error)
        assert (first.error, third.error) == (None, None)


@dataclass(frozen=True)
class Illiterate(PlainTask):
    """Cannot read some texts."""

    unreadable: tuple[str, ...] = ()

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        if completion.text in self.unreadable:
            raise ValueError("unreadable")
        return super().read(problem, path, action, completion)


def unreadable(made: Setup, *paths: tuple[int, ...]) -> Setup:
    """The same setup with a task that cannot read these."""
    texts = tuple("/".join(map(str, path)) for path in paths)
    return replace(made, policy=replace(made.policy, task=Illiterate(unreadable=texts)))


@BOTH
def test_a_demanded_text_that_the_task_cannot_read_ends_its_query(speculation: Speculation | None) -> None:
    solution = solved(unreadable(setup(breadth(2, 1), speculation=speculation), (1, 0)))
    assert isinstance(solution.error, SearchError)
    assert "task plain: read raised ValueError: unreadable" in str(solution.error)
    assert node(0) in solution.tree.steps


def test_a_speculative_text_that_the_task_cannot_read_is_forgotten() -> None:
    engine = policy()
    made = setup(dreaming(grow(0, 0)), engine, real_reward(), EAGER)
    solution = solved(unreadable(made, (0, 0)))
    assert (solution.partial, solution.error) == (None, None)
    assert engine.counters().cost.generated == 20
    assert solution.usage.lost.generated == 10


@dataclass(frozen=True)
class Undecided(PlainTask):
    """Cannot say whether an answer is right, or what it is."""

    breaks: str = "check"

    def normalise(self, answer: str) -> str:
        return self._or_break("normalise", answer)

    def check(self, problem: Problem, answer: str) -> bool | None:
        return bool(self._or_break("check", answer))

    def _or_break(self, verb: str, answer: str) -> str:
        if verb == self.breaks and answer == "7":
            raise ValueError("no idea")
        return answer


@pytest.mark.parametrize("breaks", ["check", "normalise"])
def test_a_task_that_cannot_judge_an_answer_fails_that_query_and_no_other(breaks: str) -> None:
    def write(asked: Generation) -> Completion:
        return Words(answers={(0,): "7" if asked.key.startswith("p1|") else "4"})(asked)

    search = rule(demand(grow(0), rate(0)), read(grow(0), rate(0)), stop(node(0)))
    made = setup(search, SimulatedPolicy(write, FLAT))
    made = replace(made, policy=replace(made.policy, task=Undecided(breaks=breaks)))
    first, second, third = run_virtual(run(problems(3), made)).solutions
    assert (first.answer, first.correct, third.correct) == ("4", True, True)
    assert isinstance(second.error, SearchError)
    assert "no idea" in str(second.error)
    assert (second.answer, second.partial) == (None, str(second.error))
    assert second.tree.steps.keys() == {node(0)}


def test_every_call_that_started_has_one_end_in_the_events_whenever_the_query_ends() -> None:
    told = Told()
    search = rule(demand(grow(0), grow(1), grow(2)), read(grow(0)), stop())
    solved(setup(search, policy(Words(tokens={(2,): 50}))), told=told)
    assert told.times("started").keys() == {call_key(grow(index)) for index in range(3)}
    ends = [event.call for event in told if event.event in ("finished", "cancelled", "failed")]
    assert sorted(filter(None, ends)) == sorted(told.times("started"))


# Ends


@BOTH
@pytest.mark.parametrize("deadline", [0.005, 0.05, 0.14, 0.17])
def test_a_deadline_gives_what_there_is_and_leaves_nothing_in_flight(
    deadline: float, speculation: Speculation | None
) -> None:
    engine, scorer = policy(cancel_delay_seconds=0.03), reward()
    solution = solved(setup(breadth(2, 2, 2), engine, scorer, speculation), deadline_seconds=deadline)
    assert solution.partial == f"deadline query of {deadline:g} s ran out"
    assert solution.error is None
    assert (engine.counters().running, scorer.counters().running) == (0, 0)
    assert engine.counters().cost.plus(scorer.counters().cost) == solution.usage.paid
    assert solution.tree.expansions.keys() == ({grow(0), grow(1)} if deadline > 0.1 else set())
    assert solution.timings.latency_seconds == pytest.approx(deadline + 0.03, abs=0.0301)


def test_a_partial_solution_votes_with_the_terminals_that_there_are() -> None:
    words = Words(answers={(0,): "42", (1,): "7"}, tokens={(1,): 500})
    calls = (grow(0), rate(0), grow(1), rate(1))
    solution = solved(setup(rule(demand(*calls), read(*calls), stop()), policy(words)), deadline_seconds=1.0)
    assert (solution.answer, solution.terminals) == ("42", (node(0),))


def test_a_query_that_ends_in_time_is_not_partial() -> None:
    assert solved(setup(breadth(2)), deadline_seconds=0.2).partial is None


@BOTH
def test_what_was_paid_is_what_the_engines_counted(speculation: Speculation | None) -> None:
    engine, scorer = policy(prefill_seconds=0.001), reward()
    made = setup(Rebase(6, depth_max=5), engine, scorer, speculation)
    result = run_virtual(run(problems(5), made))
    assert result.usage.paid == engine.counters().cost.plus(scorer.counters().cost)
    assert result.usage.lost == Tokens()
    assert (result.usage.wasted == Tokens()) == (speculation is None)


def test_only_demanded_calls_are_in_the_tree() -> None:
    plain = solved(setup(Rebase(6, depth_max=5)))
    fast = solved(setup(Rebase(6, depth_max=5), scorer=reward(), speculation=EAGER))
    assert plain.tree == fast.tree
    assert fast.foresight.speculated > fast.foresight.committed > 0
    assert plain.foresight.demanded == fast.foresight.demanded == len(plain.tree.expansions) + len(plain.tree.scores)


class Never:
    """A market that buys nothing."""

    def margin(self, load: Load) -> float:
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        return []

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        return []


class Onlooker(Never):
    """A market that buys nothing, and remembers when each call was last offered."""

    def __init__(self) -> None:
        self.offered: dict[Call, float] = {}

    def to_start(self, load: Load, wishes: Sequence[C], room: int) -> list[C]:
        now = asyncio.get_running_loop().time()
        for wish in wishes:
            assert isinstance(wish, Job)
            self.offered[wish.call] = now
        return []


def test_what_a_real_reward_has_ruled_out_is_no_longer_offered() -> None:
    market = Onlooker()

    def dream(tree: TreeView) -> Demand:
        return Demand((grow(1), rate(1)) if tree.score(rate(0)) == (REAL,) else (grow(0, 0),))

    search = rule(demand(grow(0), rate(0)), dream, read(grow(1), rate(1)), stop())
    solution = solved(setup(search, policy(Words(usual=50)), real_reward(), Speculation(market=market)))
    # The reward is there at 1.5 s; the query goes on to 3 s.
    assert solution.timings.latency_seconds == pytest.approx(3.0)
    assert 1.0 < market.offered[grow(0, 0)] <= 1.53


def test_the_predictor_learns_from_all_texts_and_scores_whoever_asked_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Predictor, "observe_step", lambda self, action, step, depth: seen.append(f"step {depth}"))
    monkeypatch.setattr(
        Predictor, "observe_reward", lambda self, action, step, around, reward: seen.append(f"reward {reward}")
    )
    search = dreaming(grow(0, 0))
    solution = solved(setup(search, scorer=real_reward(), speculation=EAGER))
    assert seen == ["step 1", "step 2", f"reward {REAL}"]
    assert solution.foresight.speculated == 1


class Fickle(Eager):
    """A market that stops whatever it has started, once."""

    def __init__(self) -> None:
        self._stopped: set[int] = set()

    def margin(self, load: Load) -> float:
        return 1.0

    def to_stop(self, load: Load, running: Sequence[C], remaining: Callable[[C], float]) -> list[C]:
        tired = [candidate for candidate in running if id(candidate) not in self._stopped]
        self._stopped.update(map(id, tired))
        return tired


@pytest.mark.parametrize(("seed", "wasted"), [("positional", 0), ("none", 0), ("whole", 25)])
def test_a_call_that_is_demanded_while_it_is_cancelled_is_made_after_all(seed: str, wasted: int) -> None:
    # The grandchild starts at 0.3 s, is stopped when the other child is done at 0.35 s, and demanded at 0.4 s.
    words = Words(usual=30, tokens={(1,): 35})
    search = rule(demand(grow(0), rate(0), grow(1)), certain, read(grow(0, 0)), stop())
    engine = policy(words, cancel_delay_seconds=0.2, seed=seed)
    told = Told()
    solution = solved(setup(search, engine, reward(0.1), Speculation(market=Fickle())), told=told)
    call = call_key(grow(0, 0))
    assert told.times("started")[call] < told.times("demanded")[call] == 0.4 < told.times("cancelled")[call] == 0.55
    assert [event.speculative for event in told if (event.event, event.call) == ("started", call)] == [True, False]
    assert solution.usage.wasted.generated == wasted
    assert engine.counters().cost.generated == 95 + wasted
    assert solution.tree == solved(setup(search, policy(words))).tree


class Leisurely(Recorded):
    """Reads its log slowly, as a busy machine does: there is time to look ahead."""

    async def generate(self, request: Generation, progress: Progress) -> Completion:
        await asyncio.sleep(0.05)
        return await super().generate(request, progress)


def test_a_finished_problem_costs_nothing_when_it_is_run_again_with_its_log() -> None:
    log = MemoryLog()
    made = setup(Rebase(6, depth_max=5), speculation=EAGER)
    first = run_virtual(run(problems(4), recorded(made, log), Conduct(concurrency=2)))
    engine, scorer = policy(), reward()
    made = setup(Rebase(6, depth_max=5), Leisurely(engine, log), RecordedReward(scorer, log), EAGER)
    again = run_virtual(run(problems(4), made, Conduct(concurrency=2)))
    assert [solution.tree for solution in again.solutions] == [solution.tree for solution in first.solutions]
    assert (engine.counters().cost, scorer.counters().cost, again.usage.paid) == (Tokens(), Tokens(), Tokens())


@BOTH
def test_a_recorded_run_is_replayed_without_an_engine(speculation: Speculation | None) -> None:
    log = MemoryLog()
    made = setup(Rebase(6, depth_max=5), speculation=speculation)
    first = run_virtual(run(problems(3), recorded(made, log)))
    again = run_virtual(run(problems(3), replayed(made, log)))
    assert [solution.tree for solution in again.solutions] == [solution.tree for solution in first.solutions]
    assert again.usage.paid == Tokens()
    assert again.seconds == 0.0


def test_a_replay_from_which_a_demanded_call_is_missing_says_so() -> None:
    log = MemoryLog()
    made = setup(breadth(2))
    run_virtual(run(problems(1), recorded(made, log)))
    del log.entries["p0|score:reward.0:step.1"]
    solution = solved(replayed(made, log))
    assert isinstance(solution.error, NotLossless)
    assert "score:reward.0:step.1" in str(solution.error)


def test_an_effort_of_one_particle_and_one_decision_gives_the_same_tree() -> None:
    plain = solved(setup(Rebase(6, depth_max=4)))
    lazy = solved(setup(Rebase(6, depth_max=4), speculation=Speculation(Effort(1, 1))))
    assert lazy.tree == plain.tree


def test_speculation_in_flight_keeps_its_bound() -> None:
    running = 0
    highest = 0

    def watch(event: Event) -> None:
        nonlocal running, highest
        if event.event == "started" and event.speculative:
            running += 1
        elif event.event == "promoted" or (event.speculative and event.event in ("finished", "cancelled", "failed")):
            running -= 1
        highest = max(highest, running)

    made = setup(Rebase(8, depth_max=5), speculation=Speculation(market=Eager(), in_flight_max=3))
    run_virtual(run(problems(1), made, Conduct(on_event=watch)))
    # On each of the two engines.
    assert 0 < highest <= 6


def test_engines_of_a_few_slots_are_never_asked_for_more() -> None:
    engine, scorer = policy(slots=2), reward(slots=1)
    result = run_virtual(run(problems(4), setup(Rebase(6, depth_max=4), engine, scorer, EAGER)))
    assert [solution.error for solution in result.solutions] == [None] * 4
    assert engine.counters() == Counters(0, engine.counters().cost)


def test_a_query_that_waits_for_what_nobody_does_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = Query._commit

    def lose(self: Query, call: Call) -> None:
        if call != grow(1):
            commit(self, call)

    monkeypatch.setattr(Query, "_commit", lose)
    search = rule(demand(grow(0)), read(grow(0)), read(grow(1)), stop())
    with pytest.raises(InvariantError, match=r"p0: waits for expand:root>step\.1, which is "):
        solved(setup(search, speculation=Speculation(market=Never())))


def test_an_invariant_that_breaks_in_the_first_turn_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Query) -> None:
        raise InvariantError("this cannot be")

    monkeypatch.setattr(Query, "_advance", broken)
    with pytest.raises(InvariantError, match="this cannot be"):
        solved(setup(breadth(1)))


@pytest.mark.parametrize(("answer", "correct"), [("4", False), (None, None)])
def test_a_search_that_ends_without_an_answer_is_wrong_where_an_answer_could_be_right(
    answer: str | None, correct: bool | None
) -> None:
    search = rule(demand(grow(0), rate(0)), read(grow(0), rate(0)), stop())
    (solution,) = run_virtual(run([Problem("?", "p", answer)], setup(search))).solutions
    assert (solution.answer, solution.correct) == (None, correct)
