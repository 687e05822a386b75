"""Judges a scenario: plain, then speculative among faults, then replayed, then killed and continued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from spex.record import MemoryLog
from spex.solution import Solution
from tests.swarm.checker import Limits, check_run, compare
from tests.swarm.scenario import Faults, Scenario
from tests.swarm.trial import Cut, How, Trial, carry_out, replay


def judge(scenario: Scenario) -> list[str]:
    """Everything that is wrong with the scenario, in words."""
    plain = plain_trial(scenario)
    log = MemoryLog()
    speculative = carry_out(scenario, speculate=True, log=log, doomed=in_vain(scenario, plain))
    wrong = differences(scenario, plain, speculative) + check_trial(scenario, speculative, speculate=True)
    wrong += check_trial(plain_of(scenario), plain, speculate=False)
    wrong += [f"replay: {fault}" for fault in differences(scenario, plain, replay(scenario, log))]
    if scenario.killed_at_share is not None:
        wrong += _killed(scenario, plain, speculative.seconds * scenario.killed_at_share)
    return wrong


def differences(scenario: Scenario, plain: Trial, other: Trial) -> list[str]:
    """G1: how another run departs from the plain one.

    A search that was stopped is cut where it is the same. What some of its strands had asked for beyond that, and
    what of it had come, is as time had it.
    """
    if scenario.stopping is None:
        return compare(plain.events, other.events)
    return [
        f"G1: {one.problem.id} gave {two.answer} ({two.stopped_early}) instead of {one.answer} ({one.stopped_early})"
        for one, two in zip(plain.solutions, other.solutions, strict=True)
        if _found(one) != _found(two)
    ]


def _found(solution: Solution) -> tuple[object, ...]:
    return solution.tree, solution.terminals, solution.answer, solution.stopped_early, solution.partial


def plain_of(scenario: Scenario) -> Scenario:
    """The same scenario, undisturbed."""
    return replace(scenario, faults=Faults(), killed_at_share=None)


def plain_trial(scenario: Scenario) -> Trial:
    """The plain, undisturbed run, which every other is compared with."""
    return carry_out(plain_of(scenario), speculate=False)


def in_vain(scenario: Scenario, plain: Trial) -> Callable[[str], bool]:
    """Some of the calls that the plain run never demands, as a test of their keys: these fail for ever."""
    demanded = plain.demanded

    def doomed(key: str) -> bool:
        return key not in demanded and Random(f"{scenario.faults_seed}|{key}").random() < scenario.faults.in_vain

    return doomed


def limits_of(scenario: Scenario, *, speculate: bool) -> Limits:
    """What a run of the scenario is allowed."""
    return Limits(
        scenario.slots,
        scenario.in_flight_max if speculate else 0,
        scenario.reward_slots,
        scenario.cancel_delay_seconds,
        aborts_work=scenario.faults.abort_ignored == 0.0,
    )


def check_trial(scenario: Scenario, trial: Trial, *, speculate: bool) -> list[str]:
    """What is wrong with one whole run by itself: its trace, and G3 and G4 by the engines' own counts."""
    wrong = check_run(trial.events, limits_of(scenario, speculate=speculate), trial.cost.generated, trial.in_flight)
    wrong += [f"G3: an engine is busy with {query} after its end" for query in trial.overstayed]
    if trial.usage.paid != trial.cost:
        wrong.append(f"G4: {trial.usage.paid} was paid, the engines counted {trial.cost}")
    return wrong


def _killed(scenario: Scenario, plain: Trial, seconds: float) -> list[str]:
    """G5: cut off at some moment and continued from the log, the run is the same, and repeats no finished call."""
    log, doomed = MemoryLog(), in_vain(scenario, plain)
    carry_out(scenario, speculate=True, log=log, cut=Cut(How.DEADLINE, max(seconds, 1e-3)), doomed=doomed)
    finished = set(log.entries)
    second = carry_out(scenario, speculate=True, log=log, doomed=doomed)
    wrong = [f"G5: finished call {key} was made again" for key in sorted(finished & set(second.register.asked))]
    return wrong + [f"after a kill: {fault}" for fault in differences(scenario, plain, second)]
