"""Plug-ins that misbehave: each costs its own query, says so, and takes nothing else along."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from spex.control.clock import run_virtual
from spex.control.run import Conduct, Run, run
from spex.control.setup import Setup, Speculation
from spex.engine.base import Completion, Progress, Scoring, Server
from spex.engine.simulated import SimulatedReward
from spex.errors import InputError, InvariantError, Misbehaving, SearchError
from spex.events import Event
from spex.ids import ROOT, Expand, call_key, child
from spex.policy import Policy
from spex.problem import Problem
from spex.search.base import Stop
from spex.tree import Step, TreeView
from tests.builders import (
    PlainTask,
    breadth,
    demand,
    grow,
    node,
    policy,
    problems,
    read,
    reward,
    rule,
    setup,
    stop,
)
from tests.builders import Words as PlainWords

BOTH = pytest.mark.parametrize("speculation", [None, Speculation()], ids=["plain", "speculative"])


class OutsideException(BaseException):
    """What a test framework or another async library raises past every `except Exception`."""


@dataclass
class Faulty:
    """A reward that raises for one problem of several."""

    error: BaseException
    inner: SimulatedReward = field(default_factory=reward)

    @property
    def name(self) -> str:
        return "faulty"

    @property
    def server(self) -> Server:
        return self.inner.server

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def score(self, request: Scoring, progress: Progress) -> tuple[float, ...]:
        if request.problem.id == "p1":
            await asyncio.sleep(0.01)
            raise self.error
        return await self.inner.score(request, progress)


@dataclass(frozen=True)
class OddTask(PlainTask):
    """Reads something odd below the first level of one problem."""

    odd: object = ()

    def read(self, problem: Problem, path: Sequence[Step], action: str, completion: Completion) -> tuple[Step, ...]:
        if problem.id == "p1" and path:
            return self.odd  # type: ignore[return-value]  # that it is wrong is the point
        return super().read(problem, path, action, completion)


def three(made: Setup) -> Run:
    return run_virtual(run(problems(3), made))


def only_the_second_fails(done: Run, kind: type[Exception], complaint: str) -> None:
    first, second, third = done.solutions
    assert (first.partial, third.partial) == (None, None)
    assert isinstance(second.error, kind)
    with pytest.raises(kind, match=complaint):
        raise second.error


@BOTH
@pytest.mark.parametrize("error", [asyncio.CancelledError(), OutsideException("out"), GeneratorExit()], ids=repr)
def test_what_is_no_exception_ends_its_query_and_is_not_asked_for_again(
    error: BaseException, speculation: Speculation | None
) -> None:
    done = three(setup(breadth(2, 2), scorer=Faulty(error), speculation=speculation))
    only_the_second_fails(done, Misbehaving, type(error).__name__)


STEP = Step("text", (1, 2))


@BOTH
@pytest.mark.parametrize(
    ("odd", "complaint"),
    [
        (None, "a tuple of steps, not NoneType"),
        (("text",), "that is a str"),
        ((replace(STEP, token_ids=("a",)),), "token_ids"),  # type: ignore[arg-type]
        ((replace(STEP, token_ids=(1 << 63,)),), "token_ids"),
        ((replace(STEP, token_ids=(True,)),), "token_ids"),
        ((replace(STEP, logprobs=(-1.0,)),), "logprobs"),
        ((replace(STEP, logprobs=(-1.0, None)),), "logprobs"),  # type: ignore[arg-type]
        ((replace(STEP, text=b"text"),), "text"),  # type: ignore[arg-type]
        ((replace(STEP, answer=7),), "answer"),  # type: ignore[arg-type]
        ((replace(STEP, end="soon"),), "end"),  # type: ignore[arg-type]
        ((replace(STEP, terminal="no"),), "terminal"),  # type: ignore[arg-type]
    ],
)
def test_a_task_that_reads_what_is_no_step_ends_its_query_and_no_other(
    odd: object, complaint: str, speculation: Speculation | None
) -> None:
    made = setup(breadth(2, 2), speculation=speculation)
    done = three(replace(made, policy=Policy(policy(), OddTask(odd=odd))))
    only_the_second_fails(done, SearchError, complaint)


@BOTH
def test_a_long_chain_under_a_node_that_is_never_made_is_void_to_its_end(speculation: Speculation | None) -> None:
    chain = [grow(*[0] * depth) for depth in range(1, 601)]
    search = rule(demand(*chain), read(chain[-1]), stop())
    engine = policy(PlainWords(silent=frozenset({(0,)})))
    (solution,) = run_virtual(run(problems(1), setup(search, engine, speculation=speculation))).solutions
    assert solution.partial is None
    assert solution.tree.steps == {}


@BOTH
@pytest.mark.parametrize("index", [0, 1])
def test_a_search_that_stops_at_what_it_has_not_read_waits_for_it(index: int, speculation: Speculation | None) -> None:
    search = rule(demand(grow(0), grow(1)), read(grow(index)), stop(node(0), node(1)))
    (solution,) = run_virtual(run(problems(1), setup(search, speculation=speculation))).solutions
    assert solution.partial is None
    assert solution.terminals == (node(0), node(1))


def test_the_terminals_of_a_stop_may_come_from_a_generator() -> None:
    def lazily(tree: TreeView) -> Stop:
        return Stop(made for made in tree.children(grow(0)))  # type: ignore[arg-type]  # what users write

    (solution,) = run_virtual(run(problems(1), setup(rule(demand(grow(0)), lazily)))).solutions
    assert solution.terminals == (node(0),)


@pytest.mark.parametrize("action", ["a.0/b", "a,b", "a>b", "", "a b"])
def test_a_name_that_would_be_lost_in_a_key_is_refused(action: str) -> None:
    (solution,) = run_virtual(run(problems(1), setup(rule(demand(Expand(ROOT, action)))))).solutions
    assert "is named by letters" in str(solution.error)


@pytest.mark.parametrize("index", [1.0, True, -1])
def test_an_index_that_is_no_number_of_a_sample_is_refused(index: int) -> None:
    (solution,) = run_virtual(run(problems(1), setup(rule(demand(Expand(ROOT, "step", index)))))).solutions
    assert "an index is a whole number" in str(solution.error)


def test_equal_calls_have_one_name() -> None:
    one, other = Expand(ROOT, "step", 1), Expand(ROOT, "step", 1.0)  # type: ignore[arg-type]
    assert one == other
    assert call_key(one) == call_key(other)
    assert call_key(Expand(child(one))) == call_key(Expand(child(other)))


def test_a_callback_that_raises_past_every_handler_ends_the_run_with_an_error() -> None:
    def sink(event: Event) -> None:
        if event.event == "finished":
            raise OutsideException("out")

    with pytest.raises(InvariantError, match="a callback raised OutsideException: out"):
        run_virtual(run(problems(1), setup(breadth(2)), Conduct(on_event=sink)))


@pytest.mark.parametrize("field", ["on_event", "on_solution", "stop"])
def test_what_is_no_callback_is_refused_before_anything_starts(field: str) -> None:
    with pytest.raises(InputError, match=field):
        Conduct(**{field: 5})  # type: ignore[arg-type]  # that it is wrong is the point
