"""The judge finds what it looks for: a good trace in which one thing is made wrong is no longer a good one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from spex.control.setup import Speculation
from spex.profile import Affine
from spex.search.rebase import Rebase
from spex.sim.workload import Workload
from tests.swarm.admission import late_admissions
from tests.swarm.checker import check_run, compare
from tests.swarm.judge import check_trial, limits_of, plain_trial
from tests.swarm.markets import Greedy
from tests.swarm.scenario import Scenario
from tests.swarm.trial import Trial, carry_out

Event = dict[str, Any]
Tamper = Callable[[list[Event]], list[Event]]

SCENARIO = Scenario(
    seed=3,
    search=Rebase(width=6, depth_max=5),
    workload=Workload("checked"),
    queries=2,
    concurrency=2,
    curve=Affine(0.010, 0.0001),
    believed=Affine(0.010, 0.0001),
    slots=5,
    prefill_seconds=0.0,
    cancel_delay_seconds=0.05,
    positional=True,
    reward_curve=Affine(0.5, 0.0),
    reward_slots=4,
    speculation=Speculation(market=Greedy()),
)


@cache
def trials() -> tuple[Trial, Trial]:
    """The plain and a speculative run."""
    return plain_trial(SCENARIO), carry_out(SCENARIO, speculate=True)


def complaints(tamper: Tamper) -> list[str]:
    """What the judge says of the speculative run after something has been done to its trace."""
    plain, speculative = trials()
    events = tamper([dict(event) for event in speculative.events])
    limits = limits_of(SCENARIO, speculate=True)
    return compare(plain.events, events) + check_run(events, limits, speculative.cost.generated, 0)


def test_a_good_run_is_good() -> None:
    assert complaints(lambda events: events) == []
    assert check_trial(SCENARIO, trials()[1], speculate=True) == []


def first(events: Iterable[Event], what: str, **wanted: object) -> Event:
    return next(
        event
        for event in events
        if event["event"] == what and all(event.get(name) == value for name, value in wanted.items())
    )


def two_decisions_swapped(events: list[Event]) -> list[Event]:
    one, two = [event for event in events if event["event"] == "decided" and event["query"] == "q0"][:2]
    one["calls"], two["calls"] = two["calls"], one["calls"]
    return events


def a_decision_left_out(events: list[Event]) -> list[Event]:
    events.remove(first(events, "decided"))
    return events


def another_result(events: list[Event]) -> list[Event]:
    first(events, "finished")["digest"] = "0" * 16
    return events


def another_answer(events: list[Event]) -> list[Event]:
    first(events, "query_finished")["answer"] = "another"
    return events


def a_query_that_failed(events: list[Event]) -> list[Event]:
    first(events, "query_finished")["reason"] = "away"
    return events


def a_result_told_twice(events: list[Event]) -> list[Event]:
    told = first(events, "finished")
    events.insert(events.index(told), told)
    return events


def a_token_too_many(events: list[Event]) -> list[Event]:
    first(events, "finished", kind="expand")["tokens"] += 1
    return events


def an_end_left_out(events: list[Event]) -> list[Event]:
    events.remove(first(events, "cancelled"))
    return events


def a_start_after_the_end(events: list[Event]) -> list[Event]:
    return [*events, {**first(events, "started"), "t": events[-1]["t"]}]


def a_query_without_end(events: list[Event]) -> list[Event]:
    events.remove(first(events, "query_finished", query="q1"))
    return events


def starts_in_excess(events: list[Event]) -> list[Event]:
    start = first(events, "started", kind="expand")
    return [*({**start, "call": f"expand:root>other.{number}"} for number in range(6)), *events]


WRONG: dict[str, tuple[Tamper, str]] = {
    tamper.__name__: (tamper, complaint)
    for tamper, complaint in (
        (two_decisions_swapped, "G1: strand"),
        (a_decision_left_out, "G1: strand"),
        (another_result, "G1: "),
        (another_answer, "G1: answers"),
        (a_query_that_failed, "G1: answers"),
        (a_result_told_twice, "finished 2 times"),
        (a_token_too_many, "G4: the trace has"),
        (an_end_left_out, "never ended"),
        (a_start_after_the_end, "after its end"),
        (a_query_without_end, "liveness: q1"),
        (starts_in_excess, "in flight at"),
    )
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_made_wrong_is_found(name: str) -> None:
    tamper, complaint = WRONG[name]
    assert any(complaint in said for said in complaints(tamper))


def test_requests_that_engines_still_run_are_found() -> None:
    plain, _ = trials()
    assert "G3: the engines still run 2 requests" in check_run(
        plain.events, limits_of(SCENARIO, speculate=False), plain.cost.generated, 2
    )


def test_speculation_in_a_plain_run_is_found() -> None:
    _, speculative = trials()
    limits = limits_of(SCENARIO, speculate=False)
    wrong = check_run(speculative.events, limits, speculative.cost.generated, 0)
    assert any("speculations in flight" in said for said in wrong)


def test_usage_that_is_not_the_engines_count_is_found() -> None:
    _, speculative = trials()
    short = replace(speculative, cost=speculative.cost._replace(reward=speculative.cost.reward + 1))
    assert any("was paid" in said for said in check_trial(SCENARIO, short, speculate=True))


# Admission


def told(t: float, event: str, call: str = "", **more: object) -> Event:
    kind = {"kind": call.partition(":")[0]} if call else {}
    return {"t": t, "query": "q0", "event": event, "call": call, **kind, **more}


def started(t: float, call: str, *, speculative: bool = False) -> Event:
    return told(t, "started", call, speculative=speculative)


def made(t: float, call: str, *terminals: bool) -> Event:
    return told(t, "finished", call, terminals=terminals, texts=("",) * len(terminals))


A, B, C = (f"expand:root>step.{number}" for number in range(3))
UNDER_A, SCORE_OF_A = "expand:step.0>step.0", "score:reward.0:step.0"


def late(*events: Event, kind: str = "expand", slots: int = 1) -> list[str]:
    return late_admissions(events, kind, slots, 0.1, 0.1)


def test_a_call_that_speculation_holds_up_is_late_after_one_cancellation_delay() -> None:
    before = (started(0.0, A, speculative=True), told(1.0, "demanded", B))
    assert late(*before, told(1.1, "cancelled", A), started(1.1, B)) == []
    assert len(late(*before, told(1.2, "cancelled", A), started(1.2, B))) == 1


def test_a_call_that_demanded_calls_hold_up_is_not_late() -> None:
    assert late(told(0.0, "demanded", A), started(0.0, A), told(0.0, "demanded", B), made(9.0, A, False)) == []
    promoted = (started(0.0, A, speculative=True), told(0.0, "demanded", A), told(0.0, "promoted", A))
    assert late(*promoted, told(1.0, "demanded", B), made(9.0, A, False), started(9.0, B)) == []


def test_of_two_that_wait_for_one_slot_the_first_is_late_and_the_second_waits_for_the_first() -> None:
    before = (started(0.0, A, speculative=True), told(0.0, "demanded", B), told(0.0, "demanded", C))
    after = (told(5.0, "cancelled", A), started(5.0, B), made(9.0, B, False), started(9.0, C))
    assert len(late(*before, *after)) == 1


def test_a_call_is_ready_when_what_it_builds_on_has_finished_and_not_before() -> None:
    begun = (told(0.0, "demanded", A), started(0.0, A), told(0.0, "demanded", UNDER_A))
    assert late(*begun, made(9.0, A, False), started(9.0, UNDER_A)) == []
    assert len(late(*begun, made(9.0, A, False), started(9.0, B), started(9.5, UNDER_A), slots=2)) == 1


def test_a_slot_that_nobody_takes_while_a_call_is_ready_is_found() -> None:
    assert len(late(told(0.0, "demanded", A), told(0.5, "decided"), started(0.5, A))) == 1


def test_what_builds_on_a_child_that_was_never_made_or_has_ended_is_never_ready() -> None:
    begun = (told(0.0, "demanded", A), started(0.0, A), told(0.0, "demanded", UNDER_A))
    for terminals in ((), (True,)):
        assert late(*begun, made(1.0, A, *terminals), told(9.0, "query_finished")) == []


def test_a_terminal_node_can_be_scored() -> None:
    begun = (told(0.0, "demanded", A), started(0.0, A), told(0.0, "demanded", SCORE_OF_A), made(1.0, A, True))
    assert late(*begun, started(1.0, SCORE_OF_A), kind="score") == []
    assert len(late(*begun, started(2.0, SCORE_OF_A), kind="score")) == 1


def test_a_demanded_call_that_was_stopped_waits_again() -> None:
    begun = (started(0.0, A, speculative=True), told(1.0, "demanded", A), told(1.0, "promoted", A))
    stopped = (told(1.1, "cancelled", A), started(1.1, B, speculative=True))
    assert len(late(*begun, *stopped, told(3.0, "cancelled", B), started(3.0, A))) == 1


def test_a_call_that_is_never_admitted_is_found_when_its_query_ends() -> None:
    begun = (started(0.0, A, speculative=True), told(1.0, "demanded", B))
    assert len(late(*begun, told(9.0, "cancelled", A), told(9.0, "query_finished"))) == 1
    assert late(*begun, told(1.2, "cancelled", A), told(1.2, "query_finished")) == []
