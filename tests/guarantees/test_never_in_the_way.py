"""G2: a ready demanded call waits for other demanded calls, and for speculation one cancellation delay at most."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.guarantees.situations import faults, late, scenarios, tried
from tests.swarm.admission import late_admissions
from tests.swarm.judge import plain_trial
from tests.swarm.scenario import Scenario
from tests.swarm.trial import Trial, carry_out

FEW = st.integers(1, 4)


def delayed(scenario: Scenario, trial: Trial) -> list[str]:
    """The demanded calls that waited for speculation for too long, on either engine."""
    delay = scenario.cancel_delay_seconds
    of_policy = late_admissions(trial.events, "expand", scenario.slots, delay, delay)
    return of_policy + late_admissions(trial.events, "score", scenario.reward_slots, 0.0, delay)


@tried(45)
@given(scenarios(slots=FEW), st.integers(0, 9))
def test_a_ready_call_waits_for_speculation_no_longer_than_a_cancellation_takes(scenario: Scenario, order: int) -> None:
    scenario = replace(late(scenario, order), reward_slots=min(scenario.reward_slots, 4))
    assert delayed(scenario, carry_out(scenario, speculate=True)) == []


@tried(24)
@given(scenarios(slots=FEW, fault=faults()))
def test_so_it_is_when_calls_fail_and_are_tried_again(scenario: Scenario) -> None:
    scenario = replace(scenario, faults=replace(scenario.faults, abort_ignored=0.0))
    assert delayed(scenario, carry_out(scenario, speculate=True)) == []


@tried(12)
@given(scenarios(slots=FEW))
def test_without_speculation_a_ready_call_starts_as_soon_as_there_is_a_slot(scenario: Scenario) -> None:
    trial = plain_trial(scenario)
    assert delayed(replace(scenario, cancel_delay_seconds=0.0), trial) == []
    assert not any(event.get("speculative") for event in trial.events)
