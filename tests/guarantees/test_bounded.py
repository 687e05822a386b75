"""G3: speculation stays within its budget, and of what is over nothing is in flight, by the engines' own counts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from tests.guarantees.situations import cut_at, cuts, faults, scenarios, tried
from tests.swarm.checker import bounded, clean
from tests.swarm.judge import in_vain, limits_of, plain_trial
from tests.swarm.scenario import Scenario
from tests.swarm.trial import How, Trial, carry_out


def left_behind(trial: Trial) -> list[str]:
    """What was in flight when it should not have been: at the end of its query, and of the run."""
    return [*clean(trial.events, trial.in_flight), *trial.overstayed]


@tried(35)
@given(scenarios(fault=faults()))
def test_speculation_in_flight_never_exceeds_its_budget_nor_all_work_the_slots(scenario: Scenario) -> None:
    trial = carry_out(scenario, speculate=True)
    assert bounded(trial.events, limits_of(scenario, speculate=True)) == []


@tried(24)
@given(scenarios(fault=faults()))
def test_when_a_query_ends_nothing_of_it_is_in_flight(scenario: Scenario) -> None:
    plain = plain_trial(scenario)
    assert left_behind(plain) == []
    assert left_behind(carry_out(scenario, speculate=True, doomed=in_vain(scenario, plain))) == []


@tried(35)
@given(scenarios(fault=faults()), cuts())
def test_when_a_run_is_cut_short_at_any_moment_nothing_of_it_is_in_flight(
    scenario: Scenario, cut: tuple[How, float]
) -> None:
    plain = plain_trial(scenario)
    assert left_behind(carry_out(scenario, speculate=True, cut=cut_at(cut, plain))) == []


@tried(12)
@given(scenarios())
def test_a_budget_of_nothing_is_the_plain_run_to_the_moment(scenario: Scenario) -> None:
    none = replace(scenario, speculation=replace(scenario.speculation, in_flight_max=0))
    assert carry_out(none, speculate=True).events == plain_trial(scenario).events
