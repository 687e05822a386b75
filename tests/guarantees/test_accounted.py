"""G4: every token is useful, wasted or lost; the classes add up to what the engines counted, whatever happens."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spex.record import MemoryLog
from spex.solution import Foresight, Solution
from spex.usage import Tokens
from tests.guarantees.situations import cut_at, cuts, faults, scenarios, tried
from tests.swarm.judge import in_vain, plain_trial
from tests.swarm.scenario import Scenario
from tests.swarm.trial import How, carry_out

ENDS = ("finished", "cancelled", "failed")


@tried(35)
@given(scenarios(fault=faults()))
def test_what_was_useful_wasted_and_lost_is_what_the_engines_counted(scenario: Scenario) -> None:
    plain = plain_trial(scenario)
    trial = carry_out(scenario, speculate=True, doomed=in_vain(scenario, plain))
    assert trial.usage.paid == trial.cost
    assert trial.usage.replayed == Tokens()


@tried(24)
@given(scenarios(fault=faults()))
def test_the_useful_are_the_plain_runs_whatever_was_stopped_tried_again_or_guessed(scenario: Scenario) -> None:
    plain = plain_trial(scenario)
    trial = carry_out(scenario, speculate=True, doomed=in_vain(scenario, plain))
    assert trial.usage.useful.generated == plain.usage.useful.generated == plain.cost.generated
    assert (plain.usage.wasted, plain.usage.lost) == (Tokens(), Tokens())


@tried(24)
@given(scenarios(fault=faults()), cuts())
def test_a_run_that_is_cut_short_accounts_for_all_that_it_began(scenario: Scenario, cut: tuple[How, float]) -> None:
    plain = plain_trial(scenario)
    short = carry_out(scenario, speculate=True, cut=cut_at(cut, plain))
    assert short.usage.paid == short.cost


@tried(24)
@given(scenarios(fault=faults()), cuts(), st.booleans())
def test_a_run_that_goes_on_from_its_log_pays_for_what_is_new_and_reports_all(
    scenario: Scenario, cut: tuple[How, float], again: bool
) -> None:
    plain, log = plain_trial(scenario), MemoryLog()
    carry_out(scenario, speculate=True, log=log, cut=cut_at(cut, plain))
    logged = sum((entry.cost.generated for entry in log.entries.values() if hasattr(entry, "cost")), 0)
    rest = carry_out(scenario, speculate=again, log=log)
    assert rest.usage.paid == rest.cost
    assert rest.usage.replayed.generated <= logged
    assert rest.usage.useful.generated == plain.usage.useful.generated


@tried(24)
@given(scenarios(fault=faults()))
def test_each_query_reports_the_tokens_and_the_foresight_that_its_trace_tells_of(scenario: Scenario) -> None:
    trial = carry_out(scenario, speculate=True)
    for solution in trial.solutions:
        events = [event for event in trial.events if event["query"] == solution.problem.id]
        tokens = {event["call"]: event["tokens"] for event in events if event["event"] in ENDS}
        expansions = sum(count for call, count in tokens.items() if call.startswith("expand:"))
        assert expansions == generated(solution)
        assert told_foresight(events) == solution.foresight._replace(head_start_seconds=0.0)


def generated(solution: Solution) -> int:
    usage = solution.usage
    return usage.useful.generated + usage.wasted.generated + usage.lost.generated


def told_foresight(events: list[dict[str, Any]]) -> Foresight:
    """How speculation fared, from a query's trace alone: whose first start was a guess, and who was demanded."""
    first = Counter[str]()
    guessed, committed, demanded = set(), set(), set()
    for event in events:
        call = event.get("call", "")
        if event["event"] == "started":
            first[call] += 1
            if event["speculative"] and first[call] == 1:
                guessed.add(call)
        elif event["event"] == "demanded":
            demanded.add(call)
            if call in guessed:
                committed.add(call)
    return Foresight(len(guessed), len(committed), len(demanded), len(committed))
